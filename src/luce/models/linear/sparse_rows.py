"""Sparse rows times a few dense columns, and the transpose of that, where a linear model of text spends its time.

With X ∈ R^(N×D) of which few entries are stored, W ∈ R^(D×K) one row per feature, b ∈ R^K and G ∈ R^(N×K),

    scores(W, b) = X W + b                pull_back(G) = Xᵀ G

Both gather rows of the dense matrix, the first along the rows of X (its CSR form), the second along its columns (its
CSC form, which is the CSR form of Xᵀ). Nothing is scattered: a sum is taken in the order in which its terms are stored,
by one thread, so that results have the same bits for any number of threads.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from luce.contract.numbers import threads
from luce.matrices import sparse_product
from luce.models.inputs.kinds import Array, DType, Features
from luce.rows.core import in_one_piece

__all__ = ["SparseRows"]


class SparseRows:
    """The products with a sparse matrix; it is never densified and never written to.

    A product needs one of the two forms. The one that X comes in is used as it is, without a copy; the other is made
    when it is first needed and kept, which takes the memory of X once more. A block of rows of `pull_back` is turned
    into its columns for the call alone, so that whoever cannot afford a second X walks over X block by block.

    Parameters
    ----------
    X : (N, D) csr_array, csr_matrix, csc_array or csc_matrix, of float32 or float64
        Indices of 32 or 64 bits, sorted or not. Entries that are stored twice are added. Indices are checked here,
        once: the arrays must not be changed afterwards.
    n_threads : int or None
        Threads of the products; the results don't depend on them.

    Attributes
    ----------
    shape : tuple of int
        (N, D).
    dtype : numpy.dtype
        That of X.

    Raises
    ------
    TypeError
        If X is not sparse by rows or by columns, or of another dtype.
    ValueError
        If indices lie outside the matrix, or do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from luce.models.linear.sparse_rows import SparseRows
    >>> X = SparseRows(csr_array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]]))
    >>> X.scores(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([10.0, 20.0]))
    array([[10., 22.],
           [14., 23.]])
    >>> X.pull_back(np.array([[1.0], [1.0]]))
    array([[1.],
           [2.],
           [3.]])
    """

    def __init__(self, X: Features, *, n_threads: int | None = None) -> None:
        if not isinstance(X, (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.csc_matrix)) or X.ndim != 2:
            raise TypeError(f"X: expected a sparse matrix in CSR or CSC form, got {getattr(X, 'format', type(X))!r}")
        if X.dtype not in (np.float32, np.float64):
            raise TypeError(f"X: expected float32 or float64, got dtype {X.dtype}")
        self.shape: tuple[int, int] = (int(X.shape[0]), int(X.shape[1]))
        self.dtype: DType = X.dtype
        self.n_threads = threads(n_threads)
        if X.format == "csr":
            self._rows = _checked(X, *self.shape)
        else:
            self._columns = _checked(X, *self.shape[::-1])

    def scores(self, W: Array, b: Array | None = None, rows: slice | None = None, out: Array | None = None) -> Array:
        """Return X W + b, summed in X's dtype.

        Parameters
        ----------
        W : (D, K) C-contiguous array of X's dtype
        b : (K,) array of X's dtype or None
            None for 0.
        rows : slice or None
            A block of rows, of step 1; None for all. Each row has the same bits as among all.
        out : (n, K) C-contiguous array of X's dtype or None
            Where to write.

        Returns
        -------
        (n, K) array
            `out`, or a new one.

        Raises
        ------
        TypeError, ValueError
            If a shape, dtype or layout is another.
        """
        _check("W", W, self.dtype, (self.shape[1], None))
        first, last = self._range(rows)
        shape = (last - first, W.shape[1])
        if b is not None:
            _check("b", b, self.dtype, shape[1:])
        if out is None:
            out = np.empty(shape, self.dtype)
        else:
            _check("out", out, self.dtype, shape)
        out[...] = 0 if b is None else b
        self._rows.block(first, last).add_product(W, out, self.n_threads)
        return out

    def pull_back(self, G: Array, rows: slice | None = None, out: Array | None = None) -> Array:
        """Return Xᵀ G, summed in float64.

        Parameters
        ----------
        G : (n, K) C-contiguous array of X's dtype
            One row for each row of X, or of the block.
        rows : slice or None
            The block of rows that G belongs to, of step 1; None for all.
        out : (D, K) C-contiguous float64 array or None
            What the product is added to; None for zeros.

        Returns
        -------
        (D, K) float64 array
            `out`, or a new one.

        Raises
        ------
        TypeError, ValueError
            If a shape, dtype or layout is another.
        """
        first, last = self._range(rows)
        _check("G", G, self.dtype, (last - first, None))
        shape = (self.shape[1], G.shape[1])
        if out is None:
            out = np.zeros(shape)
        else:
            _check("out", out, np.dtype(np.float64), shape)
        whole = (first, last) == (0, self.shape[0])
        columns = self._columns if whole else self._rows.block(first, last).transposed(self.shape[1])
        columns.add_product(G, out, self.n_threads)
        return out

    @cached_property
    def _rows(self) -> _Compressed:
        return self._columns.transposed(self.shape[0])

    @cached_property
    def _columns(self) -> _Compressed:
        return self._rows.transposed(self.shape[1])

    def _range(self, rows: slice | None) -> tuple[int, int]:
        first, last, step = (slice(None) if rows is None else rows).indices(self.shape[0])
        if step != 1:
            raise ValueError(f"rows: expected a slice of step 1, got {rows}")
        return first, max(first, last)


class _Compressed(NamedTuple):
    """The CSR form of a matrix: row i holds value[start[i] : start[i + 1]] at the columns in indices."""

    start: npt.NDArray[np.int64]
    indices: Array
    value: Array

    def block(self, first: int, last: int) -> _Compressed:
        """Return the rows first … last − 1, as views."""
        return self._replace(start=self.start[first : last + 1])

    def transposed(self, columns: int) -> _Compressed:
        """Return the form of the transpose of the matrix, which has so many columns."""
        begin, end = int(self.start[0]), int(self.start[-1])
        parts = (self.value[begin:end], self.indices[begin:end], self.start - begin)
        turned = sparse.csr_array(parts, shape=(len(self.start) - 1, columns)).tocsc()
        return _Compressed(turned.indptr.astype(np.int64, copy=False), turned.indices, turned.data)

    def add_product(self, dense: Array, out: Array, n_threads: int | None) -> None:
        """Add the product with a dense matrix to `out`."""
        sparse_product(self.start, self.indices, self.value, dense, out, n_threads)


def _checked(X: Features, rows: int, columns: int) -> _Compressed:
    """Return the arrays of a matrix in CSR form, or of the transpose of one in CSC form, once they are checked."""
    start, index, value = in_one_piece(X.indptr, np.int64), X.indices, X.data
    if start.shape != (rows + 1,) or start[0] != 0 or np.any(start[1:] < start[:-1]):
        raise ValueError(f"X: indptr should rise from 0 in {rows + 1} steps")
    stored = int(start[-1])
    if index.ndim != 1 or value.ndim != 1 or min(len(index), len(value)) < stored:
        raise ValueError(f"X: indptr ends at {stored}, indices and data have shapes {index.shape} and {value.shape}")
    if index.dtype not in (np.int32, np.int64):
        raise TypeError(f"X: expected indices of int32 or int64, got dtype {index.dtype}")
    index, value = (in_one_piece(part[:stored]) for part in (index, value))
    if stored and (index.min() < 0 or index.max() >= columns):
        raise ValueError(f"X: indices should lie in [0, {columns}), they span {index.min()} to {index.max()}")
    return _Compressed(start, index, value)


def _check(name: str, array: Array, dtype: DType, shape: tuple[int | None, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise TypeError(f"{name}: expected an array of {dtype}, got {getattr(array, 'dtype', type(array))}")
    if array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("K" if n is None else str(n) for n in shape) + "," * (len(shape) == 1)
        raise ValueError(f"{name}: expected shape ({wanted}), got {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name}: expected a C-contiguous array")
