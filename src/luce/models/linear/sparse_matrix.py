"""Sparse rows as the design sees them, never made dense or converted as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from luce.models.inputs.kinds import Array, Features, Indices, Vector
from luce.models.linear.matrix import LARGEST_DEVIATION, WRITTEN_ENTRIES
from luce.models.linear.sparse_rows import SparseRows

__all__ = ["SparseMatrix"]


class SparseMatrix:
    """A SciPy CSR or CSC matrix of float32 or float64; it is never made dense, nor converted, as a whole."""

    def __init__(self, X: Features, n_threads: int | None = None, dtype: npt.DTypeLike | None = None) -> None:
        self.X = sparse.csr_array(X)
        if not self.X.has_canonical_format:  # squares of entries that are stored twice would not add up
            self.X = self.X.copy()
            self.X.sum_duplicates()
        self.shape: tuple[int, int] = X.shape
        self.dtype = np.dtype(X.dtype if dtype is None else dtype)
        self.converts = self.dtype != X.dtype
        self.n_stored = self.X.nnz
        self.n_threads = n_threads
        self._products = SparseRows(self.X, n_threads=n_threads)

    def widened(self) -> SparseMatrix:
        """Return the same data with products in float64, to which blocks of rows are converted as they are read."""
        return SparseMatrix(self.X, self.n_threads, np.float64)

    def _block(self, rows: slice) -> tuple[SparseRows, slice]:
        """Return a block of rows in the dtype of the products: a matrix, and which rows of it."""
        if not self.converts:
            return self._products, rows
        return SparseRows(self.X[rows].astype(self.dtype), n_threads=self.n_threads), slice(0, rows.stop - rows.start)

    def scores(self, rows: slice, coef: Array, intercept: Array, out: Array | None = None) -> Array:
        """Return X coefᵀ + intercept for a block of rows."""
        products, part = self._block(rows)
        return products.scores(np.ascontiguousarray(coef.T), np.ascontiguousarray(intercept), rows=part, out=out)

    def pull_back(self, rows: slice, piece: Array) -> Array:
        """Return pieceᵀ X for a block of rows."""
        products, part = self._block(rows)
        return products.pull_back(np.ascontiguousarray(piece, self.dtype), rows=part).T

    def pull_back_squares(self, rows: slice, piece: Array) -> Array:
        """Return pieceᵀ (X ∘ X) for a block of rows."""
        whole = rows.start == 0 and rows.stop == self.shape[0]
        X = self.X if whole else self.X[rows]
        squares = sparse.csr_array((np.square(X.data, dtype=self.dtype), X.indices, X.indptr), X.shape)
        return np.asarray((squares.T @ piece).T)

    def between(
        self, rows: slice, weights: Array, left: Indices, right: Indices, unit: Vector
    ) -> tuple[Vector, Vector, Vector]:
        """Return Aᵀ diag(weights) B, Aᵀ weights and Bᵀ weights for columns A and B of X diag(unit), in some rows."""
        X = self.X[rows]
        A = sparse.csr_array(X[:, left].multiply(unit[left]).multiply(weights[:, None].astype(np.float64)))
        B = sparse.csr_array(X[:, right].multiply(unit[right]))
        sums = np.asarray(A.sum(axis=0), np.float64), np.asarray(B.T @ weights, np.float64)
        return np.asarray((A.T @ B).toarray(), np.float64), *sums

    def dense(self, rows: slice | Indices, columns: Indices | None = None) -> Array:
        """Return the rows, or some columns of them, as a dense array."""
        X = self.X[rows]
        return np.asarray((X if columns is None else X[:, columns]).toarray(), self.dtype)

    def take(self, rows: Indices) -> SparseMatrix:
        """Return a matrix of these rows."""
        return SparseMatrix(self.X[rows], self.n_threads, self.dtype)

    def moments(self, share: Array, centred: bool) -> tuple[Vector, Vector]:
        """Return means and deviations from the entries that are there, the absent ones in closed form."""
        columns = self.shape[1]
        centre, present, mass = np.zeros(columns), np.zeros(columns, np.int64), np.zeros(columns)
        for data, indices, weights in self._parts(share):
            centre += np.bincount(indices, weights * data, columns)
            present += np.bincount(indices, minlength=columns)
            mass += np.bincount(indices, weights, columns)
        if not centred:
            centre[:] = 0
        full = present == self.shape[0]
        absent = np.where(full, 0, np.maximum(1 - mass, 0))
        largest = np.where(full, 0, np.abs(centre))
        for data, indices, _ in self._parts(share):
            np.maximum.at(largest, indices, np.abs(data - centre[indices]))
        if largest.max(initial=0.0) > LARGEST_DEVIATION:
            worst = int(np.argmax(largest))
            raise ValueError(f"X: column {worst} spans {largest[worst]:.2g}; {LARGEST_DEVIATION:g} is the most")
        inverse = np.divide(1, largest, out=np.zeros(columns), where=largest > 1 / LARGEST_DEVIATION)
        square = absent * np.square(centre * inverse)
        for data, indices, weights in self._parts(share):
            square += np.bincount(indices, weights * np.square((data - centre[indices]) * inverse[indices]), columns)
        return centre, np.sqrt(square) * largest

    def _parts(self, share: Vector) -> Iterator[tuple[Array, Array, Vector]]:
        """Yield entries, their columns and the shares of their rows, some rows at a time."""
        X = self.X
        step = max(1, WRITTEN_ENTRIES * self.shape[0] // max(1, X.nnz))
        for first in range(0, self.shape[0], step):
            starts = X.indptr[first : first + step + 1]
            inside = slice(starts[0], starts[-1])
            yield X.data[inside], X.indices[inside], np.repeat(share[first : first + step], np.diff(starts))
