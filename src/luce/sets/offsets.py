"""Where sets begin, from what people have: ids, counts, offsets, columns of lists; every error in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce.arrays.given import described, given
from luce.contract.error_words import kind_of, shown
from luce.rows.core import in_one_piece

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Runs", "integers", "list_column", "offsets_of_counts", "rising", "runs_of"]


class Runs(NamedTuple):
    """The runs of equal ids in a column: where each begins and the last ends (R + 1,), and its id (R,)."""

    offsets: NDArray[np.int64]
    ids: NDArray[Any]


def integers(name: str, value: ArrayLike) -> NDArray[np.int64]:
    """Return a vector of int64, without a copy of one that is; a TypeError or ValueError for anything else."""
    array = given(name, value)
    if array.size == 0 and array.ndim == 1 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # an empty list
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {described(array)}")
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one axis, got shape {array.shape}")
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{name}: expected integers of 64 bits with a sign, got {int(array.max())}")
    return in_one_piece(array, np.int64)


def rising(name: str, offsets: NDArray[np.int64]) -> None:
    """Raise a ValueError unless offsets begin with 0 and never fall."""
    if len(offsets) == 0 or offsets[0] != 0:
        raise ValueError(f"{name}: expected offsets that begin with 0, got {shown(offsets[:1].tolist())}")
    falls = np.flatnonzero(offsets[1:] < offsets[:-1])
    if len(falls):
        at = int(falls[0]) + 1
        before, after = int(offsets[at - 1]), int(offsets[at])
        raise ValueError(f"{name}: expected offsets that never fall, got {before} and then {after} at {at}")


def offsets_of_counts(counts: ArrayLike) -> NDArray[np.int64]:
    """Return the offsets of sets of so many items."""
    number = integers("counts", counts)
    if number.size and number.min() < 0:
        at = int(np.argmax(number < 0))
        raise ValueError(f"counts: expected numbers of items, got {int(number[at])} at {at}")
    offsets = np.zeros(len(number) + 1, np.int64)
    np.cumsum(number, out=offsets[1:])
    return offsets


def runs_of(name: str, ids: Any) -> Runs:
    """Return the runs of equal ids: numbers, texts, dates or whatever NumPy compares; none may be missing."""
    array = given(name, ids)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one id per item (items,), got shape {array.shape}")
    missing = _missing(array)
    if missing is not None and missing.any():
        raise ValueError(f"{name}: the id at {int(np.argmax(missing))} is missing")
    new = np.empty(len(array), bool)
    new[:1] = True
    np.not_equal(array[1:], array[:-1], out=new[1:], casting="unsafe")
    begins = np.flatnonzero(new)
    return Runs(np.append(begins, len(array)).astype(np.int64, copy=False), array[begins])


def _missing(array: NDArray[Any]) -> NDArray[np.bool_] | None:
    if array.dtype.kind == "f":
        return np.asarray(np.isnan(array))
    if array.dtype.kind in "mM":
        return np.asarray(np.isnat(array))
    if array.dtype.kind == "O":  # of None, NaN, pandas' NA and NaT, only the first equals itself
        return np.fromiter((x is None or not _equal(x, x) for x in array), bool, len(array))
    return None


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except TypeError:  # the truth of pandas' NA
        return False


def list_column(column: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the items of a column of lists in one array, and where each list begins.

    A column is one of Arrow (an Array of lists, or a ChunkedArray) or of Polars (a Series). Items and offsets are those
    of the column, without a copy, where it is one whole piece whose offsets have 64 bits.
    """
    if hasattr(column, "to_arrow") and hasattr(column, "explode"):  # Polars
        if str(column.dtype).startswith("Array("):
            raise TypeError("column: expected lists, got arrays of one length; give their table to Sets.from_wide")
        return _polars_lists(column)
    if hasattr(column, "combine_chunks"):  # a ChunkedArray
        column = column.combine_chunks()
    if not (hasattr(column, "offsets") and hasattr(column, "flatten")):
        raise TypeError(f"column: expected a column of lists of Arrow or Polars, got {kind_of(column)}")
    if column.null_count:
        raise ValueError(f"column: {column.null_count} of its lists are missing; fill them with empty lists first")
    offsets = np.asarray(column.offsets)
    if len(offsets) and offsets[0]:
        offsets = offsets - offsets[0]
    return np.asarray(column.flatten()), offsets.astype(np.int64, copy=False)


def _polars_lists(column: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if not str(column.dtype).startswith("List("):
        raise TypeError(f"column: expected a column of lists, got one of {column.dtype}")
    if column.null_count():
        raise ValueError(f"column: {column.null_count()} of its lists are missing; fill them with empty lists first")
    offsets = offsets_of_counts(column.list.len().to_numpy())
    full = column.filter(column.list.len() > 0)  # explode gives a missing item for an empty list
    return full.explode().to_numpy(), offsets
