"""The rows as a solver sees them: standardised columns beside an intercept, without a copy of the data.

With x' = (x − μ)/σ, scores are W x + b = A x' + a for W = A/σ and b = a − W μ. So the products with x' are products
with x, corrected afterwards: neither dense nor sparse data are copied, centred or scaled in place. μ and σ are the
weighted means and standard deviations of the columns; a constant column says nothing beside the intercept, so its x'
and its weights are 0. Without an intercept columns are scaled by their root mean square and not centred.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from luce import _core
from luce.blas import shared_out
from luce.models.linear.precision import columns_suit_single
from luce.models.linear.sparse_rows import SparseRows

__all__ = ["DenseMatrix", "Design", "Matrix", "SparseMatrix", "as_matrix"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

BLOCK_ENTRIES = 2**22  # numbers of X and of the scores in one block of rows, 32 MiB in float64
WRITTEN_ENTRIES = 2**19  # numbers of the blocks that a Hessian is summed up from, 4 MiB
NARROW = 256  # classes up to which the compiled products are faster than a BLAS
MOMENT_ENTRIES = 2**16  # and in the blocks whose moments are taken, which are written: 512 KiB
LARGEST_DEVIATION = 1e150  # beyond, and below its inverse, squares leave the range of float64
GRAM_PARTS = 4  # Gram matrices of blocks of rows that are held at once
GRAM_COLUMNS = 3000  # widest Gram matrix that is formed; beyond, its diagonal stands for it


class Matrix(Protocol):
    """What the design asks of the data; rows come as slices (no copy) or as indices (a copy of those rows)."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]  # of the products
    n_stored: int  # numbers that the data hold
    converts: bool  # whether that is another than the data's, so that blocks are converted as they are read
    n_threads: int | None

    def scores(self, rows: slice, coef: Array, intercept: Array, out: Array | None = None) -> Array:
        """Return X coefᵀ + intercept for a block of rows, (n, K), with coef (K, D) of this dtype."""

    def pull_back(self, rows: slice, piece: Array) -> Array:
        """Return pieceᵀ X for a block of rows, (K, D)."""

    def dense(self, rows: slice | Indices, columns: Indices | None = None) -> Array:
        """Return the rows, or some columns of them, as a dense array."""

    def take(self, rows: Indices) -> Matrix:
        """Return a matrix of these rows."""

    def widened(self) -> Matrix:
        """Return the same data with products in float64."""

    def moments(self, share: Array, centred: bool) -> tuple[Vector, Vector]:
        """Return the weighted means (0 unless centred) and the root mean squares of the deviations from them."""


