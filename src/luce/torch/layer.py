"""The rows' losses of a last layer under autograd: any order, forward mode, and `vmap`.

Four functions: the losses scale·ℓ; their gradients in x, W and b; the products of the Hessian with a direction; and the
growth of the losses in a direction. Each takes x, W and b, the parts of a `Target`, the scale (N,) and then what is its
own: a direction's three parts; the `RowOptions` behind the last tensor; which of the layer's parts are wanted. Up to
the second order, in either mode, the logits exist a chunk of rows at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch import formulas, kernels, passes
from luce.torch.batching import Function, one_by_one, over_rows
from luce.torch.formulas import Target, without_nan
from luce.torch.kernels import row_dtype
from luce.torch.logits import along_losses, losses_vjp, nesting, of_weights, target_vjp
from luce.torch.passes import Direction, Grads, Layer

__all__ = ["LayerDirectional", "LayerGradient", "LayerLosses", "LayerProduct", "target_slopes"]

SHARED = (1, 2, 6)  # W, b and the class weights


class LayerLosses(Function):
    """scale·ℓ (N,), of the type of `row_dtype`; with `wanted` gradients are computed in the same pass.

    All rows must have the same upstream gradient then. They are handed out by the first backward; a second one computes
    them again.
    """

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor | None, ...]:
        """Compute the losses, the gradients to keep, log-sum-exp, entropy and the largest class."""
        layer, target, scale, options, wanted, statistics = _call(*arguments)
        found, grads, left_out = passes.forward(layer, target, scale, options, wanted, with_statistics=statistics)
        return (found.loss, *grads, *found[2:], left_out)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor | None, ...]) -> None:
        """Save the inputs and keep the gradients."""
        Function.setup_context(ctx, inputs, output)
        ctx.mark_non_differentiable(*(part for part in output[1:] if part is not None))
        ctx.kept = Grads(*output[1:4]) if any(ctx.flags[0]) else None
        ctx.left_out = output[7]

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of the layer, the target's parts and the scale."""
        if upstream is None:
            return (None,) * 11
        x, weight, bias, *parts, scale = ctx.saved_tensors
        needed, options = ctx.needs_input_grad, ctx.options
        grads: Any = (None, None, None)
        if any(needed[:3]):
            grads = known = _handed_out(ctx, upstream)
            if known is None or torch.is_grad_enabled():
                whole = (x, weight, bias, *parts, scale * upstream)
                grads = LayerGradient.apply(*whole, options, needed[:3], ctx.left_out, known)
        slopes = target_slopes(Layer(x, weight, bias), parts, needed[4:7], scale * upstream, options)
        of_scale = None
        if needed[7]:
            of_scale = upstream * of_weights(_plain_losses(x, weight, bias, parts, options), scale, upstream)
        return *grads, None, *slopes, of_scale, None, None, None

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        """Return the derivative of the losses along the tangents."""
        x, weight, bias, *parts, scale = ctx.saved_tensors
        total = torch.zeros_like(scale)
        if any(part is not None for part in tangents[:3]):
            total = total + LayerDirectional.apply(x, weight, bias, *parts, scale, *tangents[:3], ctx.options)
        if tangents[7] is not None:
            total = total + tangents[7] * without_nan(_plain_losses(x, weight, bias, parts, ctx.options), scale)
        if any(part is not None for part in tangents[4:7]):
            logits = Layer(x, weight, bias).logits()
            total = total + along_losses(logits, parts, tangents[4:7], scale, ctx.options)
        return (total, *([None] * 7))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take a batch as more rows, or a batch of layers one by one."""
        *tensors, options, _, statistics = arguments
        rest = (options, (False, False, False), statistics)
        return over_rows(LayerLosses, info, in_dims, tensors, rest, SHARED)


class LayerGradient(Function):
    """The gradients of Σ scale·ℓ in x, W and b, those that are wanted."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor | None, ...]:
        """Compute them where they are not known, and say in `left_out` what they leave out."""
        layer, target, scale, options, wanted, *more = _call(*arguments)
        left_out, known = more or (None, None)
        if known is not None:
            return tuple(known)
        _, grads, lost = passes.forward(layer, target, scale, options, wanted)
        if left_out is not None and options.tolerance and kernels.plain(left_out):
            left_out.copy_(lost)
        return tuple(grads)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save the inputs; what is known is returned, and would hold what holds it."""
        Function.setup_context(ctx, inputs[:10], output)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the Hessian's product with the upstream gradients, and the derivatives in the other parts."""
        if all(part is None for part in upstream):
            return (None,) * 12
        x, weight, bias, *parts, scale = ctx.saved_tensors
        needed, options = ctx.needs_input_grad, ctx.options
        along = Direction(*upstream)
        grads = (None, None, None)
        if any(needed[:3]):
            grads = LayerProduct.apply(x, weight, bias, *parts, scale, *along, options, needed[:3])
        of_scale = None
        if needed[7]:
            growth = LayerDirectional.apply(x, weight, bias, *parts, torch.ones_like(scale), *along, options)
            of_scale = without_nan(growth, scale)
        slopes = _growth_slopes(Layer(x, weight, bias), along, parts, scale, options, needed[4:7])
        return *grads, None, *slopes, of_scale, None, None, None, None

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        """Return the derivative of the gradients along the tangents."""
        x, weight, bias, *parts, scale = ctx.saved_tensors
        whole = [x, weight, bias, *parts, scale]
        totals: list[Any] = [
            torch.zeros_like(part) if part is not None and wanted else None
            for part, wanted in zip((x, weight, bias), ctx.flags[0], strict=True)
        ]
        found = []
        if any(part is not None for part in tangents[:3]):
            found.append(LayerProduct.apply(*whole, *tangents[:3], ctx.options, ctx.flags[0]))
        if tangents[7] is not None:
            of_scale = torch.where(_idle(x, scale), 0.0, tangents[7])
            found.append(LayerGradient.apply(*whole[:7], of_scale, ctx.options, ctx.flags[0]))
        places = [place for place in (4, 5, 6) if tangents[place] is not None]
        if places:

            def gradients(*given: Any) -> tuple[Tensor, ...]:
                return tuple(g for g in _gradients(*given, ctx.options, ctx.flags[0]) if g is not None)

            moved = iter(_pushed(gradients, whole, places, tangents))
            found.append([next(moved) if wanted else None for wanted in ctx.flags[0]])
        for parts_found in found:
            totals = [None if total is None else total + part for total, part in zip(totals, parts_found, strict=True)]
        return tuple(totals)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take one element after the other: each has weight gradients of its own."""
        return one_by_one(LayerGradient, info, in_dims, arguments[:8], arguments[8:10])


class LayerProduct(Function):
    """The Hessian of Σ scale·ℓ in (x, W, b) times a direction in them."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor | None, ...]:
        """Compute the parts that are wanted."""
        layer, target, scale, *along, options, wanted = _call(*arguments)
        return tuple(passes.product(layer, target, scale, options, Direction(*along), wanted))

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the product with the upstream gradients (H is symmetric); beyond, the formulas' derivatives."""
        whole = list(ctx.saved_tensors)
        given = tuple(part for part in upstream if part is not None)
        if not given:
            return (None,) * 13
        places = [place for place in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10) if ctx.needs_input_grad[place]]
        kept = [part is not None for part in upstream]

        def products(*some: Any) -> tuple[Tensor, ...]:
            found = _products(*_filled(whole, places, some), ctx.options, ctx.flags[0])
            return tuple(part for part, keep in zip(found, kept, strict=True) if keep and part is not None)

        slopes: list[Tensor | None] = [None] * 13
        pulled = torch.func.vjp(products, *(whole[place] for place in places))[1](given)
        for place, part in zip(places, pulled, strict=True):
            slopes[place] = part
        return tuple(slopes)

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        """Return the derivative of the products along the tangents."""
        whole = list(ctx.saved_tensors)
        places = [place for place in range(11) if tangents[place] is not None]

        def products(*given: Any) -> tuple[Tensor, ...]:
            return tuple(part for part in _products(*given, ctx.options, ctx.flags[0]) if part is not None)

        moved = iter(_pushed(products, whole, places, tangents))
        return tuple(next(moved) if wanted else None for wanted in ctx.flags[0])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take one element after the other."""
        return one_by_one(LayerProduct, info, in_dims, arguments[:11], arguments[11:])


class LayerDirectional(Function):
    """scale·⟨∂ℓ/∂z, z'⟩ (N,), how fast the losses grow in a direction (x', W', b')."""

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        """Compute it."""
        layer, target, scale, *along, options = _call(*arguments)
        return passes.directional(layer, target, scale, options, Direction(*along))

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Return the Hessian's product with the direction, the gradient, and the derivatives in the other parts."""
        x, weight, bias, *parts, scale, along_x, along_weight, along_bias = ctx.saved_tensors
        needed, options = ctx.needs_input_grad, ctx.options
        along = Direction(along_x, along_weight, along_bias)
        whole = (x, weight, bias, *parts, scale * upstream)
        grads = LayerProduct.apply(*whole, *along, options, needed[:3]) if any(needed[:3]) else (None, None, None)
        of_along = LayerGradient.apply(*whole, options, needed[8:11]) if any(needed[8:11]) else (None, None, None)
        of_scale = None
        if needed[7]:
            growth = LayerDirectional.apply(*whole[:7], torch.ones_like(scale), *along, options)
            of_scale = upstream * of_weights(growth, scale, upstream)
        slopes = _growth_slopes(Layer(x, weight, bias), along, parts, whole[7], options, needed[4:7])
        return *grads, None, *slopes, of_scale, *of_along, None

    @staticmethod
    @nesting
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        """Return the derivative along the tangents."""
        places = [place for place in range(11) if tangents[place] is not None]

        def growth(x: Tensor, weight: Tensor, bias: Any, *rest: Any) -> Tensor:
            *parts, scale, along_x, along_weight, along_bias = rest
            layer, along, scale = _counting(Layer(x, weight, bias), Direction(along_x, along_weight, along_bias), scale)
            slope = formulas.gradient(layer.logits(), Target(*parts), torch.ones_like(scale), ctx.options)
            return scale * (slope * _moved(layer, along)).sum(1).to(scale.dtype)

        pushed: Tensor = _pushed(growth, list(ctx.saved_tensors), places, tangents)
        return pushed

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
        """Take a batch as more rows, or a batch of layers one by one."""
        return over_rows(LayerDirectional, info, in_dims, arguments[:11], arguments[11:], (*SHARED, 9, 10))


