"""The losses of a block of scores, with what a solver needs of them: gradient, product, curvature.

With shares r/S of the rows and scores z, each returns sums over the block: Σ (r/S) ℓ(z, y) and its derivatives in z.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from luce.cross_entropy import cross_entropy_and_grad, cross_entropy_hvp
from luce.sigmoid import sigmoid_cross_entropy_and_grad
from luce.softmax import softmax

__all__ = ["Loss", "SigmoidLoss", "SoftmaxLoss"]

Array = npt.NDArray[Any]
Self = TypeVar("Self", bound="_OfTargets")
Rows = slice | npt.NDArray[np.intp]


class Loss(Protocol):
    """A convex loss of K scores a row."""

    target: Array
    n_scores: int
    smoothing: float
    coupled: bool  # whether the scores of a row meet in the Hessian (diag p − p pᵀ), or not (diag p(1 − p))

    def value_and_grad(self, scores: Array, rows: Rows, share: Array) -> tuple[float, Array]:
        """Return the block's loss and its gradient in the scores."""

    def hvp(self, scores: Array, rows: Rows, share: Array, tangent: Array) -> Array:
        """Return the Hessian in the scores times a tangent."""

    def probabilities(self, scores: Array) -> Array:
        """Return p, (n, K)."""

    def sample(self, rows: npt.NDArray[np.intp]) -> Loss:
        """Return the loss of some rows."""


class _OfTargets:
    """What the losses hold of their rows."""

    def __init__(self, target: Array, n_scores: int, *, label_smoothing: float = 0.0, n_threads: int | None) -> None:
        self.target, self.n_scores, self.smoothing, self.n_threads = target, n_scores, label_smoothing, n_threads

    def sample(self: Self, rows: npt.NDArray[np.intp]) -> Self:
        """Return the loss of some rows."""
        return type(self)(self.target[rows], self.n_scores, label_smoothing=self.smoothing, n_threads=self.n_threads)

    def _options(self, share: Array) -> dict[str, Any]:
        return {
            "sample_weight": share,
            "reduction": "sum",
            "label_smoothing": self.smoothing,
            "n_threads": self.n_threads,
        }


class SoftmaxLoss(_OfTargets):
    """ℓ(z, t) = log Σ exp z − t·z: class numbers (N,) or distributions (N, K) as targets."""

    coupled = True

    def value_and_grad(self, scores: Array, rows: Rows, share: Array) -> tuple[float, Array]:
        """Return the block's loss and its gradient in the scores."""
        value, grad = cross_entropy_and_grad(scores, self.target[rows], **self._options(share))
        return float(value), grad

    def hvp(self, scores: Array, rows: Rows, share: Array, tangent: Array) -> Array:
        """Return (r/S) (diag p − p pᵀ) times a tangent."""
        return cross_entropy_hvp(scores, self.target[rows], tangent, **self._options(share))

    def probabilities(self, scores: Array) -> Array:
        """Return the softmax."""
        return np.asarray(softmax(scores, n_threads=self.n_threads))


class SigmoidLoss(_OfTargets):
    """Σ_k log(1 + exp z_k) − t_k z_k, one binary cross-entropy a class: class numbers (N,) or targets (N, K)."""

    coupled = False

    def value_and_grad(self, scores: Array, rows: Rows, share: Array) -> tuple[float, Array]:
        """Return the block's loss and its gradient in the scores."""
        target = self.target[rows]
        if target.ndim == 1:
            target = (target[:, None] == np.arange(self.n_scores)).astype(scores.dtype)
        value, grad = sigmoid_cross_entropy_and_grad(scores, target, **self._options(share))
        return float(value), grad

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
