"""Rows and their weights, checked by scikit-learn; what it refuses is said with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, SupportsFloat

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight, validate_data

from luce.models.inputs.kinds import Array, Features, Labels, Weights

__all__ = ["checked_rows", "checked_weights", "placed"]


FLOATS = [np.float64, np.float32]


def checked_rows(estimator: object, X: Features, *y: Labels, reset: bool, **options: object) -> Any:
    """Return what scikit-learn's `validate_data` makes of X, or of X and y.

    Raises
    ------
    ValueError
        For missing, infinite or masked values, text, names that repeat, with the column and the row; and for whatever
        `validate_data` refuses.
    """
    with placed(X, *y):
        found = validate_data(
            estimator,
            X,
            *y,
            reset=reset,
            accept_sparse=["csr", "csc"],
            accept_large_sparse=True,
            dtype=FLOATS,
            **options,
        )
    return (_aligned(found[0]), *found[1:]) if y else _aligned(found)


def _aligned(X: Any) -> Any:
    """Return dense rows whose numbers stand where their type may stand, which those of packed records need not."""
    return np.require(X, requirements="A") if isinstance(X, np.ndarray) else X


@contextmanager
def placed(X: Features, *y: Labels) -> Iterator[None]:
    """Validate X and y inside: what no row may hold is refused with its column and row, before or afterwards."""
    _refuse_masked("X", X)
    if y and not sparse.issparse(y[0]):
        _refuse_masked("y", y[0])
    names = _names(X)
    _refuse_nat(X, names)
    twice = [f"{name!r} {count} times" for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"X: the names of columns repeat: {', '.join(twice[:5])}")
    try:
        yield
    except ValueError as error:
        place = _place(X, names, str(error))
        if place is None:
            raise
        raise ValueError(place) from error


def checked_weights(sample_weight: Weights, X: Features) -> Array | None:
    """Return row weights as a float64 array, None for None.

    Raises
    ------
    ValueError
        For weights that are no numbers, negative, missing, infinite, of another number than the rows, or of a sum that
        leaves the range of float64.
    """
    if sample_weight is None:
        return None
    _refuse_masked("sample_weight", sample_weight)
    try:
        weights: Array = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ValueError(text if "sample_weight" in text.lower() else f"sample_weight: {text}") from error
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if np.isinf(total):
        raise ValueError(
            f"sample_weight: the sum leaves the range of float64, the largest is {weights.max():.3g}; divide them by it"
        )
    return weights


def _refuse_masked(name: str, values: object) -> None:
    """Raise ValueError for masked values, with the first place."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        first = np.argwhere(np.ma.getmaskarray(values))[0].tolist()
        count = int(np.ma.getmaskarray(values).sum())
        raise ValueError(
            f"{name}: {count} of {values.size} values are masked, the first at {first}; a masked value is missing"
            " (NaN), which no row may have: fill them or drop the rows"
        )


def _refuse_nat(X: Features, names: Sequence[object]) -> None:
    """Refuse times without a value, which would become the number −2⁶³."""
    columns = [X[name] for name in names] if names and hasattr(X, "iloc") and len(set(names)) == len(names) else [X]
    for column, values in enumerate(columns):
        if getattr(getattr(values, "dtype", None), "kind", None) in ("m", "M"):
            places = np.argwhere(np.isnat(np.asarray(values)))
            if len(places):
                at = int(places[0][1]) if places.shape[1] > 1 else column
                raise ValueError(
                    f"X: {_column(at, names)} holds NaT, a missing time, in row {int(places[0][0])}"
                    f" ({len(places)} in all): fill it or drop the row"
                )


def _names(X: Features) -> list[object]:
    """Return the names of the columns of a frame, none of anything else."""
    names = getattr(X, "columns", None)
    return [] if names is None or callable(names) else list(names)


def _place(X: Features, names: Sequence[object], text: str) -> str | None:
    """Return a sentence about the first value that is not finite, or text, where that is what was refused."""
    if not ("could not convert string" in text or "X contains" in text):
        return None
    is_sparse: bool = sparse.issparse(X)
    if is_sparse:
        entries = X.tocoo()
        bad = ~np.isfinite(entries.data)
        places = np.column_stack([entries.row, entries.col])[bad]
        return _not_finite(entries.data[bad], places, names)
    table = np.asarray(X)
    if table.ndim != 2:
        return None
    if table.dtype.kind != "f":
        numbers = np.empty(table.shape)
        for (row, column), value in np.ndenumerate(table):
            number = _number(value)
            if number is None:
                return (
                    f"X: {_column(column, names)} holds {value!r} in row {row}, expected numbers: encode text"
                    " (OneHotEncoder) or drop the column"
                )
            numbers[row, column] = number
        table = numbers
    bad = ~np.isfinite(table)
    return _not_finite(table[bad], np.argwhere(bad), names)


def _number(value: SupportsFloat | str | None) -> float | None:
    """Return a value as a number: NaN for a missing one, None for text, 0 for what else is no number."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        return None if isinstance(value, str) else 0.0


def _not_finite(values: Array, places: Array, names: Sequence[object]) -> str | None:
    """Return a sentence about the first of the values that are not finite, None where there are none."""
    if not len(values):
        return None
    missing = bool(np.isnan(values[0]))
    what = "NaN, a missing value," if missing else "infinity"
    more = f" ({len(values)} such values in all)" if len(values) > 1 else ""
    remedy = "fill it (SimpleImputer) or drop the row" if missing else "cap it or drop the row"
    row, column = places[0].tolist()
    return f"X: {_column(column, names)} holds {what} in row {row}{more}: {remedy}"


def _column(column: int, names: Sequence[object]) -> str:
    """Return what a column is called in an error."""
    return f"column {names[column]!r}" if names else f"column {column}"
