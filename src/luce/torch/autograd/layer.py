"""The rows' losses of a last layer under autograd: any order, forward mode, and `vmap`.

Four functions: the losses scale·ℓ; their gradients in x, W and b; the products of the Hessian with a direction; and the
growth of the losses in a direction. Each takes the tensors of a `LayerCall`, then the `RowOptions`, then what is its
own: which of the layer's parts are wanted. Their derivatives are in `luce.torch.derivatives.layer`. Up to the second
order, in either mode, the logits exist a chunk of rows at a time. Where `is_grads_batched` is at work the operators
compute them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch import operators, tensors
from luce.torch.autograd.function import Argument, BatchInfo, Context, Function, InDims, Saved, nesting
from luce.torch.autograd.vmap import one_by_one, over_rows
from luce.torch.derivatives import layer as rules
from luce.torch.derivatives.calls import LayerCall, Names, scaled
from luce.torch.layer import chunked_layer
from luce.torch.layer.chunked_layer import Direction, Grads, Wanted

__all__ = ["LayerDirectional", "LayerGradient", "LayerLosses", "LayerProduct"]

OF_LOSSES = LayerCall._fields[:-3]
SHARED = frozenset(("linear_weight", "linear_bias", "weight", "along_weight", "along_bias"))


class LayerRows(NamedTuple):
    """The results of a layer's losses: these, the kept gradients, statistics, and the norm of what is left out."""

    loss: Tensor
    of_input: Tensor | None = None
    of_weight: Tensor | None = None
    of_bias: Tensor | None = None
    logsumexp: Tensor | None = None
    entropy: Tensor | None = None
    largest: Tensor | None = None
    left_out: Tensor | None = None


