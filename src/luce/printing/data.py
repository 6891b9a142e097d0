"""Arrays, numbers and mappings in the types that JSON has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

__all__ = ["JSONObject", "plain_data"]

JSONObject: TypeAlias = dict[str, Any]
"""An object of JSON: numbers, text, lists and further objects by name."""


def plain_data(value: object, not_finite: Callable[[float], object] = lambda number: None) -> object:
    """Return the value in mappings, lists, numbers and text alone.

    Parameters
    ----------
    value : object
        Arrays and NumPy's numbers become lists and numbers, keys become text.
    not_finite : callable
        Gives what stands for a number that JSON does not have: nothing, or its name with `str`.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.printing.data import plain_data
    >>> plain_data({1: np.array([0.5, np.inf])}), plain_data(np.float64("nan"), str)
    ({'1': [0.5, None]}, 'nan')
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain_data(part, not_finite) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(part, not_finite) for part in value]
    return not_finite(value) if isinstance(value, float) and not math.isfinite(value) else value
