"""The protocol of a loss: its derivatives in the scores, and its curvature.

With shares r/S of the rows and scores z (n, K), a loss gives Σ (r/S) ℓ(z, y), its gradient and its products, and knows
the Hessian H of a row in its K scores: whether two scores meet in it, its trace, its value along a direction. No other
room asks which loss it is. A loss over one score a row and sets of rows is another implementation of the same protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from luce.models.inputs.kinds import Array, Indices, Vector

__all__ = ["Loss", "Rows"]

Rows = slice | Indices


class Loss(Protocol):
    """A convex loss of K scores a row, with the targets of its rows.

    Attributes
    ----------
    target : (N,) class numbers or (N, K) table
    n_scores : int
        K.
    free_scores : int
        Scores whose part of the Hessian determines the rest: K − 1 where adding the same to all K changes nothing.
    smoothing : float
        Share of the targets that is spread evenly.
    coupled : bool
        Whether the scores of a row meet in the Hessian.
    """

    target: Array
    n_scores: int
    free_scores: int
    smoothing: float
    coupled: bool

    def value_and_grad(self, scores: Array, rows: Rows, share: Array) -> tuple[float, Array]:
        """Return the block's loss and its gradient in the scores."""

    def hvp(self, scores: Array, rows: Rows, share: Array, tangent: Array) -> Array:
        """Return the Hessian in the scores times a tangent."""

    def probabilities(self, scores: Array) -> Array:
        """Return p, (n, K)."""

    def sample(self, rows: Indices) -> Loss:
        """Return the loss of some rows."""

    def trace(self, p: Array) -> Array:
        """Return the trace of each row's H, (n,)."""

    def along(self, p: Array, basis: Array) -> Array:
        """Return qᵀHq for each column q of a basis, (n, ·)."""

    def between(self, p: Array, k: int, m: int) -> Array | None:
        """Return the entries H_km of the rows, (n,), None where they are all 0."""

    def add_hessian(self, hessian: Array, block: Array, p: Array) -> None:
        """Add Σ H ⊗ x̃x̃ᵀ of a block of rows x̃ (n, C) to a matrix over the free scores and the columns."""

    def add_among(self, hessian: Array, block: Array, p: Array, parts: Sequence[slice]) -> None:
        """Add the same among chosen pairs of score and column, those of a score being a part of the matrix.

        `block` holds the column of each pair and may be overwritten, `p` the probability of its score.
        """

    def changed(self, basis: Vector) -> Vector:
        """Return the rows of a basis of the K scores as the part of H over the free scores sees them."""

    def mean_targets(self, share: Vector) -> Vector:
        """Return the mean of the (smoothed) targets of each score, (K,)."""

    def entropy(self, means: Vector) -> float:
        """Return the least loss of scores that are the same for all rows, where targets have these means."""

    def room(self, means: Vector) -> Vector:
        """Return by how much each mean may move and remain one."""

    def completed(self, slopes: Vector) -> Vector:
        """Return derivatives in the scores with the ones that the free scores leave out, (K,)."""

    def codes(self) -> Array | None:
        """Return the class of each row where targets are labels, None where they are mixtures."""

    def margins(self, scores: Array, codes: Array) -> Array:
        """Return margins (n, ·), of which some column is positive throughout where the classes are separated."""
