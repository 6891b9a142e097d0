r"""The derivatives of the loss of a layer, by the names of its arguments.

With G = r·∂ℓ/∂z, an upstream gradient v, and a direction (x', W', b') whose logits are z' = x' Wᵀ + x W'ᵀ + b'::

    losses       r·ℓ              backward   x, W, b: the gradient with v·r      r: v·ℓ
    gradient     G W, Gᵀx, Gᵀ1    backward   x, W, b: the product with v         r: ⟨∂ℓ/∂z, z'⟩ along v
    directional  r·⟨∂ℓ/∂z, z'⟩    backward   x, W, b: the product, direction: the gradient, both with v·r
    product      H (x', W', b')   backward   all by the formulas, as everything in the target's parts

Up to the second order the logits exist a chunk of rows at a time. Rules call the `LayerPasses` they are given, so that
what they return can be differentiated in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.rows.formulas import Target
from luce.torch.derivatives.calls import (
    ALONG,
    LAYER,
    TARGET,
    LayerCall,
    Names,
    RowsCall,
    Slopes,
    pull_back,
    push_forward,
    scaled,
    unscaled,
)
from luce.torch.derivatives.logits import losses_along_target, losses_to_target, where_it_counts
from luce.torch.layer.chunked_layer import Direction, Grads, Layer, Wanted, row_slices
from luce.torch.tensors import formulas

__all__ = [
    "LayerPasses",
    "directional_backward",
    "directional_jvp",
    "gradient_backward",
    "gradient_jvp",
    "losses_backward",
    "losses_jvp",
    "product_backward",
    "product_jvp",
    "wanted_of",
]

OfSomeRows: TypeAlias = Callable[[LayerCall], Slopes]


class LayerPasses(NamedTuple):
    """The passes over a layer's rows, as functions of autograd or as operators."""

    losses: Callable[[LayerCall, RowOptions], Tensor]
    gradient: Callable[[LayerCall, RowOptions, Wanted], Grads]
    product: Callable[[LayerCall, RowOptions, Wanted], Grads]
    directional: Callable[[LayerCall, RowOptions], Tensor]


def wanted_of(needed: Names) -> Wanted:
    """Return which of the derivatives in x, W and b are needed."""
    return "input" in needed, "linear_weight" in needed, "linear_bias" in needed


def losses_backward(
    call: LayerCall,
    options: RowOptions,
    upstream: Tensor,
    needed: Names,
    passes: LayerPasses,
    *,
    grads: Grads | None = None,
) -> Slopes:
    """Pull an upstream gradient (N,) back through the losses; `grads` are the layer's derivatives if they are known."""
    slopes: dict[str, Tensor | None] = {}
    wanted = wanted_of(needed)
    if any(wanted):
        grads = passes.gradient(scaled(call, upstream), options, wanted) if grads is None else grads
        slopes.update(zip(LAYER, grads, strict=True))
    if needed & TARGET:

        def losses(some: LayerCall) -> Slopes:
            return losses_to_target(_with_logits(some), options, needed)

        slopes.update(_by_chunks(losses, scaled(call, upstream), needed))
    if "scale" in needed:
        found = passes.losses(unscaled(call), options)
        slopes["scale"] = upstream * where_it_counts(found, call.scale, upstream)
    return slopes


def losses_jvp(call: LayerCall, options: RowOptions, tangents: Slopes, passes: LayerPasses) -> Tensor:
    """Push tangents forward through the losses."""
    total = torch.zeros_like(call.scale)
    of_scale = tangents.get("scale")
    if tangents.keys() & set(LAYER):
        total = total + passes.directional(call.towards(_direction(tangents)), options)
    if of_scale is not None:
        total = total + of_scale * formulas.without_nan(passes.losses(unscaled(call), options), call.scale)
    if tangents.keys() & TARGET:
        total = total + losses_along_target(_with_logits(call), options, tangents)
    return total


