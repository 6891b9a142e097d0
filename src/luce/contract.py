"""The loss contract: options and targets, checked once and turned into the effective form that the kernels take.

Notation (N rows, V classes, z the logits)::

    u = softcap(z) / temperature        softcap(z) = cap * tanh(z / cap)
    lse = log sum_j exp(u_j)            p = exp(u - lse)
    t = w * ((1 - eps) * given + eps / V)                          the effective target, alpha = sum_j t_j
    l = alpha * lse - <t, u> + zeta * lse**2                       the loss of a row
    L = sum_i r_i l_i / D                                          r: sample weights, D: the normaliser

Below this module every value is valid: the kernels check nothing.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from luce import _core
from luce.arrays import described, floating, given, masses, misshapen, squeezing
from luce.options import (
    OPTIONS_DOC,
    check_normalizer,
    check_tail,
    choice,
    class_to_ignore,
    no_option,
    nothing_left,
    number,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from luce.options import OnEmpty, Reduction

    Target = ArrayLike | tuple[ArrayLike, ArrayLike]

DISTRIBUTION = "a distribution over the logits' classes; or a tuple of indices and probabilities"
INDICES = "the indices of (indices, probabilities)"
_INT64 = np.dtype(np.int64)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def with_options(function: _Function) -> _Function:
    """Show the contract's options in a function's signature and docstring instead of a bare ``**options``."""
    signature = inspect.signature(function)
    options = [p for p in inspect.signature(prepare).parameters.values() if p.kind is p.KEYWORD_ONLY]
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    own.sort(key=lambda p: (p.kind, p.name in ("out", "n_threads")))
    last = next((i for i, p in enumerate(own) if p.name in ("out", "n_threads")), len(own))
    shown = signature.replace(parameters=own[:last] + options + own[last:])
    function.__signature__ = shown  # type: ignore[attr-defined]
    if function.__doc__:
        function.__doc__ = function.__doc__.replace("{options}", OPTIONS_DOC)
    return function


class Form(NamedTuple):
    """The effective target and everything else that shapes a row's loss, as the kernels take it (``Job`` in C++)."""

    slots: int
    indices: NDArray[np.int64] | None
    value: NDArray[Any] | None
    dense: NDArray[Any] | None
    weight: NDArray[Any] | None
    tail: NDArray[np.float64] | None
    row_scale: NDArray[np.float64] | None
    keep: float
    smooth: float
    ignored: int | None
    z_loss: float
    softcap: float
    temperature: float

    def rows(self, begin: int, end: int) -> Form:
        """The form of rows [begin, end)."""
        cut = {name: part[begin:end] for name in _ROW_PARTS if (part := getattr(self, name)) is not None}
        return self._replace(**cut)

    def dropped(self) -> NDArray[np.bool_] | None:
        """Which rows count for nothing, whatever they hold; None if the form has no such rows (so in C++, too)."""
        found = None if self.row_scale is None else self.row_scale == 0
        if self.indices is None or self.value is not None:
            return found
        if self.ignored is not None:
            ignored = self.indices == self.ignored
            found = ignored if found is None else found | ignored
        if self.weight is not None and self.smooth == 0 and self.z_loss == 0:
            live = self.indices if found is None else np.where(found, 0, self.indices)
            weightless = self.weight[live] == 0
            found = weightless if found is None else found | weightless
        return found


_ROW_PARTS = ("indices", "value", "dense", "tail", "row_scale")


