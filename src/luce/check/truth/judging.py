"""Numbers held against the oracle's, right or accurate, and the words for what is off."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

from luce.check.truth.oracle import Exact
from luce.check.truth.tolerance import errors, other_kind, precision

__all__ = ["RIGHT_EPS", "Wrong", "deviation", "levelled"]

RIGHT_EPS = 64
"""Rounding alone: shifted logits up to 20 cost 10 eps of exp, a sum of some hundred terms as many in the worst case."""


class Wrong(AssertionError):
    """A wrong number, and by how much it is off; other failures count as infinitely wrong."""

    def __init__(self, words: str, error: float) -> None:
        super().__init__(words)
        self.error = error


def deviation(
    what: str,
    got: NDArray[Any],
    exact: Exact,
    dtype: Any,
    *,
    limit: float | None = None,
    unit: float = 0.0,
    flushed: bool = False,
) -> float:
    """By how much numbers are off at most: in eps, or those of 16 bits in roundings, of which one cannot be avoided.

    Parameters
    ----------
    what : str
        Their name.
    got, exact, dtype
        The numbers, the oracle's, and the dtype that was computed in.
    limit : float, optional
        How many eps of its own scale an entry may be off; by default 64 of the largest scale, or of ``unit``.
    unit : float
        What the numbers count for, where all of them are smaller.
    flushed : bool
        Whether subnormal numbers may be 0.

    Raises
    ------
    Wrong
        If that is too much.
    """
    kind = precision(str(dtype))
    if got.shape != np.shape(exact.value):
        raise AssertionError(f"{what} of shape {got.shape}, should be {np.shape(exact.value)}")
    found = errors(got, levelled(exact, unit) if limit is None else exact, kind.name, flushed=flushed)
    found = np.where(other_kind(got, exact), np.inf, np.nan_to_num(found, posinf=np.inf))
    if not found.size:
        return 0.0
    at = tuple(int(i) for i in np.unravel_index(found.argmax(), found.shape))
    error = float(found[at])
    in_units = 1 + 2 * error * kind.computed / kind.eps if kind.rounded_once else error
    if error > (RIGHT_EPS if limit is None else limit):
        off = f", off by {in_units:.4g} {'roundings' if kind.rounded_once else f'eps of {kind.name}'}"
        words = f"{what}{list(at) if at else ''} {_told_apart(got[at], exact.value[at])}"
        raise Wrong(words + off if np.isfinite(error) else words, in_units)
    return in_units


def levelled(exact: Exact, unit: float) -> Exact:
    """The same values, all held against the largest scale, or against a unit if that is larger."""
    level = max([mp.mpf(unit), *(scale for scale in exact.scale.flat if mp.isfinite(scale))])
    return Exact(exact.value, np.full(np.shape(exact.value), level, dtype=object))


def _told_apart(got: Any, want: Any) -> str:
    """A number that is off and the right one, in as many digits as it takes to see the difference."""
    texts = [(f"{float(got):.{digits}g}", f"{float(want):.{digits}g}") for digits in range(3, 18)]
    differ = [mine != theirs for mine, theirs in texts]
    mine, theirs = next((texts[i] for i in range(1, len(texts)) if differ[i - 1] and differ[i]), texts[-1])
    return f"is {mine}, should be {theirs}"
