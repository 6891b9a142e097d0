"""The rows' losses of logits under autograd: any order, forward mode, and `vmap`.

Three functions, each the derivative of the one before: the losses scale·ℓ, the gradient scale·∂ℓ/∂z and the product
scale·H·v. Each takes the tensors of a `RowsCall`, then the `RowOptions`, then what is its own. The kernels compute
them; their derivatives are in `luce.torch.derivatives.logits`. All tensors but the class weights run along the rows, so
a batch of them is more rows. Where `is_grads_batched` is at work the operators compute them: PyTorch can take a batch
apart for these alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch import kernels, operators, tensors
from luce.torch.autograd.function import Argument, BatchInfo, Context, Function, InDims, Saved, nesting
from luce.torch.autograd.vmap import over_rows
from luce.torch.derivatives import logits as rules
from luce.torch.derivatives.calls import RowsCall

__all__ = ["Gradient", "Losses", "Product", "Total"]

OF_LOSSES = RowsCall._fields[:-1]


class Losses(Function):
    """The losses scale·ℓ (N,), of the type of `row_dtype`; with `keep` the gradient is computed in the same pass.

    The gradient is handed out by the first backward, without a copy; a second one computes it again.
    """

    names = OF_LOSSES
    shared = frozenset(("weight",))

    @staticmethod
    def forward(*arguments: Argument) -> tuple[Tensor | None, ...]:
        """Compute the losses, the gradient to keep, log-sum-exp, entropy and the largest class."""
        given, (options, keep, statistics) = Losses.split(arguments)
        call = RowsCall(*given)
        return tuple(
            kernels.forward(
                call.logits, call.target, call.scale, options, with_gradient=keep, with_statistics=statistics
            )
        )

    @classmethod
    def setup_context(cls, ctx: Context, inputs: tuple[Argument, ...], output: Argument) -> None:
        """Save the inputs and keep the gradient."""
        super().setup_context(ctx, inputs, output)
        rows = kernels.Rows(*output)
        ctx.mark_non_differentiable(*(part for part in rows if part is not None and part is not rows.loss))
        ctx.kept = rows.gradient

    @classmethod
    def backward(cls, ctx: Context, upstream: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivatives in the logits, the target's parts and the scale."""
        if upstream is None:
            return cls.in_places(ctx, {})
        call, needed = RowsCall(*ctx.saved_tensors), cls.needed(ctx)
        upstream = upstream.expand(call.scale.shape)
        known = take_kept_gradient(ctx, upstream) if "logits" in needed else None
        slopes = rules.losses_backward(call, ctx.options, upstream, needed, PASSES, of_logits=known)
        return cls.in_places(ctx, slopes)

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the derivative of the losses along the tangents."""
        along = rules.losses_jvp(RowsCall(*ctx.saved_tensors), ctx.options, Losses.named(tangents), PASSES)
        return tuple(kernels.Rows(along, None, None, None, None))

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take a batch as more rows."""
        _, (options, _, statistics) = Losses.split(arguments)
        return over_rows(Losses, info, in_dims, arguments, (options, False, statistics))


class Total(Losses):
    """The sum Σ scale·ℓ, rounded to a type; for programs that no transformation of `torch.func` looks at.

    There it saves what the sum and the rounding cost as functions of their own, more than the pass over a few rows.
    The total and the gradient may be `known`.
    """

    @staticmethod
    def forward(*arguments: Argument) -> tuple[Tensor | None, ...]:
        """Compute the total, and what the losses come with."""
        *call, dtype, known = arguments
        if known is not None:
            return (*known, None, None, None)
        losses, *rest = Losses.forward(*call)
        assert losses is not None
        return (kernels.total(losses).to(dtype), *rest)

    @classmethod
    def setup_context(cls, ctx: Context, inputs: tuple[Argument, ...], output: Argument) -> None:
        """Save the inputs and keep the gradient.

        What was known is an output, too, which holds this context: saved here, it would never be freed.
        """
        super().setup_context(ctx, inputs[:-1], output)


