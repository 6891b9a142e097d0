"""The targets that every loss of K scores holds, and the sums that their Hessians are made of."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from luce.models.inputs.kinds import Array, Indices, Vector

__all__ = ["TargetsHeld", "add_blocks_of_scores", "add_single_score", "columns_of_scores"]

Self = TypeVar("Self", bound="TargetsHeld")


class TargetsHeld:
    """The targets of a loss's rows: class numbers or a table, and the share of them that is spread evenly."""

    even: float  # what a spread target is: 1/K, or 1/2 where each score is a label of its own

    def __init__(self, target: Array, n_scores: int, *, label_smoothing: float = 0.0, n_threads: int | None) -> None:
        self.target, self.n_scores, self.smoothing, self.n_threads = target, n_scores, label_smoothing, n_threads

    def sample(self: Self, rows: Indices) -> Self:
        """Return the loss of some rows."""
        return type(self)(self.target[rows], self.n_scores, label_smoothing=self.smoothing, n_threads=self.n_threads)

    def mean_targets(self, share: Vector) -> Vector:
        """Return the mean of the (smoothed) targets of each score, (K,)."""
        labels = self.target.ndim == 1
        means = np.bincount(self.target, share, self.n_scores) if labels else share @ self.target
        return np.asarray((1 - self.smoothing) * means + self.smoothing * self.even)


def add_single_score(hessian: Array, block: Array, p: Array) -> None:
    """Add Σ p(1 − p) x̃x̃ᵀ, the Hessian of one score."""
    crossed = block * np.sqrt(p * (1 - p))
    hessian += crossed.T @ crossed


def columns_of_scores(block: Array, weights: Array) -> Array:
    """Return each column of a block times each column of weights, (n, scores · columns)."""
    return (weights[:, :, None] * block[:, None, :]).reshape(len(block), -1)


def add_blocks_of_scores(hessian: Array, block: Array, crossed: Array) -> None:
    """Add Σ w_k x̃x̃ᵀ for each score k to the blocks on the diagonal, given the columns of w_k x̃."""
    columns = block.shape[1]
    scores = hessian.shape[0] // columns
    blocks = hessian.reshape(scores, columns, scores, columns)
    diagonal = (block.T @ crossed).reshape(columns, scores, columns)
    for k in range(scores):
        blocks[k, :, k, :] += diagonal[:, k, :]
