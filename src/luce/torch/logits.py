"""The rows' losses of logits under autograd: any order, forward mode, and `vmap`.

Three functions, each the derivative of the one before: the losses scale·ℓ, the gradient scale·∂ℓ/∂z and the product
scale·H·v. The kernels compute them; what is beyond, the third order and derivatives of targets and class weights, is
left to `torch.func` and the formulas. Each takes the logits, the parts of a `Target`, the scale (N,) and then what is
its own, with the `RowOptions` behind the last tensor. All tensors but the class weights run along the rows, so a batch
of them is more rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from luce.contract.form import RowOptions
from luce.torch import formulas, kernels
from luce.torch.batching import Function, over_rows
from luce.torch.formulas import Target, without_nan
from luce.torch.kernels import row_dtype

__all__ = [
    "Gradient",
    "Losses",
    "Product",
    "Total",
    "along_losses",
    "losses_vjp",
    "nesting",
    "of_weights",
    "plain_losses",
    "target_vjp",
]

SHARED = (4,)  # the class weights


def nesting(jvp: Callable[..., Any]) -> Callable[..., Any]:
    """Let an outer forward mode see what a ``jvp`` computes.

    PyTorch turns forward mode off in there, since what was saved still carries the tangents of its own level: forward
    mode over forward mode would silently give zeros. So that level is taken off, and forward mode turned on for others.
    """

    @functools.wraps(jvp)
    def seen(ctx: Any, *tangents: Any) -> Any:
        level = torch._C._functorch.maybe_current_level()
        if level is None:
            return jvp(ctx, *tangents)

        def below(tensor: Any) -> Any:
            return torch._C._functorch._unwrap_for_grad(tensor, level) if isinstance(tensor, Tensor) else tensor

        saved = SimpleNamespace(
            saved_tensors=tuple(map(below, ctx.saved_tensors)),
            options=ctx.options,
            flags=ctx.flags,
        )
        with forward_ad._set_fwd_grad_enabled(True):
            return jvp(saved, *map(below, tangents))

    return seen


class Losses(Function):
    """scale·ℓ (N,), of the type of `row_dtype`; with `keep` the gradient is computed in the same pass.

    The gradient is handed out by the first backward, without a copy; a second one computes it again.
    """

    @staticmethod
    def forward(z: Tensor, *arguments: Any) -> tuple[Tensor | None, ...]:
        """Compute the losses, the gradient to keep, log-sum-exp, entropy and the largest class."""
        target, scale, options, keep, statistics = _call(*arguments)
        return tuple(kernels.forward(z, target, scale, options, with_gradient=keep, with_statistics=statistics))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor | None, ...]) -> None:
        """Save the inputs and keep the gradient."""
        Function.setup_context(ctx, inputs, output)
        ctx.mark_non_differentiable(*(part for part in output[1:] if part is not None))
        ctx.kept = output[1]

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradient of the logits, the target's parts and the scale."""
        if upstream is None:
            return (None,) * 9
        z, *parts, scale = ctx.saved_tensors
        upstream = upstream.expand(scale.shape)
        needed = ctx.needs_input_grad
        of_logits = None
        if needed[0]:
            of_logits = _handed_out(ctx, upstream)
            if of_logits is None:
                of_logits = Gradient.apply(z, *parts, scale * upstream, ctx.options)
        slopes: tuple[Tensor | None, ...] = (None, None, None)
        if any(needed[2:5]):
            slopes = losses_vjp(z, parts, needed[2:5], scale * upstream, ctx.options)
        of_scale = None
        if needed[5]:
            of_scale = upstream * of_weights(plain_losses(z, parts, ctx.options), scale, upstream)
        return of_logits, None, *slopes, of_scale, None, None, None

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        """Return the derivative of the losses along the tangents."""
        z, *parts, scale = ctx.saved_tensors
        along, _, *of_parts, of_scale = tangents[:6]
        total = torch.zeros_like(scale)
        if along is not None:
            growth = (Gradient.apply(z, *parts, scale, ctx.options) * along).sum(1).to(scale.dtype)
            total = total + without_nan(growth, scale)
        if of_scale is not None:
            total = total + of_scale * without_nan(plain_losses(z, parts, ctx.options), scale)
        if any(part is not None for part in of_parts):
            total = total + along_losses(z, parts, of_parts, scale, ctx.options)
        return total, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take a batch as more rows."""
        *tensors, options, _, statistics = arguments
        return over_rows(Losses, info, in_dims, tensors, (options, False, statistics), SHARED)


class Total(Losses):
    """Σ scale·ℓ, rounded to a type; in a program that no transformation looks at.

    There it saves what the sum and the rounding cost as functions of their own, more than the pass over a few rows.
    The total and the gradient may be `known`.
    """

    @staticmethod
    def forward(z: Tensor, *arguments: Any) -> tuple[Tensor | None, ...]:
        """Compute the total, and what the losses come with."""
        *call, dtype, known = arguments
        if known is not None:
            return (*known, None, None, None)
        losses, *rest = Losses.forward(z, *call)
        assert losses is not None
        return (kernels.total(losses).to(dtype), *rest)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor | None, ...]) -> None:
        """Save the inputs and keep the gradient; what is known is returned, and would hold what holds it."""
        Losses.setup_context(ctx, inputs[:-1], output)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradient of the logits, the target's parts and the scale."""
        return *Losses.backward(ctx, upstream), None, None


