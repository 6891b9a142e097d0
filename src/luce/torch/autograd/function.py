"""A function of rows under autograd, whose tensors have names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import compress
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch import tensors
from luce.torch.derivatives.calls import Names, Slopes

__all__ = ["Argument", "BatchInfo", "Context", "Function", "InDims", "nesting"]

Argument: TypeAlias = Any  # of a function: a tensor or None, the options, a flag; also its outputs
InDims: TypeAlias = Sequence[int | None]  # the places of the batches in vmap's arguments


_Result = TypeVar("_Result")


class Saved(Protocol):
    """The arguments of a call as a function saved them: tensors, options, and what follows these as the flags."""

    saved_tensors: tuple[Tensor, ...]
    options: RowOptions
    flags: Sequence[Argument]


class Context(Saved, Protocol):
    """The context that PyTorch hands to a function, with what functions keep in it."""

    needs_input_grad: tuple[bool, ...]
    kept: Argument
    left_out: Argument

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Save tensors for `backward`."""

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Save tensors for `jvp`."""

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Say which outputs have no derivative."""

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether an upstream gradient that is missing becomes zeros."""


class BatchInfo(Protocol):
    """The size of a batch, as `torch.vmap` tells it."""

    batch_size: int


class Function(torch.autograd.Function):
    """A function of tensors that have names, then the `RowOptions`, then flags; all are given by place."""

    names: ClassVar[tuple[str, ...]]  # of the tensors
    shared: ClassVar[Names]  # those that do not run along the rows

    @classmethod
    def apply(cls, *arguments: Argument) -> Argument:
        """Call the function.

        PyTorch inspects the signature of ``forward`` at each call to fill in defaults, which takes longer than the rest
        of a call on a few rows: outside `torch.func` this is left out.
        """
        if tensors.func_transformed():
            return super().apply(*arguments)
        return super(torch.autograd.Function, cls).apply(*tensors.unwrap_dead_wrappers(arguments))  # type: ignore[misc]

    @classmethod
    def split(cls, arguments: Sequence[Argument]) -> tuple[Sequence[Argument], Sequence[Argument]]:
        """Return the tensors among the arguments, and what follows them."""
        count = len(cls.names)
        return arguments[:count], arguments[count:]

    @classmethod
    def setup_context(cls, ctx: Context, inputs: tuple[Argument, ...], output: Argument) -> None:
        """Save the tensors, the options, and what follows them as the flags."""
        given, (ctx.options, *ctx.flags) = cls.split(inputs)
        ctx.save_for_backward(*given)
        ctx.save_for_forward(*given)
        ctx.set_materialize_grads(not isinstance(output, tuple))  # a tuple's parts may be without upstream gradients

    @classmethod
    def needed(cls, ctx: Context) -> Names:
        """Return the names of the tensors whose derivatives are needed."""
        return set(compress(cls.names, ctx.needs_input_grad))

    @classmethod
    def in_places(cls, ctx: Context, slopes: Slopes) -> tuple[Tensor | None, ...]:
        """Return derivatives in the places of the arguments."""
        return (*map(slopes.get, cls.names), *[None] * (len(ctx.needs_input_grad) - len(cls.names)))

    @classmethod
    def named(cls, tangents: Sequence[Argument]) -> Slopes:
        """Return the tangents that there are by the names of their tensors."""
        return {name: part for name, part in zip(cls.names, tangents, strict=False) if part is not None}


def nesting(jvp: Callable[..., _Result]) -> Callable[..., _Result]:
    """Let an outer forward mode see what a ``jvp`` computes.

    PyTorch turns forward mode off in there, since what was saved still carries the tangents of its own level: forward
    mode over forward mode would silently give zeros. So that level is taken off, and forward mode turned on for others.
    """

    @functools.wraps(jvp)
    def seen(ctx: Saved, *tangents: Argument) -> _Result:
        level = tensors.transformation_level()
        if level is None:
            return jvp(ctx, *tangents)
        saved = SimpleNamespace(
            saved_tensors=tuple(tensors.below_transformation(part, level) for part in ctx.saved_tensors),
            options=ctx.options,
            flags=ctx.flags,
        )
        with tensors.in_forward_mode():
            return jvp(saved, *(tensors.below_transformation(part, level) for part in tangents))

    return seen