def _call(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Any, ...]:
    """Return a function's layer, target, scale and further arguments."""
    return Layer(x, weight, bias), Target(*rest[:4]), *rest[4:]


def _plain_losses(x: Tensor, weight: Tensor, bias: Tensor | None, parts: Any, options: RowOptions) -> Tensor:
    """Return ℓ (N,)."""
    ones = torch.ones(x.shape[:1], dtype=row_dtype(x.device), device=x.device)
    none = (False, False, False)
    losses: Tensor = LayerLosses.apply(x, weight, bias, *parts, ones, options, none, False)[0]
    return losses


def _handed_out(ctx: Any, upstream: Tensor) -> Grads | None:
    """Return the kept gradients times the upstream one, once, and where nothing is lost by it."""
    kept, ctx.kept = ctx.kept, None
    if kept is None or torch._C._functorch.is_legacy_batchedtensor(upstream):
        return None
    factor = upstream.detach()[:1].sum()
    ctx.left_out.mul_(factor.abs())
    if kernels.compiled(upstream):  # elsewhere, to look at a number would wait for the device
        if float(factor) == 1 or not upstream.numel():
            return Grads(*kept)
        if not all(part is None or kernels.keeps_digits(part, float(factor)) for part in kept):
            return None
    return Grads(*(None if part is None else part.mul_(factor.to(part.dtype)) for part in kept))


