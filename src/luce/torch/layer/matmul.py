"""Matrix products by the library that is faster here: PyTorch's, or NumPy's among threads of ours.

On AMD's processors the MKL in PyTorch takes a tenth to a third longer for large products than the OpenBLAS in NumPy
(measured). OpenBLAS's own threads would go on spinning beside PyTorch's next operation, so it gets one thread a piece.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from luce.blas import shared_out
from luce.configuration import vendor
from luce.matrices import add_product
from luce.torch import tensors

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[Any]

__all__ = ["multiply"]

LARGE = 4e9  # multiplications from which on it is worth it to start threads
NARROW = 96  # rows or columns of a piece, below which packing the other matrix for each piece takes too long
PANEL = 4096  # rows of the result, of whose share in `a` the library makes a copy in its own order
SCRATCH = 2 << 20  # bytes for what a thread adds to the result


def multiply(a: Tensor, b: Tensor, out: Tensor, *, plus: Tensor | None = None) -> Tensor:
    """Write a·b into a matrix, plus what is there already (`out` itself) or a row."""
    n_threads = torch.get_num_threads()
    longer = max(range(2), key=lambda side: out.shape[side])
    work = out.numel() * a.shape[1]
    small = n_threads > 1 and (work < LARGE or out.shape[longer] < NARROW * n_threads)
    if small or not all(_by_numpy(part) and 1 in part.stride() for part in (a, b, out)):
        return torch.mm(a, b, out=out) if plus is None else torch.addmm(plus, a, b, out=out)
    left, right, result = (part.detach().numpy() for part in (a, b, out))
    row = None if plus is None or plus is out else tensors.array(plus)

    def piece(part: slice) -> None:
        rows, columns = (part, slice(None)) if longer == 0 else (slice(None), part)
        _product(left[rows], right[:, columns], result[rows, columns], add=plus is out)
        if row is not None:
            result[rows, columns] += row[columns]

    with shared_out(work, n_threads) as run:
        run(piece, _pieces(out.shape[longer], n_threads))
    return out


def _product(a: Floats, b: Floats, out: Floats, *, add: bool) -> None:
    if add:
        add_product(a, b, out, SCRATCH)
        return
    for first in range(0, len(out), PANEL):
        part = slice(first, first + PANEL)
        np.matmul(a[part], b, out=out[part])


def _pieces(size: int, count: int) -> list[slice]:
    step = -(-size // count)
    step = -(-step // 16) * 16
    return [slice(first, min(first + step, size)) for first in range(0, size, step)]


def _by_numpy(matrix: Tensor) -> bool:
    """Whether NumPy's library is the faster one for matrices of this kind."""
    if matrix.is_neg() or tensors.numberless(matrix):  # which have no numbers that NumPy could read
        return False
    return tensors.compiled(matrix) and matrix.dtype in (torch.float32, torch.float64) and _openblas()


@cache
def _openblas() -> bool:
    config = np.show_config(mode="dicts")
    mkl = torch.backends.mkl.is_available()
    return vendor() == "AMD" and mkl and "openblas" in config["Build Dependencies"]["blas"]["name"]
