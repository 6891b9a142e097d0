"""Columns of any type as numbers or as text: which kind each type is, and the values in that form."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from luce.report.facts import Column
from luce.tables.failure import Failure
from luce.tables.names import composed

__all__ = [
    "LAST_DAY",
    "NUMBERS",
    "as_flags",
    "as_number",
    "as_text",
    "converted",
    "kind_of",
    "listed",
    "present",
    "shortened",
    "shown",
]

LARGEST = 1e150  # its square is still a number
NUMBERS = "number", "boolean", "date", "duration"
TEXTS = pl.String, pl.Categorical, pl.Enum
PER_SECOND = {"ms": 1e3, "us": 1e6, "ns": 1e9}
DIGITS = {"1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
DAY = 86_400.0  # seconds
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31 in days since 1970: beyond, dates have no text


def kind_of(dtype: pl.DataType) -> str:
    """Return "number", "boolean", "date", "duration", "text", "empty", or for other types their name."""
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.Duration, pl.Time):
        return "duration"
    if dtype == pl.Null:
        return "empty"
    return "text" if dtype in TEXTS else str(dtype.base_type()).lower()


def present(column: pl.Series) -> pl.Series:
    """Return which values of a column are there: neither null nor NaN."""
    return column.is_not_null() & column.is_not_nan() if column.dtype.is_float() else column.is_not_null()


def as_number(series: pl.Series) -> pl.Series:
    """Return numbers, 0 and 1, days since 1970 or seconds as Float64; infinite values and NaNs as missing."""
    dtype = series.dtype
    if not dtype.is_temporal():
        numbers = series.cast(pl.Float64)
        finite = numbers.is_finite()
        return numbers if finite.all() else numbers.set(~finite, None)  # no copy where none is needed
    unit = 1.0
    if isinstance(dtype, pl.Datetime):
        unit = PER_SECOND[dtype.time_unit] * DAY
    elif isinstance(dtype, pl.Duration):
        unit = PER_SECOND[dtype.time_unit]
    elif dtype == pl.Time:
        unit = PER_SECOND["ns"]
    physical = series.to_physical().cast(pl.Float64).to_numpy()  # Polars would multiply by 1/unit and round twice
    return pl.Series(series.name, physical / unit, nan_to_null=True)


def as_flags(words: pl.Series, more: Mapping[str, float] = {}) -> pl.Series:
    """Return the words true and false in any case, and `more`, as 1 and 0; others as missing."""
    known = {"true": 1.0, "false": 0.0, **more}
    return words.str.strip_chars().str.to_lowercase().replace_strict(known, default=None, return_dtype=pl.Float64)


def as_text(series: pl.Series) -> pl.Series:
    """Return the values as text, whole numbers as such whatever their type: 1, not 1.0; letters composed."""
    text = shown(series)
    if (text.str.len_bytes() != text.str.len_chars()).any():
        spellings = text.unique().drop_nulls().to_list()
        changed = {old: new for old in spellings if (new := composed(old)) != old}
        text = text.replace(list(changed), list(changed.values())) if changed else text
    return text.str.replace(r"^(-?\d+)\.0$", "$1") if series.dtype.is_float() else text


def shown(series: pl.Series) -> pl.Series:
    """Return the values of a column of any type as text, null where they are missing."""
    dtype = series.dtype
    if isinstance(dtype, pl.Duration):
        return series.dt.to_string("polars")
    if dtype in (pl.Date, pl.Datetime):
        days = as_number(series) if dtype == pl.Datetime else series.to_physical()
        odd = ~days.is_between(FIRST_DAY, LAST_DAY)
        numbers = days.cast(pl.String) + " days since 1970"
        return series.set(odd, None).cast(pl.String).zip_with(~odd.fill_null(False), numbers)
    if dtype == pl.Binary:
        return pl.Series(series.name, [None if value is None else repr(value) for value in series], dtype=pl.String)
    if dtype.is_nested() or dtype == pl.Object:
        return pl.Series(series.name, [f"{dtype}"] * len(series), dtype=pl.String)
    return series.cast(pl.String)


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
    data = pl.DataFrame({column.name: _converted(table[column.name], column, source) for column in used})
    for series in data:
        if series.dtype.is_float() and (series.abs() > LARGEST).any():
            example = series.filter(series.abs() > LARGEST)[0]
            raise Failure(f"{source}: column {series.name!r} holds {example:g}; numbers may be {LARGEST:g} at most")
    return data


def _converted(series: pl.Series, column: Column, source: str) -> pl.Series:
    kind = kind_of(series.dtype)
    if column.kind == "text" and kind in (*NUMBERS, "text", "empty"):
        return as_text(series)
    if kind == "empty" or series.null_count() == len(series):
        return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    if kind == column.kind or {kind, column.kind} == {"number", "boolean"}:
        return as_number(series)
    values = series.drop_nulls()
    if kind == "text" and column.kind in ("number", "boolean"):
        words = series.cast(pl.String).str.strip_chars()
        numbers = as_flags(words, DIGITS) if column.kind == "boolean" else words.cast(pl.Float64, strict=False)
        values = series.filter(numbers.is_null() & series.is_not_null())
        if not len(values):
            return as_number(numbers)
    saw = {"text": "text", "date": "dates"}.get(column.kind, f"{column.kind}s")
    example = f" ({shortened(values[:1])})"
    raise Failure(f"{source}: column {column.name!r} holds {kind}{example} where the model saw {saw}")


def shortened(first: pl.Series) -> str:
    """Return the one value of a column, or as much of it as a line has room for."""
    value = shown(first)[0]
    text = repr(value) if kind_of(first.dtype) == "text" else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def listed(names: Collection[str], most: int = 6) -> str:
    """Return the first of many names, and how many more there are."""
    some = ", ".join(repr(name) for name in list(names)[:most])
    return some if len(names) <= most else f"{some} and {len(names) - most} more"
