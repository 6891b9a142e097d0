"""Numbers as people write them: the right value, or text and a remark."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luce.tables.text.missing import Source
from luce.tables.text.numbers import STYLES, number_shape, numbers
from luce.tables.text.reading import typed
from luce.tables.text.shapes import normal, shapes
from text_tables import column, read

RNG = np.random.default_rng(0)
VALUES = [round(float(v), 2) for v in RNG.normal(0, 3000, 60)]


def english(value):
    return f"{value:,.2f}"


def german(value):
    return english(value).translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("write", "said"),
    [
        (str, ""),
        ("{:.3e}".format, ""),
        (lambda v: f"{v:.3e}".replace("e", "D"), ""),
        ("{:+.2f}".format, ""),
        (english, "commas read as thousands separators"),
        (german, "dots read as thousands separators"),
        (lambda v: german(v).replace(".", " "), "blanks read as thousands separators"),
        (lambda v: german(v).replace(".", "\u00a0"), "blanks read as thousands separators"),
        (lambda v: german(v).replace(".", "\u202f") + "\u00a0€", "unit '€' left out"),
        (lambda v: english(v).replace(",", "'"), "apostrophes read as thousands separators"),
        (lambda v: "CHF " + english(v).replace(",", "’"), "unit 'CHF' left out"),
        (lambda v: f"{v:.2f}".replace(".", ","), ""),
        (lambda v: f"{v:.2f}".replace("-", "\u2212"), ""),
        (lambda v: f"({-v:.2f})" if v < 0 else f"{v:.2f}", ""),
        (lambda v: f"({-v:,.2f})" if v < 0 else english(v), "commas"),
        (lambda v: f"{abs(v):.2f}-" if v < 0 else f"{v:.2f}", ""),
        (lambda v: "$" + english(v), "unit '$' left out"),
        (lambda v: ("-" if v < 0 else "") + "$" + english(abs(v)), "unit '$' left out"),
        (lambda v: ("-" if v < 0 else "") + "R$ " + german(abs(v)), "unit 'R$' left out"),
        (lambda v: english(v) + " EUR", "unit 'EUR' left out"),
        (lambda v: f"{v:.2f}%", "unit '%' left out"),
        (lambda v: f"{v:.2f} %".replace(".", ","), "unit '%' left out"),
        (lambda v: f"{v:.2f} kg", "unit 'kg' left out"),
        (lambda v: f"{v:.2f}mg/dL", "unit 'mg/dL' left out"),
        (lambda v: f"{v:.2f} m2", "unit 'm²' left out"),
        (lambda v: f"{v:.2f} °C", "unit '°C' left out"),
        (lambda v: f"  {v:.2f} ", ""),
        (lambda v: f'="{v:.2f}"', ""),
    ],
)
def test_numbers_in_every_spelling(tmp_path, write, said, separator):
    values, remarks, found = column(tmp_path, [write(v) for v in VALUES], separator=separator)
    expected = [float(f"{v:.3e}") for v in VALUES] if {"e+", "D+"} & {write(1e5)[5:7]} else VALUES
    assert values == pytest.approx(expected, rel=1e-12)
    assert found.types["x"] == "Float64"
    assert said in remarks
    assert said or not remarks


@pytest.mark.parametrize(
    "write",
    [
        lambda v: f"{v:.2f}".translate({ord("0") + k: ord("０") + k for k in range(10)} | {ord("."): "．"}),
        lambda v: f"{v:.2f}".translate({ord("0") + k: ord("٠") + k for k in range(10)} | {ord("."): "٫"}),
        lambda v: f"{v:.2f}\u200b",
        lambda v: f"\u200e{v:.2f}\u200f",
        lambda v: f"\ufeff{v:,.2f}\u00a0kg",
    ],
)
def test_digits_of_other_scripts_and_marks_that_nobody_sees(tmp_path, write):
    assert column(tmp_path, [write(v) for v in VALUES])[0] == VALUES


def test_indian_grouping(tmp_path):
    values, remarks, _ = column(tmp_path, ["12,34,567.5", "1,00,000.25", "99,999.75", "500.0"] * 5)
    assert values[:4] == [1234567.5, 100000.25, 99999.75, 500.0]
    assert "commas" in remarks


def test_plural_units_and_values_without(tmp_path):
    values, remarks, _ = column(tmp_path, ["1 year", "2 years", "10 years", "0"] * 4)
    assert values[:4] == [1, 2, 10, 0]
    assert "unit 'year' left out, 4 of the values are without it" in remarks


@pytest.mark.parametrize(
    "units", [("kg", "m"), ("mg/dL", "mmol/L"), ("$", "€"), ("°C", "°F"), ("mg/L", "mg/kg"), ("m", "m²")]
)
def test_units_that_differ_are_text_and_told(tmp_path, units):
    cells = [f"{v} {units[k % 2]}" for k, v in enumerate(VALUES)]
    values, remarks, _ = column(tmp_path, cells)
    assert values == cells
    assert remarks == f"numbers of several units ({', '.join(map(repr, sorted(units)))}): read as text"


@pytest.mark.parametrize(
    ("units", "sizes", "said"),
    [
        ("km m", [1000, 1], "units 'km', 'm' converted to 'km'"),
        ("kg g mg", [1e6, 1e3, 1], "units 'kg', 'g', 'mg' converted to 'kg'"),
        ("mg/L µg/L", [1000, 1], "units 'mg/L', 'µg/L' converted to 'mg/L'"),
        (
            "year month week day",
            [365.25, 365.25 / 12, 7, 1],
            "units 'year', 'month', 'week', 'day' converted to 'year'",
        ),
        ("years day", [365.25, 1], "units 'year', 'day' converted to 'year'"),
        ("GB MB KB B", [1e9, 1e6, 1e3, 1], "units 'GB', 'MB', 'KB', 'B' converted to 'GB'"),
        ("MiB GB", [2**20, 1e9], "units 'MiB', 'GB' converted to 'MiB'"),
        ("kW W", [1000, 1], "units 'kW', 'W' converted to 'kW'"),
        ("lbs kg oz", [453.59237, 1000, 28.349523125], "units 'lb', 'kg', 'oz' converted to 'lb'"),
        ("ft in m", [0.3048, 0.0254, 1], "units 'ft', 'in', 'm' converted to 'ft'"),
        ("EUR €", [1, 1], "units 'EUR', '€' left out"),
        ("% percent", [1, 1], "units '%', 'percent' left out"),
        ("kg KG Kg", [1, 1, 1], "units 'kg', 'KG', 'Kg' left out"),
        ("Stück stück", [1, 1], "units 'Stück', 'stück' left out"),
    ],
)
@pytest.mark.parametrize("rare", [1, 7])
def test_units_that_measure_the_same_are_converted_to_the_most_frequent(tmp_path, units, sizes, said, rare):
    """The same quantities in turn in each unit, or seldom in all but the first."""
    names = units.split()
    which = [k // rare % len(names) if k % rare == 0 else 0 for k in range(len(VALUES))]
    values, remarks, _ = column(tmp_path, [f"{v} {names[unit]}" for unit, v in zip(which, VALUES, strict=True)])
    expected = [v * sizes[unit] / sizes[0] for unit, v in zip(which, VALUES, strict=True)]
    assert values == pytest.approx(expected, rel=1e-14)
    assert remarks == said


def test_multiples_are_those_of_one(tmp_path):
    values, remarks, _ = column(tmp_path, ["19M", "201k", "713", "3.5 Mio.", "2B", "1,500K"] * 5)
    assert values[:6] == [19e6, 201e3, 713, 3.5e6, 2e9, 1.5e6]
    assert "'M' read as 1,000,000, 'k' read as 1,000, 'Mio' read as 1,000,000, 'B' read as 1,000,000,000" in remarks
    assert column(tmp_path, ["1.2k", "713"] * 5)[0][:2] == [1200, 713]
    assert column(tmp_path, [*map(str, range(500)), "1.2k"])[0][-1] == 1200


def test_a_unit_converted_at_prediction(tmp_path):
    """A model that saw kilograms and thousands reads grams and millions."""
    found = column(tmp_path, ["1.5 kg", "2 kg"] * 9)[2].readings["x"]
    cells = pl.Series(["250 g", "0.5", "3 lbs", "2 m"])
    assert typed(cells, found, Source(False, ",")).values.to_list() == [0.25, 0.5, pytest.approx(1.36077711), None]
    found = column(tmp_path, ["1.5k", "2k"] * 9)[2].readings["x"]
    assert typed(pl.Series(["2M", "713"]), found, Source(False, ",")).values.to_list() == [2e6, 713]


@pytest.mark.parametrize(
    ("separator", "write", "factor"),
    [(",", "{:,}", 1), (";", "{:,}", 0.001), (";", "{:_}", 1), (",", "{:_}", 0.001)],
)
def test_three_digits_behind_a_sign_are_read_by_the_separator_and_said(tmp_path, separator, write, factor):
    """1,163 may be 1163 or 1.163: the file's other columns decide, or else its separator; the report says which."""
    cells = [write.format(1163 + 7 * k).replace("_", ".") for k in range(40)]
    values, remarks, _ = column(tmp_path, cells, separator=separator)
    assert values == pytest.approx([(1163 + 7 * k) * factor for k in range(40)])
    assert "--decimal" in remarks
    sign = "," if "," in cells[0] else "."
    assert column(tmp_path, cells, separator=separator, decimal=sign)[0][0] == 1.163
    assert column(tmp_path, cells, separator=separator, decimal=".,".replace(sign, ""))[0][0] == 1163


