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
import numbers
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, TypeVar

import numpy as np

from luce import _core

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Target = ArrayLike | tuple[ArrayLike, ArrayLike]

Reduction = Literal["mean", "sum", "none"]
OnEmpty = Literal["nan", "zero", "raise"]
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """The options that every cross-entropy of the softmax takes; the defaults are those of :func:`prepare`."""

    weight: ArrayLike | None
    sample_weight: ArrayLike | None
    ignore_index: int | None
    label_smoothing: float
    z_loss: float
    softcap: float | None
    temperature: float
    tail: Literal["uniform"] | None
    reduction: Reduction
    normalizer: float | None
    on_empty: OnEmpty


OPTIONS_DOC = """weight : array_like of shape (V,), optional
        Class weights, finite and not negative: ``t = weight * t``.
    sample_weight : array_like of shape (...), optional
        Row weights, finite and not negative. They multiply the rows' losses and the rows' shares of the mean.
    ignore_index : int or None, default=-100
        Rows whose class index is this count for nothing: loss 0, gradient 0, no share of the mean.
    label_smoothing : float in [0, 1], default=0.0
        ``t = (1 - label_smoothing) * t + label_smoothing / V``, before the class weights.
    z_loss : float >= 0, default=0.0
        Adds ``z_loss * lse**2`` to the loss of each row.
    softcap : float > 0, optional
        Replaces the logits by ``softcap * tanh(logits / softcap)``; a logit of -inf stays -inf.
    temperature : float > 0, default=1.0
        Divides the (soft-capped) logits.
    tail : {"uniform"}, optional
        For a target of (indices, probabilities): spread the mass that a row's probabilities lack to 1 evenly over the
        classes it does not list. By default it is left out.
    reduction : {"mean", "sum", "none"}, default="mean"
        "mean" divides by the sum of ``weight[target] * sample_weight`` over the rows that are not ignored (class
        indices) or by the sum of the sample weights (other targets); "none" gives one loss per row.
    normalizer : float > 0, optional
        What "mean" divides by instead: the count of the whole batch when it is computed in pieces.
    on_empty : {"nan", "zero", "raise"}, default="nan"
        What "mean" gives when there is nothing left to average. The gradient is 0 then.
    n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it."""


def with_options(function: _Function) -> _Function:
    """Show the contract's options in a function's signature and docstring instead of a bare ``**options``."""
    signature = inspect.signature(function)
    options = [p for p in inspect.signature(prepare).parameters.values() if p.kind is p.KEYWORD_ONLY]
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    own.sort(key=lambda p: (p.kind, p.name in ("out", "n_threads")))
    last = next((i for i, p in enumerate(own) if p.name in ("out", "n_threads")), len(own))
    function.__signature__ = signature.replace(parameters=own[:last] + options + own[last:])  # type: ignore[attr-defined]
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
        return 1.0 / self.divisor if self.divisor > 0 else 0.0

    def reduce(self, losses: NDArray[np.float64], dtype: np.dtype[Any]) -> Any:
        """The value of the loss from its rows, rounded once."""
        if self.reduction == "none":
            return losses.reshape(self.shape).astype(dtype)[()]
        total = _core.total(losses) if losses.size != 1 else losses.item()
        if self.divisor > 0:
            return dtype.type(total / self.divisor)
        return dtype.type(0.0 if self.on_empty == "zero" else math.nan)


# ---------------------------------------------------------------------------------------------------------- arrays

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)


def floating(name: str, value: ArrayLike) -> NDArray[Any]:
    """A real floating array; lists, integers and float64 become float64, big-endian data native."""
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype is _FLOAT32 or array.dtype is _FLOAT64:  # a call on one small row is a matter of such shortcuts
        return array
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and size <= 8:
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if kind in "iu":
        return array.astype(np.float64)
    raise TypeError(f"{name}: expected float32, float64, float16 or integers, got dtype {array.dtype}")


