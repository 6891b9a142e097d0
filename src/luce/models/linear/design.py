"""The rows as a solver sees them: standardised columns beside an intercept, without a copy of the data.

With x' = (x − μ)/σ, scores are W x + b = A x' + a for W = A/σ and b = a − W μ. So the products with x' are products
with x, corrected afterwards: neither dense nor sparse data are copied, centred or scaled in place. μ and σ are the
weighted means and standard deviations of the columns; a constant column says nothing beside the intercept, so its x'
and its weights are 0. Without an intercept columns are scaled by their root mean square and not centred.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from luce.blas import shared_out
from luce.models.inputs.kinds import Array, Features, Indices, Vector
from luce.models.linear.dense_matrix import DenseMatrix
from luce.models.linear.matrix import WRITTEN_ENTRIES, Matrix
from luce.models.linear.precision import columns_suit_single
from luce.models.linear.sparse_matrix import SparseMatrix
from luce.rows.chunks import steps

__all__ = ["GRAM_COLUMNS", "Design", "as_matrix"]

BLOCK_ENTRIES = 2**22  # numbers of X and of the scores in one block of rows, 32 MiB in float64
GRAM_PARTS = 4  # Gram matrices of blocks of rows that are held at once
GRAM_COLUMNS = 3000  # widest Gram matrix that is formed; beyond, its diagonal stands for it


def as_matrix(X: Features, n_threads: int | None = None) -> Matrix:
    """Return the data as a `Matrix`; nothing is copied but CSC, which becomes CSR."""
    return SparseMatrix(X, n_threads) if sparse.issparse(X) else DenseMatrix(X, n_threads)


class Design:
    """Rows x̃' = ((x − μ)/σ, 1) with shares r/S of the total weight.

    Parameters
    ----------
    matrix : Matrix
        The data.
    sample_weight : (N,) array or None
        Positive row weights r; None for ones.
    fit_intercept : bool
        Whether there is an intercept, the last column of x̃'; without one columns are scaled and not centred.
    scaling : (μ, σ) or None
        Given beforehand; None to take them from the rows.

    Attributes
    ----------
    n_rows, n_columns : int
        Size of x̃', the intercept's column included.
    matrix : Matrix
        The data; with products in float64 where float32 is not enough for them (`luce.models.linear.precision`).
    share : (N,) array of the products' dtype
        r/S, which sums to 1.
    centre, scale, unit : (D,) float64 arrays
        μ, σ and 1/σ (0 where σ is 0).
    resolution : float
        Relative rounding error to expect of a score: (8 + max |μ/σ|) ε, ε that of the products' dtype.
    """

    def __init__(
        self,
        matrix: Matrix,
        sample_weight: Array | None,
        fit_intercept: bool,
        scaling: tuple[Vector, Vector] | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.n_rows, self.n_features = matrix.shape
        self.n_columns = self.n_features + int(fit_intercept)
        weights = np.ones(self.n_rows) if sample_weight is None else np.asarray(sample_weight, np.float64)
        share = weights / weights.sum()
        self.centre, self.scale = matrix.moments(share, fit_intercept) if scaling is None else scaling
        rounding = (8 * np.sqrt(self.n_rows) + 2) * float(np.finfo(np.float64).eps)
        self.scale = np.where(self.scale <= rounding * np.abs(self.centre), 0.0, self.scale)
        self.unit = np.divide(1, self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)
        # rows of a scaling given beforehand may lie anywhere
        narrow = matrix.dtype == np.float64 or (scaling is None and columns_suit_single(self.centre, self.scale))
        self._take(matrix if narrow else matrix.widened(), share)

    def _take(self, matrix: Matrix, share: Vector) -> None:
        """Hold the data and what depends on the dtype of the products."""
        self.matrix = matrix
        self.share: Array = share.astype(matrix.dtype)
        # scores are x·W − μ·W + a: a column far from 0 for its width cancels that many digits
        cancelled = np.max(np.abs(self.centre) * self.unit, initial=0.0)
        self.resolution = float(np.finfo(matrix.dtype).eps * (8 + cancelled))
        self._weighted: Array = np.empty((0, self.n_columns))

    def sample(self, rows: Indices, weights: Array) -> Design:
        """Return a design of some rows in the coordinates of this one."""
        part: Design = object.__new__(Design)
        part.__dict__.update(self.__dict__)
        part.__dict__.pop("gram", None)
        part.__dict__.pop("single", None)
        part.matrix, part.n_rows = self.matrix.take(rows), len(rows)
        part._weighted = self._weighted[:0]
        part.share = (weights / weights.sum()).astype(self.matrix.dtype)
        return part

    def widened(self) -> Design:
        """Return the same design with products in float64."""
        part: Design = object.__new__(Design)
        part.__dict__.update(self.__dict__)
        part.__dict__.pop("single", None)
        part._weighted = self._weighted[:0]
        share = self.share.astype(np.float64)
        part._take(self.matrix.widened(), share / share.sum())
        return part

    def blocks(self, n_scores: int) -> Iterator[slice]:
        """Return the rows in blocks that fit in cache beside `n_scores` scores a row; the shape alone decides."""
        width = n_scores + (self.n_columns if isinstance(self.matrix, DenseMatrix) else 0)
        step = max(128, BLOCK_ENTRIES // width)
        if self.matrix.converts:
            step = max(128, min(step, WRITTEN_ENTRIES * self.n_rows // max(1, self.matrix.n_stored)))
        return steps(self.n_rows, step)

    def to_user(self, standardised: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) of the columns as they are for A (K, n_columns)."""
        coef = standardised[:, : self.n_features] * self.unit
        intercept = standardised[:, -1] - coef @ self.centre if self.fit_intercept else np.zeros(len(standardised))
        return coef, intercept

    def to_standardised(self, coef: Array, intercept: Array | None) -> Vector:
        """Return A (K, n_columns) of the standardised columns for (W, b); weights of constant columns are lost."""
        inner: Vector = np.zeros((len(coef), self.n_columns))
        inner[:, : self.n_features] = coef * self.scale
        if self.fit_intercept:
            inner[:, -1] = np.asarray(coef, np.float64) @ self.centre + (0 if intercept is None else intercept)
        return inner

    def scores(self, rows: slice, coef: Array, intercept: Array, out: Array | None = None) -> Array:
        """Return W x + b for a block of rows; (W, b) already has the products' dtype."""
        return self.matrix.scores(rows, coef, intercept, out)

    def pull_back(self, pieces: Iterator[tuple[slice, Array]], n_scores: int) -> Vector:
        """Return Σ Gᵀx̃' (K, n_columns), given the derivatives G in the scores block by block."""
        weights, intercepts = np.zeros((n_scores, self.n_features)), np.zeros(n_scores)
        for rows, piece in pieces:
            weights += self.matrix.pull_back(rows, piece)
            intercepts += _column_sums(piece)
        inner = np.empty((n_scores, self.n_columns))
        moved = np.empty(self.n_features)
        for k in range(n_scores):  # one class at a time stays in the cache
            np.multiply(self.centre, -intercepts[k], out=moved)
            moved += weights[k]
            np.multiply(moved, self.unit, out=inner[k, : self.n_features])
        if self.fit_intercept:
            inner[:, -1] = intercepts
        return inner

    def squares(self, rows: slice, piece: Array) -> Vector:
        """Return Σ G x̃'² (K, n_columns) for a block of rows."""
        total: Vector = np.zeros((piece.shape[1], self.n_columns))
        if not isinstance(self.matrix, SparseMatrix):  # of the deviations: x² − 2xμ + μ² cancels where μ is large
            step = max(1, WRITTEN_ENTRIES // self.n_columns)
            for first in range(rows.start, rows.stop, step):
                part = slice(first, min(first + step, rows.stop))
                block = self.standardised(part)
                total += piece[part.start - rows.start : part.stop - rows.start].T @ np.square(block, out=block)
            return total
        counts = _column_sums(piece)[:, None]
        inside = total[:, : self.n_features]
        np.multiply(self.matrix.pull_back(rows, piece), -2 * self.centre, out=inside)
        inside += self.matrix.pull_back_squares(rows, piece)
        inside += counts * np.square(self.centre)
        np.maximum(inside, 0, out=inside)
        inside *= np.square(self.unit)
        if self.fit_intercept:
            total[:, -1:] = counts
        return total

    def standardised(
        self, rows: slice | Indices, dtype: npt.DTypeLike | None = None, columns: Indices | None = None
    ) -> Array:
        """Return rows x̃' as a dense array, in the products' dtype by default; all columns, or some, ascending."""
        if columns is None:
            width, features, centre, unit = self.n_columns, None, self.centre, self.unit
        else:
            features = columns[columns < self.n_features]
            width, centre, unit = len(columns), self.centre[features], self.unit[features]
        dense = self.matrix.dense(rows, features)
        block = np.ones((len(dense), width), self.matrix.dtype)
        inside = block[:, : len(centre)]
        np.subtract(dense, centre, out=inside, casting="same_kind")
        inside *= unit.astype(block.dtype)
        return block if dtype is None else block.astype(dtype, copy=False)

    def between(self, rows: slice, weights: Array, left: Indices, right: Indices) -> Vector:
        """Return Σ weight x̃'x̃'ᵀ over a block of rows of a sparse matrix, some columns against others, ascending."""
        assert isinstance(self.matrix, SparseMatrix)
        inside, beside = (columns[columns < self.n_features] for columns in (left, right))
        products, of_left, of_right = self.matrix.between(rows, weights, inside, beside, self.unit)
        total = float(weights.sum(dtype=np.float64))
        mean, other = (self.centre[columns] * self.unit[columns] for columns in (inside, beside))
        moved = of_right - total * other
        among: Vector = np.empty((len(left), len(right)))
        for first in range(0, len(mean), 64):  # no second array of that size
            some = slice(first, min(first + 64, len(mean)))
            shift = np.column_stack([mean[some], of_left[some]]) @ np.stack([moved, other])
            np.subtract(products[some], shift, out=among[some, : len(other)])
        among[: len(mean), len(other) :] = (of_left - total * mean)[:, None]
        among[len(mean) :, : len(other)] = moved
        among[len(mean) :, len(other) :] = total
        return among

    def weighted(self, rows: slice) -> Array:
        """Return √(r/S) x̃' of a block of rows, not to be written to; kept if that is all rows."""
        if rows == slice(0, len(self._weighted)):
            return self._weighted
        block = self.standardised(rows)
        block *= np.sqrt(self.share[rows])[:, None]
        if len(block) == self.n_rows:
            self._weighted = block
        return block

    @cached_property
    def single(self) -> Design:
        """A copy in single precision, which takes half the time in a wide product."""
        part: Design = object.__new__(Design)
        part.__dict__.update(self.__dict__)
        assert isinstance(self.matrix, DenseMatrix)
        part.matrix = self.matrix.single()
        part.share = self.share.astype(np.float32)
        return part

    @cached_property
    def gram(self) -> Vector:
        """(1/S) Σ r x̃'x̃'ᵀ, (n_columns, n_columns), or its diagonal alone where it would be too wide to factor.

        The diagonal is known: columns have unit variance, so it is 1, and 0 for constant columns.
        """
        if self.n_columns > GRAM_COLUMNS:
            return np.append(self.unit > 0, np.ones(int(self.fit_intercept))).astype(np.float64)
        step = max(128, WRITTEN_ENTRIES // self.n_columns)
        firsts = range(0, self.n_rows, step)

        def part(first: int) -> Array:
            rows = slice(first, min(first + step, self.n_rows))
            block = self.standardised(rows, np.float32)
            block *= np.sqrt(self.share[rows])[:, None]
            return np.asarray(block.T @ block)  # which NumPy knows to be symmetric

        gram: Vector = np.zeros((self.n_columns, self.n_columns))
        with shared_out(self.n_rows * float(self.n_columns) ** 2, self.matrix.n_threads) as share:
            for some in range(0, len(firsts), GRAM_PARTS):
                for piece in share(part, firsts[some : some + GRAM_PARTS]):
                    gram += piece
        return gram


def _column_sums(piece: Array) -> Vector:
    """Return the sums of few columns over many rows in float64."""
    if piece.dtype == np.float64:
        return np.asarray(np.ones(len(piece)) @ piece)  # a quarter of the time of a reduction along the rows
    return np.asarray(piece.sum(axis=0, dtype=np.float64))
