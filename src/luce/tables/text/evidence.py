"""What is seen of a column's values, piece by piece: enough to decide how it is read once all of them are seen."""

from __future__ import annotations

from collections import Counter

import polars as pl

from luce.tables.text.dates import ORDERS, dates, layout, time_layout
from luce.tables.text.missing import Missing, Source, cleaned, spellings
from luce.tables.text.numbers import number_shape, plain_numbers
from luce.tables.text.shapes import normal, shapes

__all__ = ["BOOLEANS", "TOTAL", "Evidence", "meaning"]

BOOLEANS = ("true", "false")
GROUPED = r"^[-+]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+$"  # dots that may be between thousands
CODE = r"^0[0-9]+$"  # a leading zero
YEARS = 1900_00_00, 2100_00_00  # between which eight digits may be a date
GLANCE = 256  # values by which text is told from numbers
MOST_SHAPES = 2000
DISTINCT = 64  # counted up to here
ISO = "9999-99-99"
TOTAL = (  # how a row below a table begins that sums it up
    r"(?i)^(grand |sub)?(total|totals|totale|totaal|sum|summe|gesamt|insgesamt|somme|suma|soma|average|mean|mittelwert|"
    r"durchschnitt|moyenne|media|promedio|median|std|stdev|std\. dev\.|minimum|maximum|count|anzahl)( general)? *[:.]?$"
)


def meaning(shape: str) -> bool:
    """Tell whether a shape may be that of a number, a date, a time or a boolean."""
    return bool(number_shape(shape) or layout(shape) or time_layout(shape) or shape.lower() in BOOLEANS)


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
    dotted : int
        Floats with a dot; `grouped` says whether all of the dots may be between thousands.
    codes : Counter
        An example of an integer with leading zeros, and how many there are.
    compact : int
        Integers that may be dates such as 20240131.
    shapes : Counter
        Shapes of the other values; `examples` has one of each.
    other : int
        Values that were not looked at one by one, since the column is text.
    orders : Counter
        Dates of open order: how many are valid in each of `ORDERS`.
    distinct : set of str
        Some of the values that are numbers, dates or times.
    totals : int
        Values such as "Total", in columns at the edge.
    """

    def __init__(self, missing: Missing, *, edge: bool = False) -> None:
        self.missing, self.edge = missing, edge
        self.totals = 0
        self.present = self.integers = self.floats = self.dotted = self.compact = self.other = 0
        self.grouped = True
        self.spellings: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.shapes: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.orders: Counter[str] = Counter()
        self.distinct: set[str] = set()

    def add(self, cells: pl.Series, source: Source) -> None:
        """Take some more cells into account."""
        there = cells.drop_nulls()
        if self.missing.numeric:
            self.spellings.update(spellings(there, self.missing, source))
            there = cleaned(there, self.missing, source).drop_nulls()
            source = source._replace(quoted=False)
        left = self._add_numbers(there)
        if not len(left):
            return
        if not self.missing.numeric:
            self.spellings.update(spellings(left, self.missing, source))
            left = cleaned(left, self.missing, source).drop_nulls()
            left = self._add_numbers(left)
        if len(left):
            self._add_others(left)

    def without(self, cells: pl.Series, source: Source) -> Evidence:
        """Return the evidence as it were without these cells, which were taken into account."""
        some, rest = (Evidence(self.missing, edge=self.edge) for _ in range(2))
        some.add(cells, source)
        vars(rest).update(vars(self))
        for name in ("present", "integers", "floats", "dotted", "compact", "totals"):
            setattr(rest, name, getattr(self, name) - getattr(some, name))
        for name in ("spellings", "codes", "shapes", "orders"):
            setattr(rest, name, getattr(self, name) - getattr(some, name))
        rest.other = max(self.other - max(sum((some.shapes - self.shapes).values()), 0), 0)
        return rest

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
            self._add_floats(floats)
            found += len(floats)
        else:
            left = values.clear()
        self.present += found
        return left

    def _add_integers(self, values: pl.Series, integers: pl.Series) -> None:
        count = len(values) - integers.null_count()
        self.integers += count
        self._sample(values.filter(integers.is_not_null()) if count < len(values) else values)
        if values.str.starts_with("0").any():
            codes = values.filter(values.str.contains(CODE))
            if len(codes):
                self.codes[str(codes[0])] += len(codes)
        low, high = integers.min(), integers.max()
        if count and YEARS[0] < int(low) and int(high) < YEARS[1]:  # type: ignore[arg-type]
            self.compact += int(dates(values.filter(integers.is_not_null()), ORDERS[0]).is_not_null().sum())

    def _add_floats(self, floats: pl.Series) -> None:
        if not len(floats):
            return
        self.floats += len(floats)
        self._sample(floats)
        with_dot = floats.filter(floats.str.contains(".", literal=True))
        self.dotted += len(with_dot)
        if self.grouped and len(with_dot):
            self.grouped = bool(
                with_dot.head(GLANCE).str.contains(GROUPED).all() and with_dot.str.contains(GROUPED).all()
            )

    def _sample(self, values: pl.Series) -> None:
        if len(self.distinct) < DISTINCT:
            self.distinct.update(values.head(GLANCE).to_list())

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
        if (
            (kinds == ISO).all()
            and (values.str.len_bytes() == len(ISO)).all()
            and dates(values, ORDERS[0]).is_not_null().all()
        ):
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
        loose = [shape for shape in counts["shape"].to_list() if (where := layout(shape)) and not where.ordered]
        if loose:
            open_ones = frame.filter(pl.col("shape").is_in(loose))["value"]
            for order in ORDERS:
                self.orders[order] += int(dates(open_ones, order).is_not_null().sum())
        if len(self.shapes) > MOST_SHAPES:
            for shape in [shape for shape in self.shapes if not meaning(shape)]:
                self.other += self.shapes.pop(shape)
                if len(self.examples) > MOST_SHAPES:
                    self.examples.pop(shape, None)
