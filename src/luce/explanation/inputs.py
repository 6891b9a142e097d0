"""What can be explained, brought to one form: scores of rows, the layer that made them, and the names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from luce.arrays.given import floating
from luce.derivation.quantities import Array

__all__ = ["Scores", "of_layer", "of_logits"]


class Scores(NamedTuple):
    """Scores of rows and where they come from.

    Attributes
    ----------
    z : ndarray of shape (B, T)
    batch : bool
        Whether rows were given, and not one row alone.
    layer : tuple of ndarray, optional
        x of shape (B, N), W of shape (T, N) and b of shape (T,).
    classes, features : sequence of str
        Their names, if they have any.
    source : str
        What the scores are of, in words.
    """

    z: Array
    batch: bool
    layer: tuple[Array, Array, Array] | None = None
    classes: Sequence[str] = ()
    features: Sequence[str] = ()
    source: str = ""


def of_logits(logits: Any) -> Scores:
    """Return the scores of logits of shape (T,) or (B, T)."""
    z = floating("logits", logits)
    if z.ndim not in (1, 2) or 0 in z.shape:
        raise ValueError(f"logits: expected shape (T,) or (B, T) with at least one row and one class, got {z.shape}")
    return Scores(np.atleast_2d(z), z.ndim == 2)


def of_layer(x: Any, W: Any, b: Any = None) -> Scores:
    """Return the scores of a layer, W x + b, for x of shape (N,) or (B, N)."""
    for name, part in (("x", x), ("W", W)):
        if part is None:
            raise TypeError(f"{name}: a layer needs x and W, got None")
    inputs, weights = floating("x", x), floating("W", W)
    if weights.ndim != 2 or 0 in weights.shape:
        raise ValueError(f"W: expected shape (T, N), a row for each class, got {weights.shape}")
    classes, features = weights.shape
    if inputs.ndim not in (1, 2) or inputs.shape[-1] != features or not len(inputs):
        raise ValueError(f"x: expected shape ({features},) or (B, {features}), as W has columns, got {inputs.shape}")
    bias = np.zeros(classes, weights.dtype) if b is None else floating("b", b)
    if bias.shape != (classes,):
        raise ValueError(f"b: expected shape ({classes},), as W has rows, got {bias.shape}")
    rows = np.atleast_2d(inputs)
    with np.errstate(all="ignore"):
        z = rows.astype(np.float64) @ weights.astype(np.float64).T + bias
    return Scores(z, inputs.ndim == 2, (rows, weights, bias))
