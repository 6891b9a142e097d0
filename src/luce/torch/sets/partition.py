"""Which items of a tensor belong together, as tensors of its device: from Sets, offsets or a jagged nested tensor."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from luce.contract.error_words import kind_of
from luce.sets.sets import Sets
from luce.torch import tensors
from luce.torch.arguments import FLOATS, tensor

__all__ = ["Partition", "divided"]


class Partition(NamedTuple):
    """Sets of items: offsets (S + 1,), and the order of the items (N,), None if as they come.

    `sets` are the same for arrays, None where the offsets' numbers can't be looked at.
    """

    offsets: Tensor
    order: Tensor | None
    sets: Sets | None

    n_items: int

    @property
    def counts(self) -> Tensor:
        """The number of items of each set (S,)."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def owner(self) -> Tensor:
        """The set of each item (N,), made anew each time."""
        which = torch.arange(self.offsets.shape[0] - 1, device=self.offsets.device)
        return which.repeat_interleave(self.counts, output_size=self.n_items)

    def arranged(self, items: Tensor) -> Tensor:
        """Return the caller's items (N,) set after set."""
        return items if self.order is None else items[self.order]

    def scattered(self, items: Tensor) -> Tensor:
        """Return items (N,) that stand set after set in the caller's places."""
        return items if self.order is None else torch.empty_like(items).index_copy(0, self.order, items)


def divided(input: object, sets: Sets | Tensor | None) -> tuple[Tensor, Partition]:
    """Return items (N,) in the caller's places and the sets that they are divided into.

    Raises
    ------
    TypeError
        If the input is no tensor of floating-point numbers, or sets are missing beside a plain one.
    ValueError
        If the sets do not divide the items.
    """
    if isinstance(input, Tensor) and input.is_nested:
        if input.layout != torch.jagged:
            raise TypeError("input: expected a nested tensor of layout torch.jagged, which has offsets")
        if sets is not None:
            raise TypeError("sets: a nested tensor has its own; expected None")
        nested: Any = input  # whose parts PyTorch does not write down as those of a tensor
        if nested.dim() != 2 or nested.lengths() is not None:
            raise ValueError("input: expected a nested tensor (sets, items) without holes")
        items = nested.values()
        offsets, order, known = _of_sets(nested.offsets(), items)
    else:
        items = tensor("input", input)
        if items.dim() != 1:
            raise ValueError(f"input: expected one logit per item (items,), got shape {tuple(items.shape)}")
        offsets, order, known = _of_sets(sets, items)
    if items.dtype not in FLOATS:
        raise TypeError(f"input: expected floating-point numbers, got {items.dtype}")
    n_items = items.shape[0]
    if known is not None and known.n_items != n_items:
        raise ValueError(f"sets: they divide {known.n_items} items, the input has {n_items}")
    return items, Partition(offsets, order, known, n_items)


def _of_sets(sets: Sets | Tensor | None, items: Tensor) -> tuple[Tensor, Tensor | None, Sets | None]:
    """Return the offsets and the order of sets, on the items' device, and the sets as such if they can be known."""
    if isinstance(sets, Tensor):
        if sets.dtype not in (torch.int64, torch.int32) or sets.dim() != 1:
            raise TypeError(f"sets: expected offsets (sets + 1,) of integers, got {sets.dtype} of {tuple(sets.shape)}")
        if sets.device != items.device:
            raise ValueError(f"sets: expected offsets on {items.device}, where the input is, got {sets.device}")
        known = Sets.from_offsets(sets.numpy(), on_empty="skip") if tensors.readable(sets) else None
        return sets.to(torch.int64), None, known
    if not isinstance(sets, Sets):
        raise TypeError(f"sets: expected Sets or a tensor of offsets, got {kind_of(sets)}")
    offsets, order = (None if part is None else torch.tensor(part) for part in (sets.offsets, sets.order))
    assert offsets is not None
    return offsets.to(items.device), None if order is None else order.to(items.device), sets
