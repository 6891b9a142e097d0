"""Dates as people write them, in the order that the whole column has."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luce.tables.text.dates import MONTHS, NUMBER_OF, ORDERS, _bare, dates, layout
from luce.tables.text.shapes import normal, shapes
from text_tables import column, read

DAYS = [dt.datetime(2020, 1, 1) + dt.timedelta(days=11 * k, hours=7 * k, minutes=k) for k in range(60)]
EARLY = [day for day in DAYS if day.day < 13]


@pytest.mark.parametrize(
    ("form", "timed"),
    [
        ("%Y-%m-%d", False),
        ("%Y/%m/%d", False),
        ("%Y.%m.%d", False),
        ("%Y%m%d", False),
        ("%d.%m.%Y", False),
        ("%d. %m. %Y", False),
        ("%d/%m/%Y", False),
        ("%d-%m-%Y", False),
        ("%m/%d/%Y", False),
        ("%m-%d-%Y", False),
        ("%d.%m.%y", False),
        ("%m/%d/%y", False),
        ("%d %b %Y", False),
        ("%d-%b-%y", False),
        ("%d-%B-%Y", False),
        ("%d%b%Y", False),
        ("%B %d, %Y", False),
        ("%b. %d %Y", False),
        ("%A, %B %d, %Y", False),
        ("%a, %d %b %Y", False),
        ("%Y年%m月%d日", False),
        ("%Y-%m-%d %H:%M", True),
        ("%Y-%m-%dT%H:%M:00", True),
        ("%Y-%m-%dT%H:%M:00.000Z", True),
        ("%Y-%m-%d %H:%M:00.000000", True),
        ("%Y-%m-%d %H:%M:00,000", True),
        ("%Y-%m-%dT%H:%M:00+00:00", True),
        ("%Y-%m-%d %H:%M:00 UTC", True),
        ("%d.%m.%Y %H:%M", True),
        ("%d.%m.%Y, %H:%M Uhr", True),
        ("%d/%m/%Y %H:%M:00", True),
        ("%m/%d/%Y %I:%M %p", True),
        ("%m/%d/%Y %I:%M:00 %p", True),
        ("%d/%b/%Y:%H:%M:00 +0000", True),
        ("%a %b %d %H:%M:00 %Y", True),
        ("%a, %d %b %Y %H:%M:00 GMT", True),
        ("%Y%m%dT%H%M00Z", True),
        ("%Y%m%dT%H%M00.000Z", True),
        ("%a %b %d %Y %H:%M:00 GMT+0000 (Coordinated Universal Time)", True),
    ],
)
def test_dates_in_every_form(tmp_path, form, timed):
    values, remarks, _ = column(tmp_path, [day.strftime(form) for day in DAYS])
    assert values == [day if timed else day.date() for day in DAYS]
    assert not remarks or form == "%Y%m%d"


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("+02:00", 2), ("+0200", 2), ("+02", 2), (" -05:30", -5.5), (" CEST", 2), (" EST", -5), (" UTC", 0), (" GMT", 0)],
)
def test_zones_become_utc(tmp_path, zone, hours):
    values, _, _ = column(tmp_path, [day.strftime("%Y-%m-%d %H:%M:00") + zone for day in DAYS])
    assert values == [day - dt.timedelta(hours=hours) for day in DAYS]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["31. Januar 2024", "1. März 2024", "24. Dez. 2023"], [(2024, 1, 31), (2024, 3, 1), (2023, 12, 24)]),
        (["3 février 2024", "1er mai 2024", "14 août 2023"], [(2024, 2, 3), (2024, 5, 1), (2023, 8, 14)]),
        (["5 de enero de 2024", "6 de abril de 2024", "7 dic 2023"], [(2024, 1, 5), (2024, 4, 6), (2023, 12, 7)]),
        (["January 1st, 2024", "May 2nd, 2024", "June 23rd, 2024"], [(2024, 1, 1), (2024, 5, 2), (2024, 6, 23)]),
        (["5 stycznia 2024", "6 października 2024", "7 gru 2023"], [(2024, 1, 5), (2024, 10, 6), (2023, 12, 7)]),
        (["5 января 2024", "6 май 2024", "7 сент. 2023"], [(2024, 1, 5), (2024, 5, 6), (2023, 9, 7)]),
        (["5 Ocak 2024", "6 Ağustos 2024", "7 Kasım 2023"], [(2024, 1, 5), (2024, 8, 6), (2023, 11, 7)]),
        (["5. maj 2024", "6. oktober 2024", "7. desember 2023"], [(2024, 5, 5), (2024, 10, 6), (2023, 12, 7)]),
        (["2024-Q1", "2024Q3", "Q4 2023"], [(2024, 1, 1), (2024, 7, 1), (2023, 10, 1)]),
        (["2021-W01", "2020-W53-7", "2020W01-1"], [(2021, 1, 4), (2021, 1, 3), (2019, 12, 30)]),
        (["2024-01", "2024-02", "2023-12"], [(2024, 1, 1), (2024, 2, 1), (2023, 12, 1)]),
        (["01/2024", "02/2024", "12/2023"], [(2024, 1, 1), (2024, 2, 1), (2023, 12, 1)]),
        (["Jan 2024", "Feb 2024", "December 2023"], [(2024, 1, 1), (2024, 2, 1), (2023, 12, 1)]),
        (["1/31/68", "2/1/69", "12/31/99"], [(2068, 1, 31), (1969, 2, 1), (1999, 12, 31)]),
        (["2024-02-29", "2000-02-29", "0001-01-01"], [(2024, 2, 29), (2000, 2, 29), (1, 1, 1)]),
    ],
)
def test_names_of_months_and_lone_months(tmp_path, cells, expected):
    values, _, _ = column(tmp_path, cells * 10)
    assert values[:3] == [dt.date(*parts) for parts in expected]


def test_a_day_above_twelve_in_one_place_settles_the_order(tmp_path):
    cells = [day.strftime("%m/%d/%Y") for day in EARLY]
    values, remarks, _ = column(tmp_path, [*cells, "1/13/2020"])
    assert values == [*(day.date() for day in EARLY), dt.date(2020, 1, 13)]
    assert remarks == ""


def test_what_nothing_settles_is_said_and_can_be_overruled(tmp_path):
    cells = [day.strftime("%m/%d/%Y") for day in EARLY]
    values, remarks, _ = column(tmp_path, cells)
    assert values == [dt.date(day.year, day.day, day.month) for day in EARLY]
    assert "read day first, nothing in the column settles it (--dates month-first)" in remarks
    values, remarks, _ = column(tmp_path, cells, dates="month-first")
    assert values == [day.date() for day in EARLY]
    assert remarks == ""


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%d/%m/%Y"])
def test_first_days_of_months_settle_the_order(tmp_path, form):
    months = [dt.date(2020 + k // 12, 1 + k % 12, 1) for k in range(36)]
    values, remarks, _ = column(tmp_path, [month.strftime(form) for month in months])
    assert values == months
    assert "as all are first days of months then" in remarks


def test_other_columns_and_am_pm_settle_the_order(tmp_path):
    rows = [f"{a:%m/%d/%Y},{b:%m/%d/%Y}" for a, b in zip(EARLY, DAYS, strict=False)]
    found = read(tmp_path, "a,b\n" + "\n".join(rows) + "\n")
    assert found.values["a"] == [day.date() for day in EARLY]
    assert "as in other columns" in found.remarks["a"]
    values, remarks, _ = column(tmp_path, [day.strftime("%m/%d/%Y %I:%M %p") for day in EARLY])
    assert values == EARLY
    assert "month first" in remarks


def test_a_few_odd_values_are_missing_and_counted(tmp_path):
    cells = [day.strftime("%d/%m/%Y") for day in DAYS]
    cells[7], cells[8], cells[9] = "12/31/2020", "unknown", "31/02/2020"
    values, remarks, _ = column(tmp_path, cells)
    assert values == [None if k in (7, 8, 9) else day.date() for k, day in enumerate(DAYS)]
    assert "no date: missing" in remarks


def test_no_name_means_two_months():
    names = [_bare(name) for month in MONTHS for name in month.split()]
    assert len(names) == len({*names}) == len(NUMBER_OF)


@given(st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)))
def test_any_week(day):
    year, week, weekday = day.isocalendar()
    cells = [f"{year}-W{week:02d}-{weekday}", f"{year}-W{week:02d}", f"{year}-W00-1", f"{year}-W54-1", f"{year}-W10-8"]
    monday = day - dt.timedelta(weekday - 1)
    found = dates(pl.Series(cells), ORDERS[0]).dt.date().to_list()
    assert found == [day, monday, None, None, None]


def test_numbers_among_dates_are_told(tmp_path):
    """Excel writes dates that it did not understand as text, others as the days since 1900."""
    cells = [day.strftime("%Y-%m-%d") for day in DAYS]
    cells[4], cells[5] = "45000", "45001"
    values, remarks, _ = column(tmp_path, cells)
    assert [k for k, value in enumerate(values) if value is None] == [4, 5]
    assert remarks == "'45000' (2) are no date: missing (--text)"
    cells[6] = "soon"
    assert column(tmp_path, cells)[1] == "'soon' (1), '45000' (2) are no date: 3 missing (--text)"
    cells[::3] = [str(45_000 + k) for k in range(len(cells[::3]))]
    assert column(tmp_path, cells)[1] == "looks like dates, but '45000' (22) are none: read as text"


@pytest.mark.parametrize("odd", ["0000-00-00", "2020-02-30", "9999-99-99"])
def test_what_looks_like_a_date_and_is_none_is_counted(tmp_path, odd):
    cells = [day.strftime("%Y-%m-%d") for day in DAYS]
    cells[5] = cells[9] = odd
    values, remarks, found = column(tmp_path, cells)
    assert [k for k, value in enumerate(values) if value is None] == [5, 9]
    assert f"'{odd}' (2) are no date: missing" in remarks
    assert found.readings["x"].odd == ("9999-99-99",)


def test_times_of_day(tmp_path):
    values, _, found = column(tmp_path, ["13:05", "9:30", "23:59"] * 10)
    assert values[:3] == [dt.time(13, 5), dt.time(9, 30), dt.time(23, 59)]
    assert column(tmp_path, ["1:05 PM", "12:00 AM", "12:30 p.m."] * 10)[0][:3] == [
        dt.time(13, 5),
        dt.time(0),
        dt.time(12, 30),
    ]
    assert found.types["x"] == "Time"


@pytest.mark.parametrize(
    "cells", [["2024", "1999"], ["99/99", "12/31"], ["Mai", "June"], ["31.12", "24.1"], ["5 Foo 2024"] * 2]
)
def test_what_is_no_date_stays_what_it_is(tmp_path, cells):
    assert column(tmp_path, cells * 10)[2].types["x"] in ("String", "Int64", "Float64")


def test_eight_digits_are_dates_where_all_of_them_are(tmp_path):
    cells = [day.strftime("%Y%m%d") for day in DAYS]
    assert "eight digits read as dates" in column(tmp_path, cells)[1]
    assert column(tmp_path, [*cells, "20241345"])[0][0] == 20200101
    assert column(tmp_path, cells, number=["x"])[0][0] == 20200101


@given(
    st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 12, 31)),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%y", "%Y-%m-%d", "%d %B %Y", "%b %d, %Y", "%d.%m.%y"]),
    st.sampled_from(["", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", "T%H:%M:%S"]),
)
def test_any_moment_in_any_form(moment, day, time):
    if day == "%b %d, %Y" and time.startswith("T"):
        return
    text = normal(pl.Series([moment.strftime(day + time)]))
    order = ORDERS[1] if day.startswith("%m") else ORDERS[0]
    assert layout(shapes(text)[0]) is not None
    assert dates(text, order)[0] == dt.datetime.strptime(moment.strftime(day + time), day + time)
