r"""The losses of the built-in models as functions of the margin, with their derivatives.

The margin is the score of the true class minus the best other, :math:`m = z_y - \max_{k \ne y} z_k`. With two classes
each loss depends on m alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from luce._cross_entropy import cross_entropy_and_grad
from luce._sigmoid import sigmoid_cross_entropy_and_grad
from luce.models.inputs.kinds import Array

__all__ = ["Curve", "hinge", "sigmoid", "softmax", "squared_error", "squared_hinge"]


class Curve(NamedTuple):
    """A loss and its derivative at given margins."""

    loss: Array
    gradient: Array


def softmax(m: Array) -> Curve:
    """Return log(1 + exp(−m)), the softmax cross-entropy of the scores (m, 0)."""
    loss, grad = cross_entropy_and_grad(np.stack([m, 0 * m], axis=-1), np.zeros(m.shape, np.int64), reduction="none")
    return Curve(loss, grad[..., 0])


def sigmoid(m: Array) -> Curve:
    """Return 2 log(1 + exp(−m/2)), the sigmoid cross-entropy of each class at the scores (m/2, −m/2)."""
    scores = np.stack([m / 2, -m / 2], axis=-1)
    loss, grad = sigmoid_cross_entropy_and_grad(scores, np.broadcast_to([1.0, 0.0], scores.shape), reduction="none")
    return Curve(loss.sum(axis=-1), (grad[..., 0] - grad[..., 1]) / 2)


def hinge(m: Array) -> Curve:
    """Return max(0, 1 − m)."""
    return Curve(np.maximum(0, 1 - m), np.where(m < 1, -1.0, 0.0))


def squared_hinge(m: Array) -> Curve:
    """Return max(0, 1 − m)²."""
    short = np.maximum(0, 1 - m)
    return Curve(short**2, -2 * short)


def squared_error(m: Array) -> Curve:
    """Return (1 − m)²."""
    return Curve((1 - m) ** 2, -2 * (1 - m))
