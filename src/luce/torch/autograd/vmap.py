"""A function of rows under `torch.vmap`: a batch of rows is more rows, or its elements come one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from luce.torch.autograd.function import Argument, BatchInfo, Function, InDims

__all__ = ["one_by_one", "over_rows"]


def over_rows(
    function: type[Function], info: BatchInfo, in_dims: InDims, arguments: Sequence[Argument], rest: Sequence[Argument]
) -> tuple[Argument, Argument]:
    """Apply a function of rows to a batch, with other options and flags in `rest` than in its arguments."""
    tensors, _ = function.split(arguments)
    batched = {name for name, dim in zip(function.names, in_dims, strict=False) if dim is not None}
    if batched & function.shared:
        return one_by_one(function, info, in_dims, arguments, rest)
    flat = []
    for name, tensor, dim in zip(function.names, tensors, in_dims, strict=False):
        if tensor is None or name in function.shared:
            flat.append(tensor)
        elif dim is None:
            flat.append(tensor.expand(info.batch_size, *tensor.shape).flatten(0, 1))
        else:
            flat.append(tensor.movedim(dim, 0).flatten(0, 1))
    result = function.apply(*flat, *rest)

    def unflat(part: Tensor | None) -> Tensor | None:
        if part is None or part.dim() == 0:  # of all rows
            return part
        return part.reshape(info.batch_size, len(part) // max(info.batch_size, 1), *part.shape[1:])

    if isinstance(result, tuple):
        places = tuple(None if part is None or part.dim() == 0 else 0 for part in result)
        return tuple(map(unflat, result)), places
    return unflat(result), 0


def one_by_one(
    function: type[Function], info: BatchInfo, in_dims: InDims, arguments: Sequence[Argument], rest: Sequence[Argument]
) -> tuple[Argument, Argument]:
    """Apply a function to one element of a batch after the other."""
    tensors, _ = function.split(arguments)
    results = [
        function.apply(
            *(
                tensor if tensor is None or dim is None else tensor.select(dim, i)
                for tensor, dim in zip(tensors, in_dims, strict=False)
            ),
            *rest,
        )
        for i in range(info.batch_size)
    ]
    if not isinstance(results[0], tuple):
        return torch.stack(results), 0
    columns = list(zip(*results, strict=True))
    stacked = tuple(None if column[0] is None else torch.stack(column) for column in columns)
    return stacked, tuple(None if part is None else 0 for part in stacked)
