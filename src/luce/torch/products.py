"""Matrix products by the library that is faster here: PyTorch's, or NumPy's among threads of ours.

On AMD's processors the MKL in PyTorch takes a tenth to a third longer for large products than the OpenBLAS in NumPy
(measured). OpenBLAS's own threads would go on spinning beside PyTorch's next operation, so it gets one thread a piece.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luce import _core
from luce.blas import shared_out
from luce.torch import kernels

__all__ = ["multiply"]

LARGE = 4e9  # multiplications from which on the pieces are large enough
NARROW = 96  # rows or columns of a piece, below which packing the other matrix for each piece takes too long
SCRATCH = 2 << 20  # bytes for what a thread adds to the result


def multiply(a: Tensor, b: Tensor, out: Tensor, *, add: bool = False) -> Tensor:
    """Write a·b into a matrix, or add it to what is there."""
    n_threads = torch.get_num_threads()
    longer = max(range(2), key=lambda side: out.shape[side])
    work = out.numel() * a.shape[1]
    if work < LARGE or out.shape[longer] < NARROW * n_threads or not (_openblas() and all(map(_plain, (a, b, out)))):
        return out.addmm_(a, b) if add else torch.mm(a, b, out=out)
    left, right, result = (part.detach().numpy() for part in (a, b, out))

    def piece(part: slice) -> None:
        if longer == 0:
            _product(left[part], right, result[part], add)
        else:
            _product(left, right[:, part], result[:, part], add)

    with shared_out(work, n_threads) as run:
        run(piece, _pieces(out.shape[longer], n_threads))
    return out


def _product(a: Any, b: Any, out: Any, add: bool) -> None:
    if not add:
        np.matmul(a, b, out=out)
        return
    rows = max(1, SCRATCH // (out.shape[1] * out.itemsize))
    for first in range(0, len(out), rows):
        part = slice(first, first + rows)
        out[part] += a[part] @ b


def _pieces(size: int, count: int) -> list[slice]:
    step = -(-size // count)
    step = -(-step // 16) * 16
    return [slice(first, min(first + step, size)) for first in range(0, size, step)]


def _plain(matrix: Tensor) -> bool:
    """Whether NumPy's library can read a matrix as it lies."""
    return kernels.compiled(matrix) and matrix.dtype in (torch.float32, torch.float64) and 1 in matrix.stride()


@cache
def _openblas() -> bool:
    config: Any = np.show_config(mode="dicts")
    mkl = torch.backends.mkl.is_available()
    return _core.vendor() == "AMD" and mkl and "openblas" in config["Build Dependencies"]["blas"]["name"]