class LayerLosses(Function):
    """The losses scale·ℓ (N,), of the type of `row_dtype`; with `wanted` gradients are computed in the same pass.

    All rows must have the same upstream gradient then. They are handed out by the first backward; a second one computes
    them again.
    """

    names, shared = OF_LOSSES, SHARED

    @staticmethod
    def forward(*arguments: Argument) -> tuple[Tensor | None, ...]:
        """Compute the losses, the gradients to keep, log-sum-exp, entropy and the largest class."""
        given, (options, wanted, statistics) = LayerLosses.split(arguments)
        call = LayerCall(*given)
        found, grads, left_out = chunked_layer.forward(
            call.layer, call.target, call.scale, options, wanted, with_statistics=statistics
        )
        return tuple(LayerRows(found.loss, *grads, found.logsumexp, found.entropy, found.largest, left_out))

    @classmethod
    def setup_context(cls, ctx: Context, inputs: tuple[Argument, ...], output: Argument) -> None:
        """Save the inputs and keep the gradients."""
        super().setup_context(ctx, inputs, output)
        rows, wanted = LayerRows(*output), ctx.flags[0]
        ctx.mark_non_differentiable(*(part for part in rows if part is not None and part is not rows.loss))
        ctx.kept = Grads(rows.of_input, rows.of_weight, rows.of_bias) if any(wanted) else None
        ctx.left_out = rows.left_out

    @classmethod
    def backward(cls, ctx: Context, upstream: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivatives in the layer, the target's parts and the scale."""
        if upstream is None:
            return cls.in_places(ctx, {})
        call, needed = LayerCall(*ctx.saved_tensors), cls.needed(ctx)
        grads = _layer_gradients(ctx, call, upstream, needed) if any(rules.wanted_of(needed)) else None
        return cls.in_places(ctx, rules.losses_backward(call, ctx.options, upstream, needed, PASSES, grads=grads))

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivative of the losses along the tangents."""
        call = LayerCall(*ctx.saved_tensors)
        return tuple(LayerRows(rules.losses_jvp(call, ctx.options, LayerLosses.named(tangents), PASSES)))

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take a batch as more rows, or a batch of layers one by one."""
        _, (options, _, statistics) = LayerLosses.split(arguments)
        return over_rows(LayerLosses, info, in_dims, arguments, (options, (False, False, False), statistics))


class LayerGradient(Function):
    """The gradients of Σ scale·ℓ in x, W and b, those that are wanted."""

    names, shared = OF_LOSSES, SHARED

    @staticmethod
    def forward(*arguments: Argument) -> tuple[Tensor | None, ...]:
        """Compute the gradients unless they are known, and write the norm of what they leave out to `left_out`."""
        given, (options, wanted, *more) = LayerGradient.split(arguments)
        call = LayerCall(*given)
        left_out, known = more or (None, None)
        if known is not None:
            return tuple(known)
        if tensors.batched(*call):
            return tuple(operators.LAYER_PASSES.gradient(call, options, wanted))
        _, grads, lost = chunked_layer.forward(call.layer, call.target, call.scale, options, wanted)
        if left_out is not None and options.tolerance and tensors.holds_numbers(left_out):
            left_out.copy_(lost)
        return tuple(grads)

    @classmethod
    def setup_context(cls, ctx: Context, inputs: tuple[Argument, ...], output: Argument) -> None:
        """Save the inputs.

        What was known is the output, too, which holds this context: saved here, it would never be freed.
        """
        given, (options, wanted, *_) = cls.split(inputs)
        super().setup_context(ctx, (*given, options, wanted), output)

    @classmethod
    def backward(cls, ctx: Context, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the Hessian's product with the upstream gradients, and the derivatives in the other parts."""
        if all(part is None for part in upstream):
            return cls.in_places(ctx, {})
        call, along = LayerCall(*ctx.saved_tensors), Direction(*upstream)
        return cls.in_places(ctx, rules.gradient_backward(call, ctx.options, along, cls.needed(ctx), PASSES))

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivative of the gradients along the tangents."""
        call, along = LayerCall(*ctx.saved_tensors), LayerGradient.named(tangents)
        return tuple(rules.gradient_jvp(call, ctx.options, along, ctx.flags[0], PASSES))

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take one element after the other: each has weight gradients of its own."""
        _, (options, wanted, *_) = LayerGradient.split(arguments)
        return one_by_one(LayerGradient, info, in_dims, arguments, (options, wanted))


class LayerProduct(Function):
    """The Hessian of Σ scale·ℓ in (x, W, b) times a direction in them."""

    names, shared = LayerCall._fields, SHARED

    @staticmethod
    def forward(*arguments: Argument) -> tuple[Tensor | None, ...]:
        """Compute the parts of the product that are wanted."""
        given, (options, wanted) = LayerProduct.split(arguments)
        call = LayerCall(*given)
        if tensors.batched(*call):
            return tuple(operators.LAYER_PASSES.product(call, options, wanted))
        return tuple(chunked_layer.product(call.layer, call.target, call.scale, options, call.along, wanted))

    @classmethod
    def backward(cls, ctx: Context, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivatives in all arguments, by the formulas."""
        if all(part is None for part in upstream):
            return cls.in_places(ctx, {})
        call, wanted = LayerCall(*ctx.saved_tensors), ctx.flags[0]
        return cls.in_places(ctx, rules.product_backward(call, ctx.options, upstream, cls.needed(ctx), wanted))

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivative of the products along the tangents."""
        call, along = LayerCall(*ctx.saved_tensors), LayerProduct.named(tangents)
        return tuple(rules.product_jvp(call, ctx.options, along, ctx.flags[0]))

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take one element after the other."""
        return one_by_one(LayerProduct, info, in_dims, arguments, LayerProduct.split(arguments)[1])


class LayerDirectional(Function):
    """The growth scale·⟨∂ℓ/∂z, z'⟩ (N,) of the losses in a direction (x', W', b')."""

    names, shared = LayerCall._fields, SHARED

    @staticmethod
    def forward(*arguments: Argument) -> Tensor:
        """Compute the growth."""
        given, (options,) = LayerDirectional.split(arguments)
        call = LayerCall(*given)
        if tensors.batched(*call):
            return operators.LAYER_PASSES.directional(call, options)
        return chunked_layer.directional(call.layer, call.target, call.scale, options, call.along)

    @classmethod
    def backward(cls, ctx: Context, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the Hessian's product with the direction, the gradient, and the derivatives in the other parts."""
        call = LayerCall(*ctx.saved_tensors)
        return cls.in_places(ctx, rules.directional_backward(call, ctx.options, upstream, cls.needed(ctx), PASSES))

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> Tensor:
        """Return the derivative along the tangents."""
        along = LayerDirectional.named(tangents)
        return rules.directional_jvp(LayerCall(*ctx.saved_tensors), ctx.options, along)

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take a batch as more rows, or a batch of layers one by one."""
        return over_rows(LayerDirectional, info, in_dims, arguments, LayerDirectional.split(arguments)[1])


def _losses(call: LayerCall, options: RowOptions) -> Tensor:
    losses: Tensor = LayerLosses.apply(*call.of_losses, options, (False, False, False), False)[0]
    return losses


def _gradient(call: LayerCall, options: RowOptions, wanted: Wanted) -> Grads:
    return Grads(*LayerGradient.apply(*call.of_losses, options, wanted))


def _product(call: LayerCall, options: RowOptions, wanted: Wanted) -> Grads:
    return Grads(*LayerProduct.apply(*call, options, wanted))


def _directional(call: LayerCall, options: RowOptions) -> Tensor:
    growth: Tensor = LayerDirectional.apply(*call, options)
    return growth


PASSES = rules.LayerPasses(_losses, _gradient, _product, _directional)


def _layer_gradients(ctx: Context, call: LayerCall, upstream: Tensor, needed: Names) -> Grads:
    """Return the gradients in x, W and b: the kept ones, or else computed."""
    known = take_kept_gradients(ctx, upstream)
    if known is not None and not torch.is_grad_enabled():
        return known
    wanted = rules.wanted_of(needed)
    return Grads(*LayerGradient.apply(*scaled(call, upstream).of_losses, ctx.options, wanted, ctx.left_out, known))


def take_kept_gradients(ctx: Context, upstream: Tensor) -> Grads | None:
    """Return the kept gradients times the upstream one; None if they were taken before or would lose digits."""
    kept: Grads | None = ctx.kept
    ctx.kept = None
    if kept is None or tensors.batched(upstream):
        return None
    factor = upstream.detach()[:1].sum()
    ctx.left_out.mul_(factor.abs())
    if tensors.compiled(upstream):  # elsewhere, to look at a number would wait for the device
        if float(factor) == 1 or not upstream.numel():
            return Grads(*kept)
        if not all(part is None or tensors.keeps_digits(part, float(factor)) for part in kept):
            return None
    return Grads(*(None if part is None else part.mul_(factor.to(part.dtype)) for part in kept))
