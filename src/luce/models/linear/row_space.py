r"""The row space: where rows are fewer than features, the same problem with as many features as rows.

The gradient of the loss and of the L2 penalty both lie in the span of the (centred) rows, so the minimum does too
(Kimeldorf & Wahba 1971, the representer theorem): W = V Bᵀ with B an orthonormal basis of the rows' span and ‖W‖ = ‖V‖.
From a pivoted Cholesky factor of the Gram matrix of the rows, X_c X_cᵀ = L Lᵀ, one has X_c = L Bᵀ: so L is the data
of the small problem. With L₁ the triangle of the pivot rows X₁, W = V L₁⁻¹ X₁.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from luce.models.inputs.kinds import Array
from luce.models.linear.dense_matrix import DenseMatrix
from luce.models.linear.precision import LARGEST_WIDTH, SMALLEST_WIDTH

__all__ = ["RowSpace", "pays"]

MOST_ROWS = 4000
COLUMNS_AT_A_TIME = 2048  # taken at a time
LARGEST_SPREAD = 1e3  # of the columns' standard deviations, at most


def pays(X: Array, weights: Array | None, centred: bool) -> bool:
    """Tell whether the rows are so few that their span is the smaller space, and their Gram matrix holds every column.

    In the Gram matrix a column of a unit 10⁴ times smaller is 10⁸ times smaller, and beyond that lost in its rounding.
    """
    if 2 * X.shape[0] > X.shape[1] or X.shape[0] > MOST_ROWS:
        return False
    share = np.ones(len(X)) if weights is None else weights
    _, scale = DenseMatrix(X).moments(share / share.sum(), centred)
    scale = scale[scale > 0]
    return bool(len(scale) and scale.max() <= LARGEST_SPREAD * scale.min())


class RowSpace:
    """The data of the small problem (`rows`) and the way back.

    Parameters
    ----------
    X : (N, D) float32 or float64 array
    weights : (N,) array or None
        Row weights, for the centre.
    centred : bool
        Whether there is an intercept, so that rows count from their weighted mean.
    """

    def __init__(self, X: Array, weights: Array | None, centred: bool) -> None:
        self._X = X
        self._centre = np.zeros(X.shape[1])
        if centred:
            self._centre = np.average(X, axis=0, weights=weights)
        gram = np.zeros((len(X), len(X)))
        for first in range(0, X.shape[1], COLUMNS_AT_A_TIME):
            part = X[:, first : first + COLUMNS_AT_A_TIME] - self._centre[first : first + COLUMNS_AT_A_TIME]
            gram += part @ part.T
        tolerance = len(X) * np.finfo(np.float64).eps * float(gram.diagonal().max())
        factor, pivots, rank, _ = linalg.lapack.dpstrf(gram, tol=tolerance, lower=True)
        self._pivots = pivots[:rank] - 1
        self._triangle = np.tril(factor[:rank, :rank])
        lower = np.tril(factor)[:, :rank]
        # the factor of far larger or smaller numbers than float32 holds well stays in float64
        narrow = SMALLEST_WIDTH**2 <= gram.diagonal().max() <= LARGEST_WIDTH**2
        self.rows: Array = np.empty((len(X), rank), X.dtype if narrow else np.float64)
        self.rows[pivots - 1] = lower

    def back(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return (W, b) of the large problem for (V, b) of the small one."""
        mixed = linalg.solve_triangular(self._triangle, coef.T, lower=True, trans="T").T
        whole = np.empty((len(coef), self._X.shape[1]))
        for first in range(0, self._X.shape[1], COLUMNS_AT_A_TIME):
            part = slice(first, first + COLUMNS_AT_A_TIME)
            whole[:, part] = mixed @ (self._X[self._pivots, part] - self._centre[part])
        return whole, intercept - whole @ self._centre

    def into(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return (V, b) of the small problem for (W, b) of the large one, what lies outside the span being lost."""
        return coef @ self._basis(), intercept + coef @ self._centre

    def _basis(self) -> Array:
        """Return B, (D, rank)."""
        pivots = self._X[self._pivots] - self._centre
        return np.asarray(linalg.solve_triangular(self._triangle, pivots, lower=True).T)
