"""The blocks of a gradient that count, and the matrix products of these alone.

Once a model is sure of most of its rows, nearly all of G = ∂L/∂z is next to nothing: a few classes of a row hold it. A
block is one row's entries in `COLUMNS` neighbouring classes. The smallest blocks are left out whose squared norms add
up to no more than the square of the tolerance times that of all; the others of the same columns make small matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor

from luce.torch.formulas import wide

__all__ = ["add_products", "choose"]

COLUMNS = 256
DENSE = 0.5  # share of the blocks from which on the whole product is faster


def choose(slope: Tensor, tolerance: float) -> tuple[Tensor | None, Tensor]:
    """Return which blocks of G (N, V) to keep, (N, blocks), None for all, and the squared norm of the others."""
    whole = slope.shape[1] // COLUMNS * COLUMNS
    parts = [slope[:, :whole].unflatten(1, (-1, COLUMNS)), slope[:, None, whole:]]
    norms = torch.cat([torch.linalg.vector_norm(part, dim=2, dtype=wide(slope.dtype)) for part in parts], dim=1)
    squares = torch.square(norms.double())
    ascending = squares.flatten().sort().values
    sums = ascending.cumsum(0)
    count = int(torch.searchsorted(sums, tolerance**2 * sums[-1:], right=True)) if sums.numel() else 0
    if not bool(torch.isfinite(sums[-1:]).all()) or count < (1 - DENSE) * squares.numel():
        return None, squares.new_zeros(())
    kept = squares >= ascending[count] if count < squares.numel() else torch.zeros_like(squares, dtype=torch.bool)
    return kept, torch.where(kept, 0.0, squares).sum()


def add_products(
    slope: Tensor,
    kept: Tensor,
    x: Tensor,
    weight: Tensor,
    of_input: Tensor | None,
    rows: slice | Tensor,
    of_weight: Tensor | None,
) -> None:
    """Add G W to some rows of an input's gradient and Gᵀ x to the weight's, of the blocks that are kept."""
    places = torch.arange(kept.shape[0], device=kept.device) if isinstance(rows, slice) else rows
    offset = rows.start if isinstance(rows, slice) else 0
    order = kept.t().nonzero()
    ends = kept.sum(0).cumsum(0).tolist()
    first = 0
    for block, last in enumerate(ends):
        some, first = order[first:last, 1], last
        if not some.numel():
            continue
        columns = slice(block * COLUMNS, (block + 1) * COLUMNS)
        piece = slope[:, columns].index_select(0, some)
        if of_input is not None:
            of_input.index_add_(0, places[some] + offset, piece @ weight[columns])
        if of_weight is not None:
            of_weight[columns].addmm_(piece.t(), x.index_select(0, some))