def gradient_backward(
    call: LayerCall, options: RowOptions, upstream: Direction, needed: Names, passes: LayerPasses
) -> Slopes:
    """Pull upstream gradients, which are a direction, back through the gradient."""
    slopes: dict[str, Tensor | None] = {}
    call, wanted = call.towards(upstream), wanted_of(needed)
    if any(wanted):
        slopes.update(zip(LAYER, passes.product(call, options, wanted), strict=True))
    if "scale" in needed:
        slopes["scale"] = formulas.without_nan(passes.directional(unscaled(call), options), call.scale)
    slopes.update(_growth_to_target(call, options, needed))
    return slopes


def gradient_jvp(call: LayerCall, options: RowOptions, tangents: Slopes, wanted: Wanted, passes: LayerPasses) -> Grads:
    """Push tangents forward through the gradient."""
    found = [
        Grads(*(torch.zeros_like(part) if part is not None and want else None for part, want in _each(call, wanted)))
    ]
    of_scale = tangents.get("scale")
    if tangents.keys() & set(LAYER):
        found.append(passes.product(call.towards(_direction(tangents)), options, wanted))
    if of_scale is not None:
        of_scale = torch.where(_idle(call), 0.0, of_scale)
        found.append(passes.gradient(call._replace(scale=of_scale), options, wanted))
    of_target = {name: tangent for name, tangent in tangents.items() if name in TARGET}
    if of_target:
        moved = push_forward(lambda some: _kept(_gradients(some, options, wanted)), call, of_target)
        found.append(_in_place_of(wanted, moved))
    totals = found[0]
    for grads in found[1:]:
        totals = Grads(*(t if t is None or g is None else t + g for t, g in zip(totals, grads, strict=True)))
    return totals


def product_backward(
    call: LayerCall, options: RowOptions, upstream: tuple[Tensor | None, ...], needed: Names, wanted: Wanted
) -> Slopes:
    """Pull upstream gradients back through the product."""
    given = [part is not None for part in upstream]

    def products(some: LayerCall) -> tuple[Tensor, ...]:
        found = _products(some, options, wanted)
        return tuple(part for part, was in zip(found, given, strict=True) if was and part is not None)

    return pull_back(products, call, needed, _kept(upstream))


def product_jvp(call: LayerCall, options: RowOptions, tangents: Slopes, wanted: Wanted) -> Grads:
    """Push tangents forward through the product."""
    return _in_place_of(wanted, push_forward(lambda some: _kept(_products(some, options, wanted)), call, tangents))


def directional_backward(
    call: LayerCall, options: RowOptions, upstream: Tensor, needed: Names, passes: LayerPasses
) -> Slopes:
    """Pull an upstream gradient (N,) back through the growth in a direction."""
    slopes: dict[str, Tensor | None] = {}
    call_upstream, wanted = scaled(call, upstream), wanted_of(needed)
    if any(wanted):
        slopes.update(zip(LAYER, passes.product(call_upstream, options, wanted), strict=True))
    of_along = ("along_input" in needed, "along_weight" in needed, "along_bias" in needed)
    if any(of_along):
        slopes.update(zip(ALONG, passes.gradient(call_upstream, options, of_along), strict=True))
    if "scale" in needed:
        growth = passes.directional(unscaled(call), options)
        slopes["scale"] = upstream * where_it_counts(growth, call.scale, upstream)
    slopes.update(_growth_to_target(call_upstream, options, needed))
    return slopes


def directional_jvp(call: LayerCall, options: RowOptions, tangents: Slopes) -> Tensor:
    """Push tangents forward through the growth in a direction."""

    def growth(some: LayerCall) -> Tensor:
        some = _counting(some)
        slope = formulas.gradient(some.layer.logits(), some.target, torch.ones_like(some.scale), options)
        found: Tensor = some.scale * (slope * _moved(some)).sum(1).to(some.scale.dtype)
        return found

    pushed: Tensor = push_forward(growth, call, tangents)
    return pushed


def _direction(tangents: Slopes) -> Direction:
    """Return the tangents of a layer as a direction."""
    return Direction(*(tangents.get(name) for name in LAYER))


def _with_logits(call: LayerCall) -> RowsCall:
    """Return the call for the layer's logits, computed for all of its rows at once."""
    return RowsCall(call.layer.logits(), *call.target, call.scale)


