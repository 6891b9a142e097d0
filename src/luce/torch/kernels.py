"""The rows' losses and derivatives of tensors: by the compiled kernels on the CPU, by `formulas` elsewhere.

Nothing here knows about autograd. Losses are float64 where the device has that; derivatives are of the logits' type,
computed in float32 for 16-bit logits and rounded once. On other devices rows are taken in chunks of some 4 million
logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from luce.contract.form import Form, RowOptions, TargetRows
from luce.contract.targets import INDICES, out_of_range
from luce.rows import core
from luce.rows.chunks import steps
from luce.rows.targets import tail_share
from luce.torch import formulas
from luce.torch.formulas import Target, wide
from luce.torch.threads import threads

__all__ = [
    "Rows",
    "array",
    "batched",
    "compiled",
    "constant",
    "count",
    "dropped",
    "empty",
    "forward",
    "gradient",
    "keeps_digits",
    "plain",
    "product",
    "row_dtype",
    "total",
    "transformed",
]

CHUNK = 2**22  # logits in a chunk on other devices
LARGE = 2**22  # bytes from which on NumPy asks for large pages
ALIGNED = 64  # bytes, as PyTorch's own tensors


class Rows(NamedTuple):
    """What a pass over the rows gives: scale·ℓ (N,), scale·∂ℓ/∂z, log-sum-exp, entropy and the largest class (N,)."""

    loss: Tensor
    gradient: Tensor | None
    logsumexp: Tensor | None
    entropy: Tensor | None
    largest: Tensor | None


def plain(z: Tensor) -> bool:
    """Whether a tensor holds numbers, and no transformation or mode looks on."""
    if torch.compiler.is_compiling():
        return False
    return type(z) in (Tensor, torch.nn.Parameter) and _get_current_dispatch_mode() is None


def compiled(z: Tensor) -> bool:
    """Whether the compiled kernels can read a tensor."""
    return plain(z) and z.device.type == "cpu" and z.layout == torch.strided


def transformed() -> bool:
    """Whether `torch.func` or forward mode looks on, to whom nothing may be hidden from the graph."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def row_dtype(device: torch.device) -> torch.dtype:
    """The type of the rows' losses and scales."""
    return torch.float32 if device.type == "mps" else torch.float64


def empty(shape: Sequence[int], like: Tensor, *, zero: bool = False) -> Tensor:
    """Return a contiguous matrix to be filled, of another tensor's type and device.

    Where it is large, NumPy provides the memory: it asks the system for large pages and PyTorch doesn't. A fresh tensor
    of 250 MiB otherwise costs 64,000 page faults, several times the pass over the rows that fills it.
    """
    size = math.prod(shape) * like.element_size()
    if not compiled(like) or size < LARGE:
        return like.new_zeros(shape) if zero else like.new_empty(shape)
    memory = (np.zeros if zero else np.empty)(size + ALIGNED, np.uint8)
    offset = -memory.ctypes.data % ALIGNED // like.element_size()
    return like.new_empty(0).set_(torch.from_numpy(memory).untyped_storage(), offset, shape, (shape[1], 1))


def forward(
    z: Tensor,
    target: Target,
    scale: Tensor,
    options: RowOptions,
    *,
    with_gradient: bool = False,
    with_statistics: bool = False,
    out: Tensor | None = None,
) -> Rows:
    """Return scale·ℓ and what else is asked for; the gradient in `out`, which may be the logits.

    Raises
    ------
    IndexError
        If a class index is outside [0, V) and not ignored; on the CPU alone, before anything is written.
    """
    if not compiled(z):
        return _forward_elsewhere(z, target, scale, options, with_gradient, with_statistics, out)
    rows, classes = z.shape
    count(target, classes, options)
    logits = array(z)
    form, factor = _form(z, target, scale, options)
    loss = np.empty(rows)
    slope = None
    if with_gradient:
        slope = empty(z.shape, z) if out is None else out
    stats = None
    if with_statistics:
        stats = np.empty(rows), np.empty(rows), np.empty(rows, np.int64)
    core.cross_entropy(
        logits,
        form,
        factor=factor,
        losses=loss,
        grad=None if slope is None else array(slope),
        n_threads=threads(),
        statistics=stats,
        half=_half(z),
    )
    if factor != 1:
        loss *= factor
    found = (None, None, None) if stats is None else map(torch.from_numpy, stats)
    return Rows(torch.from_numpy(loss), slope, *found)


