"""A call with NumPy's arrays, checked once: its target and options become the form that kernels take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce.arrays.given import described, floating, given, nonnegative, of_usual_size
from luce.contract.form import Form, TargetRows
from luce.contract.options import Options, checked
from luce.contract.reduction import Divided, counts_rows
from luce.contract.targets import (
    DISTRIBUTION,
    INDICES,
    PROBABILITIES,
    check_pair,
    check_tail,
    is_pair,
    kind_of_target,
)
from luce.rows.core import total
from luce.rows.targets import class_indices, tail_share

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from luce.contract.options import GivenOptions

    Target = ArrayLike | tuple[ArrayLike, ArrayLike]

__all__ = ["CheckedCall", "checked_call"]


class CheckedCall(NamedTuple):
    """A checked call: the form of its rows, how their losses are divided, and the shape of the rows."""

    form: Form
    divided: Divided
    shape: tuple[int, ...]

    def reduce(self, losses: NDArray[np.float64], dtype: np.dtype[Any]) -> Any:
        """Return the value of the loss from its rows, rounded once."""
        if self.divided.reduction == "none":
            return losses.reshape(self.shape).astype(dtype)[()]
        found = total(losses) if losses.size != 1 else losses.item()
        if math.isinf(found) and self.divided.divisor > 0 and np.isfinite(losses).all():
            return dtype.type(total(losses / self.divided.divisor))  # the sum left the type, the mean need not
        return dtype.type(self.divided.value(found))


def checked_call(
    shape: tuple[int, ...], dtype: np.dtype[Any], target: Target, **options: Unpack[GivenOptions]
) -> CheckedCall:
    """Check a target and the options against logits of a shape (..., V) and a type; nothing is modified."""
    own = checked(Options, options)
    rows_shape, classes = shape[:-1], shape[-1]
    rows = rows_shape[0] if len(rows_shape) == 1 else math.prod(rows_shape)
    counting = counts_rows(own)
    row_scale = None if own.sample_weight is None else _row_scale(own.sample_weight, rows_shape, counting)
    pair = is_pair(target)
    if own.tail is not None:
        check_tail(own.tail, pair=pair)
    if pair:
        found, counted = _pair(target, shape, dtype, own.tail, row_scale), rows
    else:
        found, counted = _single(target, shape, dtype, own.ignore_index, row_scale)
    of_classes = found.indices is not None and not pair

    weight = None
    if own.weight is not None:
        weight = nonnegative("weight", own.weight, (classes,), dtype, "one weight per class", boolean=True)
        if of_classes and counting and own.z_loss == 0:
            weight = of_usual_size(weight)

    form = Form.of(classes, own, found, weight, row_scale)
    count = float(counted)
    if counting and (row_scale is not None or (weight is not None and of_classes)):
        count = _count(form, rows)
    return CheckedCall(form, Divided.by(own, count), rows_shape)


def _row_scale(sample_weight: ArrayLike, shape: tuple[int, ...], counting: bool) -> NDArray[np.float64]:
    """Return the weights of rows (N,); where they count in the divisor of a mean, of usual size."""
    scale = nonnegative("sample_weight", sample_weight, shape, np.float64, "one weight per row", boolean=True)
    scale = scale.reshape(math.prod(shape))
    return of_usual_size(scale) if counting else scale


def _pair(
    target: Any, shape: tuple[int, ...], dtype: np.dtype[Any], tail: str | None, row_scale: NDArray[np.float64] | None
) -> TargetRows:
    """Return a target of (indices, probabilities), each (..., k), as rows."""
    rows_shape, classes = shape[:-1], shape[-1]
    indices, probabilities = given(INDICES, target[0]), floating(PROBABILITIES, target[1])
    kind = indices.dtype.kind if indices.size else "i"  # an empty list is one of integers, too
    check_pair(kind, indices.shape, probabilities.shape, rows_shape, lambda: described(indices))
    idle = None if row_scale is None else (row_scale == 0).reshape(rows_shape)
    index, _ = class_indices(INDICES, indices, classes, None, dropped=idle)
    value = nonnegative(PROBABILITIES, probabilities, indices.shape, dtype, "the indices' shape", row_scale=row_scale)
    flat = (math.prod(rows_shape), indices.shape[-1])
    index, value = index.reshape(flat), value.reshape(flat)
    return TargetRows(index, value, None, None if tail is None else tail_share(index, value, classes, row_scale))


def _single(
    target: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    ignored: int | None,
    row_scale: NDArray[np.float64] | None,
) -> tuple[TargetRows, int]:
    """Return a target of one array, class indices (...) or a distribution (..., V), as rows; how many rows count."""
    rows_shape, classes = shape[:-1], shape[-1]
    array = given("target", target)
    got, kind = array.shape, array.dtype.kind
    if array.size == 0 and got == rows_shape:
        kind = "i"  # an empty list, as above
    if kind_of_target(kind, got, rows_shape, shape, lambda: described(array)) == "classes":
        idle = None if row_scale is None or row_scale.all() else (row_scale == 0).reshape(rows_shape)
        index, counted = class_indices("target", array, classes, ignored, dropped=idle)
        index = index.reshape(-1)
        return TargetRows(index, None, None, None, ignored if counted < len(index) else None), counted
    dense = nonnegative("target", array, shape, dtype, DISTRIBUTION, row_scale=row_scale)
    rows = math.prod(rows_shape)
    return TargetRows(dense=dense.reshape(rows, classes)), rows


def _count(form: Form, rows: int) -> float:
    """Return the sum of w[y] r over rows that are not ignored; for other targets than indices, of r."""
    mass, indices = form.row_scale, form.indices
    if indices is not None and form.value is None:
        if form.ignored is not None:
            live = indices != form.ignored
            indices, mass = indices[live], None if mass is None else mass[live]
        if form.weight is not None:
            each = form.weight[indices].astype(np.float64)
            mass = each if mass is None else mass * each
        rows = len(indices)
    return float(rows) if mass is None else total(mass)
