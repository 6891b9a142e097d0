"""The rows' losses and derivatives of tensors: by the compiled core on the CPU, by the formulas elsewhere.

Nothing here knows about autograd. Losses are float64 where the device has that; derivatives are of the logits' type,
computed in float32 for 16-bit logits and rounded once. On other devices rows are taken in chunks of some 4 million
logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from luce.contract.form import Form, RowOptions, TargetRows
from luce.contract.targets import INDICES, out_of_range
from luce.rows import core
from luce.rows.chunks import steps
from luce.rows.formulas import Target
from luce.rows.targets import tail_share
from luce.torch import tensors
from luce.torch.tensors import array, computing_dtype, constant, empty, formulas, row_dtype
from luce.torch.threads import threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rows", "check_classes", "dropped", "forward", "gradient", "mean_of_indices", "product", "total"]

CHUNK = 2**22  # logits in a chunk on other devices


class Rows(NamedTuple):
    """The results of a pass over rows: scale·ℓ (N,), scale·∂ℓ/∂z, log-sum-exp, entropy and the largest class (N,)."""

    loss: Tensor
    gradient: Tensor | None
    logsumexp: Tensor | None
    entropy: Tensor | None
    largest: Tensor | None


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
    if not tensors.compiled(z):
        return _forward_elsewhere(z, target, scale, options, with_gradient, with_statistics, out)
    rows, classes = z.shape
    check_classes(target, classes, options)
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


def mean_of_indices(z: Tensor, index: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor | None] | None:
    """Return the mean loss of rows (N, V) and their classes (N,) and its gradient; None for tensors of another kind.

    These are those of other shapes and types, in other orders in memory, and classes that are ignored or out of range.
    """
    if z.dim() != 2 or z.element_size() < 4 or index.dtype != torch.int64 or tensors.numberless(z):
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
    if not tensors.compiled(z):
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
    vector = vector.to(z.dtype).contiguous()
    if not tensors.compiled(z):
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
    number = known_total(rows)
    if number is not None:
        return rows.new_tensor(number)
    step = 4096
    if torch.compiler.is_compiling() or rows.shape[0] <= step:
        return rows.sum()
    whole = rows.shape[0] // step * step
    return rows[:whole].reshape(-1, step).sum(1).sum() + rows[whole:].sum()


def known_total(rows: Tensor) -> float | None:
    """Return the same sum as a number, where it can be known now and nothing is to be derived from it."""
    if tensors.compiled(rows) and rows.dtype == torch.float64 and not (rows.requires_grad or tensors.transformed()):
        return core.total(array(rows))
    return None


def dropped(target: Target, scale: Tensor, options: RowOptions) -> Tensor | None:
    """Return which rows (N,) count for nothing, whatever they hold; None if a glance tells that there are none."""
    found = formulas.weightless(target, options)
    if options.ignored is not None and target.indices is not None and target.value is None:
        ignored = target.indices[:, 0] == options.ignored
        found = ignored if found is None else found | ignored
    if not (constant(scale) and tensors.compiled(scale) and float(scale[0]) != 0):
        found = scale == 0 if found is None else found | (scale == 0)
    return found


def _half(z: Tensor) -> Literal["bfloat16", "float16"] | None:
    """Return which type of 16 bits the bits of a tensor are of, if any."""
    if z.element_size() > 2:
        return None
    return "bfloat16" if z.dtype == torch.bfloat16 else "float16"


def check_classes(target: Target, classes: int, options: RowOptions) -> None:
    """Raise an IndexError for a class index that is out of range and not ignored."""
    if target.indices is None:
        return
    ignored = options.ignored if target.value is None else None
    index = array(target.indices)
    bad, _ = core.check_index(index, classes, ignored)
    if bad >= 0:
        row, column = divmod(bad, index.shape[1])
        name, place = ("target", (row,)) if target.value is None else (INDICES, (row, column))
        raise out_of_range(name, place, int(index[row, column]), classes, ignored)


def _form(z: Tensor, target: Target, scale: Tensor, options: RowOptions) -> tuple[Form, float]:
    """Return the form of the kernels, and the factor that all rows have in common."""
    dtype, classes = computing_dtype(z.dtype), z.shape[1]
    factor = float(scale[0]) if constant(scale) else 1.0
    common = constant(scale) and factor != 0  # a row of weight 0 counts for nothing, which no factor says
    row_scale = None if common else array(scale.to(torch.float64))
    weight = None if target.weight is None else array(target.weight.to(dtype))
    rows = _target_rows(target, classes, dtype, row_scale, options)
    return Form.of(classes, options, rows, weight, row_scale), factor if common else 1.0


def _target_rows(
    target: Target,
    classes: int,
    dtype: torch.dtype,
    row_scale: NDArray[np.float64] | None,
    options: RowOptions,
) -> TargetRows:
    """Return a target as the rows of a form, in the type that is computed in."""
    if target.dense is not None:
        return TargetRows(dense=array(target.dense.to(dtype)))
    assert target.indices is not None
    index = array(target.indices)
    if target.value is None:
        return TargetRows(index.reshape(-1), ignored=options.ignored)
    value = array(target.value.to(dtype))
    tail = tail_share(index, value, classes, row_scale) if options.tail else None
    return TargetRows(index, value, tail=tail)


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