class Gradient(Function):
    """scale·∂ℓ/∂z (N, V), of the logits' type."""

    @staticmethod
    def forward(z: Tensor, *arguments: Any) -> Tensor:
        """Compute it."""
        return kernels.gradient(z, *_call(*arguments))

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the Hessian's product with the upstream gradient, and the derivatives in the other parts."""
        z, *parts, scale = ctx.saved_tensors
        needed = ctx.needs_input_grad
        of_logits = Product.apply(z, *parts, scale, upstream, ctx.options) if needed[0] else None
        of_scale = None
        if needed[5]:
            plain = Gradient.apply(z, *parts, torch.ones_like(scale), ctx.options)
            of_scale = without_nan((plain * upstream).sum(1).to(scale.dtype), scale)
        slopes = target_vjp(
            lambda target: formulas.gradient(z, target, scale, ctx.options), parts, needed[2:5], upstream
        )
        return of_logits, None, *slopes, of_scale, None

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """Return the derivative of the gradient along the tangents."""
        z, *parts, scale = ctx.saved_tensors
        along, _, *of_parts, of_scale = tangents[:6]
        total = torch.zeros_like(z)
        if along is not None:
            total = total + Product.apply(z, *parts, scale, along, ctx.options)
        if of_scale is not None:
            total = total + without_nan(Gradient.apply(z, *parts, of_scale, ctx.options), scale)
        if any(part is not None for part in of_parts):
            total = total + _along_target(
                lambda target: formulas.gradient(z, target, scale, ctx.options), parts, of_parts
            )
        return total

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take a batch as more rows."""
        return over_rows(Gradient, info, in_dims, arguments[:6], arguments[6:], SHARED)


class Product(Function):
    """scale·(∂²ℓ/∂z²)·vector (N, V), of the logits' type."""

    @staticmethod
    def forward(z: Tensor, *arguments: Any) -> Tensor:
        """Compute it."""
        return kernels.product(z, *_call(*arguments))

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the product with the upstream gradient (H is symmetric); beyond, the formulas' derivatives."""
        z, *parts, scale, vector = ctx.saved_tensors
        needed = ctx.needs_input_grad
        of_vector = Product.apply(z, *parts, scale, upstream, ctx.options) if needed[6] else None
        places = [place for place in (0, 2, 3, 4, 5) if needed[place]]
        others: list[Tensor | None] = [None] * 6
        if places:
            pulled = torch.func.vjp(*_of(places, z, parts, scale, vector, ctx.options))[1](upstream)
            for place, part in zip(places, pulled, strict=True):
                others[place] = part
        return *others, of_vector, None

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """Return the derivative of the product along the tangents."""
        z, *parts, scale, vector = ctx.saved_tensors
        along = tangents[6]
        total = torch.zeros_like(z) if along is None else Product.apply(z, *parts, scale, along, ctx.options)
        places = [place for place in (0, 2, 3, 4, 5) if tangents[place] is not None]
        if places:
            function, *primals = _of(places, z, parts, scale, vector, ctx.options)
            total = total + formulas.pushed(function, primals, [tangents[place] for place in places])
        return total

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take a batch as more rows."""
        return over_rows(Product, info, in_dims, arguments[:7], arguments[7:], SHARED)


def _call(*parts: Any) -> tuple[Any, ...]:
    """Return a function's target, scale and further arguments."""
    return Target(*parts[:4]), *parts[4:]


def plain_losses(z: Tensor, parts: Any, options: RowOptions) -> Tensor:
    """Return ℓ (N,)."""
    ones = torch.ones(z.shape[:1], dtype=row_dtype(z.device), device=z.device)
    losses: Tensor = Losses.apply(z, *parts, ones, options, False, False)[0]
    return losses


