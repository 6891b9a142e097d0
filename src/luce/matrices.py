"""Products of matrices in the compiled core, and by pieces: the door to what it does beside rows of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce._core import lasso_descent, narrow_pull_back, narrow_scores, sparse_product

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_product", "lasso_descent", "narrow_pull_back", "narrow_scores", "sparse_product"]


def add_product(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any], workspace: int) -> None:
    """Add a·b to a matrix, by pieces of rows that fit the workspace on their way."""
    rows = max(1, workspace // max(1, out.shape[1] * out.itemsize))
    scratch = np.empty((min(rows, len(out)), out.shape[1]), out.dtype)
    for first in range(0, len(out), rows):
        whole = out[first : first + rows]
        piece = scratch[: len(whole)]
        np.matmul(a[first : first + rows], b, out=piece)
        whole += piece
