"""What a column is, decided from all of its values: missing words, odd values, booleans, rows that are none."""

import json

import numpy as np
import polars as pl
import pytest

from luce.tables.batches import Batches
from luce.tables.text import table as text_table
from luce.tables.text.options import ReadingOptions
from luce.tables.text.reading import Reading
from text_tables import column, read

RNG = np.random.default_rng(1)
NUMBERS = [str(round(float(v), 3)) for v in RNG.normal(size=300)]


def with_odd(*odd, every=0, cells=NUMBERS):
    made = list(cells)
    if every:
        made[::every] = odd * len(made[::every])
        return made
    for k, value in enumerate(odd):
        made[10 + 7 * k] = value
    return made


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (with_odd("n/a yet", "see note"), "'n/a yet' (1), 'see note' (1) are no number: 2 missing (--text)"),
        (with_odd("n/a yet", every=10), "'n/a yet' (30) are no number"),
        (with_odd("not measured", every=3), "'not measured' (100) are no number"),
        (with_odd(".", every=4), "'.' (75) are no number"),
        (with_odd("-", every=9), "'-' (34) are no number"),
        (with_odd("<0.01", "<0.02"), "'<0.01' (2) are no number"),
        (with_odd("<0.01", every=5), "'<0.01' (60) are no number: missing (--text)"),
        (with_odd("<0.5", ">4", "< LOD", "≥ 12 mg/L") * 20, "80 missing (--text)"),
        (
            [("<0.5", "<0.25", "> 20", "n/a")[k // 3 % 4] if k % 3 == 0 else v for k, v in enumerate(NUMBERS)],
            "'<0.5' (25), '<0.25' (25), '> 20' (25), 25 more are no number: 100 missing (--text)",
        ),
        (with_odd("#DIV/0!", "#VALUE!", "#REF!"), "are no number"),
        (with_odd(*(f"comment {chr(97 + k)}" for k in range(14))), "11 more are no number"),
        (with_odd("12 kg"), "'12 kg' (1) is no number"),
        (with_odd("x", cells=NUMBERS[:12]), "'x' (1) is no number"),
    ],
)
def test_numbers_but_for_a_few_odd_values_stay_numbers(tmp_path, cells, said):
    values, remarks, found = column(tmp_path, cells)
    assert found.types["x"] == "Float64"
    assert said in remarks
    odd = [k for k, cell in enumerate(cells) if cell not in NUMBERS]
    assert [k for k, value in enumerate(values) if value is None] == odd
    assert [value for value in values if value is not None] == [float(cell) for cell in cells if cell in NUMBERS]
    assert column(tmp_path, cells, text=["x"])[0] == cells


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["0", "1", "2", "3+"] * 30, "looks like numbers, but '3+' (30) are none: read as text (--number)"),
        ([f"A/5 {k}" if k % 4 == 0 else str(100_000 + 7 * k) for k in range(80)], "looks like numbers"),
        (["1.0.0", "1.1.1", "1.2.3", "1.0.0-rc1"] * 20, ""),
        (["low", "5", "high", "7"] * 20, "looks like numbers"),
        (["<1", "1", "2", "3", ">3"] * 20, "looks like numbers, but '<1' (20), '>3' (20) are none"),
        (["<18", "18-24", "25-34", ">34"] * 20, ""),
        (["5", "low", "high", "mid"] * 20, ""),
        (["1", "2.5", "x"], "looks like numbers, but 'x' (1) is none"),
        (["true", "false", "maybe"] * 9, ""),
    ],
)
def test_categories_stay_text(tmp_path, cells, said):
    values, remarks, _ = column(tmp_path, cells)
    assert values == cells
    assert said in remarks and bool(said) == bool(remarks)


@pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("True", "False"), ("true", "false"), ("true", "FALSE")])
def test_booleans(tmp_path, words):
    values, remarks, found = column(tmp_path, [words[0], words[1], "NA", '"true"'.strip('"')] * 5)
    assert values[:4] == [True, False, None, True]
    assert found.types["x"] == "Boolean" and "'NA' (5)" in remarks


