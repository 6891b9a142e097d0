"""Times of day and durations as people and programs write them, in seconds."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luce.tables.conversion import as_number
from luce.tables.text.shapes import normal, shapes
from luce.tables.text.times import duration_layout, durations
from text_tables import column

SECONDS = [int(s) for s in np.random.default_rng(0).integers(0, 120_000, 60)]


def seconds(found, name="x"):
    return as_number(pl.Series(found.values[name])).to_list()


def clock(s, hours="{:02d}"):
    return f"{hours.format(s // 3600)}:{s // 60 % 60:02d}:{s % 60:02d}"


def iso(s):
    parts = [(s // 86400, "D"), (s // 3600 % 24, "H"), (s // 60 % 60, "M"), (s % 60, "S")]
    date, time = parts[:1], "".join(f"{n}{sign}" for n, sign in parts[1:] if n)
    return "P" + "".join(f"{n}{sign}" for n, sign in date if n) + ("T" + time if time else "")


@pytest.mark.parametrize(
    "write",
    [
        clock,
        lambda s: clock(s, "{}"),
        lambda s: f"{s // 60}:{s % 60:02d}.000",
        lambda s: f"{s // 86400} days {clock(s % 86400)}",
        lambda s: str(dt.timedelta(seconds=s)),
        lambda s: f"{s // 86400}.{clock(s % 86400)}",
        lambda s: f"{s // 86400}:{clock(s % 86400)}",
        lambda s: f"{s // 86400}-{clock(s % 86400)}",
        iso,
        lambda s: f"{s // 3600}h {s // 60 % 60}m {s % 60}s",
        lambda s: f"{s // 3600} hours, {s // 60 % 60} min, {s % 60} sec",
        lambda s: f"{s // 86400} d {s // 3600 % 24} h {s // 60 % 60} min {s % 60} s",
    ],
)
@pytest.mark.parametrize("values", [SECONDS, [s % 86_400 for s in SECONDS]])
def test_durations_in_every_form(tmp_path, write, values):
    _, remarks, found = column(tmp_path, [write(s) for s in values])
    assert seconds(found) == values
    assert remarks == ""


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["-1 days +23:59:00", "0 days 00:00:30.500000", "1 days"], [-60, 30.5, 86_400]),
        (["-1 day, 23:59:00", "0:00:30.5", "1 day, 0:00:00"], [-60, 30.5, 86_400]),
        (["-0:01:00", "+1:00:00", "30:00:00"], [-60, 3600, 108_000]),
        (["-1.00:00:01", "0.00:00:02", "1.00:00:00"], [-86_401, 2, 86_400]),
        (["PT4M13S", "PT1H", "P1DT0.5S"], [253, 3600, 86_400.5]),
        (["1h30", "2h05", "30h00"], [5400, 7500, 108_000]),
        (["90 s", "2 min", "1h"], [90, 120, 3600]),
        (["\u22120:01:00", "25:00:00", "1:00:00"], [-60, 90_000, 3600]),
    ],
)
def test_signs_days_and_fractions(tmp_path, cells, expected):
    assert seconds(column(tmp_path, cells * 5)[2]) == expected * 5


def test_two_parts_are_minutes_and_seconds_where_they_can_be_nothing_else(tmp_path):
    _, remarks, found = column(tmp_path, ["59:12", "1:02:45", "4:13"] * 5)
    assert seconds(found)[:3] == [3552, 3765, 253]
    assert remarks == "durations such as 59:12 read as minutes and seconds"
    _, remarks, found = column(tmp_path, ["83:20", "0:30", "170:00"] * 5)
    assert seconds(found)[:3] == [300_000, 1800, 612_000]
    assert remarks == "durations such as 83:20 read as hours and minutes"


def test_times_of_day_stay_times(tmp_path):
    values, remarks, found = column(tmp_path, ["13:05", "13:05:30", "9:30"] * 10)
    assert values[:3] == [dt.time(13, 5), dt.time(13, 5, 30), dt.time(9, 30)]
    assert found.types["x"] == "Time" and remarks == ""


@pytest.mark.parametrize(
    "cells", [["1:75:00", "0:99:99"], ["4:3", "16:9"], ["1:2:3", "4:5:6"], ["P", "PT"], ["P1", "P"]]
)
def test_what_is_no_duration_stays_text(tmp_path, cells):
    values, _, _ = column(tmp_path, cells * 10)
    assert values == cells * 10


def test_a_few_odd_durations_are_missing_and_counted(tmp_path):
    cells = [clock(s) for s in SECONDS]
    cells[3], cells[9] = "DNF", "12:75:00"
    _, remarks, found = column(tmp_path, cells)
    assert seconds(found) == [None if k in (3, 9) else s for k, s in enumerate(SECONDS)]
    assert "'DNF' (1)" in remarks and "'12:75:00' (1)" in remarks and "are no duration: 2 missing (--text)" in remarks


@given(st.integers(-(10**9), 10**9), st.sampled_from(["python", "pandas", "clock"]))
def test_any_duration_in_microseconds(millis, form):
    length = dt.timedelta(milliseconds=millis)
    text = str(length)
    if form == "pandas":
        text = f"{length.days} days {'+' if length.days < 0 else ''}{length - dt.timedelta(length.days)!s:0>8}"
    if form == "clock":
        size = abs(millis)
        text = f"{'-' * (millis < 0)}{clock(size // 1000, '{}')}.{size % 1000:03d}"
    cells = normal(pl.Series([text]))
    assert duration_layout(shapes(cells)[0]) is not None
    assert durations(cells, minutes=False)[0] == length