def working(array: NDArray[Any]) -> NDArray[Any]:
    """The array in the type that is computed in: float16 is computed in float32."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def matrix(array: NDArray[Any]) -> NDArray[Any]:
    """(..., V) as contiguous (N, V), in the type that is computed in."""
    return contiguous(working(array))


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """(..., V) as contiguous (N, V)."""
    if array.ndim == 2 and array.flags.c_contiguous and array.flags.aligned:
        return array
    if array.ndim != 2:
        array = array.reshape(math.prod(array.shape[:-1]), array.shape[-1])  # -1 would not do for no rows
    return array if array.flags.c_contiguous and array.flags.aligned else np.ascontiguousarray(array)


def check_logits(name: str, value: ArrayLike) -> NDArray[Any]:
    """Logits (..., V) with at least one class."""
    logits = floating(name, value)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"{name}: expected shape (..., V) with at least one class, got {logits.shape}")
    return logits


def like_logits(name: str, value: ArrayLike, logits: NDArray[Any]) -> NDArray[Any]:
    """An array of the logits' shape, as contiguous (N, V) of the type that they are computed in."""
    array = floating(name, value)
    if array.shape != logits.shape:
        raise ValueError(f"{name}: expected the logits' shape {logits.shape}, got {array.shape}")
    return matrix(array.astype(working_dtype(logits.dtype), copy=False))


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float64 for float64, float32 for the others."""
    return dtype if dtype.itemsize == 8 else _FLOAT32


class Output:
    """Where an array of results is computed, and how it reaches the array that the caller gave, if any."""

    def __init__(
        self, out: NDArray[Any] | None, like: NDArray[Any], rows: NDArray[Any], inputs: tuple[Any, ...]
    ) -> None:
        """`rows` are the logits as the kernel reads them; `inputs` all other arrays that it reads."""
        self.rows: NDArray[Any]
        self._out = out
        self._like = like
        if out is None:
            self.rows = np.empty(rows.shape, rows.dtype)
            return
        _check_out(out, like)
        same = out.ctypes.data == rows.ctypes.data
        others = inputs if same else (*inputs, rows)
        if (
            out.dtype != rows.dtype
            or not (out.flags.c_contiguous and out.flags.aligned)
            or any(isinstance(a, np.ndarray) and np.may_share_memory(out, a) for a in others)
        ):
            self.rows = np.empty(rows.shape, rows.dtype)
        else:
            self.rows = out.reshape(rows.shape)
            self._like = self.rows

    def finish(self) -> NDArray[Any]:
        """The caller's array, filled, or a new one of the logits' shape and type."""
        if self._out is None:
            return self.rows.reshape(self._like.shape).astype(self._like.dtype, copy=False)
        if self._like is not self.rows:
            np.copyto(self._out, self.rows.reshape(self._out.shape), casting="same_kind")
        return self._out


def _check_out(out: Any, like: NDArray[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected a NumPy array, got {type(out).__name__}")
    if out.dtype != like.dtype:
        raise TypeError(f"out: expected dtype {like.dtype}, got {out.dtype}")
    if out.shape != like.shape:
        raise ValueError(f"out: expected shape {like.shape}, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out: expected a writeable array, got a read-only one")


# --------------------------------------------------------------------------------------------------------- scalars


def number(name: str, value: Any, wanted: str, good: Callable[[float], bool]) -> float:
    """A finite real number that `good` accepts; `wanted` says which."""
    if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected {wanted}, got {value!r}")
    result = float(value)
    if not (math.isfinite(result) and good(result)):
        raise ValueError(f"{name}: expected {wanted}, got {value!r}")
    return result


def choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """One of a few values."""
    if not any(value is c or (isinstance(value, str) and value == c) for c in choices):
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def threads(n_threads: int | None) -> int | None:
    """A number of threads, or None for the setting."""
    if n_threads is None:
        return None
    try:
        n = operator.index(n_threads)
    except TypeError:
        raise TypeError(f"n_threads: expected a positive integer or None, got {n_threads!r}") from None
    if n < 1 or isinstance(n_threads, bool):
        raise ValueError(f"n_threads: expected a positive integer or None, got {n_threads!r}")
    return min(n, 1 << 16)


def first_bad(array: NDArray[Any]) -> tuple[int, ...] | None:
    """Where the first entry that is negative or not finite stands."""
    at = _core.first_bad_mass(np.ascontiguousarray(array))
    return None if at < 0 else tuple(int(i) for i in np.unravel_index(at, array.shape))


def masses(name: str, value: ArrayLike, shape: tuple[int, ...], dtype: Any, what: str) -> NDArray[Any]:
    """Finite numbers that are not negative, of a given shape, contiguous in a given type."""
    array = floating(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape} ({what}), got {array.shape}")
    array = np.ascontiguousarray(working(array))
    bad = first_bad(array)
    if bad is not None:
        at = ", ".join(map(str, bad))
        raise ValueError(f"{name}: expected finite numbers that are not negative, got {float(array[bad])!r} at [{at}]")
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(array, dtype=dtype)
    if cast.dtype.itemsize < array.dtype.itemsize and not np.isfinite(cast).all():
        at = ", ".join(str(int(i)) for i in np.argwhere(~np.isfinite(cast))[0])
        raise ValueError(f"{name}: too large for the logits' {cast.dtype} at [{at}]")
    return cast


# --------------------------------------------------------------------------------------------------------- targets


def _class_indices(name: str, array: NDArray[Any], classes: int, ignored: int | None) -> tuple[NDArray[np.int64], int]:
    """Indices as contiguous int64, every one in [0, classes) or ignored; how many are not ignored."""
    index = array if array.dtype is _INT64 and array.flags.c_contiguous else np.ascontiguousarray(array, dtype=np.int64)
    bad, counted = _core.check_index(index, classes, ignored)
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        bad = int(np.argmax(array.ravel() >= classes))
    if bad >= 0:
        at = ", ".join(str(int(i)) for i in np.unravel_index(bad, array.shape))
        allowed = "" if ignored is None else f" or ignore_index={ignored}"
        where = f"[{at}]" if array.ndim else ""
        raise IndexError(f"{name}{where} is {array.ravel()[bad]}, expected 0 <= class < {classes}{allowed}")
    return index, counted


def tail_share(index: NDArray[np.int64], value: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """What each class that a row does not list gets of the mass that the row lacks to 1."""
    slots = index.shape[1]
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
    wrong = (missing < -tolerance) | ((rest == 0) & (missing > tolerance))
    if wrong.any():
        row = int(np.argmax(wrong))
        wanted = "at most 1" if missing[row] < 0 else "1, since every class is listed,"
        raise ValueError(
            f'target: with tail="uniform" the probabilities of a row must sum to {wanted} '
            f"but row {row} sums to {float(1.0 - missing[row])!r}"
        )
    # what is within the rounding of the probabilities is no tail: it must not put mass on a class that can't happen
    share: NDArray[np.float64] = np.where(missing > tolerance, missing, 0.0) / np.maximum(rest, 1)
    return share


def is_pair(target: Any) -> bool:
    """Whether a target is (indices, probabilities)."""
    return isinstance(target, tuple) and len(target) == 2


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
) -> Problem:
    """Check a target and the options against logits of a shape (..., V) and a type; nothing is modified."""
    rows_shape, classes = shape[:-1], shape[-1]
    rows = rows_shape[0] if len(rows_shape) == 1 else math.prod(rows_shape)

    smoothing = 0.0
    if type(label_smoothing) is not float or label_smoothing != 0.0:
        smoothing = number("label_smoothing", label_smoothing, "a number in [0, 1]", lambda x: 0 <= x <= 1)
    if type(z_loss) is not float or z_loss != 0.0:
        z_loss = number("z_loss", z_loss, "a finite number >= 0", lambda x: x >= 0)
    cap = 0.0 if softcap is None else number("softcap", softcap, "a finite number > 0 or None", lambda x: x > 0)
    if type(temperature) is not float or temperature != 1.0:
        temperature = number("temperature", temperature, "a finite number > 0", lambda x: x > 0)
    if reduction not in ("mean", "sum", "none"):
        choice("reduction", reduction, ("mean", "sum", "none"))
    if on_empty not in ("nan", "zero", "raise"):
        choice("on_empty", on_empty, ("nan", "zero", "raise"))
    if normalizer is not None:
        normalizer = number("normalizer", normalizer, "a finite number > 0 or None", lambda x: x > 0)
    if ignore_index is not None and type(ignore_index) is not int:
        try:
            ignore_index = operator.index(ignore_index)
        except TypeError:
            raise TypeError(f"ignore_index: expected an integer or None, got {ignore_index!r}") from None
    if ignore_index is not None and not -(2**63) <= ignore_index < 2**63:
        raise ValueError(f"ignore_index: expected an integer of 64 bits, got {ignore_index}")

    slots, index, value, dense, share, ignored = 0, None, None, None, None, None
    counted = rows
    if is_pair(target):
        index, value, share = _pair(target, rows_shape, classes, dtype, tail)
        slots = index.shape[1]
    else:
        if tail is not None:
            choice("tail", tail, ("uniform",))
            raise ValueError('tail: "uniform" goes with a target of (indices, probabilities)')
        given = target if isinstance(target, np.ndarray) else np.asarray(target)
        kind = given.dtype.kind
        if kind in "iu" or (given.size == 0 and given.shape == rows_shape):
            if given.shape != rows_shape:
                hint = "; one-hot rows are a distribution: make them float" if given.shape == shape else ""
                raise ValueError(
                    f"target: class indices for logits {shape} have shape {rows_shape}, got {given.shape}{hint}"
                )
            index, counted = _class_indices("target", given, classes, ignore_index)
            index = index.reshape(rows)
            slots, ignored = 1, ignore_index if counted < rows else None
        elif given.shape == rows_shape and given.shape != shape:
            raise TypeError(f"target: class indices must be integers, got dtype {given.dtype}")
        else:
            dense = masses("target", given, shape, dtype, "a distribution over the logits' classes")
            dense = dense.reshape(rows, classes)

    if weight is not None:
        weight = masses("weight", weight, (classes,), dtype, "one weight per class")
    row_scale = None
    if sample_weight is not None:
        row_scale = masses("sample_weight", sample_weight, rows_shape, np.float64, "one weight per row").reshape(rows)

    divisor = 1.0
    if reduction == "mean":
        divisor = float(counted) if normalizer is None else normalizer
        if normalizer is None and (row_scale is not None or (weight is not None and slots == 1 and value is None)):
            divisor = _mass(index if value is None else None, ignored, weight, row_scale, rows)
        if divisor == 0.0 and on_empty == "raise":
            raise ValueError('nothing is left to average: no rows, or all ignored or of weight 0 (on_empty="raise")')
    elif normalizer is not None:
        raise ValueError(f'normalizer: goes with reduction="mean", got reduction={reduction!r}')

    spread = smoothing / classes
    form = Form(
        slots, index, value, dense, weight, share, row_scale, 1.0 - smoothing, spread, ignored, z_loss, cap, temperature
    )
    return Problem(form, divisor, rows_shape, reduction, on_empty)


def _pair(
    target: Any, rows_shape: tuple[int, ...], classes: int, dtype: np.dtype[Any], tail: str | None
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float64] | None]:
    """A target of (indices, probabilities), each (..., k): contiguous (N, k), and the share of the tail."""
    indices = np.asarray(target[0])
    if indices.dtype.kind not in "iu" and indices.size:
        raise TypeError(f"target: the indices of (indices, probabilities) must be integers, got dtype {indices.dtype}")
    if indices.ndim != len(rows_shape) + 1 or indices.shape[:-1] != rows_shape:
        expected = "(" + ", ".join([*map(str, rows_shape), "k"]) + ")"
        raise ValueError(f"target: the indices of (indices, probabilities) have shape {expected}, got {indices.shape}")
    index, _ = _class_indices("target: indices", indices, classes, None)
    value = masses("target: probabilities", target[1], indices.shape, dtype, "the indices' shape")
    flat = (math.prod(rows_shape), indices.shape[-1])
    index, value = index.reshape(flat), value.reshape(flat)
    choice("tail", tail, (None, "uniform"))
    return index, value, None if tail is None else tail_share(index, value, classes)


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
