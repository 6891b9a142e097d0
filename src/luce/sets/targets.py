"""The targets of sets: the chosen item, 0 and 1, shares or gains; checked, and brought to what kernels take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce.arrays.given import described, floating, given, narrowed, working
from luce.contract.error_words import misshapen
from luce.contract.form import TargetRows
from luce.rows.core import first_bad_mass, in_one_piece

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from luce.contract.options import SetTarget
    from luce.sets.sets import Sets

__all__ = ["SetTargets", "set_targets"]


class SetTargets(NamedTuple):
    """A target set after set, and which sets count for nothing (S,), None if all count."""

    rows: TargetRows
    idle: NDArray[np.bool_] | None


def set_targets(
    target: ArrayLike,
    kind: SetTarget | None,
    sets: Sets,
    dtype: np.dtype[Any],
    ignored: int | None,
    idle: NDArray[np.bool_] | None,
) -> SetTargets:
    """Check a target against the sets that it is of; sets that are idle may hold anything.

    Raises
    ------
    IndexError
        For a chosen item that is none of its set's.
    TypeError
        For a type that the kind of target can't have.
    ValueError
        For a shape that does not fit, a set with no positive item or two, or shares that are negative or not finite.
    """
    array = given("target", target)
    if array.size == 0 and array.dtype.kind == "f" and kind in (None, "chosen") and array.shape == (len(sets),):
        array = array.astype(np.int64)  # an empty list
    kind = kind or _kind(array, sets)
    empty = sets.counts == 0
    if empty.any():
        idle = empty if idle is None else idle | empty
    if kind == "chosen":
        return _chosen(_fitting(array, (len(sets),), "the place of the chosen item in each set"), sets, ignored, idle)
    array = sets.arranged(_fitting(array, (sets.n_items,), "one entry per item"))
    if kind == "one_hot":
        return _one_hot(array, sets, idle)
    shares = _masses(array, kind, sets, dtype, idle)
    return _of_gains(shares, sets, dtype, idle) if kind == "gains" else SetTargets(TargetRows(dense=shares), idle)


def _kind(array: NDArray[Any], sets: Sets) -> SetTarget:
    """Return what a target is by its type and shape; integers that could be either are the sets' chosen items."""
    if array.dtype.kind in "iu":
        return "one_hot" if array.shape == (sets.n_items,) and array.shape != (len(sets),) else "chosen"
    if array.dtype.kind == "b":
        return "one_hot"
    if array.dtype.kind == "f":
        if array.shape == (len(sets),) and array.shape != (sets.n_items,):
            raise TypeError(f"target: the chosen items must be integers, got {described(array)}")
        return "shares"
    raise TypeError(f"target: expected integers, truths or floating-point shares, got {described(array)}")


def _fitting(array: NDArray[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    if array.shape != shape:
        raise misshapen("target", shape, what, array.shape)
    return array


def _chosen(array: NDArray[Any], sets: Sets, ignored: int | None, idle: NDArray[np.bool_] | None) -> SetTargets:
    if array.dtype.kind not in "iu":
        raise TypeError(f"target: the chosen items must be integers, got {described(array)}")
    wide = array.dtype.kind == "u" and array.dtype.itemsize == 8
    index = in_one_piece(array if not wide else np.minimum(array, np.iinfo(np.int64).max), np.int64)
    bad = (index < 0) | (index >= sets.counts)
    if bad.any():
        allowed = idle
        if ignored is not None:
            skipped = array == ignored
            allowed = skipped if idle is None else idle | skipped
        if allowed is not None:
            bad &= ~allowed
            index = np.where(allowed, 0, index)
            idle = allowed
        if bad.any():
            which = int(np.argmax(bad))
            of = int(sets.counts[which])
            beside = "" if ignored is None else f" or ignore_index={ignored}"
            raise IndexError(f"target[{which}] is {int(array[which])}, expected 0 <= item < {of} in this set{beside}")
    elif ignored is not None and ignored >= 0:
        skipped = index == ignored
        idle = skipped if idle is None else idle | skipped
    return SetTargets(TargetRows(indices=index), idle)


def _one_hot(array: NDArray[Any], sets: Sets, idle: NDArray[np.bool_] | None) -> SetTargets:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"target: expected 0 and 1, got {described(array)}")
    of_item = None if idle is None else np.repeat(idle, sets.counts)
    positive = array == 1
    wrong = ~positive & (array != 0)
    if of_item is not None:
        positive, wrong = positive & ~of_item, wrong & ~of_item
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"target: expected 0 and 1, got {array[at].item()!r} in set {_set_of(at, sets)}")
    places = np.flatnonzero(positive)
    owner = np.searchsorted(sets.offsets, places, side="right") - 1
    found = np.bincount(owner, minlength=len(sets))
    missing = found != 1 if idle is None else (found != 1) & ~idle
    if missing.any():
        which = int(np.argmax(missing))
        count = "no positive item" if found[which] == 0 else f"{int(found[which])} positive items"
        remedy = 'target_kind="gains" shares a set among several, and lets one with none count for nothing'
        raise ValueError(f"target: set {which} has {count}, expected one; {remedy}")
    index = np.zeros(len(sets), np.int64)
    index[owner] = places - sets.offsets[owner]
    return SetTargets(TargetRows(indices=index), idle)


def _masses(
    array: NDArray[Any], kind: str, sets: Sets, dtype: np.dtype[Any], idle: NDArray[np.bool_] | None
) -> NDArray[Any]:
    """Return shares or gains that are finite and not negative, in the type that is computed in; 0 in idle sets."""
    array = array.astype(np.float64) if array.dtype.kind == "b" else floating("target", array)
    if idle is not None:
        array = np.where(np.repeat(idle, sets.counts), 0, array)
    array = in_one_piece(working(array))
    bad = first_bad_mass(array)
    if bad >= 0:
        wrong, which = float(array[bad]), _set_of(bad, sets)
        raise ValueError(
            f"target: expected {kind} that are finite and not negative, got {wrong!r} at "
            f"{bad - sets.offsets[which]} in set {which}"
        )
    return array if kind == "gains" else in_one_piece(narrowed("target", array, dtype))


def _of_gains(gains: NDArray[Any], sets: Sets, dtype: np.dtype[Any], idle: NDArray[np.bool_] | None) -> SetTargets:
    """Return each item's part of its set's gains; a set without gains counts for nothing."""
    counts = sets.counts
    full = counts > 0
    largest, total = np.zeros((2, len(sets)))
    if len(gains):
        begins = sets.offsets[:-1][full]
        largest[full] = np.maximum.reduceat(gains, begins)
        scaled = gains / np.repeat(np.where(largest > 0, largest, 1), counts)  # their sum can't leave the type
        total[full] = np.add.reduceat(scaled, begins)
        gains = scaled / np.repeat(np.where(total > 0, total, 1), counts)
    without = total == 0
    if without.any():
        idle = without if idle is None else idle | without
    return SetTargets(TargetRows(dense=in_one_piece(gains.astype(dtype, copy=False))), idle)


def _set_of(item: int, sets: Sets) -> int:
    return int(np.searchsorted(sets.offsets, item, side="right")) - 1
