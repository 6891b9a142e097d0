"""Times of day, and durations as people and programs write them: 25:10:00, 4:13.5, 2 days 03:00:00, 1h 30m, PT4M13S."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.tables.text.shapes import by_shape, digits, normal, width

__all__ = ["CLOCK", "TimeLayout", "clocks", "duration_layout", "durations", "time_layout", "time_of_day"]

Array = npt.NDArray[Any]
Places = Mapping[str, tuple[int, int]]

CLOCK = r"""(?P<hour>9{1,2})[:h](?P<minute>99)(?::(?P<second>99)(?:(?:[.,]|:(?=999))(?P<fraction>9{1,9}))?)?
            (?:\ ?(?P<half>[AaPp])\.?[Mm]\.?)?(?:\ (?:Uhr|h))?"""
_TIMED = re.compile(rf"^{CLOCK}$", re.X)

_SIGN = r"(?P<sign>[-+])?"
_LONG = r"(?P<hour>9{1,6}):(?P<minute>99):(?P<second>99)(?:[.,](?P<fraction>9{1,9}))?"
_DAYS = r"(?P<days>[90]{1,6})"
_LASTING = [
    re.compile(rf"^{_SIGN}{_LONG}$"),
    re.compile(rf"^{_SIGN}(?P<minute>9{{1,6}}):(?P<second>99)[.,](?P<fraction>9{{1,9}})$"),
    re.compile(rf"^{_SIGN}(?P<first>9{{1,6}}):(?P<other>99)$"),  # hours and minutes, or minutes and seconds
    re.compile(rf"^{_SIGN}(?P<hour>9{{1,6}})h(?P<minute>99)$"),
    re.compile(rf"^(?P<before>-)?{_DAYS} days?(?:,? \+?{_LONG})?$"),  # -1 day, 23:59:00 is a minute before 0
    re.compile(rf"^{_SIGN}{_DAYS}[-.:]{_LONG}$"),
    re.compile(
        rf"""^{_SIGN}P(?!$)(?:{_DAYS}D)?
        (?:T(?!$)(?:(?P<hour>9{{1,6}})H)?(?:(?P<minute>9{{1,6}})M)?
        (?:(?P<second>[90]{{1,8}})(?:[.,](?P<fraction>9{{1,9}}))?S)?)?$""",
        re.X,
    ),
    re.compile(
        rf"""^{_SIGN}(?:{_DAYS}\ ?(?:d|days?|Tage?|jours?)(?:$|[, ]+))?
        (?:(?P<hour>9{{1,6}})\ ?(?:h|hrs?\.?|hours?|Std\.?|Stunden?|heures?)(?:$|[, ]*))?
        (?:(?P<minute>9{{1,6}})\ ?(?:m|mins?\.?|minutes?|Min\.?|Minuten?)(?:$|[, ]*))?
        (?:(?P<second>[90]{{1,8}})(?:[.,](?P<fraction>9{{1,9}}))?
            \ ?(?:s|secs?\.?|seconds?|Sek\.?|Sekunden?|secondes?))?$""",
        re.X,
    ),
]
SECONDS = {"days": 86_400, "hour": 3600, "minute": 60, "second": 1}


class TimeLayout(NamedTuple):
    """Where the parts of a time or a duration are in the values of a shape.

    Attributes
    ----------
    places : mapping of str to (begin, end)
        The digits of days, hour, minute, second, fraction; or of first and other where two parts may be either.
    half : str
        a or p for AM or PM; else empty.
    sign : int
        -1 for a duration with a minus; before days in words it is that of the days alone.
    """

    places: Places
    half: str = ""
    sign: int = 1


@lru_cache(maxsize=4096)
def time_layout(shape: str) -> TimeLayout | None:
    """Return where the parts of a time of day are; None for a shape that is none's."""
    found = _TIMED.match(shape)
    return None if found is None else TimeLayout(_places(found), (found["half"] or "").lower())