class DenseMatrix:
    """A float32 or float64 array in either memory order, with products in its own dtype or a wider one.

    Row by row and with few classes the compiled products read X at the speed of memory; a BLAS, made for square
    matrices, takes two to three times as long.
    """

    def __init__(self, X: Array, n_threads: int | None = None, dtype: Any = None) -> None:
        self.X, self.n_threads = X, n_threads
        self.shape: tuple[int, int] = X.shape
        self.dtype = np.dtype(X.dtype if dtype is None else dtype)
        self.converts = self.dtype != X.dtype
        self.n_stored = X.size
        self._by_rows = self.converts or X.flags.c_contiguous

    def widened(self) -> DenseMatrix:
        """Return the same data with products in float64, to which blocks of rows are converted as they are read."""
        return DenseMatrix(self.X, self.n_threads, np.float64)

    def single(self) -> DenseMatrix:
        """Return the same data in float32."""
        return DenseMatrix(self.X.astype(np.float32, copy=False), self.n_threads)

    def _block(self, rows: slice | Indices) -> Array:
        return self.X[rows].astype(self.dtype, order="C") if self.converts else self.X[rows]

    def scores(self, rows: slice, coef: Array, intercept: Array, out: Array | None = None) -> Array:
        """Return X coefᵀ + intercept for a block of rows."""
        X = self._block(rows)
        if not self._by_rows or len(coef) > NARROW:
            scores = np.asarray(np.matmul(X, coef.T, out=out))
            scores += intercept
            return scores
        if out is None:
            out = np.empty((len(X), len(coef)), self.dtype)
        coef, intercept = np.ascontiguousarray(coef), np.ascontiguousarray(intercept)
        _core.narrow_scores(X, coef, intercept, out, self.n_threads)
        return out

    def pull_back(self, rows: slice, piece: Array) -> Array:
        """Return pieceᵀ X for a block of rows."""
        X = self._block(rows)
        if not self._by_rows or piece.shape[1] > NARROW:
            return np.asarray(piece.T @ X)
        total = np.empty((piece.shape[1], X.shape[1]))
        _core.narrow_pull_back(X, np.ascontiguousarray(piece, self.dtype), total, self.n_threads)
        return total

    def dense(self, rows: slice | Indices, columns: Indices | None = None) -> Array:
        """Return the rows, or some columns of them."""
        X = self.X[rows]
        return np.asarray(X if columns is None else X[:, columns], self.dtype)

    def take(self, rows: Indices) -> DenseMatrix:
        """Return a matrix of these rows."""
        return DenseMatrix(self.X[rows], self.n_threads, self.dtype)

    def moments(self, share: Array, centred: bool) -> tuple[Vector, Vector]:
        """Return means and deviations in one pass, from sums about a first guess of the means."""
        rows, columns = self.shape
        guess = np.zeros(columns)
        if centred:
            few = self.X[:: max(1, rows // 256)][:512]
            guess = few.mean(axis=0, dtype=np.float64)
        first, second = self._sums(guess, share)
        with np.errstate(over="ignore", invalid="ignore"):
            far_off = centred and bool((np.square(first) > 0.5 * second).any())
        if far_off:  # about the mean itself, then
            guess = guess + first
            first, second = self._sums(guess, share)
        with np.errstate(over="ignore", invalid="ignore"):
            variance = second - np.square(first) if centred else second
        safe = (variance > LARGEST_DEVIATION**-2) & (variance < LARGEST_DEVIATION**2)
        scale = np.sqrt(np.where(safe, variance, 0.0))
        if not safe.all():
            scale[~safe] = self._rescaled(guess + first if centred else guess, share, np.flatnonzero(~safe))
        return guess + first if centred else guess, scale

    def _sums(self, guess: Vector, share: Array) -> tuple[Vector, Vector]:
        first, second = np.zeros_like(guess), np.zeros_like(guess)
        step = max(1, MOMENT_ENTRIES // max(1, len(guess)))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for start in range(0, self.shape[0], step):
                weights = share[start : start + step]
                deviation = self.X[start : start + step] - guess
                first += weights @ deviation
                second += weights @ np.square(deviation, out=deviation)
        return first, second

    def _rescaled(self, centre: Vector, share: Array, columns: Indices) -> Vector:
        """Return the deviations of columns whose squares leave the range of numbers, in units of the largest one."""
        deviation = np.abs(self.X[:, columns] - centre[columns])
        largest = deviation.max(axis=0)
        if largest.max() > LARGEST_DEVIATION:
            worst = int(np.argmax(largest))
            raise ValueError(
                f"X: column {columns[worst]} spans {largest[worst]:.2g}; {LARGEST_DEVIATION:g} is the most"
            )
        inverse = np.divide(1, largest, out=np.zeros_like(largest), where=largest > 1 / LARGEST_DEVIATION)
        return np.asarray(np.sqrt(share @ np.square(deviation * inverse)) * largest)


class SparseMatrix:
    """A SciPy CSR or CSC matrix of float32 or float64; it is never made dense, nor converted, as a whole."""

    def __init__(self, X: Any, n_threads: int | None = None, dtype: Any = None) -> None:
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


def as_matrix(X: Any, n_threads: int | None = None) -> Matrix:
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
        """Yield the rows in blocks that fit in cache beside `n_scores` scores a row; the shape alone decides."""
        width = n_scores + (self.n_columns if isinstance(self.matrix, DenseMatrix) else 0)
        step = max(128, BLOCK_ENTRIES // width)
        if self.matrix.converts:
            step = max(128, min(step, WRITTEN_ENTRIES * self.n_rows // max(1, self.matrix.n_stored)))
        for first in range(0, self.n_rows, step):
            yield slice(first, min(first + step, self.n_rows))

    def outer(self, inner: Vector) -> tuple[Vector, Vector]:
        """Return (W, b) for A (K, n_columns)."""
        coef = inner[:, : self.n_features] * self.unit
        intercept = inner[:, -1] - coef @ self.centre if self.fit_intercept else np.zeros(len(inner))
        return coef, intercept

    def inner(self, coef: Array, intercept: Array | None) -> Vector:
        """Return A (K, n_columns) for (W, b); weights of constant columns are lost."""
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

    def standardised(self, rows: slice | Indices, dtype: Any = None, columns: Indices | None = None) -> Array:
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