def plain_mean(z: Tensor, index: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor | None] | None:
    """Return the mean loss of rows (N, V) and their classes (N,) and its gradient; None for tensors of another kind.

    These are those of other shapes and types, in other orders in memory, and classes that are ignored or out of range.
    """
    if z.dim() != 2 or z.element_size() < 4 or index.dtype != torch.int64 or z._is_zerotensor():
        return None
    try:
        logits, classes = z.detach().numpy(), index.numpy()
    except (RuntimeError, TypeError):  # what NumPy can't read, as nested tensors and negated views
        return None
    slope = empty(z.shape, z) if with_gradient else None
    grad = None if slope is None else slope.numpy()
    value = core.plain_mean(logits, classes, grad, threads())
    return None if value is None else (z.new_tensor(value), slope)


def gradient(z: Tensor, target: Target, scale: Tensor, options: RowOptions) -> Tensor:
    """Return scale·∂ℓ/∂z (N, V)."""
    if batched(z, *target, scale):
        return cast("Tensor", torch.ops.luce.cross_entropy_gradient(z, *target, scale, *options))
    if not compiled(z):
        return _by_chunks(formulas.gradient, z, target, scale, options)
    slope = empty(z.shape, z)
    form, factor = _form(z, target, scale, options)
    core.cross_entropy(array(z), form, factor=factor, grad=array(slope), n_threads=threads(), half=_half(z))
    return slope


def product(
    z: Tensor,
    target: Target,
    scale: Tensor,
    vector: Tensor,
    options: RowOptions,
    *,
    out: Tensor | None = None,
    gradient_out: Tensor | None = None,
) -> Tensor:
    """Return scale·H·vector (N, V), in `out`, which may be the vector; the gradient too if there is a place for it."""
    if batched(z, *target, scale, vector):
        return cast("Tensor", torch.ops.luce.cross_entropy_product(z, vector, *target, scale, *options))
    vector = vector.to(z.dtype).contiguous()
    if not compiled(z):
        moved = _by_chunks(formulas.product, z, target, scale, options, vector)
        if gradient_out is not None:
            gradient_out.copy_(_by_chunks(formulas.gradient, z, target, scale, options))
        return moved if out is None else out.copy_(moved)
    result = empty(z.shape, z) if out is None else out
    form, factor = _form(z, target, scale, options)
    core.cross_entropy_hvp(
        array(z),
        form,
        array(vector),
        array(result),
        factor=factor,
        grad=None if gradient_out is None else array(gradient_out),
        n_threads=threads(),
        half=_half(z),
    )
    return result


def total(rows: Tensor) -> Tensor:
    """Return the sum of numbers (N,), whose order of addition follows from N alone."""
    if compiled(rows) and rows.dtype == torch.float64 and not (rows.requires_grad or transformed()):
        return rows.new_tensor(core.total(array(rows)))
    step = 4096
    if torch.compiler.is_compiling() or rows.shape[0] <= step:
        return rows.sum()
    whole = rows.shape[0] // step * step
    return rows[:whole].reshape(-1, step).sum(1).sum() + rows[whole:].sum()


def dropped(target: Target, scale: Tensor, options: RowOptions) -> Tensor | None:
    """Return which rows (N,) count for nothing, whatever they hold; None if a glance tells that there are none."""
    found = formulas.weightless(target, options)
    if options.ignored is not None and target.indices is not None and target.value is None:
        ignored = target.indices[:, 0] == options.ignored
        found = ignored if found is None else found | ignored
    if not (constant(scale) and compiled(scale) and float(scale[0]) != 0):
        found = scale == 0 if found is None else found | (scale == 0)
    return found


def keeps_digits(gradient: Tensor, factor: float) -> bool:
    """Whether a gradient times a factor is what it would be if it were computed with the factor, rounded once.

    What was below the smallest number before it is multiplied by more than 1 would be missing, and 16 bits would be
    rounded twice, but for a power of two, which leaves the digits of bfloat16 as they are.
    """
    if not 0 < abs(factor) <= 1:
        return False
    power = math.frexp(factor)[0] in (0.5, -0.5)
    return gradient.element_size() > 2 or (power and gradient.dtype == torch.bfloat16)