@lru_cache(maxsize=4096)
def duration_layout(shape: str) -> TimeLayout | None:
    """Return where the parts of a duration are; None for a shape that is none's.

    Examples
    --------
    >>> from luce.tables.text.times import duration_layout
    >>> sorted(duration_layout("9h 99m").places), sorted(duration_layout("99:99").places), duration_layout("99 m²")
    (['hour', 'minute'], ['first', 'other'], None)
    """
    for pattern in _LASTING:
        found = pattern.match(shape)
        if found is not None and (places := _places(found)):
            groups = found.groupdict()
            minus = "-" in (groups.get("sign"), groups.get("before"))
            return TimeLayout(places, sign=-1 if minus else 1)
    return None


def _places(found: re.Match[str]) -> Places:
    return {name: found.span(name) for name, text in found.groupdict().items() if text and text[0] in "90"}


def clocks(values: pl.Series) -> pl.Series:
    """Return values that are times of day as Time; null for others."""
    values = normal(values)
    found = np.full(len(values), np.datetime64("NaT"), "datetime64[us]")
    for shape, at in by_shape(values):
        where = time_layout(shape)
        if where is not None:
            found[at] = np.datetime64("1970-01-01") + time_of_day(values.gather(at), where.places, where.half)
    return pl.Series(values.name, found).dt.time()


def durations(values: pl.Series, *, minutes: bool) -> pl.Series:
    """Return values that are durations as Duration in microseconds; null for others.

    Parameters
    ----------
    values : polars.Series
        Text.
    minutes : bool
        Whether two parts, 4:13, are minutes and seconds, not hours and minutes.
    """
    values = normal(values)
    found = np.full(len(values), np.timedelta64("NaT"), "timedelta64[us]")
    for shape, at in by_shape(values):
        where = duration_layout(shape)
        if where is not None:
            found[at] = _lasting(values.gather(at), shape, where, minutes)
    return pl.Series(values.name, found)


def _lasting(values: pl.Series, shape: str, where: TimeLayout, minutes: bool) -> Array:
    places = dict(where.places)
    if "first" in places:
        names = ("minute", "second") if minutes else ("hour", "minute")
        places |= dict(zip(names, (places.pop("first"), places.pop("other")), strict=True))
    parts = {name: digits(values, places[name]) for name in SECONDS if name in places}
    good = np.ones(len(values), bool)
    if ":" in shape:  # then the parts behind the first are below 60
        for name in list(parts)[1:]:
            good &= parts[name] < (24 if name == "hour" else 60)
    days = 1_000_000 * SECONDS["days"] * parts.pop("days", np.zeros(len(values), np.int64))
    rest = sum((1_000_000 * SECONDS[name] * part for name, part in parts.items()), np.zeros(len(values), np.int64))
    rest = rest + _fraction(values, places)
    whole = where.sign * days + rest if " day" in shape and ":" in shape else where.sign * (days + rest)
    return np.where(good, whole.astype("timedelta64[us]"), np.timedelta64("NaT"))


def time_of_day(values: pl.Series, places: Places, half: str) -> Array:
    """Return hours, minutes and seconds since midnight, NaT where they are none; `half` is a or p for AM or PM."""
    hour, minute = digits(values, places["hour"]), digits(values, places["minute"])
    second = digits(values, places["second"]) if "second" in places else np.zeros(len(values), np.int64)
    good = (hour < 24) & (minute < 60) & (second < 61)
    if half:
        good &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + 12 * (half == "p")
    micro = (hour * 3600 + minute * 60 + second) * 1_000_000 + _fraction(values, places)
    return np.where(good, micro.astype("timedelta64[us]"), np.timedelta64("NaT"))


def _fraction(values: pl.Series, places: Places) -> Any:
    """Return a fraction of a second in microseconds."""
    if "fraction" not in places:
        return 0
    begin = places["fraction"][0]
    size = min(width(places["fraction"]), 6)
    return digits(values, (begin, begin + size)) * 10 ** (6 - size)
