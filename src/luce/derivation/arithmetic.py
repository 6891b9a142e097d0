"""The arithmetic that the steps are taken in: numbers of float64, or of any other kind that NumPy's arrays hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOAT64", "Arithmetic"]


class Arithmetic(NamedTuple):
    """The functions that NumPy's operators do not give.

    Attributes
    ----------
    array : callable
        Makes an array of numbers of this arithmetic of what a user gave.
    exp, log, tanh : callable
        Functions of an array, element by element.
    """

    array: Callable[[Any], NDArray[Any]]
    exp: Callable[[NDArray[Any]], NDArray[Any]]
    log: Callable[[NDArray[Any]], NDArray[Any]]
    tanh: Callable[[NDArray[Any]], NDArray[Any]]


FLOAT64 = Arithmetic(np.asarray, np.exp, np.log, np.tanh)
"""The arithmetic of people's own code: what is given is taken as it is, in its own type."""
