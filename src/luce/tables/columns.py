"""What becomes of each column of a table: the plan, and the conversion to numbers and text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from luce.report.facts import Column
from luce.tables.failure import Failure

__all__ = [
    "MOST_LEVELS",
    "NUMBERS",
    "check_classes",
    "class_values",
    "classes_of",
    "converted",
    "listed",
    "plan",
    "present",
    "rare",
]

MOST_LEVELS = 256  # one-hot columns that one text column may become
LARGEST = 1e150  # its square is still a number
MANY_DISTINCT = 10  # rows from which on "no value twice" tells an identifier
MANY_CLASSES = 1000  # beyond, a target that is mostly distinct is taken for an identifier

NUMBERS = "number", "boolean", "date", "duration"


def plan(table: pl.DataFrame, apart: Collection[str], drop: Collection[str], numbers: Any = None) -> list[Column]:
    """Decide from the whole table, targets and weights `apart`, what is done with each column.

    Numbers, booleans (0 and 1), dates (days) and durations (seconds) are standardised, missing values imputed with the
    median and marked by a column of their own. Text is one-hot encoded, with rare levels pooled. What can't help is
    dropped: constants, empty columns, text that never repeats, integers that count the rows, nested types. `numbers`
    are those of the rows, where the table is a sample of a larger one.
    """
    places = pl.Series(range(len(table)) if numbers is None else numbers)
    return [
        Column(series.name, _kind(series.dtype), "dropped: asked for", used=False)
        if series.name in drop
        else _planned(series, places)
        for series in table
        if series.name not in apart
    ]


def converted(table: pl.DataFrame, columns: Collection[Column], source: str) -> pl.DataFrame:
    """Return the used columns, found by name, as Float64 and String; `source` names the table in errors.

    Raises
    ------
    Failure
        If a column is absent or holds text where the plan has numbers.
    """
    used = [column for column in columns if column.used]
    absent = [column.name for column in used if column.name not in table.columns]
    if absent:
        what = f"column {absent[0]!r}" if len(absent) == 1 else f"{len(absent)} columns ({listed(absent)})"
        raise Failure(f"{source}: {what} of the model not found; the table has {listed(table.columns)}")
    data = pl.DataFrame([_converted(table[column.name], column, source) for column in used])
    for series in data:
        if series.dtype.is_float() and (series.abs() > LARGEST).any():
            example = series.filter(series.abs() > LARGEST)[0]
            raise Failure(f"{source}: column {series.name!r} holds {example:g}; numbers may be {LARGEST:g} at most")
    return data


def present(column: pl.Series) -> pl.Series:
    """Return which values of a column are there: neither null nor NaN."""
    return column.is_not_null() & column.is_not_nan() if column.dtype.is_float() else column.is_not_null()


def classes_of(column: pl.Series, source: str) -> Any:
    """Return the target as an array of integers, booleans or text.

    Raises
    ------
    Failure
        If it holds real numbers, nested values, fewer than two classes, or what looks like an identifier.
    """
    column = class_values(column, source)
    check_classes(
        column.name, column.unique(maintain_order=True).head(2).to_list(), column.n_unique(), len(column), source
    )
    values = column.to_numpy()
    return values.astype(str) if column.dtype == pl.String else values


def class_values(column: pl.Series, source: str) -> pl.Series:
    """Return the target as integers, booleans or text.

    Raises
    ------
    Failure
        If it holds real numbers or nested values.
    """
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    if column.dtype.is_float():
        fractions = column.filter(column != column.round())
        if len(fractions) or not column.is_finite().all():
            example = fractions[0] if len(fractions) else "inf"
            raise Failure(f"{source}: column {column.name!r} holds real numbers ({example}, …), not classes")
        return column.cast(pl.Int64)
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise Failure(f"{source}: column {column.name!r} is of type {column.dtype}, not classes")
    return column if column.dtype.is_integer() or column.dtype == pl.Boolean else column.cast(pl.String)


def check_classes(name: str, some: Sequence[Any], distinct: int, rows: int, source: str) -> None:
    """Raise `Failure` for fewer than two classes, or more than 1000 in fewer than twice as many rows."""
    if distinct > MANY_CLASSES and 2 * distinct > rows:
        raise Failure(
            f"{source}: column {name!r} holds {distinct:,} distinct values in {rows:,} rows: "
            "that looks like an identifier, not classes"
        )
    if distinct < 2:
        what = f"one class only ({some[0]!r})" if some else "no value at all"
        raise Failure(f"{source}: column {name!r} holds {what}; a classifier needs two classes or more")


def rare(rows: int) -> int:
    """Rows below which a level of text counts as rare: a hundredth of the table, at least 2, at most 10."""
    return min(max(rows // 100, 2), 10)


def listed(names: Collection[str], most: int = 6) -> str:
    """Return the first of many names, and how many more there are."""
    shown = ", ".join(repr(name) for name in list(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.Duration, pl.Time):
        return "duration"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else str(dtype).lower()


def _planned(series: pl.Series, places: pl.Series) -> Column:
    name, kind = series.name, _kind(series.dtype)
    if kind not in (*NUMBERS, "text"):
        return Column(name, "empty" if kind == "null" else kind, "dropped: " + _reason(series, kind), used=False)
    values = _as_text(series) if kind == "text" else _as_number(series, kind)
    present = values.drop_nulls()
    missing, distinct = len(values) - len(present), present.n_unique()
    if not len(present):
        return Column(name, kind, "dropped: every value is missing", used=False)
    if distinct == 1 and not missing:
        return Column(name, kind, f"dropped: constant ({_shortened(series[0])})", used=False)
    if kind == "text":
        return _planned_text(name, present, missing, distinct)
    if series.dtype.is_integer() and _counts_rows(values, places):
        return Column(name, kind, f"dropped: counts the rows ({series[0]}, {series[1]}, …)", used=False)
    unit = {"date": "days since 1970, ", "duration": "seconds, ", "boolean": "0 and 1, "}.get(kind, "")
    filled = f"; {missing} missing: median {_number(present.median())} and a mark" if missing else ""
    return Column(name, kind, f"{unit}standardised{filled}")


def _planned_text(name: str, present: pl.Series, missing: int, distinct: int) -> Column:
    if distinct == len(present) >= MANY_DISTINCT:
        return Column(name, "text", f"dropped: no value twice, an identifier ({_shortened(present[0])}, …)", used=False)
    counts = present.value_counts()["count"].sort(descending=True)
    frequent = int((counts >= rare(len(present) + missing)).sum())
    kept = min(frequent, MOST_LEVELS - 1 if distinct > MOST_LEVELS else MOST_LEVELS)
    if not kept and not missing:
        return Column(name, "text", f"dropped: {distinct} levels, none of them frequent", used=False)
    pooled = f"; {distinct - kept} rare ones pooled" if distinct > kept else ""
    absent = f"; missing ({missing}) is a level" if missing else ""
    return Column(name, "text", f"one-hot, {kept} level{'s' if kept != 1 else ''}{pooled}{absent}")


def _counts_rows(values: pl.Series, places: pl.Series) -> bool:
    """Tell whether values run up through the rows, a few left out: 1, 2, 3, 5, …"""
    steps = values.diff().drop_nulls()
    rows = places[-1] - places[0] + 1
    return bool(len(steps) + 1 == len(values) >= MANY_DISTINCT and (steps > 0).all() and steps.sum() <= 1.1 * rows)


def _reason(series: pl.Series, kind: str) -> str:
    return "every value is missing" if kind == "null" else f"values of type {series.dtype} have no order and no levels"


def _converted(series: pl.Series, column: Column, source: str) -> pl.Series:
    kind = _kind(series.dtype)
    if column.kind == "text" and kind in (*NUMBERS, "text", "null"):
        return _as_text(series)
    if kind == "null" or series.null_count() == len(series):
        return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    if kind == column.kind or {kind, column.kind} == {"number", "boolean"}:
        return _as_number(series, kind)
    values = series.drop_nulls()
    if (kind, column.kind) == ("text", "number"):
        numbers = _as_text(series).str.strip_chars().cast(pl.Float64, strict=False)
        values = series.filter(numbers.is_null() & series.is_not_null())
        if not len(values):
            return _as_number(numbers, "number")
    saw = {"text": "text", "date": "dates"}.get(column.kind, f"{column.kind}s")
    example = f" ({_shortened(values[0])})"
    raise Failure(f"{source}: column {column.name!r} holds {kind}{example} where the model saw {saw}")


def _as_text(series: pl.Series) -> pl.Series:
    """Return the column as text, whole numbers as such whatever their type: 1, not 1.0."""
    text = series.cast(pl.String)
    return text.str.replace(r"^(-?\d+)\.0$", "$1") if series.dtype.is_float() else text


def _as_number(series: pl.Series, kind: str) -> pl.Series:
    """Return the column as Float64, its infinite values and NaNs as missing."""
    if kind == "date":
        numbers = series.cast(pl.Datetime("us")).dt.timestamp("us").cast(pl.Float64) / 86_400_000_000
    elif kind == "duration":
        numbers = series.cast(pl.Duration("us")).cast(pl.Int64).cast(pl.Float64) / 1_000_000
    else:
        numbers = series.cast(pl.Float64)
    return numbers.set(~numbers.is_finite(), None)


def _shortened(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _number(value: Any) -> str:
    return f"{value:.4g}"
