"""The distance of numbers from the oracle's, each in eps of its dtype; nothing is absolute but the subnormal grid.

The assertions are for tests; :func:`deviation` says in words what is off, for those who judge others' numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import ArrayLike, DTypeLike, NDArray

from luce.check.truth.oracle import CrossEntropy, Exact, Number, to_exact

__all__ = [
    "GRADIENT_EPS",
    "LOSS_EPS",
    "PRODUCT_EPS",
    "RIGHT_EPS",
    "Precision",
    "Wrong",
    "assert_contraction",
    "assert_gradient",
    "assert_loss",
    "assert_product",
    "assert_same_bits",
    "assert_same_kind",
    "assert_within",
    "deviation",
    "errors",
    "levelled",
    "other_kind",
    "precision",
]

LOSS_EPS = 4
GRADIENT_EPS = 8
PRODUCT_EPS = 8
"""Hessian-vector products are held to what gradients are held to: relative to the sum of their terms' magnitudes."""

RIGHT_EPS = 64
"""Rounding alone: shifted logits up to 20 cost 10 eps of exp, a sum of some hundred terms as many in the worst case."""


@dataclass(frozen=True)
class Precision:
    """The precision of a floating-point dtype.

    ``computed`` is the eps that errors are counted in: the dtype's own, or float32's where 16-bit numbers are to be
    computed in float32 and rounded once.
    """

    name: str
    eps: float
    smallest_normal: float
    computed: float

    @property
    def smallest_subnormal(self) -> float:
        """The distance between the numbers next to 0."""
        return self.smallest_normal * self.eps

    @property
    def rounded_once(self) -> bool:
        """True if half a unit in the last place is the rounding's own."""
        return self.computed < self.eps


def precision(dtype: DTypeLike | str) -> Precision:
    """Return what is known of a dtype; "bfloat16", which NumPy lacks, goes by its name.

    Examples
    --------
    >>> precision("bfloat16").eps
    0.0078125
    """
    if str(dtype) == "bfloat16":
        return Precision("bfloat16", 2.0**-7, 2.0**-126, 2.0**-23)
    info = np.finfo(np.dtype(dtype))
    return Precision(
        info.dtype.name, float(info.eps), float(info.smallest_normal), min(float(info.eps), float(np.finfo("f4").eps))
    )


def errors(
    got: ArrayLike, exact: Exact, dtype: DTypeLike | str | None = None, *, flushed: bool = False
) -> NDArray[np.float64]:
    """Return |got − value| / (eps·scale) of each entry, less what the subnormal grid forces; NaN where not finite.

    16-bit numbers are float32 rounded once: half a unit of theirs comes off, the rest counts in eps of float32. Where
    subnormal numbers are flushed to 0, those and what a few of them make up count as 0.
    """
    got = np.asarray(got)
    kind = precision(got.dtype if dtype is None else dtype)
    with mp.workdps(60):
        eps, normal = mp.mpf(kind.computed), mp.mpf(kind.smallest_normal)
        grid, tiny = (16 * normal, 16 * normal) if flushed else (4 * mp.mpf(kind.smallest_subnormal), 2 * normal)

        def rounding(value: Number) -> Number:
            return max(abs(value) * kind.eps, kind.smallest_subnormal) / 2 if kind.rounded_once else 0

        def one(x: Number, value: Number, scale: Number) -> float:
            if not (mp.isfinite(x) and mp.isfinite(value)):
                return float("nan")
            size = max(scale, abs(value))
            error = abs(x - value) - rounding(value) - (grid if size < tiny else 0)
            if error <= 0:
                return 0.0
            return float(error / (eps * size)) if size else float("inf")

        found = np.frompyfunc(one, 3, 1)(to_exact(got), exact.value, exact.scale)
    return np.asarray(found, dtype=np.float64)


def other_kind(got: ArrayLike, exact: Exact) -> NDArray[np.bool_]:
    """Return where NaN, +inf or −inf stands for something else, or something else for it; the shapes must agree."""
    got = np.asarray(got)
    if got.shape != np.shape(exact.value):
        raise AssertionError(f"shape {got.shape}, should be {np.shape(exact.value)}")
    with np.errstate(over="ignore"):  # what is too large for the dtype rounds to infinity
        want = np.asarray(exact.value).astype(np.float64).astype(got.dtype)
    kinds = [(test(got.astype(np.float64)), test(want)) for test in (np.isnan, np.isposinf, np.isneginf)]
    return np.asarray(np.any([mine != theirs for mine, theirs in kinds], axis=0))


