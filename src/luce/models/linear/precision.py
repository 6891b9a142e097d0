"""The tests whether single precision is enough for the scores of float32 data, or double is needed.

A score Σ_j x_j w_j + b of magnitude 1 keeps its digits in float32 if no part of it is much larger: parts that cancel
leave their rounding errors behind. So columns that lie far from 0 for their width, or whose width leaves the range of
float32, are computed in float64, from float32 values that are converted a block of rows at a time.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from luce.models.inputs.kinds import Features, Vector

__all__ = ["coefficients_suit_single", "columns_suit_single", "numbers_suit_single", "rows_suit_single"]


LARGEST_OFFSET = 32.0  # distance of a column from 0, in deviations
LARGEST_PART = 128.0  # root of the sum of a score's squared parts: its errors stay near 1e-5
SMALLEST_WIDTH, LARGEST_WIDTH = 1e-30, 1e30  # of a column: coefficients of its inverse, and products, stay in range
LARGEST_COEFFICIENT = 1e38  # that float32 holds


def columns_suit_single(centre: Vector, scale: Vector) -> bool:
    """Tell whether standardised columns with these means and deviations can be had in float32."""
    far = np.abs(centre)
    inside = (scale >= SMALLEST_WIDTH) & (scale <= LARGEST_WIDTH) & (far <= LARGEST_OFFSET * scale)
    return bool(np.where(scale > 0, inside, far <= LARGEST_WIDTH).all())


def coefficients_suit_single(coef: Vector, centre: Vector, scale: Vector) -> bool:
    """Tell whether the scores of columns with these means and deviations can be had in float32."""
    size = np.square(coef) @ np.square(np.abs(centre) + scale)
    return bool((size <= LARGEST_PART**2).all())


def numbers_suit_single(X: Features, coef: Vector, intercept: Vector) -> bool:
    """Tell from the largest number alone whether the scores of float32 rows can be had in float32.

    X is an array, or a CSR or CSC matrix.
    """
    if not np.abs(coef).max(initial=0.0) <= LARGEST_COEFFICIENT:
        return False
    stored: bool = sparse.issparse(X)
    numbers = X.data if stored else X
    largest = max(float(numbers.max(initial=0.0)), -float(numbers.min(initial=0.0)))
    size = np.square(coef).sum(axis=1) * largest**2 + np.square(intercept)
    return bool((size <= LARGEST_PART**2).all())


def rows_suit_single(X: Features, coef: Vector, intercept: Vector) -> bool:
    """Tell the same from the largest number of each column; X is an array or a CSR matrix."""
    if not np.abs(coef).max(initial=0.0) <= LARGEST_COEFFICIENT:
        return False
    stored: bool = sparse.issparse(X)
    if stored:
        largest = np.zeros(X.shape[1])
        np.maximum.at(largest, X.indices, np.abs(X.data))
    else:
        largest = np.maximum(X.max(axis=0, initial=0.0), -X.min(axis=0, initial=0.0)).astype(np.float64)
    size = np.square(coef) @ np.square(largest) + np.square(intercept)
    return bool((size <= LARGEST_PART**2).all())
