"""The arithmetic of a floating-point format: every operation is computed exactly and rounded once, as IEEE 754 says it.

It depends on no library's exp and log, which may miss the last bit, and holds for formats that NumPy does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mpmath import mp

from luce.explanation.quantities import Number

__all__ = ["Rounded"]


class Rounded(NamedTuple):
    """A format, and its operations on numbers of ``mpmath``.

    Attributes
    ----------
    bits : int
        Of the significand, with the leading one.
    low, top : int
        The exponents of the smallest normal number and of the largest.

    Examples
    --------
    >>> float16 = Rounded(11, -14, 15)
    >>> float(float16.round(mp.mpf(2049))), float(float16.round(mp.mpf("1e-9"))), float(float16.exp(mp.mpf(12)))
    (2048.0, 0.0, inf)
    """

    bits: int
    low: int
    top: int

    def round(self, x: Number) -> Number:
        """Return the nearest number of the format, the even one of two; subnormal below its range and ∞ above it."""
        x = mp.mpf(x)
        if x == 0 or not mp.isfinite(x):
            return x
        grid = max(mp.frexp(x)[1] - 1, self.low) - (self.bits - 1)
        rounded = mp.ldexp(mp.nint(mp.ldexp(x, -grid)), grid)
        if abs(rounded) >= mp.ldexp(1, self.top + 1):
            return mp.inf if x > 0 else -mp.inf
        return rounded

    def add(self, a: Number, b: Number) -> Number:
        """Return a + b."""
        return self.round(a + b)

    def times(self, a: Number, b: Number) -> Number:
        """Return a · b."""
        return self.round(a * b)

    def over(self, a: Number, b: Number) -> Number:
        """Return a / b; NaN for 0 / 0, as floating point has it."""
        if b == 0:
            return mp.nan if a == 0 or mp.isnan(a) else mp.sign(a) * mp.inf
        return self.round(a / b)

    def exp(self, x: Number) -> Number:
        """Return e to the x."""
        if mp.isfinite(x) and abs(x) > 2 * max(self.top, self.bits - self.low):
            return mp.inf if x > 0 else mp.zero
        return self.round(mp.exp(x))

    def log(self, x: Number) -> Number:
        """Return the logarithm, −∞ for 0."""
        return -mp.inf if x == 0 else self.round(mp.log(x))

    def log1p(self, x: Number) -> Number:
        """Return log(1 + x)."""
        return self.round(mp.log1p(x)) if mp.isfinite(x) else x

    def total(self, values: Iterable[Number]) -> Number:
        """Return the sum, from the first to the last."""
        found = mp.zero
        for x in values:
            found = self.add(found, x)
        return found
