"""The built-in models of a comparison: each an estimator with the loss that it minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from luce.models.classifier import SoftmaxClassifier
from luce.models.comparison import margin_losses
from luce.models.comparison.margin_losses import Curve
from luce.models.inputs.kinds import Array

__all__ = ["BUILT_IN", "BuiltIn"]

SVC_ITERATIONS = 20_000  # LIBLINEAR's own limit of 1000 is passed by data as small as digits


class BuiltIn(NamedTuple):
    """A built-in model.

    Attributes
    ----------
    build : callable
        Makes the estimator from C and the seed.
    curve : callable
        Its loss at margins.
    formula : str
        The loss in TeX, as plots show it.
    line : str
        Matplotlib's style of the loss's line.
    """

    build: Callable[[float, object], object]
    curve: Callable[[Array], Curve]
    formula: str
    line: str


BUILT_IN = {
    "softmax": BuiltIn(lambda C, _: SoftmaxClassifier(C=C), margin_losses.softmax, r"$\log(1+e^{-m})$", "-"),
    "sigmoid": BuiltIn(
        lambda C, _: SoftmaxClassifier(loss="sigmoid", C=C),
        margin_losses.sigmoid,
        r"$2\,\log(1+e^{-m/2})$",
        "--",
    ),
    "svm-crammer-singer": BuiltIn(
        lambda C, seed: LinearSVC(multi_class="crammer_singer", C=C, max_iter=SVC_ITERATIONS, random_state=seed),
        margin_losses.hinge,
        r"$\max(0,\,1-m)$",
        "-",
    ),
    "svm-ovr": BuiltIn(
        lambda C, seed: LinearSVC(C=C, max_iter=SVC_ITERATIONS, random_state=seed),
        margin_losses.squared_hinge,
        r"$\max(0,\,1-m)^2$",
        "-.",
    ),
    "ridge": BuiltIn(
        lambda C, seed: RidgeClassifier(alpha=1 / (2 * C), random_state=seed),
        margin_losses.squared_error,
        r"$(1-m)^2$",
        ":",
    ),
}