def target_slopes(
    layer: Layer, parts: Any, needed: Any, upstream: Tensor, options: RowOptions
) -> tuple[Tensor | None, ...]:
    """Pull Σ upstream·ℓ back to the target's parts."""

    def pulled(layer: Layer, target: Target, rows: slice) -> tuple[Tensor | None, ...]:
        return losses_vjp(layer.logits(), target, needed, upstream[rows], options)

    return _slopes_by_chunks(pulled, layer, parts, needed)


def _slopes_by_chunks(pulled: Any, layer: Layer, parts: Any, needed: Any) -> tuple[Tensor | None, ...]:
    """Pull back to the target's parts, a chunk of rows at a time; `pulled` does so for some rows."""
    if not any(needed):
        return None, None, None
    whole, found = Target(*parts), []
    for rows in passes.row_slices(layer):
        found.append(pulled(layer._replace(input=layer.input[rows]), whole.rows(rows), rows))
    value, dense, class_weight = zip(*found, strict=True)
    return (
        torch.cat(value) if needed[0] else None,
        torch.cat(dense) if needed[1] else None,
        torch.stack(class_weight).sum(0) if needed[2] else None,
    )


def _growth_slopes(
    layer: Layer, along: Direction, parts: Any, scale: Tensor, options: RowOptions, needed: Any
) -> tuple[Tensor | None, ...]:
    """Pull the growth Σ scale·⟨∂ℓ/∂z, z'⟩ in a direction back to the target's parts."""

    def pulled(layer: Layer, target: Target, rows: slice) -> tuple[Tensor | None, ...]:
        moved = without_nan(_moved(layer, passes.of_rows(along, rows)), scale[rows])
        return target_vjp(lambda t: formulas.gradient(layer.logits(), t, scale[rows], options), target, needed, moved)

    return _slopes_by_chunks(pulled, layer, parts, needed)


