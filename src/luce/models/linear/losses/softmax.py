"""The softmax cross-entropy of a block of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import xlogy

from luce._softmax import softmax
from luce.arrays.calls import CheckedCall, checked_call
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

__all__ = ["SoftmaxLoss"]


class SoftmaxLoss(TargetsHeld):
    """ℓ(z, t) = log Σ exp z − t·z: class numbers (N,) or distributions (N, K) as targets.

    The Hessian of a row is diag p − p pᵀ, which vanishes along shifts common to all scores.
    """

    coupled = True

    def __init__(self, target: Array, n_scores: int, *, label_smoothing: float = 0.0, n_threads: int | None) -> None:
        super().__init__(target, n_scores, label_smoothing=label_smoothing, n_threads=n_threads)
        self.free_scores, self.even = n_scores - 1, 1 / n_scores
        self._checked: dict[np.dtype[Any], CheckedCall] = {}  # the call of all rows, for scores of each dtype

    def value_and_grad(self, scores: Array, rows: Rows, share: Array) -> tuple[float, Array]:
        """Return the block's loss and its gradient in the scores."""
        call = self._call(scores, rows, share)
        losses, grad = np.empty(len(scores)), np.empty(scores.shape, scores.dtype)
        scores = np.ascontiguousarray(scores)
        n = threads(self.n_threads)
        core.cross_entropy(scores, call.form, factor=call.divided.factor, losses=losses, grad=grad, n_threads=n)
        return float(call.reduce(losses, scores.dtype)), grad

    def hvp(self, scores: Array, rows: Rows, share: Array, tangent: Array) -> Array:
        """Return (r/S) (diag p − p pᵀ) times a tangent."""
        call, product = self._call(scores, rows, share), np.empty(scores.shape, scores.dtype)
        scores, along = np.ascontiguousarray(scores), np.ascontiguousarray(tangent, scores.dtype)
        n = threads(self.n_threads)
        core.cross_entropy_hvp(scores, call.form, along, product, factor=call.divided.factor, n_threads=n)
        return product

    def probabilities(self, scores: Array) -> Array:
        """Return the softmax."""
        return np.asarray(softmax(scores, n_threads=self.n_threads))

    def trace(self, p: Array) -> Array:
        """Return 1 − Σ p²."""
        return np.asarray(1 - np.einsum("ij,ij->i", p, p))

    def along(self, p: Array, basis: Array) -> Array:
        """Return Σ p q² − (Σ p q)²."""
        return np.asarray(p @ np.square(basis) - np.square(p @ basis))

    def between(self, p: Array, k: int, m: int) -> Array | None:
        """Return p_k ([k = m] − p_m)."""
        return np.asarray(p[:, k] * ((k == m) - p[:, m]))

    def add_hessian(self, hessian: Array, block: Array, p: Array) -> None:
        """Add Σ H ⊗ x̃x̃ᵀ over all scores but the last, which these determine.

        With U = p ⊗ x̃ the sum is Σ_k x̃ᵀ diag(p_k) x̃ − UᵀU.
        """
        free = hessian.shape[0] // block.shape[1]
        p = p[:, :free].astype(block.dtype, copy=False)
        if free == 1:
            add_single_score(hessian, block, p)
            return
        crossed = columns_of_scores(block, p)
        hessian -= crossed.T @ crossed
        add_blocks_of_scores(hessian, block, crossed)

    def add_among(self, hessian: Array, block: Array, p: Array, parts: Sequence[slice]) -> None:
        """Add the same among chosen pairs of score and column."""
        if len(parts) == 1:
            block *= np.sqrt(p * (1 - p))
            hessian += block.T @ block
            return
        crossed = block * p
        hessian -= crossed.T @ crossed
        for part in parts:
            hessian[part, part] += block[:, part].T @ crossed[:, part]

    def changed(self, basis: Vector) -> Vector:
        """Return the rows of the basis less the last one, which common shifts leave as they are."""
        return np.asarray(basis[:-1] - basis[-1])

    def entropy(self, means: Vector) -> float:
        """Return −Σ m log m."""
        return float(-xlogy(means, means).sum())

    def room(self, means: Vector) -> Vector:
        """Return the means: the others make up for what one loses."""
        return means

    def completed(self, slopes: Vector) -> Vector:
        """Return slopes that sum to 0, the first of them made up for by the others."""
        whole = slopes.copy()
        whole[0] = -whole[1:].sum()
        return whole

    def codes(self) -> Array | None:
        """Return the class of each row where targets are labels, also labels written as a table."""
        if self.smoothing:
            return None
        if self.target.ndim == 1:
            return self.target
        return self.target.argmax(axis=1) if np.array_equal(self.target, self.target.round()) else None

    def margins(self, scores: Array, codes: Array) -> Array:
        """Return each row's score of its class less the best other one, (n, 1)."""
        rows = np.arange(len(scores))
        chosen = scores[rows, codes]
        others = scores.copy()
        others[rows, codes] = -np.inf
        return np.asarray(chosen - others.max(axis=1))[:, None]

    def _call(self, scores: Array, rows: Rows, share: Array) -> CheckedCall:
        """Return the checked call of some rows: all rows are checked once."""
        whole = self._checked.get(scores.dtype)
        if whole is None:
            shape = len(self.target), self.n_scores
            whole = checked_call(
                shape, scores.dtype, self.target, label_smoothing=self.smoothing, reduction="sum", ignore_index=None
            )
            self._checked[scores.dtype] = whole
        form = whole.form
        return whole._replace(
            form=form._replace(
                indices=None if form.indices is None else form.indices[rows],
                dense=None if form.dense is None else form.dense[rows],
                row_scale=share.astype(np.float64, copy=False),
            )
        )
