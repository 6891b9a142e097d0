"""The suite's own comparison functions: componentwise, in eps of the dtype, nothing absolute but the subnormal grid."""

from __future__ import annotations

import numpy as np

from luce.check.oracle import CrossEntropy, Exact, mp, to_exact

LOSS_EPS = 4
GRADIENT_EPS = 8
PRODUCT_EPS = 8
"""Hessian-vector products are held to what gradients are held to: relative to the sum of their terms' magnitudes."""


def errors(got, exact: Exact, dtype=None) -> np.ndarray:
    """|got − value| / (eps·scale) of each finite entry, less what the subnormal grid forces; NaN where not finite.

    float16 is float32 rounded once: half a unit of float16 comes off, the rest counts in eps of float32.
    """
    got = np.asarray(got)
    info = np.finfo(dtype or got.dtype)
    with mp.workdps(60):
        grid = 4 * mp.mpf(float(info.smallest_subnormal))
        tiny = 2 * mp.mpf(float(info.smallest_normal))
        twice = info.dtype == np.float16
        eps = mp.mpf(float(np.finfo(np.float32).eps if twice else info.eps))

        def rounding(value):
            return max(abs(value) * float(info.eps), float(info.smallest_subnormal)) / 2 if twice else 0

        def one(x, value, scale):
            if not (mp.isfinite(x) and mp.isfinite(value)):
                return float("nan")
            size = max(scale, abs(value))
            error = abs(x - value) - rounding(value) - (grid if size < tiny else 0)
            if error <= 0:
                return 0.0
            return float(error / (eps * size)) if size else float("inf")

        found = np.frompyfunc(one, 3, 1)(to_exact(got), exact.value, exact.scale)
    return np.asarray(found, dtype=np.float64)


def assert_same_kind(got, exact: Exact) -> None:
    """Same shape, and NaN and ±inf in the same places."""
    got = np.asarray(got)
    assert got.shape == np.shape(exact.value), f"shape {got.shape}, should be {np.shape(exact.value)}"
    with np.errstate(over="ignore"):  # what is too large for the dtype rounds to infinity
        want = np.asarray(exact.value).astype(np.float64).astype(got.dtype)
    for name, test in (("NaN", np.isnan), ("+inf", np.isposinf), ("-inf", np.isneginf)):
        wrong = test(got.astype(np.float64)) != test(want)
        if wrong.any():
            at = _first(wrong)
            raise AssertionError(f"{name} at the wrong places, first at {at}: got {got[at]}, want {want[at]}")


def assert_within(got, exact: Exact, limit: float, dtype=None) -> None:
    """Every entry within ``limit`` eps of the dtype, relative to its scale."""
    got = np.asarray(got)
    dtype = np.dtype(dtype or got.dtype)
    assert_same_kind(got, exact)
    found = errors(got, exact, dtype)
    wrong = found > limit
    if wrong.any():
        at = tuple(int(i) for i in np.unravel_index(np.nanargmax(found), found.shape))
        raise AssertionError(
            f"{int(wrong.sum())} of {wrong.size} entries are off by more than {limit:g} eps of {dtype}; the worst "
            f"at {at} by {found[at]:.4g}: got {got[at]!r}, want {mp.nstr(exact.value[at], 17)}, "
            f"scale {mp.nstr(exact.scale[at], 5)}"
        )


def assert_loss(got, exact: Exact | CrossEntropy, dtype=None) -> None:
    """Within the 4 eps that the contract promises for losses."""
    assert_within(got, exact if isinstance(exact, Exact) else exact.value, LOSS_EPS, dtype)


def assert_gradient(got, exact: Exact | CrossEntropy, dtype=None) -> None:
    """Within the 8 eps that the contract promises for each entry of a gradient."""
    assert_within(got, exact if isinstance(exact, Exact) else exact.gradient(), GRADIENT_EPS, dtype)


def assert_product(got, exact: Exact, dtype=None) -> None:
    """A product with a vector, held to the bound of gradients."""
    assert_within(got, exact, PRODUCT_EPS, dtype)


def assert_contraction(got, exact: Exact, n_terms: int, dtype=None) -> None:
    """A matrix product of ``n_terms`` terms, each good to 8 eps: a BLAS adds them in any order, half an eps a step."""
    assert_within(got, exact, GRADIENT_EPS + (n_terms + 1) / 2, dtype)


def assert_same_bits(a, b) -> None:
    """Equal shape, dtype and bits; all NaNs are one."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape and a.dtype == b.dtype, f"{a.dtype}{a.shape} against {b.dtype}{b.shape}"
    same = (a == b) & (np.signbit(a) == np.signbit(b)) | ((a != a) & (b != b)) if a.dtype.kind == "f" else a == b
    if not same.all():
        at = _first(~same)
        raise AssertionError(f"{int((~same).sum())} of {same.size} entries differ, first at {at}: {a[at]!r} {b[at]!r}")


def _first(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])