def assert_same_kind(got: ArrayLike, exact: Exact) -> None:
    """Assert the same shape, and NaN and ±inf in the same places."""
    got, wrong = np.asarray(got), other_kind(got, exact)
    if wrong.any():
        at = _first(wrong)
        raise AssertionError(f"NaN or infinity amiss, first at {at}: got {got[at]}, want {exact.value[at]}")


def assert_within(got: ArrayLike, exact: Exact, limit: float, dtype: DTypeLike | str | None = None) -> None:
    """Assert that every entry is within ``limit`` eps of the dtype, relative to its scale."""
    got = np.asarray(got)
    kind = precision(got.dtype if dtype is None else dtype)
    assert_same_kind(got, exact)
    found = errors(got, exact, kind.name)
    wrong = found > limit
    if wrong.any():
        at = tuple(int(i) for i in np.unravel_index(np.nanargmax(found), found.shape))
        raise AssertionError(
            f"{int(wrong.sum())} of {wrong.size} entries are off by more than {limit:g} eps of {kind.name}; the worst "
            f"at {at} by {found[at]:.4g}: got {got[at]!r}, want {mp.nstr(exact.value[at], 17)}, "
            f"scale {mp.nstr(exact.scale[at], 5)}"
        )


def assert_loss(got: ArrayLike, exact: Exact | CrossEntropy, dtype: DTypeLike | str | None = None) -> None:
    """Assert the 4 eps that the contract promises for losses."""
    assert_within(got, exact if isinstance(exact, Exact) else exact.value, LOSS_EPS, dtype)


def assert_gradient(got: ArrayLike, exact: Exact | CrossEntropy, dtype: DTypeLike | str | None = None) -> None:
    """Assert the 8 eps that the contract promises for each entry of a gradient."""
    assert_within(got, exact if isinstance(exact, Exact) else exact.gradient(), GRADIENT_EPS, dtype)


def assert_product(got: ArrayLike, exact: Exact, dtype: DTypeLike | str | None = None) -> None:
    """Assert of a product with a vector what is promised for gradients."""
    assert_within(got, exact, PRODUCT_EPS, dtype)


def assert_contraction(got: ArrayLike, exact: Exact, n_terms: int, dtype: DTypeLike | str | None = None) -> None:
    """Assert 8 eps for each of ``n_terms`` terms of a matrix product, and half an eps a step of a BLAS's sum."""
    assert_within(got, exact, GRADIENT_EPS + (n_terms + 1) / 2, dtype)


def assert_same_bits(a: ArrayLike, b: ArrayLike) -> None:
    """Assert equal shape, dtype and bits; all NaNs are one."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        raise AssertionError(f"{a.dtype}{a.shape} against {b.dtype}{b.shape}")
    same = (a == b) & (np.signbit(a) == np.signbit(b)) | ((a != a) & (b != b)) if a.dtype.kind == "f" else a == b
    if not same.all():
        at = _first(~same)
        first = f"first at {at}: {a[at]} against {b[at]}"
        raise AssertionError(f"{int((~same).sum())} of {same.size} entries differ, {first}")


def _first(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


class Wrong(AssertionError):
    """A wrong number, and by how much it is off; other failures count as infinitely wrong."""

    def __init__(self, words: str, error: float) -> None:
        super().__init__(words)
        self.error = error


def deviation(
    what: str,
    got: NDArray[Any],
    exact: Exact,
    dtype: object,
    *,
    limit: float | None = None,
    unit: float = 0.0,
    flushed: bool = False,
) -> float:
    """Return by how much numbers are off at most, in eps; those of 16 bits in roundings, of which one is unavoidable.

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
    """Return the same values, all held against the largest scale, or against a unit if that is larger."""
    level = max([mp.mpf(unit), *(scale for scale in exact.scale.flat if mp.isfinite(scale))])
    return Exact(exact.value, np.full(np.shape(exact.value), level, dtype=object))


def _told_apart(got: Number, want: Number) -> str:
    """Return a number that is off and the right one, in as many digits as it takes to see the difference."""
    texts = [(f"{float(got):.{digits}g}", f"{float(want):.{digits}g}") for digits in range(3, 18)]
    differ = [mine != theirs for mine, theirs in texts]
    mine, theirs = next((texts[i] for i in range(1, len(texts)) if differ[i - 1] and differ[i]), texts[-1])
    return f"is {mine}, should be {theirs}"
