"""Checks of accuracy: each loss and each entry of a derivative to its last digits, also where the row is confident."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np

from luce.check.calling.errors import Unsupported
from luce.check.conformance_suite.checks.registry import check
from luce.check.conformance_suite.trial import Trial, problem
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.tolerance import GRADIENT_EPS, LOSS_EPS, PRODUCT_EPS
from luce.derivation.quantities import OptionValue

ACCURATE = ["normal", "tenth", "uniform", "high", "low", "ties", "near tie", "staircase", "hated", "hundredfold"]
MARGINS = [10.0, 17.0, 40.0, 60.0, 80.0]


def _per_row(t: Trial, dtype: str, limits: Iterable[tuple[str, float]], **description: OptionValue) -> None:
    """Judge problems that show each row's loss: all rows where they come out alone, else one row at a time."""
    alone = "none" not in t.reductions
    for seed in range(3 if alone else 1):
        p = problem(
            seed=seed,
            n_rows=1 if alone else 6,
            dtype=dtype,
            reduction=t.reductions[0] if alone else "none",
            **description,
        )
        for name, limit in limits:
            if t.statuses.get(name) != "failed":
                getattr(t, name)(p, limit, what=description["case"])


def _enter_accuracy(dtype: str) -> None:
    """Enter the checks of a dtype that numbers are computed in."""

    def entered(name: str, what: str, quantity: str, limit: float) -> None:
        @check(f"accurate {name}, {dtype}", f"{what} within {limit:g} eps, whatever the logits")
        def run(t: Trial) -> None:
            t.require_dtype(dtype)
            if quantity not in ("loss", *t.derivatives):
                raise Unsupported(f"{quantity} is missing or wrong")
            for case in ACCURATE:
                for classes in (5, 65):
                    _per_row(t, dtype, [(quantity, limit)], case=case, n_classes=classes)

    entered("losses", "each loss", "loss", LOSS_EPS)
    entered("gradients", "each entry", "gradient", GRADIENT_EPS)
    entered("products", "each entry of a Hessian product", "product", PRODUCT_EPS)
    entered("forward mode", "each derivative along a vector", "forward", PRODUCT_EPS)

    @check(f"confident rows, {dtype}", "loss and gradient keep their digits at margins from 10 to 80")
    def confident(t: Trial) -> None:
        t.require_dtype(dtype)
        for margin in MARGINS:
            p = _confident(dtype, t.reductions[0], margin)
            t.loss(p, LOSS_EPS, what=f"margin {margin:g}")
            if "gradient" in t.derivatives:
                t.gradient(p, GRADIENT_EPS, what=f"margin {margin:g}")


@functools.cache
def _confident(dtype: str, reduction: str, margin: float) -> DrawnProblem:
    """Draw two classes: the other one's share is below half an eps of float32 from a margin of 17 on."""
    p = DrawnProblem(case="uniform", n_rows=1, n_classes=2, dtype=dtype, reduction=reduction)
    p.logits[0, 1] = margin
    p.target = np.array([1])
    return p


for _dtype in ("float64", "float32"):
    _enter_accuracy(_dtype)


def _enter_narrow(dtype: str) -> None:
    """Enter the check of a dtype of 16 bits."""

    @check(dtype, "losses and gradients are the true ones, rounded once: no more than 8 eps of float32 beside that")
    def narrow(t: Trial) -> None:
        t.require_dtype(dtype)
        for case in ("normal", "tenth", "ties", "peaked"):
            for classes in (5, 65):
                _per_row(t, dtype, [("loss", LOSS_EPS), ("gradient", GRADIENT_EPS)], case=case, n_classes=classes)


for _dtype in ("bfloat16", "float16"):
    _enter_narrow(_dtype)
