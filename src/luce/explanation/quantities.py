"""The quantities of an explanation by name, of the row that is looked at: each in many digits, when first asked for.

What the derivation computes is taken from its steps, in the arithmetic of mpmath; every part of the explanation adds
quantities of its own. The page's script computes the same quantities under the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

from luce.derivation import Arithmetic, Quantities, derived
from luce.explanation.case import Case

__all__ = ["MANY_DIGITS", "Exact", "Number", "Numbers", "Values", "exact", "mapped", "quantity"]

Number: TypeAlias = Any
"""An ``mpmath.mpf``: mpmath brings no types."""

Exact: TypeAlias = NDArray[np.object_]
"""An array of ``mpmath.mpf``."""

Numbers: TypeAlias = Any
"""What a quantity is computed as: a number, or an array or a list of numbers."""

_QUANTITIES: dict[str, Callable[[Values], Numbers]] = {}


def mapped(function: Callable[[Number], Number]) -> Callable[[Exact], Exact]:
    """Make a function of numbers one of arrays."""
    each = np.frompyfunc(function, 1, 1)
    return lambda values: np.asarray(each(values), dtype=object)


def _decimal(value: object) -> Number:
    """Return a number as it was written: 0.1 is one tenth, not the nearest float."""
    if isinstance(value, mp.mpf):
        return value
    return mp.mpf(str(value)) if isinstance(value, np.floating) else mp.mpf(repr(value))


def exact(values: object) -> Exact:
    """Return numbers as an array in many digits, each as its shortest decimal form says it."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        found = np.empty(array.shape, object)
        for place in np.ndindex(array.shape):
            found[place] = _decimal(array[place])
        return found
    return mapped(_decimal)(array.tolist() if array.ndim == 0 else np.asarray(array.tolist(), object))


MANY_DIGITS = Arithmetic(exact, mapped(mp.exp), mapped(lambda x: -mp.inf if x == 0 else mp.log(x)), mapped(mp.tanh))
"""The arithmetic of mpmath, in as many digits as its context has."""


def quantity(compute: Callable[[Values], Numbers]) -> Callable[[Values], Numbers]:
    """Enter the decorated function as the quantity of its name."""
    _QUANTITIES[compute.__name__] = compute
    return compute


class Values:
    """The quantities of a case: ``values["probabilities"]`` or ``values.probabilities``.

    Parameters
    ----------
    case : Case
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self._found: dict[str, Exact] = {}

    @cached_property
    def derived(self) -> Quantities:
        """What the steps of the derivation give, for all rows."""
        with mp.workdps(self.case.digits):
            return derived(self.case.given, MANY_DIGITS)

    def __getitem__(self, name: str) -> Exact:
        if name not in self._found:
            with mp.workdps(self.case.digits):
                self._found[name] = np.asarray(_QUANTITIES[name](self), dtype=object)
        return self._found[name]

    def __getattr__(self, name: str) -> Exact:
        if name not in _QUANTITIES:
            raise AttributeError(name)
        return self[name]

    def __contains__(self, name: str) -> bool:
        return name in _QUANTITIES
