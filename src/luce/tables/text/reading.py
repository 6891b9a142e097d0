"""How a column of text is read: a small value that belongs to a model, so that every table is read alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import polars as pl

from luce.tables.text.dates import ORDERS, dates
from luce.tables.text.missing import USUAL, Missing, Source, cleaned
from luce.tables.text.numbers import STYLES, Style, is_limit, numbers
from luce.tables.text.shapes import normal, shapes
from luce.tables.text.times import clocks, durations

__all__ = ["Reading", "Typed", "plainly", "typed"]

KINDS = ("number", "boolean", "date", "time", "duration", "text")
WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


@dataclass(frozen=True)
class Reading:
    """How a column's text becomes values.

    Parameters
    ----------
    kind : str
        number, boolean, date, time (of day), duration or text.
    missing : tuple of str
        Words for a missing value; an empty cell is always one.
    missing_quoted : bool
        Whether they count in quotes, too.
    decimal, thousands : str
        Of numbers; no thousands separator is empty.
    units : tuple of str
        What may stand before or behind a number.
    order : str
        Of dates such as 01/02/03: day-first, month-first or year-first.
    whole : bool
        Whether numbers are integers, and dates days without a time.
    minutes : bool
        Whether durations of two parts, 4:13, are minutes and seconds, not hours and minutes.
    odd : tuple of str
        Shapes of values (digits as 9) that training took as missing, since they are none of the kind.
    """

    kind: str
    missing: tuple[str, ...] = USUAL
    missing_quoted: bool = False
    decimal: str = "."
    thousands: str = ""
    units: tuple[str, ...] = ()
    order: str = ORDERS[0]
    whole: bool = False
    minutes: bool = False
    odd: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS or Style(self.decimal, self.thousands) not in STYLES or self.order not in ORDERS:
            raise ValueError(f"no reading of a column: {asdict(self)}")

    def to_json(self) -> dict[str, Any]:
        """Return the value in JSON's own types; `from_json` makes it again."""
        return {name: list(part) if isinstance(part, tuple) else part for name, part in asdict(self).items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Reading:
        """Return the reading of which `to_json` made the content.

        Raises
        ------
        ValueError
            If it is none's.
        """
        known = {part.name: type(part.default) for part in fields(cls)}
        made: dict[str, Any] = {}
        for name, part in content.items():
            wanted = {tuple: list, bool: bool}.get(known.get(name, str), str)
            if name not in known or not isinstance(part, wanted):
                raise ValueError(f"no reading of a column: {name!r} is {part!r}")
            made[name] = tuple(map(str, part)) if isinstance(part, list) else part
        return cls(**made)


@dataclass(frozen=True)
class Typed:
    """A column's values, and which of its cells are none of its kind: missing among the values, with their text."""

    values: pl.Series
    odd: pl.Series | None = None
    text: pl.Series | None = None

    def strange(self, reading: Reading, skip: int = 0) -> int | None:
        """Return the place of the first odd value whose shape training did not see, the first `skip` left out."""
        if self.odd is None or self.text is None:
            return None
        places = self.odd.arg_true()
        places = places.filter(places >= skip)
        found = shapes(normal(self.text.gather(places)))
        known = {*reading.odd}
        if any(map(is_limit, known)):
            known.update(filter(is_limit, found.unique()))
        unknown = (~found.is_in(list(known))).arg_true()
        return int(places[int(unknown[0])]) if len(unknown) else None


def plainly(table: pl.DataFrame, readings: Mapping[str, Reading]) -> dict[str, pl.Series]:
    """Return the columns of which all cells are plain numbers and read as such, converted all at once."""
    found = {}
    for whole, dtype in ((True, pl.Int64), (False, pl.Float64)):
        names = [
            name
            for name in table.columns
            if (of := readings.get(name)) and of.kind == "number" and of.whole == whole and (whole or of.decimal == ".")
            if not Missing(of.missing).numeric
        ]
        cells = pl.DataFrame({name: table[name] for name in names})
        numbers = cells.select(pl.all().cast(dtype, strict=False))
        numbers = numbers if whole or not names else numbers.fill_nan(None)
        for column in numbers.iter_columns():
            if column.null_count() == table[column.name].null_count():
                found[column.name] = column
    return found


def typed(cells: pl.Series, reading: Reading, source: Source) -> Typed:
    """Return cells of text as values, as `reading` says.

    Numbers become Int64 or Float64, dates Date or Datetime (in UTC), times of day Time, durations Duration.
    """
    missing = Missing(reading.missing, reading.missing_quoted)
    if reading.kind == "text":
        return Typed(cleaned(cells, missing, source))
    text = cleaned(cells, missing._replace(quoted=True), source)
    values = _values(text, reading)
    odd = values.is_null() & text.is_not_null()
    return Typed(values, odd, text) if odd.any() else Typed(values)


def _values(text: pl.Series, reading: Reading) -> pl.Series:
    if reading.kind == "number":
        found = numbers(text, Style(reading.decimal, reading.thousands), reading.units)
        whole = text.cast(pl.Int64, strict=False) if reading.whole else found
        return whole if whole.null_count() == found.null_count() else found
    if reading.kind == "boolean":
        return text.str.to_lowercase().replace_strict(WORDS, default=None, return_dtype=pl.Boolean)
    if reading.kind == "time":
        return clocks(text)
    if reading.kind == "duration":
        return durations(text, minutes=reading.minutes)
    found = dates(text, reading.order)
    return found.cast(pl.Date) if reading.whole and (found == found.dt.truncate("1d")).all() else found
