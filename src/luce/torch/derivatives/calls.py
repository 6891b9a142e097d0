"""The arguments of a loss by name, and derivatives in some of them by these names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from luce.rows.formulas import Target
from luce.torch.layer.chunked_layer import Direction, Layer

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "ALONG",
    "LAYER",
    "TARGET",
    "LayerCall",
    "Names",
    "RowsCall",
    "Slopes",
    "jvp_by_two_vjps",
    "pull_back",
    "push_forward",
    "scaled",
    "unscaled",
]

Tensors: TypeAlias = Any  # a tensor, or a tuple of tensors
Names: TypeAlias = AbstractSet[str]
Slopes: TypeAlias = Mapping[str, Tensor | None]  # derivatives in, or tangents of, arguments by their names

TARGET = frozenset(("value", "dense", "weight"))
LAYER = ("input", "linear_weight", "linear_bias")
ALONG = ("along_input", "along_weight", "along_bias")


class RowsCall(NamedTuple):
    """The arguments of a loss of logits: z (N, V), the parts of a `Target`, the scale (N,), and a vector (N, V)."""

    logits: Tensor
    indices: Tensor | None
    value: Tensor | None
    dense: Tensor | None
    weight: Tensor | None
    scale: Tensor
    vector: Tensor | None = None

    @property
    def target(self) -> Target:
        """The target."""
        return Target(self.indices, self.value, self.dense, self.weight)

    @property
    def of_losses(self) -> tuple[Tensor | None, ...]:
        """The arguments of the losses, which have no vector."""
        return self[:-1]


class LayerCall(NamedTuple):
    """The arguments of a loss of a layer: x (N, D), W (V, D), b (V,), a `Target`, the scale (N,), and a direction."""

    input: Tensor
    linear_weight: Tensor
    linear_bias: Tensor | None
    indices: Tensor | None
    value: Tensor | None
    dense: Tensor | None
    weight: Tensor | None
    scale: Tensor
    along_input: Tensor | None = None
    along_weight: Tensor | None = None
    along_bias: Tensor | None = None

    @property
    def layer(self) -> Layer:
        """The layer."""
        return Layer(self.input, self.linear_weight, self.linear_bias)

    @property
    def target(self) -> Target:
        """The target."""
        return Target(self.indices, self.value, self.dense, self.weight)

    @property
    def along(self) -> Direction:
        """The direction."""
        return Direction(self.along_input, self.along_weight, self.along_bias)

    @property
    def of_losses(self) -> tuple[Tensor | None, ...]:
        """The arguments of the losses, which have no direction."""
        return self[:-3]

    def towards(self, along: tuple[Tensor | None, Tensor | None, Tensor | None]) -> Self:
        """Return the call with a direction."""
        return self._replace(along_input=along[0], along_weight=along[1], along_bias=along[2])

    def rows(self, part: slice) -> LayerCall:
        """Return the call for some rows."""
        indices, value, dense, _ = self.target.rows(part)
        return self._replace(
            input=self.input[part],
            indices=indices,
            value=value,
            dense=dense,
            scale=self.scale[part],
            along_input=None if self.along_input is None else self.along_input[part],
        )


_Call = TypeVar("_Call", RowsCall, LayerCall)
_Record = TypeVar("_Record", Target, RowsCall, LayerCall)


def scaled(call: _Call, factor: Tensor) -> _Call:
    """Return a call with the rows' scale times a factor."""
    return call._replace(scale=call.scale * factor)


def unscaled(call: _Call) -> _Call:
    """Return a call with a scale of 1."""
    return call._replace(scale=torch.ones_like(call.scale))


def pull_back(function: Callable[[_Record], Tensors], at: _Record, needed: Names, upstream: Tensors) -> Slopes:
    """Pull an upstream gradient back through a function of a record, to the parts of it that are needed."""
    names = [name for name in at._fields if name in needed]
    if not names:
        return {}
    pulled = torch.func.vjp(_of_parts(function, at, names), *(getattr(at, name) for name in names))[1](upstream)
    return dict(zip(names, pulled, strict=True))


def push_forward(function: Callable[[_Record], Tensors], at: _Record, tangents: Slopes) -> Tensors:
    """Push tangents of some parts of a record forward through a function of it."""
    names = [name for name in at._fields if name in tangents]
    primals = [getattr(at, name) for name in names]
    return jvp_by_two_vjps(_of_parts(function, at, names), primals, [tangents[name] for name in names])


def _of_parts(function: Callable[[_Record], Tensors], at: _Record, names: list[str]) -> Callable[..., Tensors]:
    """Return a function of a record as a function of some of its parts."""
    return lambda *parts: function(at._replace(**dict(zip(names, parts, strict=True))))


def jvp_by_two_vjps(function: Callable[..., Tensors], primals: list[Tensor], tangents: list[Tensor | None]) -> Tensors:
    """Return the derivative along tangents, by two pull-backs: forward mode does not nest outside `torch.func`.

    The function returns a tensor, or a tuple of tensors.
    """
    with torch.enable_grad():  # or else the pull-back counts as a constant
        value, pull, *_ = torch.func.vjp(function, *primals)
        zeros = tuple(map(torch.zeros_like, value)) if isinstance(value, tuple) else torch.zeros_like(value)
        return torch.func.vjp(pull, zeros)[1](tuple(tangents))[0]
