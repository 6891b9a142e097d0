"""The blocks of a gradient that count, and the matrix products of these alone.

Once a model is sure of most of its rows, nearly all of G = ∂L/∂z is next to nothing: a few classes of a row hold it. A
block is one row's entries in `COLUMNS` neighbouring classes. The smallest blocks are left out whose squared norms add
up to no more than the square of the tolerance times that of all; the others of the same columns make small matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor

from luce.torch.tensors import computing_dtype, row_dtype

__all__ = ["BlockFilter", "add_products"]

COLUMNS = 256
WIDENED = 2**21  # entries of 16 bits that are widened together
STEP = 16  # rows by which products of 16 bits grow
DENSE = 0.5  # share of the blocks from which on the whole product is faster


class BlockFilter:
    """Chooses the blocks to keep, chunk by chunk of rows; `left_out` is the squared norm of the others so far."""

    def __init__(self, tolerance: float, like: Tensor) -> None:
        self.tolerance = tolerance
        self.left_out = like.new_zeros((), dtype=row_dtype(like.device))
        self._whole = self.left_out

    def choose(self, slope: Tensor) -> Tensor | None:
        """Return which blocks of G (N, V) to keep, (N, blocks); None for all.

        What is left out may be the tolerance's share of all that has been seen, which is no more than its share of all.
        """
        squares = torch.square(_norms(slope).to(self.left_out.dtype))
        ascending = squares.flatten().sort().values
        sums = ascending.cumsum(0)
        if not sums.numel() or not bool(torch.isfinite(sums[-1])):
            return None
        self._whole = self._whole + sums[-1]
        count = int(torch.searchsorted(sums, self.tolerance**2 * self._whole - self.left_out, right=True))
        if count < (1 - DENSE) * squares.numel():
            return None
        kept = squares >= ascending[count] if count < squares.numel() else torch.zeros_like(squares, dtype=torch.bool)
        self.left_out = self.left_out + torch.where(kept, 0.0, squares).sum()
        return kept


def _norms(slope: Tensor) -> Tensor:
    """Return the norms of the blocks (N, blocks); rows of 16 bits are widened a few at a time, in a cache."""
    classes = slope.shape[1]
    if slope.element_size() < 4:
        pieces = [_norms(piece.float()) for piece in slope.split(max(1, WIDENED // max(1, classes)))]
        return torch.cat(pieces) if pieces else slope.new_empty(0, 0, dtype=torch.float32)
    whole = classes // COLUMNS * COLUMNS
    parts = [slope[:, :whole].unflatten(1, (-1, COLUMNS))]
    if whole < classes:
        parts.append(slope[:, None, whole:])
    return torch.cat([torch.linalg.vector_norm(part, dim=2) for part in parts], dim=1)


def add_products(
    slope: Tensor,
    kept: Tensor,
    x: Tensor,
    weight: Tensor,
    of_input: Tensor | None,
    rows: slice | Tensor,
    of_weight: Tensor | None,
) -> None:
    """Write G W to some rows of an input's gradient and add Gᵀ x to the weight's, of the blocks that are kept."""
    order = kept.t().nonzero()
    ends = kept.sum(0).cumsum(0).tolist()
    narrow = slope.element_size() < 4
    sums = None if of_input is None else torch.zeros_like(x, dtype=computing_dtype(x.dtype))
    first = 0
    for block, last in enumerate(ends):
        some, first = order[first:last, 1], last
        count = some.numel()
        if not count:
            continue
        if narrow:  # products of a shape that was there before are several times as fast
            some = torch.cat([some, some[:1].expand(-count % STEP)])
        columns = slice(block * COLUMNS, (block + 1) * COLUMNS)
        piece = slope[:, columns].index_select(0, some)
        piece[count:] = 0
        if sums is not None:
            sums.index_add_(0, some, (piece @ weight[columns]).to(sums.dtype))
        if of_weight is not None:
            of_weight[columns].addmm_(piece.t(), x.index_select(0, some))
    if of_input is not None and sums is not None:
        of_input[rows] = sums.to(x.dtype)