class Problem(NamedTuple):
    """A checked call: its form, what the sum of its losses is divided by, and how the result is shaped."""

    form: Form
    divisor: float
    shape: tuple[int, ...]
    reduction: Reduction
    on_empty: OnEmpty

    @property
    def factor(self) -> float:
        """What scales the derivatives; 0 where nothing is left to average."""
        return min(1.0 / self.divisor, sys.float_info.max) if self.divisor > 0 else 0.0

    def reduce(self, losses: NDArray[np.float64], dtype: np.dtype[Any]) -> Any:
        """The value of the loss from its rows, rounded once."""
        if self.reduction == "none":
            return losses.reshape(self.shape).astype(dtype)[()]
        total = _core.total(losses) if losses.size != 1 else losses.item()
        if self.divisor > 0:
            if math.isinf(total) and np.isfinite(losses).all():  # the sum left the type, the mean need not
                return dtype.type(_core.total(losses / self.divisor))
            return dtype.type(total / self.divisor)
        return dtype.type(0.0 if self.on_empty == "zero" else math.nan)


# --------------------------------------------------------------------------------------------------------- targets


def class_indices(
    name: str,
    array: NDArray[Any],
    classes: int,
    ignored: int | None,
    *,
    first: int = 0,
    dropped: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Indices as contiguous int64, every one in [0, classes) or ignored; how many are not ignored.

    `first` is where the user's last axis begins to be looked at. Rows that are dropped may hold anything; they get
    class 0.
    """
    if dropped is not None:
        array = array.copy()
        array[dropped] = 0
    index = array if array.dtype is _INT64 and array.flags.c_contiguous else np.ascontiguousarray(array, dtype=np.int64)
    bad, counted = _core.check_index(index, classes, ignored)
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        bad = int(np.argmax(array.ravel() >= classes))
    if bad >= 0:
        place = [int(i) for i in np.unravel_index(bad, array.shape)]
        if first:
            place[-1] += first
        raise out_of_range(name, place, int(array.ravel()[bad]), classes, ignored)
    return index, counted


def out_of_range(name: str, place: Sequence[int], index: int, classes: int, ignored: int | None) -> IndexError:
    """The error for a class index that is no class."""
    where = f"[{', '.join(map(str, place))}]" if len(place) else ""
    allowed = "" if ignored is None else f" or ignore_index={ignored}"
    return IndexError(f"{name}{where} is {index}, expected 0 <= class < {classes}{allowed}")


def no_integers(what: str, got: str) -> TypeError:
    """The error for class indices of another type."""
    return TypeError(f"target: {what} must be integers, got {got}")


def no_target(got: str) -> TypeError:
    """The error for a target that is neither class indices nor probabilities."""
    return TypeError(f"target: expected integers or floating-point probabilities, got {got}")


def check_classes_shape(got: tuple[int, ...], rows: tuple[int, ...], logits: tuple[int, ...]) -> None:
    """Raise a ValueError unless class indices have the shape of the rows of logits."""
    if got == rows:
        return
    hint = squeezing(got, rows)
    if got == logits and not hint:
        hint = "; one-hot rows are a distribution: make them float"
    raise ValueError(f"target: class indices for logits {logits} have shape {rows}, got {got}{hint}")


def check_pair_shapes(indices: tuple[int, ...], probabilities: tuple[int, ...], rows: tuple[int, ...]) -> None:
    """Raise a ValueError unless indices and probabilities are (..., k) for rows (...)."""
    if len(indices) != len(rows) + 1 or indices[:-1] != rows:
        expected = "(" + ", ".join([*map(str, rows), "k"]) + ")"
        raise ValueError(f"target: {INDICES} have shape {expected}, got {indices}")
    if probabilities != indices:
        raise misshapen("target: probabilities", indices, "the indices' shape", probabilities)


def check_layer_shapes(x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None) -> None:
    """Raise a ValueError unless input (..., D), weight (V, ..., D) and bias (V, ...) make a linear layer."""
    if not x:
        raise ValueError("input: expected shape (..., D), got ()")
    if len(weight) < 2 or weight[0] == 0:
        raise ValueError(f"linear_weight: expected shape (V, D) with at least one class, got {weight}")
    if x[-1] != weight[-1]:
        raise ValueError(f"input: expected (..., {weight[-1]}) to go with linear_weight {weight}, got {x}")
    if bias is not None and bias != weight[:-1]:
        raise misshapen("linear_bias", weight[:-1], f"to go with linear_weight {weight}", bias)


def tail_share(
    index: NDArray[np.int64],
    value: NDArray[Any],
    classes: int,
    row_scale: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """What each class that a row does not list gets of the mass that the row lacks to 1; 0 in rows of scale 0."""
    slots = index.shape[1]
    dropped = np.zeros(len(index), bool) if row_scale is None else row_scale == 0
    if dropped.any():
        index, value = index.copy(), value.copy()
        index[dropped] = value[dropped] = 0
    missing = np.ones(len(value))
    lost = np.zeros(len(value))  # compensated (Knuth's two-sum): the tail is small where nearly all mass is listed
    for listed in value.T.astype(np.float64, copy=False):
        left = missing - listed
        back = left - missing
        lost += (missing - (left - back)) - (listed + back)
        missing = left
    missing += lost
    tolerance = 4 * max(slots, 1) * float(np.finfo(value.dtype).eps)
    order = np.sort(index, axis=1)
    distinct = (np.diff(order, axis=1) != 0).sum(axis=1) + 1 if slots else np.zeros(len(index), np.int64)
    rest = classes - distinct
    wrong = ((missing < -tolerance) | ((rest == 0) & (missing > tolerance))) & ~dropped
    if wrong.any():
        row = int(np.argmax(wrong))
        wanted = "at most 1" if missing[row] < 0 else "1, since every class is listed,"
        raise ValueError(
            f'target: with tail="uniform" the probabilities of a row must sum to {wanted} '
            f"but row {row} sums to {float(1.0 - missing[row])!r}"
        )
    # what is within the rounding of the probabilities is no tail: it must not put mass on a class that can't happen
    spread = (missing > tolerance) & ~dropped
    share: NDArray[np.float64] = np.where(spread, missing, 0.0) / np.maximum(rest, 1)
    return share


def is_pair(target: Any) -> bool:
    """Whether a target is (indices, probabilities); a tuple of two plain numbers holds the classes of two rows."""
    if not (isinstance(target, tuple) and len(target) == 2):
        return False
    return not all(isinstance(part, (int, np.integer)) for part in target)


def prepare(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    target: Target,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    tail: Literal["uniform"] | None = None,
    reduction: Reduction = "mean",
    normalizer: float | None = None,
    on_empty: OnEmpty = "nan",
    **unknown: Any,
) -> Problem:
    """Check a target and the options against logits of a shape (..., V) and a type; nothing is modified."""
    rows_shape, classes = shape[:-1], shape[-1]
    rows = rows_shape[0] if len(rows_shape) == 1 else math.prod(rows_shape)

    if unknown:
        raise no_option(next(iter(unknown)))
    smoothing = 0.0
    if type(label_smoothing) is not float or label_smoothing != 0.0:
        smoothing = number("label_smoothing", label_smoothing)
    if type(z_loss) is not float or z_loss != 0.0:
        z_loss = number("z_loss", z_loss)
    cap = 0.0 if softcap is None else number("softcap", softcap)
    if type(temperature) is not float or temperature != 1.0:
        temperature = number("temperature", temperature)
    choice("reduction", reduction)
    choice("on_empty", on_empty)
    if normalizer is not None:
        normalizer = number("normalizer", normalizer)
        check_normalizer(normalizer, reduction)
    ignore_index = class_to_ignore(ignore_index)
    row_scale = None
    if sample_weight is not None:
        row_scale = masses("sample_weight", sample_weight, rows_shape, np.float64, "one weight per row", boolean=True)
        row_scale = row_scale.reshape(rows)
        if reduction == "mean" and normalizer is None:
            row_scale = of_usual_size(row_scale)
    dropped = None if row_scale is None or row_scale.all() else (row_scale == 0).reshape(rows_shape)

    slots, index, value, dense, share, ignored = 0, None, None, None, None, None
    counted = rows
    if is_pair(target):
        index, value, share = _pair(target, rows_shape, classes, dtype, tail, row_scale)
        slots = index.shape[1]
    else:
        check_tail(tail, pair=False)
        array = given("target", target)
        kind = array.dtype.kind
        if kind in "iu" or (array.size == 0 and array.shape == rows_shape):
            check_classes_shape(array.shape, rows_shape, shape)
            index, counted = class_indices("target", array, classes, ignore_index, dropped=dropped)
            index = index.reshape(rows)
            slots, ignored = 1, ignore_index if counted < rows else None
        elif array.shape == rows_shape and array.shape != shape:
            raise no_integers("class indices", described(array))
        elif kind != "f":
            raise no_target(described(array))
        else:
            dense = masses("target", array, shape, dtype, DISTRIBUTION, row_scale=row_scale)
            dense = dense.reshape(rows, classes)

    if weight is not None:
        weight = masses("weight", weight, (classes,), dtype, "one weight per class", boolean=True)
        if index is not None and value is None and reduction == "mean" and normalizer is None and z_loss == 0:
            weight = of_usual_size(weight)

    divisor = 1.0
    if reduction == "mean":
        divisor = float(counted) if normalizer is None else normalizer
        if normalizer is None and (row_scale is not None or (weight is not None and slots == 1 and value is None)):
            divisor = _mass(index if value is None else None, ignored, weight, row_scale, rows)
        if divisor == 0.0 and on_empty == "raise":
            raise nothing_left()

    spread = smoothing / classes
    form = Form(
        slots, index, value, dense, weight, share, row_scale, 1.0 - smoothing, spread, ignored, z_loss, cap, temperature
    )
    return Problem(form, divisor, rows_shape, reduction, on_empty)


def _pair(
    target: Any,
    rows_shape: tuple[int, ...],
    classes: int,
    dtype: np.dtype[Any],
    tail: str | None,
    row_scale: NDArray[np.float64] | None,
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float64] | None]:
    """A target of (indices, probabilities), each (..., k): contiguous (N, k), and the share of the tail."""
    check_tail(tail, pair=True)
    indices, probabilities = given("target: indices", target[0]), floating("target: probabilities", target[1])
    if indices.dtype.kind not in "iu" and indices.size:
        raise no_integers(INDICES, described(indices))
    check_pair_shapes(indices.shape, probabilities.shape, rows_shape)
    dropped = None if row_scale is None else (row_scale == 0).reshape(rows_shape)
    index, _ = class_indices("target: indices", indices, classes, None, dropped=dropped)
    value = masses(
        "target: probabilities", probabilities, indices.shape, dtype, "the indices' shape", row_scale=row_scale
    )
    flat = (math.prod(rows_shape), indices.shape[-1])
    index, value = index.reshape(flat), value.reshape(flat)
    return index, value, None if tail is None else tail_share(index, value, classes, row_scale)


def of_usual_size(weights: NDArray[Any]) -> NDArray[Any]:
    """Weights of a mean over a power of two near the largest, where their sum or its inverse might leave the type."""
    largest = float(weights.max(initial=0.0))
    if largest == 0 or 1e-150 < largest < 1e150:
        return weights
    scaled: NDArray[Any] = np.ldexp(weights, -math.frexp(largest)[1])
    return scaled


def _mass(
    index: NDArray[np.int64] | None,
    ignored: int | None,
    weight: NDArray[Any] | None,
    row_scale: NDArray[np.float64] | None,
    rows: int,
) -> float:
    """The sum of w[y] r over rows that are not ignored; for other targets than indices, of r."""
    mass = np.ones(rows) if row_scale is None else row_scale
    if index is not None:
        flat = index.reshape(-1)
        live = flat != ignored if ignored is not None else np.ones(rows, bool)
        share = mass[live] if weight is None else mass[live] * weight[flat[live]].astype(np.float64)
        mass = np.ascontiguousarray(share)
    return _core.total(mass)
