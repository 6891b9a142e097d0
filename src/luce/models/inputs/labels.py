"""Labels as people have them, from any library, as one plain array; what is no label is an error with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from luce.models.inputs.kinds import Array, Labels

__all__ = ["as_objects", "check_kind", "plain_labels"]


KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (  # a bool is an int to Python, so it comes first
    ("booleans", (bool, np.bool_)),
    ("numbers", (int, float, np.integer, np.floating, Decimal)),
    ("text", (str,)),
    ("bytes", (bytes,)),
)
MISSING = ("NAType", "NaTType")  # pandas' own, which need not be installed


def plain_labels(y: Labels) -> Any:
    """Return labels as an array of NumPy's own types.

    Parameters
    ----------
    y : (N,) or (N, 1) array-like
        A list, an array, a masked array, or a column of pandas, Polars or Arrow. Nullable integers become int64,
        nullable booleans bool, text of any storage stays text, categories become their values. None, numbers that have
        no length, and sparse matrices are handed back as they are.

    Returns
    -------
    array
        Of booleans, numbers, dates or text, (N,) or (N, 1).

    Raises
    ------
    ValueError
        If a label is missing (None, NaN, NA, NaT, masked), the labels are of several kinds, complex, or numbers that
        are not whole, with the place.
    """
    if y is None or hasattr(y, "tocsr"):
        return y
    values = _as_array(y)
    if values.ndim not in (1, 2) or (values.ndim == 2 and values.shape[1] != 1):
        return values
    shape, values = values.shape, values.ravel()
    missing = np.ma.getmaskarray(values) | _missing(np.ma.getdata(values))
    if missing.any():
        row, count = int(np.argmax(missing)), int(missing.sum())
        what = "masked" if np.ma.getmaskarray(values)[row] else np.ma.getdata(values)[row]
        raise ValueError(
            f"y: {count} of {len(values)} labels {'is' if count == 1 else 'are'} missing, the first in row {row}"
            f" ({what}); None, NaN, NA and NaT are no class: drop such rows, or give them a label"
        )
    values = np.ma.getdata(values)
    values = _of_one_kind(values) if values.dtype == object else values
    _check_numbers(values)
    return values.reshape(shape)


def _check_numbers(values: Array) -> None:
    """Raise ValueError for numbers that name no classes."""
    if values.dtype.kind == "c" and len(values):
        raise ValueError(
            f"y: complex numbers name no classes, got {values[0].item()!r} in row 0: make them text"
            " (Complex data not supported)"
        )
    broken = values != np.trunc(values) if values.dtype.kind == "f" else np.zeros(0, bool)
    if broken.any():
        row = int(np.argmax(broken))
        raise ValueError(  # scikit-learn's checks look for the words in parentheses
            f"y: numbers that are not whole name no classes, got {values[row].item()!r} in row {row} (Unknown label"
            " type: continuous): cut measurements into classes, make codes text, or use a regressor"
        )


def check_kind(labels: Array, classes: Array) -> None:
    """Raise ValueError for labels of text where the classes are numbers, or the other way round."""
    got, wanted = _kind_of(labels), _kind_of(classes)
    if labels.size and got != wanted and "text" in (got, wanted):
        raise ValueError(
            f"y holds {got} ({labels.ravel().tolist()[0]!r} in row 0), the classes are {wanted}: {classes.tolist()}"
        )


def _kind_of(values: Array) -> str:
    names = {"b": "booleans", "i": "numbers", "u": "numbers", "f": "numbers", "U": "text"}
    if values.dtype == object and values.size:
        return _kind(values.flat[0])
    return names.get(values.dtype.kind, str(values.dtype))


def _as_array(y: Labels) -> Array:
    """Return y as an array in which missing labels and types can still be told apart."""
    for method in ("to_pylist", "to_list"):  # of Arrow; of pandas and Polars, whose own types have missing values
        if hasattr(y, method) and not isinstance(getattr(y, "dtype", None), np.dtype):
            y = getattr(y, method)()
            return _column(y)
    if isinstance(y, (list, tuple)):
        found = as_objects(y)
        return found if found.ndim != 1 or _types(found) - {str, np.str_} else np.asarray(y)
    if isinstance(y, np.ma.MaskedArray):
        return y
    if hasattr(y, "columns") and hasattr(y, "to_numpy"):
        return np.asarray(y, object)
    found = np.asarray(y)
    return found.astype(object) if found.dtype.kind == "T" else found  # NumPy's own text of any length


def as_objects(y: Labels) -> Array:
    """Return lists of labels, or of rows of them, as an array of objects; ValueError for rows of different lengths."""
    if not isinstance(y, (list, tuple)):
        return np.asarray(y, object)
    lengths = [len(row) if isinstance(row, (list, tuple, np.ndarray)) and np.ndim(row) else None for row in y]
    other = next((row for row, length in enumerate(lengths) if length != lengths[0]), None)
    if other is None:
        return np.asarray(y, object)
    shown = [f"{y[row]!r} in row {row}" for row in (0, other)]
    raise ValueError(
        f"y: rows of different lengths, {' and '.join(shown)}; y is a label a row, or a table with a column a class"
        " (for several labels a row see sklearn.preprocessing.MultiLabelBinarizer and loss='sigmoid')"
    )


def _column(values: list[Any]) -> Array:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _types(values: Array) -> set[type]:
    return set(map(type, values.tolist()))


def _missing(values: Array) -> Array:
    """Tell which labels are missing."""
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype != object or not _types(values) - {str, int, bool}:
        return np.zeros(len(values), bool)
    return np.array([_is_missing(value) for value in values], bool)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in MISSING:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating, Decimal)) and bool(value != value)


def _kind(value: Any) -> str:
    return next((name for name, types in KINDS if isinstance(value, types)), type(value).__name__)


def _of_one_kind(values: Array) -> Array:
    """Return an array of objects as one of numbers or booleans where it holds these; text stays as it is."""
    kinds = [_kind(value) for value in values]
    other = next((row for row, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise ValueError(
            f"y: labels of one kind are expected, got {kinds[0]} ({values[0]!r} in row 0)"
            f" and {kinds[other]} ({values[other]!r} in row {other}): make them all the same, text say"
        )
    if len(kinds) and kinds[0] in ("booleans", "numbers"):
        values = np.asarray([float(value) if isinstance(value, Decimal) else value for value in values])
    if values.dtype == object and kinds and kinds[0] not in ("text", "bytes"):
        raise ValueError(
            f"y: labels are text, numbers of 64 bits, booleans or NumPy's dates, got {type(values[0]).__name__}"
            f" ({values[0]!r} in row 0): make them text"
        )
    return values
