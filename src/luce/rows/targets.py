"""Targets of rows as arrays: indices that are classes, the share of the tail, and rows that count for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce.contract.targets import out_of_range
from luce.rows.core import check_index, in_one_piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from luce.contract.form import Form

__all__ = ["class_indices", "dropped", "tail_share"]

_INT64 = np.dtype(np.int64)


def class_indices(
    name: str,
    array: NDArray[Any],
    classes: int,
    ignored: int | None,
    *,
    first: int = 0,
    dropped: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], int]:
    """Return indices as contiguous int64, every one in [0, classes) or ignored, and how many are not ignored.

    `first` is where the user's last axis begins to be looked at. Rows that are dropped may hold anything; they get
    class 0.
    """
    if dropped is not None:
        array = array.copy()
        array[dropped] = 0
    signed = array.dtype is _INT64
    index = in_one_piece(array, None if signed else np.int64).reshape(array.shape)  # a class of its own has no axis
    bad, counted = check_index(index, classes, ignored)
    if not signed and array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        bad = int(np.argmax(array.ravel() >= classes))
    if bad >= 0:
        place = [int(i) for i in np.unravel_index(bad, array.shape)]
        if first:
            place[-1] += first
        raise out_of_range(name, place, int(array.ravel()[bad]), classes, ignored)
    return index, counted


def tail_share(
    index: NDArray[np.int64],
    value: NDArray[Any],
    classes: int,
    row_scale: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return each unlisted class's share of the mass 1 − Σ value that a row lacks, (N,); 0 in rows of scale 0."""
    n_listed = index.shape[1]
    idle = np.zeros(len(index), bool) if row_scale is None else row_scale == 0
    if idle.any():
        index, value = index.copy(), value.copy()
        index[idle] = value[idle] = 0
    missing = _missing(value)
    tolerance = 4 * max(n_listed, 1) * float(np.finfo(value.dtype).eps)
    order = np.sort(index, axis=1)
    distinct = (np.diff(order, axis=1) != 0).sum(axis=1) + 1 if n_listed else np.zeros(len(index), np.int64)
    rest = classes - distinct
    wrong = ((missing < -tolerance) | ((rest == 0) & (missing > tolerance))) & ~idle
    if wrong.any():
        row = int(np.argmax(wrong))
        wanted = "at most 1" if missing[row] < 0 else "1, since every class is listed,"
        raise ValueError(
            f'target: with tail="uniform" the probabilities of a row must sum to {wanted} '
            f"but row {row} sums to {float(1.0 - missing[row])!r}"
        )
    # what is within the rounding of the probabilities is no tail: it must not put mass on a class that can't happen
    spread = (missing > tolerance) & ~idle
    share: NDArray[np.float64] = np.where(spread, missing, 0.0) / np.maximum(rest, 1)
    return share


def _missing(value: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 − Σ value of each row, by a compensated sum: the tail is small where nearly all mass is listed."""
    missing, lost = np.ones(len(value)), np.zeros(len(value))
    for listed in value.T.astype(np.float64, copy=False):  # Knuth's two-sum
        left = missing - listed
        back = left - missing
        lost += (missing - (left - back)) - (listed + back)
        missing = left
    missing += lost
    return missing


def dropped(form: Form) -> NDArray[np.bool_] | None:
    """Return which rows count for nothing, whatever they hold; None if the form has no such rows (so in C++, too)."""
    found = None if form.row_scale is None else form.row_scale == 0
    if form.indices is None or form.value is not None:
        return found
    if form.ignored is not None:
        ignored = form.indices == form.ignored
        found = ignored if found is None else found | ignored
    if form.weight is not None and form.background == 0 and form.z_loss == 0:
        live = form.indices if found is None else np.where(found, 0, form.indices)
        weightless = form.weight[live] == 0
        found = weightless if found is None else found | weightless
    return found