class Gradient(Function):
    """The gradient scale·∂ℓ/∂z (N, V), of the logits' type."""

    names = OF_LOSSES
    shared = frozenset(("weight",))

    @staticmethod
    def forward(*arguments: Argument) -> Tensor:
        """Compute the gradient."""
        given, (options,) = Gradient.split(arguments)
        call = RowsCall(*given)
        if tensors.batched(*call):
            return operators.PASSES.gradient(call, options)
        return kernels.gradient(call.logits, call.target, call.scale, options)

    @classmethod
    def backward(cls, ctx: Context, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the Hessian's product with the upstream gradient, and the derivatives in the other parts."""
        call = RowsCall(*ctx.saved_tensors)
        return cls.in_places(ctx, rules.gradient_backward(call, ctx.options, upstream, cls.needed(ctx), PASSES))

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> Tensor:
        """Return the derivative of the gradient along the tangents."""
        return rules.gradient_jvp(RowsCall(*ctx.saved_tensors), ctx.options, Gradient.named(tangents), PASSES)

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take a batch as more rows."""
        return over_rows(Gradient, info, in_dims, arguments, Gradient.split(arguments)[1])


class Product(Function):
    """The product scale·(∂²ℓ/∂z²)·vector (N, V), of the logits' type."""

    names = RowsCall._fields
    shared = frozenset(("weight",))

    @staticmethod
    def forward(*arguments: Argument) -> Tensor:
        """Compute the product."""
        given, (options,) = Product.split(arguments)
        call = RowsCall(*given)
        if tensors.batched(*call):
            return operators.PASSES.product(call, options)
        assert call.vector is not None
        return kernels.product(call.logits, call.target, call.scale, call.vector, options)

    @classmethod
    def backward(cls, ctx: Context, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives in the vector, a product again, and in the other arguments, by the formulas."""
        call = RowsCall(*ctx.saved_tensors)
        return cls.in_places(ctx, rules.product_backward(call, ctx.options, upstream, cls.needed(ctx), PASSES))

    @staticmethod
    @nesting
    def jvp(ctx: Saved, *tangents: Tensor | None) -> Tensor:
        """Return the derivative of the product along the tangents."""
        return rules.product_jvp(RowsCall(*ctx.saved_tensors), ctx.options, Product.named(tangents), PASSES)

    @staticmethod
    def vmap(info: BatchInfo, in_dims: InDims, *arguments: Argument) -> tuple[Argument, Argument]:
        """Take a batch as more rows."""
        return over_rows(Product, info, in_dims, arguments, Product.split(arguments)[1])


def _losses(call: RowsCall, options: RowOptions) -> Tensor:
    losses: Tensor = Losses.apply(*call.of_losses, options, False, False)[0]
    return losses


def _gradient(call: RowsCall, options: RowOptions) -> Tensor:
    gradient: Tensor = Gradient.apply(*call.of_losses, options)
    return gradient


def _product(call: RowsCall, options: RowOptions) -> Tensor:
    product: Tensor = Product.apply(*call, options)
    return product


PASSES = rules.Passes(_losses, _gradient, _product)


def take_kept_gradient(ctx: Context, upstream: Tensor) -> Tensor | None:
    """Return the kept gradient times the upstream one; None if it was taken before or would lose digits."""
    kept: Tensor | None = ctx.kept
    ctx.kept = None
    if kept is None or torch.is_grad_enabled() or tensors.batched(upstream):
        return None
    if tensors.constant(upstream) and tensors.compiled(upstream):
        factor = float(upstream[0])
        if factor == 1:
            return kept
        return kept.mul_(factor) if tensors.keeps_digits(kept, factor) else None
    if not tensors.compiled(upstream):  # to look at a number would wait for the device
        return torch.where(upstream[:, None] == 0, 0.0, kept.mul_(upstream.to(kept.dtype)[:, None]))
    if kept.element_size() == 2 or not bool((upstream.abs() <= 1).all()):
        return None
    kept.mul_(upstream.to(kept.dtype)[:, None])
    idle = upstream == 0  # such a row counts for nothing, and may have been NaN
    return kept.index_fill_(0, idle.nonzero()[:, 0], 0.0) if bool(idle.any()) else kept
