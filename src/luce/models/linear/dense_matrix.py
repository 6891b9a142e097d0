"""Dense rows in either memory order, never copied or converted as a whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from luce.matrices import narrow_pull_back, narrow_scores
from luce.models.inputs.kinds import Array, Indices, Vector
from luce.models.linear.matrix import LARGEST_DEVIATION

__all__ = ["NARROW_CLASSES", "DenseMatrix"]

NARROW_CLASSES = 256  # classes up to which the compiled products are faster than a BLAS
MOMENT_ENTRIES = 2**16  # numbers in the blocks whose moments are taken, which are written: 512 KiB


class DenseMatrix:
    """A float32 or float64 array in either memory order, with products in its own dtype or a wider one.

    Row by row and with few classes the compiled products read X at the speed of memory; a BLAS, made for square
    matrices, takes two to three times as long.
    """

    def __init__(self, X: Array, n_threads: int | None = None, dtype: npt.DTypeLike | None = None) -> None:
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
        """Return a block of rows in the dtype of the products."""
        return self.X[rows].astype(self.dtype, order="C") if self.converts else self.X[rows]

    def scores(self, rows: slice, coef: Array, intercept: Array, out: Array | None = None) -> Array:
        """Return X coefᵀ + intercept for a block of rows."""
        X = self._block(rows)
        if not self._by_rows or len(coef) > NARROW_CLASSES:
            scores = np.asarray(np.matmul(X, coef.T, out=out))
            scores += intercept
            return scores
        if out is None:
            out = np.empty((len(X), len(coef)), self.dtype)
        coef, intercept = np.ascontiguousarray(coef), np.ascontiguousarray(intercept)
        narrow_scores(X, coef, intercept, out, self.n_threads)
        return out

    def pull_back(self, rows: slice, piece: Array) -> Array:
        """Return pieceᵀ X for a block of rows."""
        X = self._block(rows)
        if not self._by_rows or piece.shape[1] > NARROW_CLASSES:
            return np.asarray(piece.T @ X)
        total = np.empty((piece.shape[1], X.shape[1]))
        narrow_pull_back(X, np.ascontiguousarray(piece, self.dtype), total, self.n_threads)
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
        """Return the weighted sums of the deviations from a guess of the means, and of their squares."""
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