def test_other_columns_settle_the_decimal_sign(tmp_path):
    text = "x;z\n" + "".join(f"1.{163 + k};{k}.25\n" for k in range(20))
    assert read(tmp_path, text).values["x"][0] == 1.163
    text = "x,z\n" + "".join(f'"1,{163 + k}","{k},25"\n' for k in range(20))
    assert read(tmp_path, text).values["x"][0] == 1.163


@pytest.mark.parametrize(
    "cells",
    [
        ["A12", "B7", "A3"],
        ["12A", "3B", "7C"],
        ["user 7", "user 12", "user 9"],
        ["0x10", "0x1f", "0x22"],
        ["1_000", "2_000", "3_000"],
        ["555 1234", "555 4321", "555 9999"],
        ["10.0.0.1", "10.0.0.2", "192.168.1.1"],
        ["1.0.3", "1.10.2", "2.0.1"],
        ["5-10", "10-20", "20+"],
        ["1/2", "3/4", "1/3"],
        ["1st", "2nd", "3rd"],
        ["1D5", "10D4", "5D2"],
        ["1,2,3", "4,5", "6,7,8"],
        ["+-5", "--3", "5-5"],
        ["yes", "no", "5"],
    ],
)
def test_what_only_looks_like_numbers_stays_text(tmp_path, cells):
    values, _, _ = column(tmp_path, cells * 10)
    assert values == cells * 10


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["007", "010", "100"], "leading zeros ('007'; 20 values)"),
        (["08028", "60601"], "leading zeros ('08028'; 10 values)"),
        (["1", "2", "00"], "leading zeros ('00'; 10 values)"),
        (["5", "00012345678901234567890"], "leading zeros ('00012345678901234567890'; 10 values)"),
        (['="007"', '="7"'], "leading zeros ('007'; 10 values)"),
    ],
)
def test_leading_zeros_are_codes(tmp_path, cells, said):
    values, remarks, _ = column(tmp_path, cells * 10)
    assert values[: len(cells)] == [cell.strip('="') for cell in cells]
    assert said in remarks and "--number" in remarks
    numbers, _, found = column(tmp_path, cells * 10, number=["x"])
    assert numbers[: len(cells)] == pytest.approx([int(cell.strip('="')) for cell in cells], rel=1e-15)
    assert found.types["x"] == ("Int64" if len(cells[-1]) < 19 else "Float64")


