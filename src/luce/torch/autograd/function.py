"""A function of rows under autograd, whose tensors have names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import torch

from luce.torch import tensors
from luce.torch.rules.calls import Names, Slopes

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Function", "nesting"]


class Function(torch.autograd.Function):
    """A function of tensors that have names, then the `RowOptions`, then flags; all are given by place."""

    names: ClassVar[tuple[str, ...]]  # of the tensors
    shared: ClassVar[Names]  # those that do not run along the rows

    @classmethod
    def apply(cls, *arguments: Any) -> Any:
        """Call the function.

        PyTorch inspects the signature of ``forward`` at each call to fill in defaults, which takes longer than the rest
        of a call on a few rows: outside `torch.func` this is left out.
        """
        if tensors.func_transformed():
            return super().apply(*arguments)
        return super(torch.autograd.Function, cls).apply(*tensors.unwrap_dead_wrappers(arguments))  # type: ignore[misc]

    @classmethod
    def setup_context(cls, ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save the tensors, the options, and what follows them as the flags."""
        count = len(cls.names)
        ctx.save_for_backward(*inputs[:count])
        ctx.save_for_forward(*inputs[:count])
        ctx.options, *ctx.flags = inputs[count:]
        ctx.set_materialize_grads(not isinstance(output, tuple))  # a tuple's parts may be without upstream gradients

    @classmethod
    def needed(cls, ctx: Any) -> Names:
        """Return the names of the tensors whose derivatives are needed."""
        return {name for name, need in zip(cls.names, ctx.needs_input_grad, strict=False) if need}

    @classmethod
    def in_places(cls, ctx: Any, slopes: Slopes) -> tuple[Any, ...]:
        """Return derivatives in the places of the arguments."""
        return (*map(slopes.get, cls.names), *[None] * (len(ctx.needs_input_grad) - len(cls.names)))

    @classmethod
    def named(cls, tangents: tuple[Any, ...]) -> Slopes:
        """Return the tangents that there are by the names of their tensors."""
        return {name: part for name, part in zip(cls.names, tangents, strict=False) if part is not None}


def nesting(jvp: Callable[..., Any]) -> Callable[..., Any]:
    """Let an outer forward mode see what a ``jvp`` computes.

    PyTorch turns forward mode off in there, since what was saved still carries the tangents of its own level: forward
    mode over forward mode would silently give zeros. So that level is taken off, and forward mode turned on for others.
    """

    @functools.wraps(jvp)
    def seen(ctx: Any, *tangents: Any) -> Any:
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
