"""The check that every part of the facts makes of its arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from luce.models.inputs.kinds import Array

__all__ = ["check_range", "check_shape"]


def check_shape(name: str, values: Sequence[object] | Array, wanted: tuple[int, ...]) -> None:
    """Raise ValueError for an array or sequence that has not the wanted shape."""
    got = values.shape if isinstance(values, np.ndarray) else (len(values),)
    if got != wanted:
        raise ValueError(f"{name} must have shape {wanted}, got {got}")


def check_range(name: str, shares: npt.ArrayLike) -> None:
    """Raise ValueError for shares outside [0, 1], or NaN; 1 may be passed by rounding."""
    if not (np.min(shares) >= 0 and np.max(shares) <= 1 + 1e-5):
        raise ValueError(f"{name} must be in [0, 1], got {np.min(shares):g} to {np.max(shares):g}")
