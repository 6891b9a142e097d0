"""The protocol of the data: rows times few columns, the transpose of that, and the moments of the columns."""

from __future__ import annotations

from typing import Protocol

from luce.models.inputs.kinds import Array, DType, Indices, Vector

__all__ = ["LARGEST_DEVIATION", "WRITTEN_ENTRIES", "Matrix"]


WRITTEN_ENTRIES = 2**19  # numbers of the blocks that a Hessian is summed up from, 4 MiB
LARGEST_DEVIATION = 1e150  # beyond, and below its inverse, squares leave the range of float64


class Matrix(Protocol):
    """The operations on the data; rows are slices, which copy nothing, or indices, which copy those rows."""

    shape: tuple[int, int]
    dtype: DType  # of the products
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
