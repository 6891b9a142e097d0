"""Passes over the rows of a last layer z = x Wᵀ + b: the logits exist only a chunk of rows at a time.

With G = scale·∂ℓ/∂z and a direction (x', W', b'), whose logits are z' = x' Wᵀ + x W'ᵀ + b':

    dx = G W,  dW = Gᵀ x,  db = Gᵀ 1
    d'x = (H z') W + G W',  d'W = (H z')ᵀ x + Gᵀ x',  d'b = (H z')ᵀ 1

Nothing here knows about autograd. Rows that count for nothing are left out of the products on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.rows.chunks import even_chunks
from luce.rows.formulas import Target
from luce.torch import kernels, tensors
from luce.torch.layer.gradient_filter import BlockFilter, add_products
from luce.torch.layer.matmul import multiply
from luce.torch.tensors import computing_dtype, empty, formulas, row_dtype

__all__ = [
    "Direction",
    "Grads",
    "Layer",
    "Wanted",
    "chunks",
    "directional",
    "forward",
    "product",
    "row_slices",
]


WORKSPACE = 108 << 20  # bytes for chunks of logits; a BLAS packs matrices into 10 to 30 MiB of its own
CACHED, ENOUGH = 4 << 20, 1024  # bytes that stay in a cache, where they hold rows enough for fast products


class Layer(NamedTuple):
    """A linear layer on rows: x (N, D), W (V, D) and b (V,)."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None

    def logits(self, out: Tensor | None = None) -> Tensor:
        """Return x Wᵀ + b."""
        if out is None:
            return torch.nn.functional.linear(self.input, self.weight, self.bias)
        return multiply(self.input, self.weight.t(), out, plus=self.bias)


class Direction(NamedTuple):
    """A direction in a layer: x' (N, D), W' (V, D) and b' (V,), None for parts that stay."""

    input: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


class Grads(NamedTuple):
    """Derivatives in x, W and b, None for those that were not asked for."""

    input: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


Wanted = tuple[bool, bool, bool]


class _Gathered:
    """The derivatives in x, W and b that are wanted, gathered from chunks of rows.

    The bias's are summed in the type that is computed in.
    """

    def __init__(self, layer: Layer, wanted: Wanted) -> None:
        x, weight, _ = layer
        self.input = empty(x.shape, x, zero=True) if wanted[0] else None
        self.weight = empty(weight.shape, weight) if wanted[1] else None
        self.bias = weight.new_zeros(weight.shape[0], dtype=computing_dtype(weight.dtype)) if wanted[2] else None
        self._dtype = weight.dtype
        self._weight_is_empty = True

    def put_input(self, part: slice | Tensor, slope: Tensor, weight: Tensor, *, add: bool = False) -> None:
        """Write slope·weight into the rows of a part of the input's, or add it to them."""
        if self.input is None:
            return
        if isinstance(part, slice):
            rows = self.input[part]
            multiply(slope, weight, rows, plus=rows if add else None)
        elif add:
            self.input.index_add_(0, part, slope @ weight)
        else:
            self.input.index_copy_(0, part, slope @ weight)

    def add_weight(self, slope: Tensor, x: Tensor) -> None:
        """Add slopeᵀ x to the weight's."""
        if self.weight is None:
            return
        multiply(slope.t(), x, self.weight, plus=None if self._weight_is_empty else self.weight)
        self._weight_is_empty = False

    def weight_so_far(self) -> Tensor | None:
        """Return the sum of the weight's so far, to be added to."""
        if self.weight is not None and self._weight_is_empty:
            self.weight.zero_()
            self._weight_is_empty = False
        return self.weight

    def add_bias(self, slope: Tensor) -> None:
        """Add slopeᵀ 1 to the bias's."""
        if self.bias is not None:
            self.bias += slope.sum(0, dtype=self.bias.dtype)

    def finish(self) -> Grads:
        """Return the derivatives in the layer's types."""
        return Grads(self.input, self.weight_so_far(), None if self.bias is None else self.bias.to(self._dtype))


def forward(
    layer: Layer,
    target: Target,
    scale: Tensor,
    options: RowOptions,
    wanted: Wanted,
    *,
    with_statistics: bool = False,
) -> tuple[kernels.Rows, Grads, Tensor]:
    """Return the rows' scaled losses and statistics, the gradients that are wanted, and what they leave out.

    With a tolerance they leave out the smallest blocks of G whose norms make up that share of it at most, chunk by
    chunk; the last result bounds the norm of all that is left out.
    """
    x, with_gradient = layer.input, any(wanted)
    loss = torch.zeros(x.shape[0], dtype=row_dtype(x.device), device=x.device)
    stats = (torch.empty_like(loss), torch.empty_like(loss), torch.empty_like(loss, dtype=torch.int64))
    gathered, blocks = _Gathered(layer, wanted), BlockFilter(options.tolerance, x)
    for part, chunk, buffer in _chunks(layer, target, scale, options, 1, with_statistics):
        z = chunk.logits(out=buffer[0])
        found = kernels.forward(
            z,
            target.rows(part),
            scale[part],
            options,
            with_gradient=with_gradient,
            with_statistics=with_statistics,
            out=z if with_gradient else None,
        )
        loss[part] = found.loss
        if with_statistics:
            for whole, piece in zip(stats, found[2:], strict=True):
                assert piece is not None
                whole[part] = piece
        if with_gradient:
            inputs = chunk.input
            if with_statistics and wanted[1]:  # every row is here
                inputs = _counting(inputs, target.rows(part), scale[part], options)
            _gather_gradients(gathered, part, z, Layer(inputs, *layer[1:]), blocks)
    rows = kernels.Rows(loss, None, *(stats if with_statistics else (None, None, None)))
    return rows, gathered.finish(), blocks.left_out.sqrt()


