"""The passes over rows as operators of PyTorch, which `torch.compile` sees and every dispatcher can batch.

Operators take tensors and numbers alone, so a call's parts are spelled out, and an output that is not asked for is
empty. Each has its derivatives by the rules in `luce.torch.derivatives`; forward mode is the business of the functions
in `luce.torch.autograd`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, get_type_hints

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch import kernels
from luce.torch.derivatives import layer as layer_rules
from luce.torch.derivatives import logits as logits_rules
from luce.torch.derivatives.calls import LAYER as LAYER_NAMES
from luce.torch.derivatives.calls import LayerCall, Names, RowsCall, Slopes
from luce.torch.layer import chunked_layer
from luce.torch.layer.chunked_layer import Direction, Grads, Wanted
from luce.torch.tensors import row_dtype

__all__ = ["FORWARD", "LAYER_PASSES", "LINEAR_FORWARD", "PASSES"]

LOGITS = "Tensor logits"
LAYER = "Tensor input, Tensor linear_weight, Tensor? linear_bias"
ALONG = "Tensor? along_input, Tensor? along_weight, Tensor? along_bias"
TARGET = "Tensor? indices, Tensor? value, Tensor? dense, Tensor? weight, Tensor scale"
TYPES = {float: "float", bool: "bool", int | None: "int?"}  # in a schema
OPTIONS = ", ".join(f"{TYPES[kind]} {name}" for name, kind in get_type_hints(RowOptions).items())
WANTED = "bool of_input, bool of_weight, bool of_bias"

_Call = TypeVar("_Call", RowsCall, LayerCall)
Flags: TypeAlias = Sequence[bool]
Argument: TypeAlias = Any  # of an operator: a tensor or None, a number, a flag; also its outputs

_library = torch.library.Library("luce", "DEF")


class _Operator(Generic[_Call]):
    """An operator of PyTorch, whose schema names the tensors of a call, the options, and flags."""

    def __init__(
        self,
        schema: str,
        kind: type[_Call],
        function: Callable[[_Call, RowOptions, Flags], Argument],
        fake: Callable[[_Call, Flags], Argument],
    ) -> None:
        self.name, rest = schema.split("(", 1)
        self.names = [part.split()[-1] for part in rest.split(")")[0].split(", ")]
        self._begin = self.names.index(RowOptions._fields[0])
        self._kind: Callable[..., _Call] = kind
        self._end = self._begin + len(RowOptions._fields)
        _library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))

        def run(*given: Argument) -> Argument:
            call, options, flags = self.read(given)
            options.check()
            return function(call, options, flags)

        _library.impl(self.name, run, "CompositeExplicitAutograd")

        def shapes(*given: Argument) -> Argument:
            call, _, flags = self.read(given)
            return fake(call, flags)

        torch.library.register_fake(f"luce::{self.name}", shapes, lib=_library)
        self.overload = getattr(torch.ops.luce, self.name).default

    def read(self, given: Sequence[Argument]) -> tuple[_Call, RowOptions, Flags]:
        """Return the call, options and flags that arguments in the order of the schema stand for."""
        call = self._kind(**dict(zip(self.names[: self._begin], given, strict=False)))
        return call, RowOptions(*given[self._begin : self._end]), given[self._end :]

    def __call__(self, call: _Call, options: RowOptions, *flags: bool) -> Argument:
        """Call the operator."""
        return self.overload(*(getattr(call, name) for name in self.names[: self._begin]), *options, *flags)

    def register(self, rule: Callable[[_Backward[_Call]], Slopes], kept: slice | None = None) -> None:
        """Register its derivatives; `kept` are the outputs that these may use."""

        def setup(ctx: Argument, inputs: tuple[Argument, ...], output: Argument) -> None:
            ctx.save_for_backward(*inputs[: self._begin], *(() if kept is None else output[kept]))
            ctx.numbers = inputs[self._begin :]

        def backward(ctx: Argument, *upstream: Tensor) -> tuple[Tensor | None, ...]:
            given: tuple[Tensor, ...] = ctx.saved_tensors[: self._begin]
            call, options, flags = self.read((*given, *ctx.numbers))
            needed = {name for name, need in zip(self.names, ctx.needs_input_grad, strict=True) if need}
            slopes = rule(_Backward(call, options, flags, needed, upstream, ctx.saved_tensors[self._begin :]))
            return tuple(map(slopes.get, self.names))

        torch.library.register_autograd(f"luce::{self.name}", backward, setup_context=setup, lib=_library)


@dataclass(frozen=True)
class _Backward(Generic[_Call]):
    """The arguments of an operator's backward: its call, which derivatives are needed, what is upstream or kept."""

    call: _Call
    options: RowOptions
    flags: Flags
    needed: Names
    upstream: tuple[Tensor, ...]
    kept: Sequence[Tensor]