def _handed_out(ctx: Any, upstream: Tensor) -> Tensor | None:
    """Return the kept gradient times the upstream one, once, and where nothing is lost by it."""
    kept, ctx.kept = ctx.kept, None
    if kept is None or torch.is_grad_enabled() or torch._C._functorch.is_legacy_batchedtensor(upstream):
        return None
    if kernels.constant(upstream) and kernels.compiled(upstream):
        factor = float(upstream[0])
        if factor == 1:
            return kept
        return kept.mul_(factor) if kernels.keeps_digits(kept, factor) else None
    if not kernels.compiled(upstream):  # to look at a number would wait for the device
        return torch.where(upstream[:, None] == 0, 0.0, kept.mul_(upstream.to(kept.dtype)[:, None]))
    if kept.element_size() == 2 or not bool((upstream.abs() <= 1).all()):
        return None
    kept.mul_(upstream.to(kept.dtype)[:, None])
    idle = upstream == 0  # such a row counts for nothing, and may have been NaN
    return kept.index_fill_(0, idle.nonzero()[:, 0], 0.0) if bool(idle.any()) else kept


def of_weights(losses: Tensor, scale: Tensor, upstream: Tensor) -> Tensor:
    """Return losses as the derivative in the rows' weights, 0 where a row counts for nothing and has none."""
    return torch.where((upstream == 0) & ~torch.isfinite(losses), 0.0, without_nan(losses, scale))


def losses_vjp(z: Tensor, parts: Any, needed: Any, upstream: Tensor, options: RowOptions) -> tuple[Tensor | None, ...]:
    """Pull upstream·ℓ back to the probabilities, the distributions and the class weights, those that are needed."""
    pulled = target_vjp(
        lambda target: formulas.losses(z, target, upstream, options), parts, needed, upstream.to(formulas.wide(z.dtype))
    )
    slopes = list(pulled)
    for place in range(2):
        slope = slopes[place]
        if slope is not None:
            slopes[place] = slope + _hidden(z, parts, upstream.to(slope.dtype)[:, None], options)
    return tuple(slopes)


def along_losses(z: Tensor, parts: Any, tangents: Any, scale: Tensor, options: RowOptions) -> Tensor:
    """Push tangents of the probabilities, the distributions and the class weights forward through scale·ℓ."""
    pushed = _along_target(lambda target: formulas.losses(z, target, scale, options), parts, tangents)
    growth = scale * pushed.to(scale.dtype)
    for tangent in tangents[:2]:
        if tangent is not None:
            hidden = _hidden(z, parts, tangent * scale.to(tangent.dtype)[:, None], options)
            growth = growth + hidden.sum(1).to(scale.dtype)
    return growth


def _hidden(z: Tensor, parts: Any, factor: Tensor, options: RowOptions) -> Tensor:
    """Return the hidden part of ∂ℓ/∂t times a factor."""
    slope = formulas.hidden_slope(z, Target(*parts), options)
    return torch.where((slope != 0) & (factor != 0), slope * factor, 0.0)


def target_vjp(function: Any, parts: Any, needed: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """Pull back to the probabilities, the distributions and the class weights, those that are needed."""
    index, *rest = parts
    places = [place for place in range(3) if needed[place]]
    slopes: list[Tensor | None] = [None, None, None]
    if places:

        def of(*given: Tensor) -> Tensor:
            whole = list(rest)
            for place, part in zip(places, given, strict=True):
                whole[place] = part
            result: Tensor = function(Target(index, *whole))
            return result

        pulled = torch.func.vjp(of, *(rest[place] for place in places))[1](upstream)
        for place, part in zip(places, pulled, strict=True):
            slopes[place] = part
    return tuple(slopes)


def _along_target(function: Any, parts: Any, tangents: Any) -> Tensor:
    """Push tangents of the probabilities, the distributions and the class weights forward."""
    index, *rest = parts
    places = [place for place in range(3) if tangents[place] is not None]

    def of(*given: Tensor) -> Tensor:
        whole = list(rest)
        for place, part in zip(places, given, strict=True):
            whole[place] = part
        result: Tensor = function(Target(index, *whole))
        return result

    return formulas.pushed(of, [rest[place] for place in places], [tangents[place] for place in places])


def _of(
    places: list[int], z: Tensor, parts: Any, scale: Tensor, vector: Tensor, options: RowOptions
) -> tuple[Any, ...]:
    """Return the product as a function of some of (z, index, value, dense, weight, scale), and these."""
    whole = [z, *parts, scale]

    def function(*given: Tensor) -> Tensor:
        filled = list(whole)
        for place, part in zip(places, given, strict=True):
            filled[place] = part
        z, *parts, scale = filled
        return formulas.product(z, Target(*parts), scale, vector, options)

    return function, *(whole[place] for place in places)
