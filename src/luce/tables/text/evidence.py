"""What is seen of a column's values, piece by piece: enough to decide how it is read once all of them are seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl

from luce.tables.text.dates import ORDERS, dates, layout
from luce.tables.text.missing import Missing, Source, cleaned_and_counted
from luce.tables.text.numbers import number_shape, plain_numbers
from luce.tables.text.shapes import normal, shapes
from luce.tables.text.times import clocks, duration_layout, durations, time_layout

__all__ = ["BOOLEANS", "INVALID", "TOTAL", "Evidence", "meaning", "take"]

BOOLEANS = ("true", "false")
GROUPED = r"[-+]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+"  # dots that may be between thousands
CODE = r"^0[0-9]+$"  # a leading zero
YEARS = 1900_00_00, 2100_00_00  # between which eight digits may be a date
GLANCE = 256  # values by which text is told from numbers
MOST_SHAPES = 2000
DISTINCT = 64  # counted up to here
ISO = "9999-99-99"
INVALID = "\0"  # before the shape of a date that is none
LONG = r"^[-+]?[0-9]{19,}$"  # more than 64 bits hold
TOTAL = (  # how a row below a table begins that sums it up
    r"(?i)^(grand |sub)?(total|totals|totale|totaal|sum|summe|gesamt|insgesamt|somme|suma|soma|average|mean|mittelwert|"
    r"durchschnitt|moyenne|media|promedio|median|std|stdev|std\. dev\.|minimum|maximum|count|anzahl)( general)? *[:.]?$"
)


def take(seen: Mapping[str, Evidence], table: pl.DataFrame, source: Source) -> None:
    """Take some more rows into account: columns of plain numbers, which most are, all at once."""
    rest = table.columns
    if not next(iter(seen.values())).missing.numeric:
        rest = _take_numbers(seen, table)
    for name in rest:
        seen[name].add(table[name], source)


def _take_numbers(seen: Mapping[str, Evidence], table: pl.DataFrame) -> list[str]:
    """Take the columns into account that are plain numbers; return the names of the others."""
    rows, absent = len(table), dict(zip(table.columns, table.null_count().row(0), strict=True))
    whole = table.select(pl.all().cast(pl.Int64, strict=False))
    failed = dict(zip(table.columns, whole.null_count().row(0), strict=True))
    integers = [name for name in table.columns if failed[name] == absent[name] < rows]
    others = [name for name in table.columns if failed[name] > absent[name]]
    zeros = _each(table, integers, pl.all().str.starts_with("0").any())
    for name in integers:
        values = table[name].drop_nulls() if absent[name] else table[name]
        seen[name].present += rows - absent[name]
        seen[name].add_integers(values, zeros[name], whole[name].min(), whole[name].max())
    missing = _each(table, others, pl.all().cast(pl.Float64, strict=False).fill_nan(None).is_null().sum())
    dots = _each(table, others, pl.all().str.contains(".", literal=True).sum())
    floats = {name for name in others if missing[name] == absent[name]}
    for name in floats:
        seen[name].present += rows - absent[name]
        seen[name].integers += rows - failed[name]
        seen[name].add_floats(table[name], failed[name] - absent[name], dots[name])
    return [name for name in others if name not in floats]


def _each(table: pl.DataFrame, names: list[str], what: pl.Expr) -> dict[str, Any]:
    """Return a fact about each of some columns, whatever their names are."""
    if not names:
        return {}
    return dict(zip(names, pl.DataFrame({name: table[name] for name in names}).select(what).row(0), strict=True))


def meaning(shape: str) -> bool:
    """Tell whether a shape may be that of a number, a date, a time, a duration or a boolean."""
    return bool(number_shape(shape) or layout(shape) or _is_time(shape) or shape.lower() in BOOLEANS)


def _is_time(shape: str) -> bool:
    return bool(time_layout(shape) or duration_layout(shape))


class Evidence:
    """Counts of one column's values.

    Parameters
    ----------
    missing : Missing
    edge : bool
        Whether it is one of the first columns, in which totals are named.

    Attributes
    ----------
    present : int
        Values that are not missing.
    spellings : Counter
        Words for missing values.
    integers, floats : int
        Plain numbers, without and with a decimal dot or exponent.
    integer : str
        The first of the integers.
    dotted : int
        Floats with a dot; `grouped` says whether all of the dots may be between thousands.
    codes : Counter
        Examples of integers with leading zeros or beyond 64 bits, and how many there are.
    compact : int
        Integers that may be dates such as 20240131.
    shapes : Counter
        Shapes of the other values; `examples` has one of each.
    other : int
        Values that were not looked at one by one, since the column is text.
    orders : Counter
        Dates of open order: how many are valid in each of `ORDERS`; `firsts` counts first days of months.
    beyond : Counter
        Shapes of durations, and how many of each are no times of day.
    distinct : set of str
        Some of the values that are numbers, dates or times.
    totals : int
        Values such as "Total", in columns at the edge.
    """

    def __init__(self, missing: Missing, *, edge: bool = False) -> None:
        self.missing, self.edge = missing, edge
        self.totals = 0
        self.present = self.integers = self.floats = self.dotted = self.compact = self.other = 0
        self.grouped, self.integer = True, ""
        self.spellings: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.shapes: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.orders: Counter[str] = Counter()
        self.firsts: Counter[str] = Counter()
        self.beyond: Counter[str] = Counter()
        self.distinct: set[str] = set()

    @property
    def clear(self) -> bool:
        """Whether all values are plain numbers that can be read in one way only."""
        return 0 < self.integers + self.floats == self.present and not (self.codes or self.compact or self.open)

    @property
    def open(self) -> bool:
        """Whether dots may be between thousands."""
        return self.dotted > 0 and self.grouped

    def add(self, cells: pl.Series, source: Source) -> None:
        """Take some more cells into account."""
        there = cells.drop_nulls()
        if self.missing.numeric:
            there = self._without_missing(there, source)
            source = source._replace(quoted=False)
        left = self._add_numbers(there)
        if not len(left):
            return
        if not self.missing.numeric:
            left = self._add_numbers(self._without_missing(left, source))
        if len(left):
            self._add_others(left)

    def without(self, cells: pl.Series, source: Source) -> Evidence:
        """Return the evidence as it were without these cells, which were taken into account."""
        some, rest = (Evidence(self.missing, edge=self.edge) for _ in range(2))
        some.add(cells, source)
        vars(rest).update(vars(self))
        for name in ("present", "integers", "floats", "dotted", "compact", "totals"):
            setattr(rest, name, getattr(self, name) - getattr(some, name))
        for name in ("spellings", "codes", "shapes", "orders", "firsts", "beyond"):
            setattr(rest, name, getattr(self, name) - getattr(some, name))
        rest.other = max(self.other - max(sum((some.shapes - self.shapes).values()), 0), 0)
        return rest

    def _without_missing(self, cells: pl.Series, source: Source) -> pl.Series:
        text, words = cleaned_and_counted(cells, self.missing, source)
        self.spellings.update(words)
        return text.drop_nulls()

    def _add_numbers(self, values: pl.Series) -> pl.Series:
        """Count the plain numbers; return the others."""
        integers = values.cast(pl.Int64, strict=False)
        found = int(len(values) - integers.null_count())
        if found:
            self._add_integers(values, integers)
        left = values
        if found < len(values):
            rest = values.filter(integers.is_null()) if found else values
            numbers = plain_numbers(rest)
            floats = rest.filter(numbers.is_not_null())
            left = rest.filter(numbers.is_null())
            if len(floats):
                self.add_floats(floats, len(floats), int(floats.str.contains(".", literal=True).sum()))
            found += len(floats)
        else:
            left = values.clear()
        self.present += found
        return left

    def _add_integers(self, values: pl.Series, integers: pl.Series) -> None:
        there = values.filter(integers.is_not_null()) if integers.null_count() else values
        low, high = integers.min(), integers.max()
        self.add_integers(there, bool(there.str.starts_with("0").any()), low, high)

    def add_integers(self, values: pl.Series, zeros: bool, low: Any, high: Any) -> None:
        """Take integers between `low` and `high` into account, of which some begin with a zero or none."""
        self.integers += len(values)
        self.integer = self.integer or str(values[0])
        self._sample(values)
        if zeros:
            codes = values.filter(values.str.contains(CODE))
            if len(codes):
                self.codes[str(codes[0])] += len(codes)
        if YEARS[0] < low and high < YEARS[1]:
            self.compact += int(dates(values, ORDERS[0]).is_not_null().sum())

    def add_floats(self, values: pl.Series, count: int, dotted: int) -> None:
        """Take plain numbers into account, `count` of them no 64-bit integers, and `dotted` of them with a dot."""
        if count > dotted and len(codes := values.filter(values.str.contains(LONG) & (values.str.len_bytes() > 18))):
            self.codes[str(codes[0])] += len(codes)
            self.integers, count = self.integers + len(codes), count - len(codes)
        self.floats += count
        self.dotted += dotted
        self._sample(values)
        if self.grouped and dotted:
            some = [value for value in values.head(GLANCE).to_list() if value and "." in value]
            self.grouped = all(re.fullmatch(GROUPED, value) for value in some)
            if self.grouped:
                every = values.filter(values.str.contains(".", literal=True))
                self.grouped = bool(every.str.contains(f"^{GROUPED}$").all())

    def _sample(self, values: pl.Series) -> None:
        if len(self.distinct) < DISTINCT:
            self.distinct.update(value for value in values.head(DISTINCT).to_list() if value is not None)

    def _add_others(self, values: pl.Series) -> None:
        self.present += len(values)
        if self.edge:
            self.totals += int(values.str.contains(TOTAL).sum())
        glance = values.gather_every(max(len(values) // GLANCE, 1))
        kinds = shapes(normal(glance))
        told = sum(map(meaning, kinds.to_list()))
        self._sample(glance.filter([meaning(kind) for kind in kinds.to_list()]))
        if told < 0.2 * len(glance) and len(values) > 2 * GLANCE:
            self.other += len(values)
            self.examples.update(zip(kinds.head(3).to_list(), glance.head(3).to_list(), strict=True))
            return
        iso = (kinds == ISO).all() and (values.str.len_bytes() == len(ISO)).all()
        if iso and dates(values, ORDERS[0]).is_not_null().all():
            self.shapes[ISO] += len(values)
            self.examples.setdefault(ISO, str(values[0]))
            return
        self._add_shapes(values)

    def _add_shapes(self, values: pl.Series) -> None:
        frame = pl.DataFrame({"shape": shapes(normal(values)), "value": values})
        counts = frame.group_by("shape", maintain_order=True).agg(pl.len(), pl.first("value"))
        for shape, count, example in counts.iter_rows():
            self.shapes[shape] += count
            self.examples.setdefault(shape, example)
        found = counts["shape"].to_list()
        loose = [shape for shape in found if (where := layout(shape)) and not where.ordered]
        if loose:
            open_ones = frame.filter(pl.col("shape").is_in(loose))["value"]
            for order in ORDERS:
                found_ones = dates(open_ones, order)
                self.orders[order] += len(found_ones) - found_ones.null_count()
                self.firsts[order] += int((found_ones.dt.day() == 1).sum())
        timed = [shape for shape in found if _is_time(shape)]
        sure = [shape for shape in found if shape not in loose and shape not in timed and layout(shape)]
        if sure:
            some = frame.filter(pl.col("shape").is_in(sure))
            self._set_aside(some.filter(dates(some["value"], ORDERS[0]).is_null()))
        if timed:
            some = frame.filter(pl.col("shape").is_in(timed))
            lasting = durations(some["value"], minutes=False).is_not_null()
            none = clocks(some["value"]).is_null()
            self._set_aside(some.filter(none & ~lasting))
            self.beyond.update(dict(some.filter(none & lasting)["shape"].value_counts().iter_rows()))
        if len(self.shapes) > MOST_SHAPES:
            for shape in [shape for shape in self.shapes if not meaning(shape)]:
                self.other += self.shapes.pop(shape)
                if len(self.examples) > MOST_SHAPES:
                    self.examples.pop(shape, None)

    def _set_aside(self, wrong: pl.DataFrame) -> None:
        """Count values apart that look like dates or times and are none, such as 0000-00-00."""
        for shape, count, example in wrong.group_by("shape").agg(pl.len(), pl.first("value")).iter_rows():
            self.shapes[shape] -= count
            self.shapes[INVALID + shape] += count
            self.examples[INVALID + shape] = example
        self.shapes = +self.shapes