def _moved(layer: Layer, along: Direction) -> Tensor:
    """Return x' Wᵀ + x W'ᵀ + b', as operations that can be differentiated."""
    moved = layer.input.new_zeros(layer.input.shape[0], layer.weight.shape[0])
    if along.input is not None:
        moved = moved + along.input @ layer.weight.t()
    if along.weight is not None:
        moved = moved + layer.input @ along.weight.t()
    return moved if along.bias is None else moved + along.bias


def _gradients(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Tensor | None, ...]:
    *parts, scale, options, wanted = rest
    layer, _, scale = _counting(Layer(x, weight, bias), Direction(None, None, None), scale)
    slope = formulas.gradient(layer.logits(), Target(*parts), scale, options)
    found = (lambda: slope @ weight, lambda: slope.t() @ layer.input, lambda: slope.sum(0))
    return tuple(part() if want else None for part, want in zip(found, wanted, strict=True))


def _products(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> tuple[Tensor | None, ...]:
    *parts, scale, along_x, along_weight, along_bias, options, wanted = rest
    layer, along, scale = _counting(Layer(x, weight, bias), Direction(along_x, along_weight, along_bias), scale)
    target = Target(*parts)
    z = layer.logits()
    slope = formulas.gradient(z, target, scale, options)
    curved = formulas.product(z, target, scale, _moved(layer, along), options)
    of_x = curved @ weight if along_weight is None else curved @ weight + slope @ along_weight
    of_weight = curved.t() @ layer.input
    if along.input is not None:
        of_weight = of_weight + slope.t() @ along.input
    return tuple(part if want else None for part, want in zip((of_x, of_weight, curved.sum(0)), wanted, strict=True))


def _idle(x: Tensor, scale: Tensor) -> Tensor:
    """Return which rows (N,) have weight 0 and hold what is no number."""
    return (scale == 0) & ~torch.isfinite(x).all(1)


def _counting(layer: Layer, along: Direction, scale: Tensor) -> tuple[Layer, Direction, Tensor]:
    """Return the layer, a direction and the scale with zeros in rows that count for nothing: 0·NaN would be NaN."""
    idle = _idle(layer.input, scale)
    x = torch.where(idle[:, None], 0.0, layer.input)
    if along.input is not None:
        along = along._replace(input=without_nan(along.input, scale))
    return layer._replace(input=x), along, torch.where(idle, 0.0, scale)


def _filled(whole: list[Any], places: list[int], given: Any) -> list[Any]:
    filled = list(whole)
    for place, part in zip(places, given, strict=True):
        filled[place] = part
    return filled


def _pushed(function: Any, whole: list[Any], places: list[int], tangents: Any) -> Any:
    """Push the tangents in some places forward through a function of all."""
    return formulas.pushed(
        lambda *given: function(*_filled(whole, places, given)),
        [whole[place] for place in places],
        [tangents[place] for place in places],
    )
