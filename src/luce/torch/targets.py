"""The target of a call as rows: class indices, probabilities, or a pair of both, of any shape and integer type."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from luce.contract.error_words import misshapen
from luce.contract.options import Options
from luce.contract.targets import (
    DISTRIBUTION,
    INDICES,
    PROBABILITIES,
    check_pair,
    check_tail,
    is_pair,
    kind_of_target,
    no_class_to_ignore,
)
from luce.rows.targets import class_indices
from luce.torch import tensors
from luce.torch.arguments import kind_of_dtype, tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RowsOfTarget", "rows_of_target"]


class RowsOfTarget(NamedTuple):
    """A target as rows: `indices` (N, 1) or (N, k), `value` (N, k), `dense` (N, V); how many classes count, if seen."""

    indices: Tensor | None = None
    value: Tensor | None = None
    dense: Tensor | None = None
    counted: int | None = None

    def without(self, dropped: Tensor, classes: int) -> RowsOfTarget:
        """Return the rows with a class and a number in place of what is none in rows that are dropped."""
        if tensors.readable(dropped) and not bool(dropped.any()):
            return self
        dropped, (index, value, dense) = dropped[:, None], self[:3]
        if index is not None:
            index = torch.where(dropped & ((index < 0) | (index >= classes)), 0, index)
        if value is not None:
            value = torch.where(dropped & ~torch.isfinite(value), 0.0, value)
        if dense is not None:
            dense = torch.where(dropped & ~torch.isfinite(dense), 0.0, dense)
        return RowsOfTarget(index, value, dense, self.counted)


def rows_of_target(
    target: object,
    logits_shape: tuple[int, ...],
    class_axis: int,
    device: torch.device,
    given: Options,
    shift: bool,
    dropped: Tensor | None,
) -> RowsOfTarget:
    """Return a target of any kind as rows; all is checked but what rows that are dropped hold."""
    shape, classes = tuple(logits_shape[:-1]), logits_shape[-1]
    ignored = given.ignore_index
    check_tail(given.tail, pair=is_pair(target))
    if isinstance(target, tuple) and is_pair(target):
        if shift:
            raise ValueError("shift: goes with class indices, got a target of (indices, probabilities)")
        return _pair(target, device, shape, classes, dropped)
    target = tensor("target", target, device)
    as_given = _as_given(logits_shape, class_axis)
    kind = kind_of_target(kind_of_dtype(target), tuple(target.shape), shape, as_given, lambda: str(target.dtype))
    if kind == "classes":
        return _classes(target, shape, classes, ignored, shift, dropped)
    if tuple(target.shape) != as_given:
        raise misshapen("target", as_given, DISTRIBUTION, tuple(target.shape))
    if ignored is not None and ignored >= 0:
        raise no_class_to_ignore(ignored)
    if shift:
        raise ValueError("shift: goes with class indices, got a target of probabilities")
    return RowsOfTarget(dense=target.movedim(class_axis, -1).reshape(math.prod(shape), classes))


def _pair(
    target: tuple[object, object], device: torch.device, shape: tuple[int, ...], classes: int, dropped: Tensor | None
) -> RowsOfTarget:
    """Return a target of (indices, probabilities) as rows."""
    index, value = tensor(INDICES, target[0], device), tensor(PROBABILITIES, target[1], device)
    if not value.is_floating_point():
        raise TypeError(f"{PROBABILITIES}: expected floating-point numbers, got {value.dtype}")
    check_pair(kind_of_dtype(index), tuple(index.shape), tuple(value.shape), shape, lambda: str(index.dtype))
    if tensors.readable(index):
        class_indices(INDICES, tensors.array(index), classes, None, dropped=_seen(dropped, shape))
    rows, slots = math.prod(shape), index.shape[-1]
    return RowsOfTarget(_signed(index).reshape(rows, slots), value.reshape(rows, slots))


def _classes(
    target: Tensor, shape: tuple[int, ...], classes: int, ignored: int | None, shift: bool, dropped: Tensor | None
) -> RowsOfTarget:
    """Return class indices of the rows' shape as rows; with `shift`, the next place's."""
    if shift and not shape:
        raise ValueError("shift: expected a target with a dimension of places, got shape ()")
    counted = None
    if tensors.readable(target):
        used, idle = target, _seen(dropped, shape)
        if shift:
            used, idle = target[..., 1:], None if idle is None else idle[..., :-1]
        counted = class_indices("target", tensors.array(used), classes, ignored, first=int(shift), dropped=idle)[1]
    index = _signed(target)
    if shift:
        if ignored is None:
            raise ValueError("shift: needs an ignore_index for the last place of each sequence, got None")
        index = torch.cat([index[..., 1:], torch.full_like(index[..., :1], ignored)], dim=-1)
    return RowsOfTarget(index.reshape(math.prod(shape), 1), counted=counted)


def _as_given(logits_shape: tuple[int, ...], class_axis: int) -> tuple[int, ...]:
    """Return the shape of the logits before the classes were moved last."""
    *shape, classes = logits_shape
    shape.insert(class_axis % len(logits_shape), classes)
    return tuple(shape)


def _signed(index: Tensor) -> Tensor:
    """Return class indices as int64, in which those of uint64 that it can't hold are out of range and never ignored."""
    signed = index.long()
    if index.dtype != torch.uint64:
        return signed
    return torch.where(signed < 0, torch.iinfo(torch.int64).min, signed)


def _seen(dropped: Tensor | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return which rows are dropped as an array of a shape, None if none are or it can't be seen."""
    if dropped is None or not tensors.readable(dropped) or not bool(dropped.any()):
        return None
    return dropped.numpy().reshape(shape)
