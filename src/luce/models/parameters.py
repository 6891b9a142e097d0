"""The parameters of a classifier, checked when it is fitted: each error names one, what it is and what it may be."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Protocol

import numpy as np

from luce.models.inputs.kinds import ClassWeights
from luce.models.linear.assembly import SOLVER_NAMES

__all__ = ["Parameters", "check_parameters"]


class Parameters(Protocol):
    """The parameters of a linear classifier, as `luce.SoftmaxClassifier` documents them."""

    C: float
    l1_ratio: float
    fit_intercept: bool
    class_weight: ClassWeights | str | None
    label_smoothing: float
    loss: str
    standard_errors: bool
    tol: float
    max_iter: int
    solver: str
    warm_start: bool
    verbose: int
    n_threads: int | None


def check_parameters(model: Parameters) -> None:
    """Raise ValueError for a parameter that is out of its range, or does not go with another."""
    if not (isinstance(model.C, Real) and model.C > 0):
        raise ValueError(f"C must be a positive number or inf, got {model.C!r}")
    if not (isinstance(model.l1_ratio, Real) and 0 <= model.l1_ratio <= 1):
        raise ValueError(f"l1_ratio must be a number between 0 and 1, got {model.l1_ratio!r}")
    if not (isinstance(model.label_smoothing, Real) and 0 <= model.label_smoothing < 1):
        raise ValueError(f"label_smoothing must be a number >= 0 and < 1, got {model.label_smoothing!r}")
    if model.loss not in ("softmax", "sigmoid"):
        raise ValueError(f"loss must be 'softmax' or 'sigmoid', got {model.loss!r}")
    if not (isinstance(model.tol, Real) and 0 <= model.tol < np.inf):
        raise ValueError(f"tol must be a number >= 0, got {model.tol!r}")
    for name in ("fit_intercept", "standard_errors", "warm_start"):
        if not isinstance(value := getattr(model, name), (bool, np.bool_)) and value not in (0, 1):
            raise ValueError(f"{name} must be True or False, got {value!r}")
    if not isinstance(model.verbose, (Integral, np.bool_)):
        raise ValueError(f"verbose must be an integer, got {model.verbose!r}")
    if not (isinstance(model.max_iter, Integral) and not isinstance(model.max_iter, bool) and model.max_iter >= 1):
        raise ValueError(f"max_iter must be an integer >= 1, got {model.max_iter!r}")
    if model.solver not in SOLVER_NAMES:
        raise ValueError(f"solver must be one of {list(SOLVER_NAMES)}, got {model.solver!r}")
    if model.l1_ratio and model.solver not in ("auto", "proximal-newton"):
        raise ValueError(f"solver: with l1_ratio > 0 it is 'proximal-newton', got {model.solver!r}")
    if model.l1_ratio and model.standard_errors:
        raise ValueError("standard_errors: a model with an L1 penalty has none; set l1_ratio=0")
    if not (model.n_threads is None or (isinstance(model.n_threads, Integral) and model.n_threads >= 1)):
        raise ValueError(f"n_threads must be None or an integer >= 1, got {model.n_threads!r}")