def _or_empty(like: Tensor, parts: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
    return tuple(like.new_empty(0) if part is None else part for part in parts)


def _wanted(flags: Flags) -> Wanted:
    return flags[0], flags[1], flags[2]


def _grads(found: Sequence[Tensor], wanted: Flags) -> Grads:
    """Return the gradients that are wanted among an operator's outputs."""
    return Grads(*(part if want else None for part, want in zip(found, wanted, strict=True)))


def _forward(call: RowsCall, options: RowOptions, flags: Flags) -> tuple[Tensor, ...]:
    with_gradient, with_statistics = flags
    found = kernels.forward(
        call.logits, call.target, call.scale, options, with_gradient=with_gradient, with_statistics=with_statistics
    )
    return _or_empty(call.logits, found)


def _forward_fake(call: RowsCall, flags: Flags) -> tuple[Tensor, ...]:
    with_gradient, with_statistics = flags
    loss, *statistics = _rows_fake(call.logits, with_statistics)
    return _or_empty(call.logits, (loss, _like_logits(call) if with_gradient else None, *statistics))


def _rows_fake(like: Tensor, with_statistics: bool) -> tuple[Tensor | None, ...]:
    """Return losses, log-sum-exp, entropy and the largest class of as many rows as a tensor has."""
    loss = _losses_fake(like)
    if not with_statistics:
        return loss, None, None, None
    return loss, torch.empty_like(loss), torch.empty_like(loss), torch.empty_like(loss, dtype=torch.int64)


def _losses_fake(like: Tensor) -> Tensor:
    return like.new_empty(like.shape[0], dtype=row_dtype(like.device))


def _gradient(call: RowsCall, options: RowOptions, _: Flags) -> Tensor:
    return kernels.gradient(call.logits, call.target, call.scale, options)


def _product(call: RowsCall, options: RowOptions, _: Flags) -> Tensor:
    assert call.vector is not None
    return kernels.product(call.logits, call.target, call.scale, call.vector, options)


def _like_logits(call: RowsCall, _: Flags = ()) -> Tensor:
    return call.logits.new_empty(call.logits.shape)


def _linear_forward(call: LayerCall, options: RowOptions, flags: Flags) -> tuple[Tensor, ...]:
    rows, grads, left_out = chunked_layer.forward(
        call.layer, call.target, call.scale, options, _wanted(flags), with_statistics=flags[3]
    )
    return _or_empty(call.input, (rows.loss, *grads, *rows[2:], left_out))


def _linear_forward_fake(call: LayerCall, flags: Flags) -> tuple[Tensor, ...]:
    loss, *statistics = _rows_fake(call.input, flags[3])
    left_out = _losses_fake(call.input).new_empty(())
    return _or_empty(call.input, (loss, *_linear_grads_fake(call, flags[:3]), *statistics, left_out))


def _linear_grads_fake(call: LayerCall, wanted: Flags) -> tuple[Tensor, ...]:
    parts = zip(call.layer, wanted, strict=True)
    return _or_empty(
        call.input, [part.new_empty(part.shape) if want and part is not None else None for part, want in parts]
    )


def _linear_gradient(call: LayerCall, options: RowOptions, flags: Flags) -> tuple[Tensor, ...]:
    found = chunked_layer.forward(call.layer, call.target, call.scale, options, _wanted(flags))
    return _or_empty(call.input, found[1])


def _linear_product(call: LayerCall, options: RowOptions, flags: Flags) -> tuple[Tensor, ...]:
    found = chunked_layer.product(call.layer, call.target, call.scale, options, call.along, _wanted(flags))
    return _or_empty(call.input, found)


def _linear_directional(call: LayerCall, options: RowOptions, _: Flags) -> Tensor:
    return chunked_layer.directional(call.layer, call.target, call.scale, options, call.along)


def _linear_directional_fake(call: LayerCall, _: Flags) -> Tensor:
    return _losses_fake(call.input)


_FIVE, _EIGHT, _THREE = (f"({', '.join(['Tensor'] * n)})" for n in (5, 8, 3))
_losses_operator = _Operator(
    f"cross_entropy({LOGITS}, {TARGET}, {OPTIONS}, bool with_gradient, bool with_statistics) -> {_FIVE}",
    RowsCall,
    _forward,
    _forward_fake,
)
_gradient_operator = _Operator(
    f"cross_entropy_gradient({LOGITS}, {TARGET}, {OPTIONS}) -> Tensor", RowsCall, _gradient, _like_logits
)
_product_operator = _Operator(
    f"cross_entropy_product({LOGITS}, Tensor vector, {TARGET}, {OPTIONS}) -> Tensor", RowsCall, _product, _like_logits
)
_linear_losses_operator = _Operator(
    f"linear_cross_entropy({LAYER}, {TARGET}, {OPTIONS}, {WANTED}, bool with_statistics) -> {_EIGHT}",
    LayerCall,
    _linear_forward,
    _linear_forward_fake,
)
_linear_gradient_operator = _Operator(
    f"linear_cross_entropy_gradient({LAYER}, {TARGET}, {OPTIONS}, {WANTED}) -> {_THREE}",
    LayerCall,
    _linear_gradient,
    _linear_grads_fake,
)
_linear_product_operator = _Operator(
    f"linear_cross_entropy_product({LAYER}, {ALONG}, {TARGET}, {OPTIONS}, {WANTED}) -> {_THREE}",
    LayerCall,
    _linear_product,
    _linear_grads_fake,
)
_linear_directional_operator = _Operator(
    f"linear_cross_entropy_directional({LAYER}, {ALONG}, {TARGET}, {OPTIONS}) -> Tensor",
    LayerCall,
    _linear_directional,
    _linear_directional_fake,
)
FORWARD, LINEAR_FORWARD = _losses_operator.overload, _linear_losses_operator.overload

PASSES = logits_rules.Passes(
    losses=lambda call, options: _losses_operator(call, options, False, False)[0],
    gradient=_gradient_operator,
    product=_product_operator,
)
LAYER_PASSES = layer_rules.LayerPasses(
    losses=lambda call, options: _linear_losses_operator(call, options, False, False, False, False)[0],
    gradient=lambda call, options, wanted: _grads(_linear_gradient_operator(call, options, *wanted), wanted),
    product=lambda call, options, wanted: _grads(_linear_product_operator(call, options, *wanted), wanted),
    directional=_linear_directional_operator,
)


def _of_losses(at: _Backward[RowsCall]) -> Slopes:
    upstream, known = at.upstream[0], None
    if at.flags[0]:
        (kept,) = at.kept
        known = torch.where(upstream[:, None] == 0, 0.0, kept * upstream.to(kept.dtype)[:, None])
    return logits_rules.losses_backward(at.call, at.options, upstream, at.needed, PASSES, of_logits=known)


def _of_gradient(at: _Backward[RowsCall]) -> Slopes:
    return logits_rules.gradient_backward(at.call, at.options, at.upstream[0], at.needed, PASSES)


def _of_product(at: _Backward[RowsCall]) -> Slopes:
    return logits_rules.product_backward(at.call, at.options, at.upstream[0], at.needed, PASSES)


def _of_linear_losses(at: _Backward[LayerCall]) -> Slopes:
    upstream, known, wanted = at.upstream[0], None, at.flags[:3]
    kept = {name for name, want in zip(LAYER_NAMES, wanted, strict=True) if want}
    if kept and at.needed & set(LAYER_NAMES) <= kept:  # every row has the same upstream gradient
        factor = upstream[:1].sum()
        known = _grads([torch.where(factor == 0, 0.0, part * factor.to(part.dtype)) for part in at.kept], wanted)
    return layer_rules.losses_backward(at.call, at.options, upstream, at.needed, LAYER_PASSES, grads=known)


def _of_linear_gradient(at: _Backward[LayerCall]) -> Slopes:
    along = Direction(*_grads(at.upstream, at.flags))
    return layer_rules.gradient_backward(at.call, at.options, along, at.needed, LAYER_PASSES)


def _of_linear_product(at: _Backward[LayerCall]) -> Slopes:
    along = tuple(_grads(at.upstream, at.flags))
    return layer_rules.product_backward(at.call, at.options, along, at.needed, _wanted(at.flags))


def _of_linear_directional(at: _Backward[LayerCall]) -> Slopes:
    return layer_rules.directional_backward(at.call, at.options, at.upstream[0], at.needed, LAYER_PASSES)


_losses_operator.register(_of_losses, kept=slice(1, 2))
_gradient_operator.register(_of_gradient)
_product_operator.register(_of_product)
_linear_losses_operator.register(_of_linear_losses, kept=slice(1, 4))
_linear_gradient_operator.register(_of_linear_gradient)
_linear_product_operator.register(_of_linear_product)
_linear_directional_operator.register(_of_linear_directional)
