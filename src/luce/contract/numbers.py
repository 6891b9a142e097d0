"""Numbers, integers and words that a user gives, each in its range: the one check and the one error of each kind."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from luce.contract.error_words import shown

__all__ = ["NOT_NEGATIVE", "Choice", "Range", "integer", "threads"]


class Range(NamedTuple):
    """The real numbers that an argument may be, and how an error calls them."""

    wanted: str
    holds: Callable[[float], bool]

    def check(self, name: str, value: object) -> float:
        """Return the number that an argument is; a TypeError for what is none, a ValueError outside the range."""
        if type(value) is not float and (not isinstance(value, numbers.Real) or isinstance(value, bool)):
            raise TypeError(f"{name}: expected {self.wanted}, got {shown(value)}")
        try:
            result = float(value)
        except OverflowError:  # an integer, of more than 308 digits
            result = math.inf
        if not (abs(result) < math.inf and self.holds(result)):  # under torch.compile these are guards on a symbol
            raise ValueError(f"{name}: expected {self.wanted}, got {shown(value)}")
        return result


NOT_NEGATIVE = Range("a finite number >= 0", lambda x: x >= 0)


class Choice(NamedTuple):
    """The words that an argument may be, or None."""

    words: tuple[str | None, ...]

    def check(self, name: str, value: object) -> object:
        """Return the word that an argument is; a ValueError for any other value."""
        if not (value in self.words if isinstance(value, str) else value is None and None in self.words):
            words = ", ".join(map(repr, self.words))
            raise ValueError(f"{name}: expected one of {words}, got {shown(value)}")
        return value


def integer(name: str, value: Any, wanted: str) -> int:
    """Return the integer that an argument is; a TypeError for anything else, also for a truth."""
    try:
        if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected {wanted}, got {shown(value)}") from None


def threads(n_threads: int | None) -> int | None:
    """Return a number of threads, or None for the setting."""
    if n_threads is None:
        return None
    n = integer("n_threads", n_threads, "a positive integer or None")
    if n < 1:
        raise ValueError(f"n_threads: expected a positive integer or None, got {shown(n)}")
    return min(n, 1 << 16)
