"""The scores of new rows, W x + b, with the digits that the data have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from luce.models.inputs.kinds import Array, DenseOrSparse, Features
from luce.models.linear.dense_matrix import DenseMatrix
from luce.models.linear.precision import numbers_suit_single, rows_suit_single
from luce.rows.chunks import steps

__all__ = ["scores"]


SCORED_ENTRIES = 2**19  # of float32 rows that are judged, and converted if need be, at a time


def scores(X: Features, coef: DenseOrSparse, intercept: Array, n_threads: int | None = None) -> Array:
    """Return X coefᵀ + intercept, (N, K).

    Parameters
    ----------
    X : (N, D) array or CSR or CSC matrix of float32 or float64
        float32 is multiplied in float32 where that leaves the digits of the scores, and else in float64, a block of
        rows at a time.
    coef : (K, D) array or sparse matrix
    intercept : (K,) array
    n_threads : int or None
        Threads of the compiled products.

    Returns
    -------
    (N, K) array
        In the dtype that was computed in: float32 only if that was enough for all rows.

    Raises
    ------
    ValueError
        If a score leaves the range of float64.
    """
    coef, intercept = coef.astype(np.float64, copy=False), intercept.astype(np.float64, copy=False)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if X.dtype == np.float32 and not sparse.issparse(coef):
            found = _in_single(X, coef, intercept, n_threads)
        elif X.dtype == np.float32:
            found = np.concatenate([_of(rows.astype(np.float64), coef, intercept) for rows in _blocks(X)])
        else:
            found = _of(X, coef, intercept)
    finite = np.isfinite(found)
    if not finite.all():
        row = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise ValueError(f"X: the scores of row {row} leave the range of float64: its values are too large")
    return found


def _in_single(X: Features, coef: Array, intercept: Array, n_threads: int | None) -> Array:
    """Return the scores of float32 rows, in float64 where a block of rows needs it."""
    small = coef.astype(np.float32), intercept.astype(np.float32)
    if numbers_suit_single(X, coef, intercept):
        return _of(X, *small) if sparse.issparse(X) else DenseMatrix(X, n_threads).scores(slice(0, len(X)), *small)
    return np.concatenate(
        [
            _of(rows, *small)
            if rows_suit_single(rows, coef, intercept)
            else _of(rows.astype(np.float64), coef, intercept)
            for rows in _blocks(X)
        ]
    )


def _blocks(X: Features) -> Iterator[DenseOrSparse]:
    """Yield the rows a block at a time."""
    is_sparse: bool = sparse.issparse(X)
    X = X.tocsr() if is_sparse else X
    step = max(1, SCORED_ENTRIES * X.shape[0] // max(1, X.nnz if is_sparse else X.size))
    for rows in steps(X.shape[0], step):
        yield X[rows]


def _of(X: Features, coef: DenseOrSparse, intercept: Array) -> Array:
    """Return X coefᵀ + intercept as an array, whichever of the two is sparse."""
    product = X @ coef.T
    is_sparse: bool = sparse.issparse(product)
    return np.asarray((product.toarray() if is_sparse else np.asarray(product)) + intercept)
