"""The losses of sets by the compiled core, for tensors of the CPU that nothing but backward looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from luce.contract.form import Form, RowOptions, TargetRows
from luce.rows import core
from luce.torch.sets import formulas
from luce.torch.sets.formulas import Segments, SetTarget
from luce.torch.sets.partition import Partition
from luce.torch.tensors import array, constant
from luce.torch.threads import threads

__all__ = ["CompiledCall", "Losses"]


class CompiledCall(NamedTuple):
    """What the core takes beside the logits: the sets, a target, which of them count (S,), None if all do, and options.

    `target` writes the target out, for the formulas that derivatives of derivatives follow.
    """

    sets: Partition
    rows: TargetRows
    live: Tensor | None
    target: Callable[[Segments], SetTarget]
    options: RowOptions
    keep: bool

    def form(self) -> Form:
        """Return the form of the sets, of which those that do not count have the scale 0."""
        scale = None if self.live is None else self.live.numpy().astype(np.float64)
        return Form.of(1, self.options, self.rows, None, scale)


class Losses(torch.autograd.Function):
    """The losses ℓ of sets (S,), float64; the gradient is computed in the same pass and handed out by backward.

    Where backward itself is to be differentiated, it follows the formulas.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, call: CompiledCall) -> Tensor:
        """Compute the losses, and the gradient where it is wanted."""
        losses = np.empty(call.sets.counts.shape[0])
        grad = np.empty(z.shape[0], array(z).dtype) if call.keep else None
        core.sets_cross_entropy(
            array(z), array(call.sets.offsets), call.form(), losses=losses, grad=grad, n_threads=threads()
        )
        ctx.save_for_backward(z)
        ctx.call, ctx.grad = call, None if grad is None else torch.from_numpy(grad)
        return torch.from_numpy(losses)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, None]:
        """Return the derivative in the logits."""
        call: CompiledCall = ctx.call
        if torch.is_grad_enabled():
            (z,) = ctx.saved_tensors
            segments = Segments.of(call.sets)
            losses = formulas.losses(z, segments, call.target(segments), call.options, None)
            (slope,) = torch.autograd.grad(losses, z, upstream.to(losses.dtype), create_graph=True)
            return slope, None
        if constant(upstream) and call.live is None:
            return (ctx.grad * upstream[0]).to(ctx.grad.dtype), None
        owner = call.sets.owner
        slope = (ctx.grad * upstream[owner]).to(ctx.grad.dtype)
        return (slope if call.live is None else torch.where(call.live[owner], slope, 0.0)), None