def _gather_gradients(
    gathered: _Gathered, part: slice | Tensor, slope: Tensor, layer: Layer, blocks: BlockFilter
) -> None:
    """Gather the gradients of some rows, of the blocks that count alone if there is a tolerance."""
    gathered.add_bias(slope)
    kept = blocks.choose(slope) if blocks.tolerance else None
    if kept is not None:
        add_products(slope, kept, layer.input, layer.weight, gathered.input, part, gathered.weight_so_far())
        return
    gathered.put_input(part, slope, layer.weight)
    gathered.add_weight(slope, layer.input)


def product(
    layer: Layer, target: Target, scale: Tensor, options: RowOptions, along: Direction, wanted: Wanted
) -> Grads:
    """Return the Hessian of the summed losses times a direction, the parts that are wanted."""
    gathered = _Gathered(layer, wanted)
    with_gradient = along.input is not None or along.weight is not None
    for part, chunk, buffer in _chunks(layer, target, scale, options, 2):
        z = chunk.logits(out=buffer[0])
        some = _of_rows(along, part)
        if some.input is not None:
            some = some._replace(input=_counting(some.input, target.rows(part), scale[part], options))
        moved = _logits_along(chunk, some, buffer[1])
        # H z' takes the place of z', and the gradient that of the logits
        kernels.product(
            z, target.rows(part), scale[part], moved, options, out=moved, gradient_out=z if with_gradient else None
        )
        gathered.put_input(part, moved, layer.weight)
        if along.weight is not None:
            gathered.put_input(part, z, along.weight, add=True)
        gathered.add_weight(moved, chunk.input)
        if some.input is not None:
            gathered.add_weight(z, some.input)
        gathered.add_bias(moved)
    return gathered.finish()


def directional(layer: Layer, target: Target, scale: Tensor, options: RowOptions, along: Direction) -> Tensor:
    """Return scale·⟨∂ℓ/∂z, z'⟩ (N,): how fast each row's loss grows in a direction."""
    growth = torch.zeros_like(scale)
    for part, chunk, buffer in _chunks(layer, target, scale, options, 2):
        z = chunk.logits(out=buffer[0])
        moved = _logits_along(chunk, _of_rows(along, part), buffer[1])
        kernels.forward(z, target.rows(part), scale[part], options, with_gradient=True, out=z)
        growth[part] = torch.bmm(z[:, None, :], moved[:, :, None])[:, 0, 0].to(growth.dtype)
    return formulas.without_nan(growth, scale)


def _logits_along(layer: Layer, along: Direction, out: Tensor) -> Tensor:
    """Write x' Wᵀ + x W'ᵀ + b'."""
    x, weight, _ = layer
    if along.input is not None:
        multiply(along.input, weight.t(), out)
    else:
        out.zero_()
    if along.weight is not None:
        multiply(x, along.weight.t(), out, plus=out)
    if along.bias is not None:
        out += along.bias
    return out


def _chunks(
    layer: Layer, target: Target, scale: Tensor, options: RowOptions, buffers: int, every_row: bool = False
) -> Iterator[tuple[slice | Tensor, Layer, tuple[Tensor, ...]]]:
    """Yield rows, the layer of these rows, and buffers of their logits' shape.

    Rows are a slice, or places where some count for nothing.
    """
    x, weight, bias = layer
    classes = weight.shape[0]
    live = _live(x, target, scale, options) if not every_row else None
    count = x.shape[0] if live is None else live.shape[0]
    held: list[Tensor] = []
    for chunk in chunks(count, buffers * classes * x.element_size()):
        size = chunk.stop - chunk.start
        held = held or [empty((size, classes), x) for _ in range(buffers)]
        part = chunk if live is None else live[chunk]
        inputs = x[part]
        if live is None and not every_row:
            inputs = _counting(inputs, target.rows(part), scale[part], options)
        yield part, Layer(inputs, weight, bias), tuple(buffer[:size] for buffer in held)


def chunks(rows: int, width: int) -> Iterator[slice]:
    """Yield the rows whose logits, of `width` bytes a row, are held together."""
    return even_chunks(rows, width, CACHED if ENOUGH * width <= CACHED else WORKSPACE)


def row_slices(layer: Layer) -> Iterator[slice]:
    """Yield the rows whose logits, and a few arrays like them, fit the workspace."""
    return even_chunks(layer.input.shape[0], 8 * layer.weight.shape[0] * layer.input.element_size(), WORKSPACE)


def _live(x: Tensor, target: Target, scale: Tensor, options: RowOptions) -> Tensor | None:
    """Return the places of the rows that count, None for all; off the CPU that would wait for the device."""
    dropped = kernels.dropped(target, scale, options) if tensors.compiled(x) else None
    if dropped is None or not bool(dropped.any()):
        return None
    return (~dropped).nonzero()[:, 0]


def _counting(x: Tensor, target: Target, scale: Tensor, options: RowOptions) -> Tensor:
    """Return rows x with zeros in those that count for nothing: the 0 of their gradient must not meet a NaN."""
    dropped = kernels.dropped(target, scale, options)
    if dropped is None or (tensors.compiled(x) and not bool(dropped.any())):
        return x
    return torch.where(dropped[:, None], 0.0, x)


def _of_rows(along: Direction, part: slice | Tensor) -> Direction:
    """Return the direction of some rows."""
    return along._replace(input=None if along.input is None else along.input[part])
