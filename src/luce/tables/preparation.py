"""From converted columns to the features that the classifier sees: learnt from rows, applied to any others.

A column of numbers becomes one standardised feature, missing values the median, and where some were missing a second
feature marks them. A column of text becomes a feature for each frequent level and one for all that are rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from luce.models.inputs.kinds import Array

__all__ = ["Levels", "Number", "Preparation", "learn_preparation", "rare"]


MOST_LEVELS = 256  # features that one column of text may become
SMALL = 2**20  # numbers up to which features are never sparse: 8 MiB
EMPTY = 3  # features to a value that is not 0 from which on they are sparse


class Scale(NamedTuple):
    """What a feature is centred at and divided by."""

    centre: float
    spread: float


class Number(NamedTuple):
    """A column of numbers: what stands for a missing one, its scale, and that of the mark, if it has one."""

    name: str
    median: float
    scale: Scale
    mark: Scale | None


class Levels(NamedTuple):
    """A column of text: the levels with a feature of their own, those that share one; None is a missing value."""

    name: str
    kept: Sequence[str | None]
    rare: Sequence[str | None]


@dataclass(frozen=True)
class Preparation:
    """What becomes of each column.

    Attributes
    ----------
    numbers : sequence of Number
    levels : sequence of Levels
    """

    numbers: Sequence[Number]
    levels: Sequence[Levels]

    @property
    def names(self) -> list[str]:
        """The features in the reader's words: `width`, `width missing`, `colour = red`, `colour rare`."""
        names = [number.name for number in self.numbers]
        names += [f"{number.name} missing" for number in self.numbers if number.mark]
        for column, kept, pooled in self.levels:
            names += [f"{column} missing" if level is None else f"{column} = {level}" for level in kept]
            names += [f"{column} rare"] if pooled else []
        return names

    def __len__(self) -> int:
        """Return the number of features."""
        return self._dense + sum(len(kept) + bool(pooled) for _, kept, pooled in self.levels)

    def is_sparse(self, rows: int) -> bool:
        """Tell whether so many rows are best held without their zeros."""
        return rows * len(self) > SMALL and len(self) >= EMPTY * self._filled

    def size(self, rows: int) -> int:
        """Return how many bytes the features of so many rows take."""
        return rows * (12 * self._filled if self.is_sparse(rows) else 8 * len(self))

    def transform(self, features: pl.DataFrame, *, sparse: bool = False) -> Any:
        """Return the features, (rows, D): an array, or a SciPy CSR array.

        Parameters
        ----------
        features : polars.DataFrame
            As `converted` returns it.
        sparse : bool
        """
        rows, dense = len(features), self._dense
        values = np.empty((rows, self._filled if sparse else len(self)))
        for at, (name, median, scale, _) in enumerate(self.numbers):
            values[:, at] = (features[name].fill_null(median).to_numpy() - scale.centre) / scale.spread
        marks = ((number.name, number.mark) for number in self.numbers if number.mark is not None)
        for at, (name, mark) in enumerate(marks, len(self.numbers)):
            values[:, at] = (features[name].is_null().to_numpy() - mark.centre) / mark.spread
        places = np.empty((rows, self._filled), np.int32)
        places[:, :dense] = np.arange(dense)
        first = dense
        for at, (name, kept, pooled) in enumerate(self.levels, dense):
            codes = _codes(features[name], kept, pooled)
            places[:, at] = np.where(codes < 0, -1, codes + first)
            first += len(kept) + bool(pooled)
        if sparse:
            values[:, dense:] = 1
            return _sparse(values, places, len(self))
        values[:, dense:] = 0
        levels = places[:, dense:]
        here, column = np.nonzero(levels >= 0)
        values[here, levels[here, column]] = 1
        return values

    def unseen(self, features: pl.DataFrame) -> dict[str, int]:
        """Return how many values of each column of text training did not see, those of columns that have any."""
        strange = {
            name: int((~features[name].drop_nulls().is_in([*kept, *pooled])).sum())
            for name, kept, pooled in self.levels
        }
        return {name: count for name, count in strange.items() if count}

    def respelled(self, features: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
        """Return the features with levels that are numbers in `table`, 1, written as training saw them: 1.0."""
        columns = []
        for name, kept, pooled in self.levels:
            values, known = features[name], [*kept, *pooled]
            if table[name].dtype.is_numeric():
                other = values + ".0"
                columns.append(values.zip_with(values.is_in(known) | ~other.is_in(known), other))
        return features.with_columns(columns)

    @property
    def _dense(self) -> int:
        """The number of features that are not levels."""
        return len(self.numbers) + sum(number.mark is not None for number in self.numbers)

    @property
    def _filled(self) -> int:
        """The number of features of a row that are not 0, at most."""
        return self._dense + len(self.levels)


def learn_preparation(features: pl.DataFrame, least: int) -> Preparation:
    """Learn medians, scales and levels from rows.

    Parameters
    ----------
    features : polars.DataFrame
        Columns of Float64 and String, as `converted` returns them.
    least : int
        Rows from which on a level counts as frequent (see `rare`).
    """
    return Preparation(
        [_number(column) for column in features if column.dtype.is_float()],
        [_levels(column, least) for column in features if column.dtype == pl.String],
    )


def rare(rows: int) -> int:
    """Rows below which a level of text counts as rare: a hundredth of the table, at least 2, at most 10."""
    return min(max(rows // 100, 2), 10)


def _number(column: pl.Series) -> Number:
    median: Any = column.median()
    median = 0.0 if median is None else float(median)
    mark = _scale(column.is_null().to_numpy().astype(np.float64)) if column.null_count() else None
    return Number(column.name, median, _scale(column.fill_null(median).to_numpy()), mark)


def _scale(values: Array) -> Scale:
    """Return mean and standard deviation, from the values' places between the least and the largest."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if low == high:
        return Scale(low, 1.0)
    width = high - low
    places = (values - low) / width
    return Scale(low + width * float(places.mean()), width * float(places.std()))


def _levels(column: pl.Series, least: int) -> Levels:
    counts = column.alias("level").value_counts(name="rows").sort("level", nulls_last=True)
    found: list[str | None] = counts["level"].to_list()
    rows = counts["rows"].to_numpy()
    frequent = np.flatnonzero(rows >= least)
    if len(frequent) + (len(frequent) < len(found)) > MOST_LEVELS:
        frequent = np.sort(frequent[np.argsort(rows[frequent], kind="stable")[-(MOST_LEVELS - 1) :]])
    kept = {int(at) for at in frequent}
    return Levels(
        column.name,
        [level for at, level in enumerate(found) if at in kept],
        [level for at, level in enumerate(found) if at not in kept],
    )


def _codes(values: pl.Series, kept: Sequence[str | None], pooled: Sequence[str | None]) -> Array:
    """Return each value's place among the levels: that of the rare ones for the unknown, -1 where there are none."""
    place: dict[str | None, int] = {level: at for at, level in enumerate(kept)} | dict.fromkeys(pooled, len(kept))
    unknown = len(kept) if pooled else -1
    missing = place.pop(None, unknown)
    codes = values.replace_strict(list(place), list(place.values()), default=unknown, return_dtype=pl.Int32)
    return codes.set(values.is_null(), missing).to_numpy()


def _sparse(values: Array, places: Array, columns: int) -> Any:
    """Return the values of each row at their places; a place of -1 is none."""
    from scipy.sparse import csr_array

    there = places >= 0
    ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    whole = there.all()
    data, indices = (values.ravel(), places.ravel()) if whole else (values[there], places[there])
    if len(data) < 2**31:
        ends = ends.astype(np.int32)
    return csr_array((data, indices, ends), shape=(len(values), columns))
