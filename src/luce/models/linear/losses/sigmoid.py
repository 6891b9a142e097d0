"""One binary cross-entropy a score, of a block of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, xlogy

from luce.contract.form import SigmoidForm
from luce.contract.numbers import threads
from luce.models.inputs.kinds import Array, Vector
from luce.models.linear.losses.protocol import Rows
from luce.models.linear.losses.targets_held import (
    TargetsHeld,
    add_blocks_of_scores,
    add_single_score,
    columns_of_scores,
)
from luce.rows import core

__all__ = ["SigmoidLoss"]


class SigmoidLoss(TargetsHeld):
    """Σ_k log(1 + exp z_k) − t_k z_k, one binary cross-entropy a score: class numbers (N,) or targets (N, K).

    The Hessian of a row is diag p(1 − p): no two scores meet in it.
    """

    coupled = False
    even = 0.5

    def __init__(self, target: Array, n_scores: int, *, label_smoothing: float = 0.0, n_threads: int | None) -> None:
        super().__init__(target, n_scores, label_smoothing=label_smoothing, n_threads=n_threads)
        self.free_scores = n_scores

    def value_and_grad(self, scores: Array, rows: Rows, share: Array) -> tuple[float, Array]:
        """Return the block's loss and its gradient in the scores."""
        target = self.target[rows]
        if target.ndim == 1:
            target = target[:, None] == np.arange(self.n_scores)
        scores, target = np.ascontiguousarray(scores), np.ascontiguousarray(target, scores.dtype)
        each = np.ascontiguousarray(np.broadcast_to(share[:, None], scores.shape), np.float64)
        grad = np.empty(scores.shape, scores.dtype)
        sums = np.empty(core.sigmoid_blocks(scores.size))
        core.sigmoid_cross_entropy(
            scores,
            SigmoidForm(target, weight=each, smoothing=self.smoothing),
            sums=sums,
            grad=grad,
            n_threads=threads(self.n_threads),
        )
        return float(scores.dtype.type(core.total(sums))), grad

    def hvp(self, scores: Array, rows: Rows, share: Array, tangent: Array) -> Array:
        """Return (r/S) p(1 − p) times a tangent."""
        curvature = self.probabilities(scores)
        curvature *= self.probabilities(-scores)
        curvature *= share[:, None]
        curvature *= tangent
        return curvature

    def probabilities(self, scores: Array) -> Array:
        """Return the sigmoids."""
        return np.asarray(expit(scores))

    def trace(self, p: Array) -> Array:
        """Return Σ p (1 − p)."""
        return np.asarray(np.einsum("ij,ij->i", p, 1 - p))

    def along(self, p: Array, basis: Array) -> Array:
        """Return Σ p (1 − p) q²."""
        return np.asarray((p * (1 - p)) @ np.square(basis))

    def between(self, p: Array, k: int, m: int) -> Array | None:
        """Return p_k (1 − p_k), and nothing for two scores."""
        return np.asarray(p[:, k] * (1 - p[:, m])) if k == m else None

    def add_hessian(self, hessian: Array, block: Array, p: Array) -> None:
        """Add Σ p(1 − p) x̃x̃ᵀ for each score."""
        p = p.astype(block.dtype, copy=False)
        if p.shape[1] == 1:
            add_single_score(hessian, block, p)
        else:
            add_blocks_of_scores(hessian, block, columns_of_scores(block, p * (1 - p)))

    def add_among(self, hessian: Array, block: Array, p: Array, parts: Sequence[slice]) -> None:
        """Add the same among chosen pairs of score and column."""
        if len(parts) == 1:
            block *= np.sqrt(p * (1 - p))
            hessian += block.T @ block
            return
        crossed = block * p
        crossed *= 1 - p
        for part in parts:
            hessian[part, part] += block[:, part].T @ crossed[:, part]

    def changed(self, basis: Vector) -> Vector:
        """Return the basis as it is."""
        return basis

    def entropy(self, means: Vector) -> float:
        """Return −Σ m log m + (1 − m) log(1 − m)."""
        return float(-xlogy(means, means).sum() - xlogy(1 - means, 1 - means).sum())

    def room(self, means: Vector) -> Vector:
        """Return the distance of the means from 0 and 1."""
        return np.minimum(means, 1 - means)

    def completed(self, slopes: Vector) -> Vector:
        """Return the slopes as they are: none is left out."""
        return slopes.copy()

    def codes(self) -> Array | None:
        """Return the class of each row where targets are class numbers."""
        return self.target if self.target.ndim == 1 and not self.smoothing else None

    def margins(self, scores: Array, codes: Array) -> Array:
        """Return each score, with the other sign where it is not the row's class, (n, K)."""
        own = codes[:, None] == np.arange(scores.shape[1])
        return np.where(own, scores, -scores)