@pytest.mark.parametrize("word", ["NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "\\N", "?"])
@pytest.mark.parametrize("others", [["p", "q"], ["1", "2.5"], ["2024-01-31", "2024-02-01"]])
def test_words_for_missing_are_counted(tmp_path, word, others):
    values, remarks, _ = column(tmp_path, [*others, word, ""] * 5)
    assert [k % 4 for k, value in enumerate(values) if value is None] == [2, 3] * 5
    assert f"{word!r} (5) counted as missing (--missing)" in remarks


@pytest.mark.parametrize("word", ["None", "none", "N.A.", "-", ".", "na", "Null", "missing"])
def test_other_words_are_levels(tmp_path, word):
    values, remarks, _ = column(tmp_path, ["p", word, "q"] * 5)
    assert values == ["p", word, "q"] * 5
    assert remarks == ""


def test_quotes_keep_a_word_that_is_no_number(tmp_path):
    found = read(tmp_path, "x,y,z\n" + '"NA",NA,"NA"\n"p",q,"1.5"\n"q",p,"2.5"\n' * 9)
    assert found.values["x"][:3] == ["NA", "p", "q"]
    assert found.values["y"][:3] == [None, "q", "p"]
    assert found.values["z"][:3] == [None, 1.5, 2.5]
    assert "in quotes, too" in found.remarks["z"]


def test_the_list_of_missing_words_can_be_set_and_emptied(tmp_path):
    text = "x,y\n" + '-999,NA\n1.5,"none"\n,q\n-9.5,u\n' * 5
    assert read(tmp_path, text, missing=["-999"]).values == {
        "x": [None, 1.5, None, -9.5] * 5,
        "y": ["NA", "none", "q", "u"] * 5,
    }
    assert read(tmp_path, text, missing=["none"]).values["y"] == ["NA", "none", "q", "u"] * 5
    assert read(tmp_path, text, missing=["none", "NA"]).values["y"] == [None, None, "q", "u"] * 5
    assert read(tmp_path, text).values["y"] == [None, "none", "q", "u"] * 5


TABLE = "a,b,y\n" + "".join(f"{k}.5,{k * k},{'uvw'[k % 3]}\n" for k in range(30))
UNITS = ["m/s,kg,", "[m],[kg],[-]", "(mm),(g),class", "speed in m/s,weight,species", "°C,m3,x", "n/a,see below,"]


@pytest.mark.parametrize("units", UNITS)
def test_a_row_of_units_is_left_out_and_said(tmp_path, units):
    plain = read(tmp_path, TABLE)
    found = read(tmp_path, TABLE.replace("a,b,y\n", f"a,b,y\n{units}\n"))
    assert found.values == plain.values and found.types == plain.types
    assert found.remarks == plain.remarks == {}
    assert "row 1 holds no data but units" in found.notes[0] and "--all-rows" in found.notes[0]
    kept = read(tmp_path, TABLE.replace("a,b,y\n", f"a,b,y\n{units}\n"), all_rows=True)
    assert len(kept.values["a"]) == 31 and kept.values["a"][0] is None and kept.notes == []


def test_two_rows_of_descriptions_are_left_out(tmp_path):
    head = 'a,b,y\nHow fast?,How heavy?,Which?\n"{""Id"":""Q1""}","{""Id"":""Q2""}","{""Id"":""Q3""}"\n'
    found = read(tmp_path, TABLE.replace("a,b,y\n", head))
    assert found.values == read(tmp_path, TABLE).values
    assert "rows 1 to 2 hold no data" in found.notes[0]


@pytest.mark.parametrize("first", ["n/a yet,0,u", ",n/a,u", "0.5,n/a,u"])
def test_a_row_with_some_data_is_a_row(tmp_path, first):
    found = read(tmp_path, TABLE.replace("a,b,y\n", f"a,b,y\n{first}\n"))
    assert len(found.values["y"]) == 31 and found.values["y"][0] == "u" and found.notes == []


def test_a_single_column_of_numbers_needs_a_unit(tmp_path):
    text = "a,y\n{},u\n" + "".join(f"{k}.5,v\n" for k in range(30))
    assert len(read(tmp_path, text.format("[mm]")).values["a"]) == 30
    assert len(read(tmp_path, text.format("n/a yet")).values["a"]) == 31


@pytest.mark.parametrize(
    ("total", "rows"),
    [
        ("Total,,", 30),
        ("Total:,8555,", 30),
        ("Grand Total,,\nMean,,", 30),
        ("Summe,435,", 30),
        ("TOTAL,1,z", 30),
        ("1.5,7,Total", 31),
    ],
)
def test_totals_below_the_table_are_left_out_and_said(tmp_path, total, rows):
    found = read(tmp_path, TABLE + total + "\n")
    assert len(found.values["a"]) == rows
    assert (rows == 30) == any("sum" in note and "--all-rows" in note for note in found.notes)
    assert found.types["a"] == "Float64"


def test_a_class_called_total_is_one(tmp_path):
    text = "y,a\n" + "".join(f"{'Total' if k % 2 else 'Shell'},{k}.5\n" for k in range(30))
    found = read(tmp_path, text)
    assert len(found.values["y"]) == 30 and found.notes == []


def test_all_rows_decide_wherever_the_batches_end(tmp_path, monkeypatch):
    """What comes late decides as what comes early, in memory and as a stream."""
    rows = 4000
    late = {
        "zeros": [str(k) for k in range(rows - 1)] + ["007"],
        "commas": [str(k % 900) for k in range(rows - 2)] + ["1,163.74", "2,000"],
        "order": ["01/02/2024"] * (rows - 1) + ["12/31/2024"],
        "odd": ["see note"] + [f"{k}.25" for k in range(rows - 1)],
        "words": ["true"] * (rows - 1) + ["perhaps"],
        "quoted": ['a"b'] + ["plain"] * (rows - 2) + ["two\nlines"],
    }
    frame = pl.DataFrame(late)
    frame.write_csv(tmp_path / "t.csv")
    whole = Batches(tmp_path / "t.csv")
    expected = whole.survey(ReadingOptions(), {}, keep=True)
    table = whole.whole()
    monkeypatch.setattr(text_table, "CHARACTERS", 5000)
    monkeypatch.setattr(text_table, "WIDE", 1)
    stream = Batches(tmp_path / "t.csv")
    assert stream.survey(ReadingOptions(), {}) == expected
    parts = list(stream.read())
    assert len(parts) > 20
    assert pl.concat(parts).equals(table)
    assert table["zeros"].to_list() == late["zeros"] and table["words"].to_list() == late["words"]
    assert table["commas"][-2:].to_list() == [1163.74, 2000]
    assert table["order"][0].isoformat() == "2024-01-02"
    assert table["odd"].null_count() == 1
    assert table["quoted"].to_list() == late["quoted"]


@pytest.mark.parametrize(
    "reading",
    [
        Reading("text"),
        Reading("number", ("x",), True, ",", ".", ("kg", "€"), whole=True, odd=("see note", "<9.9")),
        Reading("date", order="month-first", whole=True),
    ],
)
def test_a_reading_is_plain_data(reading):
    assert Reading.from_json(json.loads(json.dumps(reading.to_json()))) == reading


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "colour"},
        {"kind": 1},
        {"kind": "text", "missing": "NA"},
        {"kind": "number", "decimal": ";"},
        {"kind": "text", "more": 1},
    ],
)
def test_what_is_no_reading_is_refused(content):
    with pytest.raises((ValueError, TypeError)):
        Reading.from_json(content)