def test_zeros_before_decimals_are_no_codes(tmp_path):
    values, remarks, _ = column(tmp_path, ["0", "0.5", "-0.25", "00.75", "10"] * 4)
    assert values[:5] == [0, 0.5, -0.25, 0.75, 10]
    assert remarks == ""


def test_integers_that_no_number_holds_are_text(tmp_path):
    cells = [str(10**19 + k) for k in range(20)]
    values, remarks, _ = column(tmp_path, cells)
    assert values == cells
    assert "integers beyond 64 bits" in remarks
    assert column(tmp_path, cells, number=["x"])[2].types["x"] == "Float64"


def test_dashes_for_no_cents(tmp_path):
    values, _, _ = column(tmp_path, ["12.-", "7.50", "1'200.–", "3.--", "-5.25"] * 5)
    assert values[:5] == [12, 7.5, 1200, 3, -5.25]


def test_integers_stay_integers(tmp_path):
    values, _, found = column(tmp_path, ["9007199254740993", "-5", "NA", "+7"] * 5)
    assert values[:4] == [9007199254740993, -5, None, 7]
    assert found.types["x"] == "Int64"


styles = st.sampled_from(STYLES)


@given(st.integers(-(10**9), 10**9), st.integers(0, 4), styles, st.sampled_from(["", "kg", "€", "%", "m²"]))
def test_a_number_written_in_a_style_is_read_in_it(digits, decimals, style, unit):
    text = f"{digits / 10**decimals:,.{decimals}f}".replace(",", "_").replace(".", style.decimal)
    text = text.replace("_", style.thousands) + (" " + unit if unit else "")
    cells = normal(pl.Series([text]))
    found = numbers(cells, style, [unit] if unit else [])[0]
    assert found == pytest.approx(digits / 10**decimals, rel=1e-15)
    understood = number_shape(shapes(cells)[0])
    assert understood.unit == unit and style in understood.styles
    for other in understood.styles:  # every style that a shape is said to have reads it
        assert numbers(cells, other, [unit])[0] is not None
