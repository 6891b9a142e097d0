"""A call on sets, checked once: its logits, target and options become what kernels take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce.arrays.given import computing_dtype, described, floating, given, narrowed, nonnegative, of_usual_size, working
from luce.contract.error_words import kind_of, misshapen
from luce.contract.form import Form
from luce.contract.options import SetOptions, checked
from luce.contract.reduction import Divided, counts_rows
from luce.rows.core import in_one_piece, total
from luce.sets.sets import Sets
from luce.sets.targets import set_targets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from luce.contract.options import GivenSetOptions

__all__ = ["CheckedCall", "along", "as_sets", "checked_call", "items_of", "set_weights"]


class Slope(NamedTuple):
    """du/dz and d²u/dz² of each item, set after set."""

    first: NDArray[np.float64]
    second: NDArray[np.float64] | None


class CheckedCall(NamedTuple):
    """A checked call: logits set after set as kernels take them, the form of the sets, and how losses are divided.

    With an offset the logits are the u of the contract already, in float64, and `slope` takes derivatives in u back to
    those in the logits.
    """

    sets: Sets
    logits: NDArray[Any]
    form: Form
    divided: Divided
    slope: Slope | None
    dtype: np.dtype[Any]

    def reduce(self, losses: NDArray[np.float64]) -> Any:
        """Return the value of the loss from its sets, rounded once."""
        if self.divided.reduction == "none":
            return losses.astype(self.dtype)
        found = total(losses) if losses.size else 0.0
        if math.isinf(found) and self.divided.divisor > 0 and np.isfinite(losses).all():
            return self.dtype.type(total(losses / self.divided.divisor))  # the sum left the type, the mean need not
        return self.dtype.type(self.divided.value(found))

    def finished(self, items: NDArray[Any]) -> NDArray[Any]:
        """Return a result (items,) in the caller's places and type."""
        return self.sets.scattered(items.astype(self.dtype, copy=False))


def as_sets(value: Any) -> Sets:
    """Return sets; offsets stand for those that they divide items into. A TypeError for anything else."""
    if isinstance(value, Sets):
        return value
    if isinstance(value, (list, tuple)) or hasattr(value, "__array__"):
        return Sets.from_offsets(value)
    raise TypeError(f"sets: expected Sets, or offsets of shape (sets + 1,), got {kind_of(value)}")


def items_of(name: str, value: ArrayLike, sets: Sets) -> NDArray[Any]:
    """Return numbers of the items (items,) in the caller's places, of a floating-point type."""
    array = floating(name, value)
    if array.shape != (sets.n_items,):
        raise misshapen(name, (sets.n_items,), "one number per item of the sets", array.shape)
    return array


def checked_call(logits: ArrayLike, target: ArrayLike, sets: Any, **options: Unpack[GivenSetOptions]) -> CheckedCall:
    """Check logits, a target and the options against sets; nothing is modified."""
    if "weight" in options:
        raise TypeError("weight: sets share no classes, so there are no class weights; sample_weight weighs sets")
    own = checked(SetOptions, options)
    sets = as_sets(sets)
    given_logits = items_of("logits", logits, sets)
    counting = counts_rows(own)
    scale = None if own.sample_weight is None else set_weights(own.sample_weight, sets, counting)
    idle = None if scale is None or scale.all() else scale == 0
    dtype = computing_dtype(given_logits.dtype) if own.offset is None else np.dtype(np.float64)
    found = set_targets(target, own.target_kind, sets, dtype, own.ignore_index, idle)
    count = float(len(sets))
    if found.idle is not None:
        scale = np.where(found.idle, 0.0, 1.0 if scale is None else scale)
        count = float((~found.idle).sum())
    if counting and own.sample_weight is not None and scale is not None:
        count = total(scale) if scale.size else 0.0
    divided = Divided.by(own, count)
    form = Form.of(1, own, found.rows, None, scale)
    z = sets.arranged(given_logits)
    if own.offset is None:
        return CheckedCall(sets, in_one_piece(working(z)), form, divided, None, given_logits.dtype)
    u, slope = _with_offset(z, sets.arranged(_offsets(own.offset, sets)), own)
    return CheckedCall(sets, u, form._replace(softcap=0.0, temperature=1.0), divided, slope, given_logits.dtype)


def along(vector: ArrayLike, call: CheckedCall) -> NDArray[Any]:
    """Return a direction (items,) set after set, in the type that is computed in."""
    array = narrowed("vector", items_of("vector", vector, call.sets), call.logits.dtype)
    return in_one_piece(call.sets.arranged(array), call.logits.dtype)


def set_weights(sample_weight: ArrayLike, sets: Sets, counting: bool) -> NDArray[np.float64]:
    """Return the weights of sets (S,), checked; where they count in the divisor of a mean, of usual size."""
    scale = nonnegative("sample_weight", sample_weight, (len(sets),), np.float64, "one weight per set", boolean=True)
    return of_usual_size(scale) if counting else scale


def _offsets(offset: ArrayLike, sets: Sets) -> NDArray[np.float64]:
    array = given("offset", offset)
    if array.dtype.kind == "b":
        raise TypeError(f"offset: expected numbers, got {described(array)}")
    return items_of("offset", array, sets).astype(np.float64)


def _with_offset(
    z: NDArray[Any], offset: NDArray[np.float64], options: SetOptions
) -> tuple[NDArray[np.float64], Slope | None]:
    """Return u = softcap(z) / temperature + offset, and its derivatives in z where they are not 1 and 0."""
    wide = z.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        if options.softcap is None:
            slope = None if options.temperature == 1 else Slope(np.full(len(z), 1 / options.temperature), None)
            return in_one_piece(wide / options.temperature + offset), slope
        x = wide / options.softcap
        tanh, over_cosh = np.tanh(x), 1 / np.cosh(x)
        capped = np.where(wide == -np.inf, -np.inf, options.softcap * tanh)
        first = over_cosh * over_cosh / options.temperature
        return in_one_piece(capped / options.temperature + offset), Slope(first, -2 * tanh * first / options.softcap)