def _by_chunks(pulled: OfSomeRows, call: LayerCall, needed: Names) -> Slopes:
    """Pull back to the target's parts, a chunk of rows at a time; `pulled` does so for some rows."""
    if not needed & TARGET:
        return {}
    found = [pulled(call.rows(rows)) for rows in row_slices(call.layer)]
    slopes: dict[str, Tensor | None] = {}
    for name in needed & TARGET:
        parts = [part for part in (some[name] for some in found) if part is not None]
        if not parts:  # there are no rows
            slopes[name] = torch.zeros_like(getattr(call, name))
        else:
            slopes[name] = torch.stack(parts).sum(0) if name == "weight" else torch.cat(parts)
    return slopes


def _growth_to_target(call: LayerCall, options: RowOptions, needed: Names) -> Slopes:
    """Pull the growth Σ scale·⟨∂ℓ/∂z, z'⟩ in a direction back to the target's parts."""

    def growth(some: LayerCall) -> Slopes:
        moved = formulas.without_nan(_moved(some), some.scale)

        def gradient(target: Target) -> Tensor:
            found: Tensor = formulas.gradient(some.layer.logits(), target, some.scale, options)
            return found

        return pull_back(gradient, some.target, needed & TARGET, moved)

    return _by_chunks(growth, call, needed)


def _moved(call: LayerCall) -> Tensor:
    """Return x' Wᵀ + x W'ᵀ + b', as operations that can be differentiated."""
    along = call.along
    moved = call.input.new_zeros(call.input.shape[0], call.linear_weight.shape[0])
    if along.input is not None:
        moved = moved + along.input @ call.linear_weight.t()
    if along.weight is not None:
        moved = moved + call.input @ along.weight.t()
    return moved if along.bias is None else moved + along.bias


def _gradients(call: LayerCall, options: RowOptions, wanted: Wanted) -> tuple[Tensor | None, ...]:
    """Return the gradients that are wanted, as operations that can be differentiated."""
    call = _counting(call)
    slope = formulas.gradient(call.layer.logits(), call.target, call.scale, options)
    found = (lambda: slope @ call.linear_weight, lambda: slope.t() @ call.input, lambda: slope.sum(0))
    return tuple(part() if want else None for part, want in zip(found, wanted, strict=True))


def _products(call: LayerCall, options: RowOptions, wanted: Wanted) -> tuple[Tensor | None, ...]:
    """Return the products that are wanted, as operations that can be differentiated."""
    call = _counting(call)
    z, along = call.layer.logits(), call.along
    slope = formulas.gradient(z, call.target, call.scale, options)
    curved = formulas.product(z, call.target, call.scale, _moved(call), options)
    of_x = curved @ call.linear_weight
    if along.weight is not None:
        of_x = of_x + slope @ along.weight
    of_weight = curved.t() @ call.input
    if along.input is not None:
        of_weight = of_weight + slope.t() @ along.input
    return tuple(part if want else None for part, want in zip((of_x, of_weight, curved.sum(0)), wanted, strict=True))


def _idle(call: LayerCall) -> Tensor:
    """Return which rows (N,) have weight 0 and hold what is no number."""
    return (call.scale == 0) & ~torch.isfinite(call.input).all(1)


def _counting(call: LayerCall) -> LayerCall:
    """Return the call with zeros in rows that count for nothing: 0·NaN would be NaN."""
    idle = _idle(call)
    along = call.along_input
    return call._replace(
        input=torch.where(idle[:, None], 0.0, call.input),
        scale=torch.where(idle, 0.0, call.scale),
        along_input=None if along is None else formulas.without_nan(along, call.scale),
    )


def _each(layer: LayerCall, wanted: Wanted) -> zip[tuple[Tensor | None, bool]]:
    """Return the parts of a layer and whether they are wanted."""
    parts: Layer = layer.layer
    return zip(parts, wanted, strict=True)


def _kept(parts: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    """Return the parts that are not None."""
    return tuple(part for part in parts if part is not None)


def _in_place_of(wanted: Wanted, parts: tuple[Tensor, ...]) -> Grads:
    """Return the given parts in the places of those that are wanted."""
    rest = iter(parts)
    return Grads(*(next(rest) if want else None for want in wanted))
