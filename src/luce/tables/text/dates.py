"""Dates as people write them: in any order, with months' names, times of day and zones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.tables.text.shapes import by_shape, digits, normal, width
from luce.tables.text.times import CLOCK, time_of_day

__all__ = ["ORDERS", "Layout", "dates", "layout"]

Array = npt.NDArray[Any]

ORDERS = ("day-first", "month-first", "year-first")  # of 01/02/03; 2001-02-03 has the year first in any
MONTHS = (  # English, German, French, Spanish, Italian, Portuguese, Dutch; Scandinavian, Polish, Russian, Turkish
    "january jan januar janner jaenner janvier janv enero ene gennaio gen janeiro januari ocak stycznia sty "
    "январь января янв",
    "february feb februar fevrier fevr fev febrero febbraio fevereiro februari subat lutego lut "
    "февраль февраля фев февр",
    "march mar marz maerz mrz mars marzo marco maart mrt mart marca марта март мар",
    "april apr avril avr abril abr aprile nisan kwietnia kwi апрель апреля апр",
    "may mai mayo maggio mag maio mei maj mayis maja мая май",
    "june jun juni juin junio giugno giu junho haziran czerwca cze июнь июня июн",
    "july jul juli juillet juil julio luglio lug julho temmuz lipca lip июль июля июл",
    "august aug aout agosto ago augustus augusti agustos sierpnia sie август августа авг",
    "september sep sept septembre septiembre settembre set setembro eylul wrzesnia wrz сентябрь сентября сен сент",
    "october oct oktober okt octobre octubre ottobre ott outubro out ekim pazdziernika paz октябрь октября окт",
    "november nov novembre noviembre novembro kasim listopada lis ноябрь ноября ноя нояб",
    "december dec dezember dez decembre diciembre dic dicembre dezembro desember des "
    "aralik grudnia gru декабрь декабря дек",
)


def _bare(name: str) -> str:
    """Return a name in small letters without accents."""
    letters = unicodedata.normalize("NFKD", name.lower().replace("ı", "i"))
    return "".join(sign for sign in letters if not unicodedata.combining(sign))


NUMBER_OF = {_bare(name): number for number, names in enumerate(MONTHS, 1) for name in names.split()}
CENTURY = 69  # from there on two digits are 19.., as in POSIX

_ZONE = r"""(?:\ ?(?:Z|UTC|GMT|(?P<zone>[A-Z]{3,4}))
    |\ ?(?:UTC|GMT)?(?P<ahead>[-+])(?P<zone_hour>99)(?::?(?P<zone_minute>99))?(?:\ \([^()]*\))?)?"""
ZONES = {  # hours from UTC of names that mean one zone to most readers
    "CET": 1,
    "CEST": 2,
    "MEZ": 1,
    "MESZ": 2,
    "EET": 2,
    "EEST": 3,
    "WET": 0,
    "WEST": 1,
    "MSK": 3,
    "JST": 9,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AEST": 10,
    "AEDT": 11,
}
_NAME = r"(?P<name>[^\W\d_]{3,12})\.?"
_DAYS = (  # the date's part of a shape; first and second are day and month in one order or the other
    r"(?P<year>9999)(?P<cut>[-/.\ ])\ ?(?P<month>9{1,2})(?P=cut)\ ?(?P<day>9{1,2})\.?",
    r"(?P<first>9{1,2})(?P<cut>[-/.])\ ?(?P<other>9{1,2})(?P=cut)\ ?(?P<third>9999|99)\.?",
    r"(?P<day>9{1,2})(?:st|nd|rd|th|\.|er|º)?[-\ /.]?\ ?(?:de\ )?" + _NAME + r",?[-\ /.]?\ ?(?:de\ )?(?P<year>9999|99)",
    _NAME + r"[-\ ](?P<day>9{1,2})(?:st|nd|rd|th)?,?[-\ ]\ ?(?P<year>9999)",
    r"(?P<year>9999)[-/\ ]?" + _NAME + r"[-/\ ]?(?P<day>9{1,2})",
    _NAME + r"[-\ /.,]\ ?(?P<year>9999)",
    r"(?P<year>9999)[年년]\ ?(?P<month>9{1,2})[月월]\ ?(?P<day>9{1,2})[日일]",
    r"(?P<year>9999)[-/](?P<month>99)",
    r"(?P<month>99)[/.](?P<year>9999)",
    r"(?P<year>9999)[-/\ ]?Q(?P<quarter>9)",
    r"Q(?P<quarter>9)[-/\ ]?(?P<year>9999)",
    r"(?P<year>9999)-?W(?P<week>99)(?:-?(?P<weekday>9))?",
)
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,?\ +)?"
_AFTER = rf"(?:(?:[T,:_]\ *|\ +(?:at\ )?){CLOCK}{_ZONE})?"
_DATED = [re.compile(rf"^{_WEEKDAY}{day}{_AFTER}$", re.X) for day in _DAYS] + [
    re.compile(rf"^{_WEEKDAY}{_NAME}\ +(?P<day>9{{1,2}})\ {CLOCK}(?:\ (?:UTC|GMT))?\ (?P<year>9999)$", re.X),  # ctime
    re.compile(rf"^{CLOCK}{_ZONE},?\ {_DAYS[1]}$", re.X),
    re.compile(
        r"""^(?P<year>9999)(?P<month>99)(?P<day>99)
        (?:[T\ _]?(?P<hour>99)(?P<minute>99)(?:(?P<second>99)(?:[.,](?P<fraction>9{1,9}))?)?Z?)?$""",
        re.X,
    ),
    re.compile(rf"^(?P<year>9999)(?P<month>99)(?P<day>99)[T\ _]{CLOCK}{_ZONE}$", re.X),
]


class Layout(NamedTuple):
    """Where the parts of a date are in the values of a shape.

    Attributes
    ----------
    places : mapping of str to (begin, end)
        The digits of year, month, day, hour, …; or of first, other, third where their order is open.
    month : int
        The month, where it is a name; else 0.
    half : str
        a or p for AM or PM; else empty.
    sign : int
        Of the zone; 0 without one.
    zone : int
        Hours from UTC, where the zone is a name.
    """

    places: Mapping[str, tuple[int, int]]
    month: int = 0
    half: str = ""
    sign: int = 0
    zone: int = 0

    @property
    def ordered(self) -> bool:
        """Whether the shape tells which number is the day."""
        return "first" not in self.places

    @property
    def timed(self) -> bool:
        """Whether there is a time of day."""
        return "hour" in self.places


@lru_cache(maxsize=65536)
def layout(shape: str) -> Layout | None:
    """Return where the parts of a date are; None for a shape that is no date's.

    Examples
    --------
    >>> from luce.tables.text.dates import layout
    >>> layout("99 Jan 9999").month, layout("99/99/9999").ordered, layout("99,99")
    (1, False, None)
    """
    for pattern in _DATED:
        found = pattern.match(shape)
        if found is None:
            continue
        parts = {name: found.span(name) for name, text in found.groupdict().items() if text and text[0] == "9"}
        texts = found.groupdict()
        month = 0
        if texts.get("name"):
            month = NUMBER_OF.get(_bare(texts["name"]), 0)
            if not month:
                continue
        zone = ZONES.get(texts.get("zone") or "CET")
        if zone is None:
            continue
        sign = {"+": 1, "-": -1}.get(texts.get("ahead") or "", 0)
        return Layout(parts, month, (texts.get("half") or "").lower(), sign, zone if texts.get("zone") else 0)
    return None


def dates(values: pl.Series, order: str) -> pl.Series:
    """Return values that are dates as Datetime in microseconds, times with a zone in UTC; null for others.

    Parameters
    ----------
    values : polars.Series
        Text.
    order : str
        One of `ORDERS`, for values that leave it open.
    """
    if not values.is_null().any() and (values.str.len_bytes() == 10).all():  # as most files have them
        quick = values.str.to_date("%Y-%m-%d", strict=False)
        if not quick.is_null().any():
            return quick.cast(pl.Datetime("us"))
    values = normal(values)
    found = np.full(len(values), np.datetime64("NaT"), "datetime64[us]")
    for shape, places in by_shape(values):
        where = layout(shape)
        if where is not None:
            found[places] = _assembled(values.gather(places), where, order)
    return pl.Series(values.name, found)


def _assembled(values: pl.Series, where: Layout, order: str) -> Array:
    parts = where.places
    if where.ordered:
        if "week" in parts:
            return _weekdays(values, parts)
        day = digits(values, parts["day"]) if "day" in parts else np.ones(len(values), np.int64)
        month = digits(values, parts["month"]) if "month" in parts else np.full(len(values), where.month)
        if "quarter" in parts:
            month = _first_months(digits(values, parts["quarter"]))
        year, short = digits(values, parts["year"]), parts["year"]
    else:
        names = {"day-first": ("day", "month", "year"), "month-first": ("month", "day", "year")}
        roles = names.get(order, ("year", "month", "day") if width(parts["third"]) == 2 else ("day", "month", "year"))
        at = dict(zip(roles, (parts["first"], parts["other"], parts["third"]), strict=True))
        day, month = digits(values, at["day"]), digits(values, at["month"])
        year, short = digits(values, at["year"]), at["year"]
    if width(short) <= 2:
        year = year + np.where(year < CENTURY, 2000, 1900)
    good = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1)
    begins = ((year - 1970) * 12 + np.where(good, month, 1) - 1).astype("datetime64[M]")
    found = begins.astype("datetime64[D]") + (day - 1)
    good &= found.astype("datetime64[M]") == begins
    result = found.astype("datetime64[us]")
    if where.timed:
        result = result + time_of_day(values, parts, where.half)
    if where.sign:
        minutes = 60 * digits(values, parts["zone_hour"])
        minutes = minutes + (digits(values, parts["zone_minute"]) if "zone_minute" in parts else 0)
        result = result - where.sign * minutes.astype("timedelta64[m]")
    result = result - np.timedelta64(where.zone, "h")
    return np.where(good, result, np.datetime64("NaT"))


def _first_months(quarters: Array) -> Array:
    """Return the first month of quarters, 0 for what is none."""
    return np.where((quarters >= 1) & (quarters <= 4), 3 * quarters - 2, 0)


def _weekdays(values: pl.Series, parts: Mapping[str, tuple[int, int]]) -> Array:
    """Return days of weeks as ISO 8601 counts them, Mondays where no day is said: week 1 has the year's 4 January."""
    year, week = digits(values, parts["year"]), digits(values, parts["week"])
    day = digits(values, parts["weekday"]) if "weekday" in parts else np.ones(len(values), np.int64)
    fourth = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + 3
    monday = fourth - (fourth.astype(np.int64) + 3) % 7
    last = monday + 7 * (week - 1)
    good = (
        (week >= 1) & (day >= 1) & (day <= 7) & ((last + 3).astype("datetime64[Y]") == fourth.astype("datetime64[Y]"))
    )
    return np.where(good, (last + day - 1).astype("datetime64[us]"), np.datetime64("NaT"))
