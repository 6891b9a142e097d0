"""The passes over rows as operators of PyTorch: what `torch.compile` sees, and what every dispatcher can batch.

Operators take tensors and numbers alone, so a call's parts are spelled out, and an output that is not asked for is
empty. Under `torch.compile` the forward operators have the gradient operators as their derivatives; forward mode and
higher orders are the business of the functions in `luce.torch.logits` and `luce.torch.layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch import formulas, kernels, passes
from luce.torch.formulas import Target, without_nan
from luce.torch.kernels import row_dtype
from luce.torch.layer import target_slopes
from luce.torch.logits import losses_vjp, of_weights, target_vjp
from luce.torch.passes import Direction, Layer

__all__ = ["FORWARD", "LINEAR_FORWARD"]

LOGITS = "Tensor logits"
LAYER = "Tensor input, Tensor linear_weight, Tensor? linear_bias"
ALONG = "Tensor? along_input, Tensor? along_weight, Tensor? along_bias"
TARGET = "Tensor? index, Tensor? value, Tensor? dense, Tensor? weight, Tensor scale"
TYPES = {float: "float", bool: "bool", int | None: "int?"}  # in a schema
OPTIONS = ", ".join(f"{TYPES[kind]} {name}" for name, kind in get_type_hints(RowOptions).items())
WANTED = "bool of_input, bool of_weight, bool of_bias"

_library = torch.library.Library("luce", "DEF")


def _operator(schema: str, function: Callable[..., Any], fake: Callable[..., Any]) -> Any:
    """Define an operator that runs on every device."""
    name = schema.split("(")[0]
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _library.impl(name, function, "CompositeExplicitAutograd")
    torch.library.register_fake(f"luce::{name}", fake, lib=_library)
    return getattr(torch.ops.luce, name).default


def _call(parts: Sequence[Any]) -> tuple[Target, Tensor, RowOptions]:
    """Return what the arguments TARGET and OPTIONS stand for."""
    index, value, dense, weight, scale, *options = parts
    checked = RowOptions(*options)
    checked.check()
    return Target(index, value, dense, weight), scale, checked


def _or_empty(like: Tensor, parts: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
    return tuple(like.new_empty(0) if part is None else part for part in parts)


def _forward(logits: Tensor, *parts: Any) -> tuple[Tensor, ...]:
    *call, with_gradient, with_statistics = parts
    found = kernels.forward(logits, *_call(call), with_gradient=with_gradient, with_statistics=with_statistics)
    return _or_empty(logits, found)


def _forward_fake(logits: Tensor, *parts: Any) -> tuple[Tensor, ...]:
    with_gradient, with_statistics = parts[-2:]
    gradient = logits.new_empty(logits.shape) if with_gradient else None
    return _or_empty(logits, (*_rows_fake(logits, False)[:1], gradient, *_rows_fake(logits, with_statistics)[1:]))


def _rows_fake(like: Tensor, with_statistics: bool) -> tuple[Tensor | None, ...]:
    """Return losses, log-sum-exp, entropy and the largest class of as many rows as a tensor has."""
    loss = like.new_empty(like.shape[0], dtype=row_dtype(like.device))
    if not with_statistics:
        return loss, None, None, None
    return loss, torch.empty_like(loss), torch.empty_like(loss), torch.empty_like(loss, dtype=torch.int64)


def _gradient(logits: Tensor, *parts: Any) -> Tensor:
    return kernels.gradient(logits, *_call(parts))


def _product(logits: Tensor, vector: Tensor, *parts: Any) -> Tensor:
    target, scale, options = _call(parts)
    return kernels.product(logits, target, scale, vector, options)


def _like_logits(logits: Tensor, *_: Any) -> Tensor:
    return logits.new_empty(logits.shape)


def _linear_forward(*parts: Any) -> tuple[Tensor, ...]:
    layer, (*call, of_input, of_weight, of_bias, with_statistics) = Layer(*parts[:3]), parts[3:]
    wanted = (of_input, of_weight, of_bias)
    rows, grads, left_out = passes.forward(layer, *_call(call), wanted, with_statistics=with_statistics)
    return _or_empty(layer.input, (rows.loss, *grads, *rows[2:], left_out))


def _grads_fake(layer: Layer, wanted: Sequence[bool]) -> tuple[Tensor | None, ...]:
    return tuple(
        part.new_empty(part.shape) if want and part is not None else None
        for part, want in zip(layer, wanted, strict=True)
    )


def _linear_forward_fake(*parts: Any) -> tuple[Tensor, ...]:
    layer, wanted = Layer(*parts[:3]), parts[-4:-1]
    loss, *statistics = _rows_fake(layer.input, parts[-1])
    assert loss is not None
    return _or_empty(layer.input, (loss, *_grads_fake(layer, wanted), *statistics, loss.new_empty(())))


def _linear_gradient(*parts: Any) -> tuple[Tensor, ...]:
    layer = Layer(*parts[:3])
    return _or_empty(layer.input, passes.forward(layer, *_call(parts[3:-3]), parts[-3:])[1])


def _linear_product(*parts: Any) -> tuple[Tensor, ...]:
    layer, along = Layer(*parts[:3]), Direction(*parts[3:6])
    return _or_empty(layer.input, passes.product(layer, *_call(parts[6:-3]), along, parts[-3:]))


def _linear_grads_fake(*parts: Any) -> tuple[Tensor, ...]:
    layer = Layer(*parts[:3])
    return _or_empty(layer.input, _grads_fake(layer, parts[-3:]))


def _linear_directional(*parts: Any) -> Tensor:
    return passes.directional(Layer(*parts[:3]), *_call(parts[6:]), Direction(*parts[3:6]))


def _linear_directional_fake(*parts: Any) -> Tensor:
    loss = _rows_fake(parts[0], False)[0]
    assert loss is not None
    return loss


_FIVE, _EIGHT, _THREE = (f"({', '.join(['Tensor'] * n)})" for n in (5, 8, 3))
FORWARD = _operator(
    f"cross_entropy({LOGITS}, {TARGET}, {OPTIONS}, bool with_gradient, bool with_statistics) -> {_FIVE}",
    _forward,
    _forward_fake,
)
_operator(f"cross_entropy_gradient({LOGITS}, {TARGET}, {OPTIONS}) -> Tensor", _gradient, _like_logits)
_operator(f"cross_entropy_product({LOGITS}, Tensor vector, {TARGET}, {OPTIONS}) -> Tensor", _product, _like_logits)
LINEAR_FORWARD = _operator(
    f"linear_cross_entropy({LAYER}, {TARGET}, {OPTIONS}, {WANTED}, bool with_statistics) -> {_EIGHT}",
    _linear_forward,
    _linear_forward_fake,
)
_operator(
    f"linear_cross_entropy_gradient({LAYER}, {TARGET}, {OPTIONS}, {WANTED}) -> {_THREE}",
    _linear_gradient,
    _linear_grads_fake,
)
_operator(
    f"linear_cross_entropy_product({LAYER}, {ALONG}, {TARGET}, {OPTIONS}, {WANTED}) -> {_THREE}",
    _linear_product,
    _linear_grads_fake,
)
_operator(
    f"linear_cross_entropy_directional({LAYER}, {ALONG}, {TARGET}, {OPTIONS}) -> Tensor",
    _linear_directional,
    _linear_directional_fake,
)


def _setup(first: int, outputs: int) -> Callable[..., None]:
    """Return what saves an operator's tensors (the call's begin after `first`), its options and kept gradients."""

    def setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[: first + 5], *(output[1 : 1 + outputs] if outputs else ()))
        ctx.options, ctx.flags = inputs[first + 5 : first + 12], inputs[first + 12 :]

    return setup


def _of_forward(ctx: Any, upstream: Tensor, *_: Any) -> tuple[Any, ...]:
    logits, *call, kept = ctx.saved_tensors
    scale, needed = call[-1], ctx.needs_input_grad
    of_logits = None
    if needed[0] and ctx.flags[0]:
        of_logits = torch.where(upstream[:, None] == 0, 0.0, kept * upstream.to(kept.dtype)[:, None])
    elif needed[0]:
        of_logits = torch.ops.luce.cross_entropy_gradient(logits, *call[:-1], scale * upstream, *ctx.options)
    slopes: Any = (None, None, None)
    if any(needed[2:5]):
        slopes = losses_vjp(logits, call[:-1], needed[2:5], scale * upstream, RowOptions(*ctx.options))
    of_scale = None
    if needed[5]:
        plain = torch.ops.luce.cross_entropy(logits, *call[:-1], torch.ones_like(scale), *ctx.options, False, False)
        of_scale = upstream * of_weights(plain[0], scale, upstream)
    return of_logits, None, *slopes, of_scale, *([None] * 9)


def _of_gradient(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
    logits, *call = ctx.saved_tensors
    scale, needed = call[-1], ctx.needs_input_grad
    of_logits = torch.ops.luce.cross_entropy_product(logits, upstream, *call, *ctx.options) if needed[0] else None
    of_scale = None
    if needed[5]:
        plain = torch.ops.luce.cross_entropy_gradient(logits, *call[:-1], torch.ones_like(scale), *ctx.options)
        of_scale = without_nan((plain * upstream).sum(1).to(scale.dtype), scale)
    options = RowOptions(*ctx.options)
    slopes = target_vjp(
        lambda target: formulas.gradient(logits, target, scale, options), call[:-1], needed[2:5], upstream
    )
    return of_logits, None, *slopes, of_scale, *([None] * 7)


def _of_linear_forward(ctx: Any, upstream: Tensor, *_: Any) -> tuple[Any, ...]:
    *tensors, of_x, of_weight, of_bias = ctx.saved_tensors
    layer, call, scale = Layer(*tensors[:3]), tensors[3:], tensors[7]
    needed, wanted = ctx.needs_input_grad, ctx.flags[:3]
    scaled = scale * upstream
    if any(wanted):  # every row has the same upstream gradient
        factor = upstream[:1].sum()
        grads = [
            torch.where(factor == 0, 0.0, part * factor.to(part.dtype)) if want else None
            for part, want in zip((of_x, of_weight, of_bias), wanted, strict=True)
        ]
    else:
        want = [bool(needed[place]) for place in range(3)]
        found = torch.ops.luce.linear_cross_entropy_gradient(*layer, *call[:-1], scaled, *ctx.options, *want)
        grads = [part if w else None for part, w in zip(found, want, strict=True)]
    slopes = target_slopes(layer, call[:-1], needed[4:7], scaled, RowOptions(*ctx.options))
    of_scale = None
    if needed[7]:
        none = (False, False, False, False)
        whole = (*layer, *call[:-1], torch.ones_like(scale), *ctx.options, *none)
        of_scale = upstream * of_weights(torch.ops.luce.linear_cross_entropy(*whole)[0], scale, upstream)
    return *grads, None, *slopes, of_scale, *([None] * 11)


def _of_linear_gradient(ctx: Any, *upstream: Tensor) -> tuple[Any, ...]:
    layer, call, scale = Layer(*ctx.saved_tensors[:3]), ctx.saved_tensors[3:], ctx.saved_tensors[7]
    along = [part if want else None for part, want in zip(upstream, ctx.flags, strict=True)]
    needed = ctx.needs_input_grad
    want = [bool(needed[place]) for place in range(3)]
    found = torch.ops.luce.linear_cross_entropy_product(*layer, *along, *call, *ctx.options, *want)
    of_scale = None
    if needed[7]:
        whole = (*layer, *along, *call[:-1], torch.ones_like(scale), *ctx.options)
        of_scale = without_nan(torch.ops.luce.linear_cross_entropy_directional(*whole), scale)
    grads = [part if w else None for part, w in zip(found, want, strict=True)]
    return *grads, *([None] * 4), of_scale, *([None] * 10)


for _name, _backward, _context in (
    ("cross_entropy", _of_forward, _setup(1, 1)),
    ("cross_entropy_gradient", _of_gradient, _setup(1, 0)),
    ("linear_cross_entropy", _of_linear_forward, _setup(3, 3)),
    ("linear_cross_entropy_gradient", _of_linear_gradient, _setup(3, 0)),
):
    torch.library.register_autograd(f"luce::{_name}", _backward, setup_context=_context, lib=_library)