def constant(rows: Tensor) -> bool:
    """Whether all rows are one number in memory, as `Tensor.expand` makes them."""
    return rows.stride() == (0,) and rows.shape[0] > 0


def batched(*tensors: Tensor | None) -> bool:
    """Whether `is_grads_batched` is at work, whose batches only operators of PyTorch can be taken apart for."""
    return any(tensor is not None and torch._C._functorch.is_legacy_batchedtensor(tensor) for tensor in tensors)


def _half(z: Tensor) -> Literal["bfloat16", "float16"] | None:
    """Return which type of 16 bits the bits of a tensor are of, if any."""
    if z.element_size() > 2:
        return None
    return "bfloat16" if z.dtype == torch.bfloat16 else "float16"


def array(tensor: Tensor) -> Any:
    """Return a tensor's numbers, contiguous, as NumPy sees them; those of 16 bits as their bits."""
    tensor = tensor.detach().resolve_neg()
    if tensor._is_zerotensor():  # forward mode's zeros, which have no memory
        tensor = tensor.clone()
    tensor = tensor.contiguous()
    return (tensor.view(torch.uint16) if tensor.is_floating_point() and tensor.element_size() == 2 else tensor).numpy()


def count(target: Target, classes: int, options: RowOptions) -> int:
    """Return how many class indices are not ignored, all of them in range; 0 for other targets."""
    if target.indices is None:
        return 0
    ignored = options.ignored if target.value is None else None
    index = array(target.indices)
    bad, counted = core.check_index(index, classes, ignored)
    if bad >= 0:
        row, column = divmod(bad, index.shape[1])
        name, place = ("target", (row,)) if target.value is None else (INDICES, (row, column))
        raise out_of_range(name, place, int(index[row, column]), classes, ignored)
    return counted


def _form(z: Tensor, target: Target, scale: Tensor, options: RowOptions) -> tuple[Form, float]:
    """Return the form of the kernels, and the factor that all rows have in common."""
    dtype, classes = wide(z.dtype), z.shape[1]

    def numbers(tensor: Tensor | None) -> Any:
        return None if tensor is None else array(tensor.to(dtype))

    index = None if target.indices is None else array(target.indices)
    value = numbers(target.value)
    factor = float(scale[0]) if constant(scale) else 1.0
    common = constant(scale) and factor != 0  # a row of weight 0 counts for nothing, which no factor says
    row_scale = None if common else array(scale.to(torch.float64))
    of_classes = index is not None and value is None
    rows = TargetRows(
        index.reshape(-1) if index is not None and value is None else index,
        value,
        numbers(target.dense),
        tail_share(index, value, classes, row_scale) if options.tail and index is not None else None,
        options.ignored if of_classes else None,
    )
    form = Form.of(classes, options, rows, numbers(target.weight), row_scale)
    return form, factor if common else 1.0


def _chunks(z: Tensor) -> list[slice]:
    return list(steps(z.shape[0], max(1, CHUNK // max(1, z.shape[1])))) or [slice(0, 0)]


def _by_chunks(
    function: Callable[..., Tensor], z: Tensor, target: Target, scale: Tensor, options: RowOptions, *others: Tensor
) -> Tensor:
    return torch.cat(
        [
            function(z[part], target.rows(part), scale[part], *(other[part] for other in others), options)
            for part in _chunks(z)
        ]
    )


def _forward_elsewhere(
    z: Tensor,
    target: Target,
    scale: Tensor,
    options: RowOptions,
    with_gradient: bool,
    with_statistics: bool,
    out: Tensor | None,
) -> Rows:
    dtype = row_dtype(z.device)
    parts = _chunks(z)
    loss = torch.cat([formulas.losses(z[part], target.rows(part), scale[part], options).to(dtype) for part in parts])
    loss = torch.where(scale == 0, 0.0, loss * scale)
    stats: tuple[Tensor | None, ...] = (None, None, None)
    if with_statistics:
        found = [formulas.statistics(z[part], options) for part in parts]
        lse, entropy, largest = (torch.cat(of) for of in zip(*found, strict=True))
        stats = (lse.to(dtype), entropy.to(dtype), largest)
    slope = _by_chunks(formulas.gradient, z, target, scale, options) if with_gradient else None
    if slope is not None and out is not None:
        slope = out.copy_(slope)
    return Rows(loss, slope, *stats)
