"""The distance of results from the truth, and the tolerances up to which numbers are the same, or right."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from luce.check.calling.outputs import Returned
from luce.check.inputs.probes import Probe
from luce.check.truth.oracle import to_float
from luce.derivation.quantities import Array

__all__ = ["RIGHT_WITHIN", "SAME_WITHIN", "Case", "agrees", "digits", "distance", "error_of", "is_right", "truth_of"]

SAME_WITHIN = {"float64": 1e-10, "float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}
"""The error, relative to the largest entry, up to which numbers are the same numbers: some thousands of roundings."""

RIGHT_WITHIN = {"float64": 1e-5, "float32": 2e-4, "float16": 2e-2, "bfloat16": 1e-1}
"""Up to which a function is called right, to the digits that it has; in float64, the error of float32 arithmetic."""


class Case(NamedTuple):
    """An input that a function was given, with the results that it returned."""

    probe: Probe
    returned: Returned


def agrees(predicted: Array, value: Array, tolerance: float = 1e-10, least: float = 1e-30) -> bool:
    """Return whether these are the same numbers, relative to the largest or to ``least``, where there is only rounding.

    A result that is not finite anywhere agrees with any such result.
    """
    if predicted.shape != value.shape:
        return False
    if least > 1e-30 and not predicted.any():
        return not value.any()
    finite = np.isfinite(predicted).all(), np.isfinite(value).all()
    if not all(finite):
        return not any(finite)
    size = float(np.abs(predicted).max(initial=0.0))
    return bool(np.abs(predicted - value).max(initial=0.0) <= tolerance * max(size, least))


def is_right(case: Case) -> bool:
    """Return whether all outputs are right, to the digits of their dtype."""
    return error_of(case) <= RIGHT_WITHIN[case.returned.dtype]


def error_of(case: Case) -> float:
    """Return the largest error of an output, relative to its largest entry.

    It is infinite where an output is not finite or has another shape.
    """
    if case.returned.arithmetic:
        return np.inf
    return max(distance(case.probe, name, value) for name, value in case.returned.outputs.items())


def distance(probe: Probe, name: str, value: Array) -> float:
    """Return the largest error of an output of this name."""
    right = truth_of(probe, name)
    if right.shape != value.shape or not np.isfinite(value).all():
        return np.inf
    return float(np.abs(value - right).max(initial=0.0) / max(np.abs(right).max(initial=0.0), 1e-300))


@lru_cache(maxsize=256)
def truth_of(probe: Probe, name: str) -> Array:
    """Return the right value of an output, from the oracle."""
    return to_float(probe.truth(name).value)


def digits(error: float) -> int:
    """Return how many decimal digits are right."""
    return int(min(16, max(0, np.floor(-np.log10(max(error, 1e-16)))))) if np.isfinite(error) else 0
