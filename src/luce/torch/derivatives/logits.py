r"""The derivatives of the loss of logits, by the names of its arguments.

With the scale r, the upstream gradient v of what a function returns, and tangents ż, ṙ, ṫ of its arguments::

    losses     r·ℓ        backward   z: v·r·∂ℓ/∂z       r: v·ℓ              t: v·r·∂ℓ/∂t
    gradient   r·∂ℓ/∂z    backward   z: r·H·v           r: ⟨∂ℓ/∂z, v⟩       t: of the formulas
    product    r·H·w      backward   w: r·H·v, since H is symmetric         the others: of the formulas

Forward mode is the same with ż in place of v. Rules call the `Passes` they are given, so that what they return can be
differentiated in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.rows.formulas import Target
from luce.torch.derivatives.calls import TARGET, Names, RowsCall, Slopes, pull_back, push_forward, scaled, unscaled
from luce.torch.tensors import computing_dtype, formulas

__all__ = [
    "Passes",
    "gradient_backward",
    "gradient_jvp",
    "losses_along_target",
    "losses_backward",
    "losses_jvp",
    "losses_to_target",
    "product_backward",
    "product_jvp",
    "where_it_counts",
]


class Passes(NamedTuple):
    """The functions of the rows, as functions of autograd or as operators: r·ℓ (N,), r·∂ℓ/∂z and r·H·vector (N, V)."""

    losses: Callable[[RowsCall, RowOptions], Tensor]
    gradient: Callable[[RowsCall, RowOptions], Tensor]
    product: Callable[[RowsCall, RowOptions], Tensor]


def losses_backward(
    call: RowsCall,
    options: RowOptions,
    upstream: Tensor,
    needed: Names,
    passes: Passes,
    *,
    of_logits: Tensor | None = None,
) -> Slopes:
    """Pull an upstream gradient (N,) back through the losses; `of_logits` is that in the logits if it is known."""
    slopes: dict[str, Tensor | None] = {}
    if "logits" in needed:
        slopes["logits"] = passes.gradient(scaled(call, upstream), options) if of_logits is None else of_logits
    if needed & TARGET:
        slopes.update(losses_to_target(scaled(call, upstream), options, needed))
    if "scale" in needed:
        losses = passes.losses(unscaled(call), options)
        slopes["scale"] = upstream * where_it_counts(losses, call.scale, upstream)
    return slopes


def losses_jvp(call: RowsCall, options: RowOptions, tangents: Slopes, passes: Passes) -> Tensor:
    """Push tangents forward through the losses."""
    total = torch.zeros_like(call.scale)
    along, of_scale = tangents.get("logits"), tangents.get("scale")
    if along is not None:
        growth = (passes.gradient(call, options) * along).sum(1).to(total.dtype)
        total = total + formulas.without_nan(growth, call.scale)
    if of_scale is not None:
        total = total + of_scale * formulas.without_nan(passes.losses(unscaled(call), options), call.scale)
    if tangents.keys() & TARGET:
        total = total + losses_along_target(call, options, tangents)
    return total


def gradient_backward(call: RowsCall, options: RowOptions, upstream: Tensor, needed: Names, passes: Passes) -> Slopes:
    """Pull an upstream gradient (N, V) back through the gradient."""
    slopes: dict[str, Tensor | None] = {}
    if "logits" in needed:
        slopes["logits"] = passes.product(call._replace(vector=upstream), options)
    if "scale" in needed:
        growth = (passes.gradient(unscaled(call), options) * upstream).sum(1)
        slopes["scale"] = formulas.without_nan(growth.to(call.scale.dtype), call.scale)
    slopes.update(pull_back(_gradient_of_target(call, options), call.target, needed & TARGET, upstream))
    return slopes


def gradient_jvp(call: RowsCall, options: RowOptions, tangents: Slopes, passes: Passes) -> Tensor:
    """Push tangents forward through the gradient."""
    total = torch.zeros_like(call.logits)
    along, of_scale = tangents.get("logits"), tangents.get("scale")
    if along is not None:
        total = total + passes.product(call._replace(vector=along), options)
    if of_scale is not None:
        total = total + formulas.without_nan(passes.gradient(call._replace(scale=of_scale), options), call.scale)
    if tangents.keys() & TARGET:
        total = total + push_forward(_gradient_of_target(call, options), call.target, _of_target(tangents))
    return total


def product_backward(call: RowsCall, options: RowOptions, upstream: Tensor, needed: Names, passes: Passes) -> Slopes:
    """Pull an upstream gradient (N, V) back through the product."""
    slopes: dict[str, Tensor | None] = {}
    if "vector" in needed:
        slopes["vector"] = passes.product(call._replace(vector=upstream), options)
    slopes.update(pull_back(_product_of_parts(options), call, needed - {"vector"}, upstream))
    return slopes


def product_jvp(call: RowsCall, options: RowOptions, tangents: Slopes, passes: Passes) -> Tensor:
    """Push tangents forward through the product."""
    along = tangents.get("vector")
    total = torch.zeros_like(call.logits)
    if along is not None:
        total = passes.product(call._replace(vector=along), options)
    others = {name: tangent for name, tangent in tangents.items() if name != "vector"}
    if others:
        total = total + push_forward(_product_of_parts(options), call, others)
    return total


def losses_to_target(call: RowsCall, options: RowOptions, needed: Names) -> Slopes:
    """Pull Σ scale·ℓ back to the probabilities, the distributions and the class weights, those that are needed."""
    upstream = call.scale.to(computing_dtype(call.logits.dtype))
    slopes = dict(pull_back(_losses_of_target(call, options), call.target, needed & TARGET, upstream))
    for name in ("value", "dense"):
        slope = slopes.get(name)
        if slope is not None:
            slopes[name] = slope + _hidden(call, options, call.scale.to(slope.dtype)[:, None])
    return slopes


def losses_along_target(call: RowsCall, options: RowOptions, tangents: Slopes) -> Tensor:
    """Push tangents of the probabilities, the distributions and the class weights forward through scale·ℓ."""
    pushed = push_forward(_losses_of_target(call, options), call.target, _of_target(tangents))
    growth: Tensor = call.scale * pushed.to(call.scale.dtype)
    for name in ("value", "dense"):
        tangent = tangents.get(name)
        if tangent is not None:
            hidden = _hidden(call, options, tangent * call.scale.to(tangent.dtype)[:, None])
            growth = growth + hidden.sum(1).to(growth.dtype)
    return growth


def where_it_counts(losses: Tensor, scale: Tensor, upstream: Tensor) -> Tensor:
    """Return losses (N,) as derivatives in the scale: 0 for what is no number in rows that count for nothing."""
    return torch.where((upstream == 0) & ~torch.isfinite(losses), 0.0, formulas.without_nan(losses, scale))


def _hidden(call: RowsCall, options: RowOptions, factor: Tensor) -> Tensor:
    """Return the hidden part of ∂ℓ/∂t times a factor."""
    slope = formulas.hidden_slope(call.logits, call.target, options)
    return torch.where((slope != 0) & (factor != 0), slope * factor, 0.0)


def _losses_of_target(call: RowsCall, options: RowOptions) -> Callable[[Target], Tensor]:
    """Return ℓ (N,) as a function of the target."""
    return lambda target: formulas.losses(call.logits, target, call.scale, options)


def _gradient_of_target(call: RowsCall, options: RowOptions) -> Callable[[Target], Tensor]:
    """Return scale·∂ℓ/∂z as a function of the target."""
    return lambda target: formulas.gradient(call.logits, target, call.scale, options)


def _product_of_parts(options: RowOptions) -> Callable[[RowsCall], Tensor]:
    """Return scale·H·vector as a function of the call."""
    return lambda call: formulas.product(call.logits, call.target, call.scale, call.vector, options)


def _of_target(tangents: Slopes) -> Slopes:
    return {name: tangent for name, tangent in tangents.items() if name in TARGET}
