"""What becomes of each column of a table: the plan."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.report.facts import Column
from luce.tables.conversion import LAST_DAY, NUMBERS, as_flags, as_number, as_text, kind_of, shortened
from luce.tables.failure import Failure
from luce.tables.identifiers import MANY_DISTINCT, index_reason, long_codes, tells_the_class
from luce.tables.preparation import MOST_LEVELS, rare

__all__ = ["plan"]

MOST_TOLD = 3  # columns of which an error says what became of them


def plan(
    table: pl.DataFrame,
    source: str,
    *,
    apart: Collection[str] = (),
    drop: Collection[str] = (),
    keep: Collection[str] = (),
    classes: npt.NDArray[np.int64] | None = None,
    numbers: Any = None,
) -> list[Column]:
    """Decide from the whole table what is done with each column.

    Numbers, booleans (0 and 1), dates (days) and durations (seconds) are standardised, missing values imputed with the
    median and marked by a column of their own. Text is one-hot encoded, with rare levels pooled. What can't help is
    dropped: constants, empty columns, text that never repeats, whole numbers that number the rows, nested types.

    Parameters
    ----------
    table : polars.DataFrame
    source : str
        Its name in errors.
    apart : collection of str
        Columns that are no features: targets and weights.
    drop, keep : collection of str
        Columns to drop, and columns that are used though they look like an index or an identifier.
    classes : (rows,) array of int, optional
        Each row's class, by which a column that tells it alone is remarked on.
    numbers : (rows,) array of int, optional
        Those of the rows, where the table is a sample of a larger one.

    Raises
    ------
    Failure
        If a column to keep can't be used, or none is used.
    """
    places = pl.Series(range(len(table)) if numbers is None else numbers)
    columns = []
    for series in table:
        if series.name in apart:
            continue
        if series.name in drop:
            columns.append(Column(series.name, kind_of(series.dtype), "dropped: asked for", used=False))
            continue
        column = _planned(series, places, kept=series.name in keep)
        if series.name in keep and not column.used:
            raise Failure(f"{source}: column {series.name!r} can't be kept, it would be {column.done}")
        columns.append(_remarked(column, series, classes))
    if not any(column.used for column in columns):
        raise Failure(f"{source}: no column left to learn from{_why(columns)}")
    return columns


def _why(columns: Collection[Column]) -> str:
    """Say what became of the first few columns, and how those that look like an index could be used."""
    some = [f"{column.name!r} {column.done}" for column in columns if column.done != "dropped: asked for"]
    more = f"; and {len(some) - MOST_TOLD} more" if len(some) > MOST_TOLD else ""
    remedy = " (--keep uses an index)" if any("rows" in text for text in some) else ""
    return (": " if some else "") + "; ".join(some[:MOST_TOLD]) + more + remedy


def _planned(series: pl.Series, places: pl.Series, *, kept: bool) -> Column:
    name, kind = series.name, kind_of(series.dtype)
    if kind == "empty":
        return Column(name, kind, "dropped: every value is missing", used=False)
    if kind not in (*NUMBERS, "text"):
        return Column(name, kind, f"dropped: values of type {series.dtype} have no order and no levels", used=False)
    values = as_text(series) if kind == "text" else as_number(series)
    if kind == "text" and (flags := as_flags(values)).null_count() == values.null_count() < len(values):
        kind, values = "boolean", flags
    present = values.drop_nulls()
    missing = len(values) - len(present)
    if not len(present):
        return Column(name, kind, "dropped: every value is missing", used=False)
    if not missing and present.n_unique() == 1:
        return Column(name, kind, f"dropped: constant ({shortened(series[:1])})", used=False)
    if not kept and (reason := _numbers_rows(series, values, places)):
        return Column(name, kind, f"dropped: {reason}", used=False)
    if kind == "text":
        return _planned_text(name, present, missing, kept=kept)
    unit = {"date": "days since 1970, ", "duration": "seconds, ", "boolean": "0 and 1, "}.get(kind, "")
    median: Any = present.median()
    filled = f"; {missing} missing: median {median:.4g} and a mark" if missing else ""
    return Column(name, kind, f"{unit}standardised{filled}")


def _planned_text(name: str, present: pl.Series, missing: int, *, kept: bool) -> Column:
    distinct = present.n_unique()
    if not kept and distinct == len(present) >= MANY_DISTINCT:
        reason = f"no value twice, an identifier ({shortened(present[:1])}, …)"
        return Column(name, "text", f"dropped: {reason}", used=False)
    counts = present.value_counts()["count"].sort(descending=True)
    frequent = int((counts >= rare(len(present) + missing)).sum())
    shown = min(frequent, MOST_LEVELS - 1 if distinct > MOST_LEVELS else MOST_LEVELS)
    if not shown and not missing:
        return Column(name, "text", f"dropped: {distinct} levels, none of them frequent", used=False)
    pooled = f"; {distinct - shown} rare ones pooled" if distinct > shown else ""
    absent = f"; missing ({missing}) is a level" if missing else ""
    return Column(name, "text", f"one-hot, {shown} level{'s' if shown != 1 else ''}{pooled}{absent}")


def _numbers_rows(series: pl.Series, values: pl.Series, places: pl.Series) -> str | None:
    """Say why a column is an index, or return None; `values` are its own as text or numbers."""
    present = values.drop_nulls()
    if values.dtype != pl.String and not _whole(series, present):
        return None
    if values.dtype != pl.String and _counts_rows(values, places):
        return f"counts the rows ({present[0]:.0f}, {present[1]:.0f}, …)"
    return index_reason(series.name, series.drop_nulls() if series.dtype.is_integer() else present)


def _whole(series: pl.Series, numbers: pl.Series) -> bool:
    return series.dtype.is_integer() or bool(series.dtype.is_numeric() and (numbers == numbers.round()).all())


def _counts_rows(values: pl.Series, places: pl.Series) -> bool:
    """Tell whether values run up through the rows, a few left out: 1, 2, 3, 5, …"""
    steps = values.diff().drop_nulls()
    rows = places[-1] - places[0] + 1
    return bool(len(steps) + 1 == len(values) >= MANY_DISTINCT and (steps > 0).all() and steps.sum() <= 1.1 * rows)


def _remarked(column: Column, series: pl.Series, classes: npt.NDArray[np.int64] | None) -> Column:
    """Say so of the last day of all, and of whole numbers that may be codes or, as an index, tell the class alone."""
    if not column.used:
        return column
    if column.kind == "date" and (remark := _endless(series)):
        return column._replace(remarks=(*column.remarks, remark))
    if column.kind != "number":
        return column
    if series.dtype.is_integer() and (remark := long_codes(series.drop_nulls())):
        column = column._replace(remarks=(*column.remarks, remark))
    if classes is None:
        return column
    values = as_number(series)
    there = values.is_not_null().to_numpy()
    if not _whole(series, values.drop_nulls()):
        return column
    share = tells_the_class(values.drop_nulls().to_numpy(), classes[there])
    if share is None:
        return column
    remark = (
        f"in its order {share:.1%} of the rows have the class of the row before: "
        f"if it is an index, leave it out with --drop {column.name!r}"
    )
    return column._replace(remarks=(*column.remarks, remark))


def _endless(series: pl.Series) -> str | None:
    """Say so if dates hold the last day that can be written, which stands for no date: it stretches the scale."""
    count = int((as_number(series) >= LAST_DAY).sum())
    return f"9999-12-31 ({count:,}) is read as that day: if it means no date, --missing 9999-12-31" if count else None
