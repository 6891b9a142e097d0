"""Names for the types of arrays, and for what users hand in, which no type describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "ClassWeights", "DType", "DenseOrSparse", "Features", "Indices", "Labels", "Vector", "Weights"]

Array: TypeAlias = npt.NDArray[Any]
Vector: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
DType: TypeAlias = np.dtype[Any]
DenseOrSparse: TypeAlias = Any  # an array or a sparse matrix: no type is common to them

Features: TypeAlias = Any  # (N, D): nested lists, an array, a data frame, a sparse matrix
Labels: TypeAlias = Any  # (N,) or (N, K): a list, an array, a column or a frame of any library
Weights: TypeAlias = Any  # (N,) array-like, or None
ClassWeights: TypeAlias = Mapping[Any, float]  # by label, of any kind
