"""The coordinates of a solver: the rows of weights that its parameters stand for.

Adding one vector to the weights of all classes changes no softmax: the Hessian is singular along it. `SumZero` singles
out the weights that sum to 0 over the classes by writing them as A = Q Φ, Q ∈ R^(K×(K−1)) an orthonormal basis of the
vectors that sum to 0: the last K−1 columns of the Householder reflector that takes e_1 to 1/√K. Applying Q costs O(K) a
column and keeps norms. `Whole` keeps all K rows: for scores whose shift matters (sigmoids), and for penalties that are
sums over entries (L1). `LogOdds` holds the one row of two classes: A = (0, Φ).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from luce.models.inputs.kinds import Vector

__all__ = ["Coordinates", "LogOdds", "SumZero", "Whole"]


class Coordinates(Protocol):
    """A linear map from `n_rows` rows of parameters to `n_scores` rows of weights, with its transpose."""

    n_rows: int
    n_scores: int

    def spread(self, reduced: Vector) -> Vector:
        """Return Q Φ, (n_scores, ·)."""

    def gather(self, full: Vector) -> Vector:
        """Return Qᵀ A, (n_rows, ·)."""

    def shown(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) of the scores as a model shows them: one row for two classes, no common shift."""

    def taken(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) of the scores for those that a model shows."""


class SumZero:
    """Coordinates of rows that sum to 0."""

    def __init__(self, n_scores: int) -> None:
        self.n_rows, self.n_scores = n_scores - 1, n_scores

    def spread(self, reduced: Vector) -> Vector:
        """Return Q Φ."""
        return _reflect(np.vstack([np.zeros((1, reduced.shape[1])), reduced]))

    def gather(self, full: Vector) -> Vector:
        """Return Qᵀ A: the common shift is left out."""
        return np.ascontiguousarray(_reflect(full)[1:])

    def shown(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) with intercepts that sum to 0."""
        return coef, intercept - intercept.mean()

    def taken(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) as they are."""
        return coef, intercept


class Whole:
    """Coordinates that are the rows themselves.

    Parameters
    ----------
    n_scores : int
    shift_free : bool
        Whether a shift of all scores changes nothing, so that intercepts are shown with the sum 0.
    """

    def __init__(self, n_scores: int, *, shift_free: bool = False) -> None:
        self.n_rows = self.n_scores = n_scores
        self.shift_free = shift_free

    def spread(self, reduced: Vector) -> Vector:
        """Return Φ."""
        return reduced

    def gather(self, full: Vector) -> Vector:
        """Return A."""
        return full

    def shown(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b), with intercepts that sum to 0 where that changes nothing."""
        return coef, intercept - intercept.mean() if self.shift_free else intercept

    def taken(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) as they are."""
        return coef, intercept


class LogOdds:
    """Coordinates of the second of two rows, the first being 0."""

    n_rows, n_scores = 1, 2

    def spread(self, reduced: Vector) -> Vector:
        """Return (0, Φ)."""
        return np.vstack([np.zeros_like(reduced), reduced])

    def gather(self, full: Vector) -> Vector:
        """Return the second row."""
        return full[1:]

    def shown(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return the log-odds of the second class."""
        return coef[1:], intercept[1:]

    def taken(self, coef: Vector, intercept: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) with a first row of zeros."""
        return np.vstack([0 * coef, coef]), np.concatenate([0 * intercept, intercept])


def _reflect(rows: Vector) -> Vector:
    """Apply the Householder reflector that swaps e_1 and 1/√K to the rows of a (K, ·) matrix."""
    classes = len(rows)
    root = np.sqrt(classes)
    # v = e_1 − 1/√K, ‖v‖² = 2 (1 − 1/√K)
    along = (rows[0] - rows.sum(axis=0) / root) / (1 - 1 / root)
    reflected: Vector = rows + along / root
    reflected[0] -= along
    return reflected
