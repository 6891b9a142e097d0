"""Functions of rows under autograd, and how `torch.vmap` sees them: a batch of rows is more rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import unwrap_dead_wrappers

from luce.contract.form import RowOptions

__all__ = ["Function", "one_by_one", "over_rows"]


class Function(torch.autograd.Function):
    """A function of tensors, options and what follows these, called with all of its arguments by place.

    PyTorch inspects the signature of ``forward`` at each call to fill in defaults, which takes longer than the rest of
    a call on a few rows.
    """

    @classmethod
    def apply(cls, *arguments: Any) -> Any:
        """Call the function."""
        if torch._C._are_functorch_transforms_active():
            return super().apply(*arguments)
        return super(torch.autograd.Function, cls).apply(*unwrap_dead_wrappers(arguments))  # type: ignore[misc]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save the tensors, the options, and what follows them as the flags."""
        place = next(place for place, part in enumerate(inputs) if isinstance(part, RowOptions))
        ctx.save_for_backward(*inputs[:place])
        ctx.save_for_forward(*inputs[:place])
        ctx.options, *ctx.flags = inputs[place:]
        ctx.set_materialize_grads(not isinstance(output, tuple))  # a tuple's parts may be without upstream gradients


def over_rows(
    function: Any,
    info: Any,
    in_dims: Sequence[Any],
    tensors: Sequence[Tensor | None],
    rest: tuple[Any, ...],
    shared: tuple[int, ...],
) -> Any:
    """Apply a function of rows to a batch; all tensors run along the rows but those in the places that rows share."""
    if any(in_dims[place] is not None for place in shared):
        return one_by_one(function, info, in_dims, tensors, rest)
    flat = []
    for place, (tensor, dim) in enumerate(zip(tensors, in_dims, strict=False)):
        if tensor is None or place in shared:
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
    function: Any, info: Any, in_dims: Sequence[Any], tensors: Sequence[Tensor | None], rest: tuple[Any, ...]
) -> Any:
    """Apply a function to one element of a batch after the other."""
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
