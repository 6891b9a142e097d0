"""`luce predict` reads every column as training did; what contradicts it is one line, or missing and counted."""

import io
import json
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from luce.tables.model_file import load_model

RNG = np.random.default_rng(3)
Y = RNG.integers(0, 2, 200)
PRICES = (1000 + 2000 * Y + 300 * RNG.normal(size=200)).round(2)
DAYS = [f"{1 + k % 12:02d}/{1 + (k + 7 * y) % 11:02d}/2024" for k, y in enumerate(Y)]


def price(value):
    return f"{value:,.2f} €".translate(str.maketrans(",.", ".,"))


def written(name="t.csv", prices=None, days=DAYS, labels=True):
    prices = [price(value) for value in PRICES] if prices is None else prices
    rows = [f"{p};{d}" + f";{'yes' if y else 'no'}" * labels for p, d, y in zip(prices, days, Y, strict=False)]
    Path(name).write_text("\n".join(["preis;tag" + ";klasse" * labels, *rows]) + "\n")
    return name


def found(result):
    assert result.code == 0, result.err
    return pl.read_csv(io.StringIO(result.out))


@pytest.fixture
def trained(luce):
    prices = [price(value) for value in PRICES]
    prices[5], prices[6] = "auf Anfrage", "< 5,00"
    assert luce("fit", written(prices=prices), "-t", "klasse", "-q", "-o", "m.luce", "--dates", "month-first").code == 0
    return luce


def test_the_model_keeps_how_columns_are_read(trained):
    readings = {column.name: column.reading for column in load_model(Path("m.luce")).columns}
    assert readings["preis"] | {"missing": []} == {
        "kind": "number",
        "missing": [],
        "missing_quoted": False,
        "decimal": ",",
        "thousands": ".",
        "units": ["€"],
        "order": "day-first",
        "whole": False,
        "minutes": False,
        "odd": ["auf Anfrage", "< 9,99"],
    }
    assert (readings["tag"]["kind"], readings["tag"]["order"]) == ("date", "month-first")


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_a_row_alone_is_read_as_it_was_among_many(trained, stream):
    """01/02/2024 and 1.163,00 say by themselves neither order nor sign."""
    whole = found(trained("predict", "m.luce", written(labels=False), *stream))
    for row in (0, 3, 9):
        written("one.csv", [price(PRICES[row])], DAYS[row : row + 1], labels=False)
        assert found(trained("predict", "m.luce", "one.csv", *stream)).row(0) == whole.row(row)
    assert whole["probability_yes"].n_unique() > 190


def test_parquet_text_is_read_alike(trained):
    expected = found(trained("predict", "m.luce", written(labels=False)))
    pl.DataFrame({"preis": [price(value) for value in PRICES], "tag": DAYS}).write_parquet("t.parquet")
    assert found(trained("predict", "m.luce", "t.parquet")).equals(expected)
    dates = pl.Series(DAYS).str.to_date("%m/%d/%Y")
    pl.DataFrame({"preis": PRICES, "tag": dates}).write_parquet("typed.parquet")
    assert found(trained("predict", "m.luce", "typed.parquet")).equals(expected)


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_odd_values_that_training_had_are_missing_and_told(trained, stream):
    prices = [price(value) for value in PRICES]
    prices[3], prices[7], prices[9] = "auf Anfrage", "< 7,25", ""
    result = trained("predict", "m.luce", written("new.csv", prices), *stream)
    rows = found(result)["probability_yes"]
    assert "luce: warning: new.csv: column 'preis': 2 values of another kind missing, as in training\n" in result.err
    missing = [price(value) for value in PRICES]
    missing[3] = missing[7] = missing[9] = ""
    assert found(trained("predict", "m.luce", written("new.csv", missing)))["probability_yes"].equals(rows)


@pytest.mark.parametrize("stream", [(), ("--stream",)])
@pytest.mark.parametrize(
    ("column", "value", "saw"),
    [
        ("preis", "teuer", "numbers"),
        ("preis", "5 $", "numbers"),
        ("preis", "1,234.50 €", "numbers"),
        ("tag", "31/12/2024", "dates"),
    ],
)
def test_other_odd_values_are_one_line_with_the_remedy(trained, stream, column, value, saw):
    prices, days = [price(p) for p in PRICES], list(DAYS)
    (prices if column == "preis" else days)[17] = value
    result = trained("predict", "m.luce", written("new.csv", prices, days), "-o", "out.csv", *stream)
    assert (result.code, result.out) == (2, "")
    words = f"row 18: column {column!r} holds text ({value!r}) where the model saw {saw}"
    assert result.err == f"luce: new.csv: {words}; --missing {value!r} takes it as missing\n"
    assert not Path("out.csv").exists()
    assert len(found(trained("predict", "m.luce", "new.csv", "--missing", value, *stream))) == 200


def test_another_decimal_sign_by_option(trained):
    expected = found(trained("predict", "m.luce", written(labels=False)))
    written("new.csv", [f"{value:.2f}" for value in PRICES], labels=False)
    assert trained("predict", "m.luce", "new.csv").code == 2
    assert found(trained("predict", "m.luce", "new.csv", "--decimal", ".")).equals(expected)


def test_another_form_of_file(trained):
    expected = found(trained("predict", "m.luce", written(labels=False)))
    lines = Path("t.csv").read_text().replace(";", "\t").splitlines()
    content = "\n".join(["Export", "", *lines[:50], "# half", *lines[50:], "Ende"])
    Path("new.txt").write_bytes(content.encode("cp1252"))
    options = ("--skip-lines", 2, "--skip-footer", 1, "--comment", "#", "--encoding", "cp1252", "--separator", "tab")
    assert found(trained("predict", "m.luce", "new.txt", *options)).equals(expected)


def test_a_row_of_units_is_left_out_and_told(trained):
    expected = found(trained("predict", "m.luce", written(labels=False)))
    lines = Path("t.csv").read_text().splitlines()
    Path("new.csv").write_text("\n".join([lines[0], "[€];[T]", *lines[1:]]) + "\n")
    result = trained("predict", "m.luce", "new.csv")
    assert found(result).equals(expected)
    assert "the first row holds no data but units" in result.err
    assert trained("predict", "m.luce", "new.csv", "--all-rows").code == 2


def test_names_as_a_person_compares_them(luce):
    name = "Größe in\u00a0cm"
    Path("t.csv").write_text(f"{unicodedata.normalize('NFD', name)},b,y\n" + "1,5,u\n2,5,v\n3,6,u\n4,7,v\n" * 5)
    assert luce("fit", "t.csv", "-t", "y", "-q").code == 0
    Path("new.csv").write_text(f"y,b,{unicodedata.normalize('NFC', name)}\nu,1,1\n")
    assert luce("predict", "t.luce", "new.csv").code == 0
    pl.DataFrame({unicodedata.normalize("NFD", name): [1, 2], "b": [1, 2]}).write_parquet("new.parquet")
    assert luce("predict", "t.luce", "new.parquet").code == 0
    for option in ("--target", "--drop", "--weights", "--keep", "--text", "--number"):
        result = luce(
            "fit", "t.csv", *(() if option == "--target" else ("-t", "y")), option, name.replace("\u00a0", " ")
        )
        assert result.code == 0, result.err


def test_the_report_says_how_columns_were_read(luce):
    written(prices=["auf Anfrage", *(price(value) for value in PRICES[1:])])
    result = luce("fit", "t.csv", "-t", "klasse")
    shown = " ".join(result.out.split())
    for words in (
        "Note: 'preis': dots read as thousands separators",
        "Note: 'preis': unit '€' left out",
        "Note: 'preis': 'auf Anfrage' (1) is no number: missing (--text)",
        "Note: 'tag': dates such as",
        "(--dates month-first)",
    ):
        assert words in shown
    report = json.loads(luce("fit", "t.csv", "-t", "klasse", "--json", "--report", "r.html").out)
    remarks = {column["name"]: column["remarks"] for column in report["data"]["columns"]}
    assert any("thousands" in remark for remark in remarks["preis"])
    assert report["data"]["columns"][0]["reading"]["decimal"] == ","
    assert "thousands" in Path("r.html").read_text()


def test_a_class_that_counts_as_missing_is_told(luce):
    Path("t.csv").write_text("x,country\n" + "1,ZA\n2,NA\n3,BW\n4,NA\n" * 10)
    result = luce("fit", "t.csv", "-t", "country")
    assert "20 rows dropped: no 'country' ('NA' counts as missing: --missing none keeps it)" in result.out
    kept = json.loads(luce("fit", "t.csv", "-t", "country", "--missing", "none", "--json").out)
    assert kept["data"]["classes"] == ["BW", "NA", "ZA"]
    Path("q.csv").write_text("x,country\n" + '1,ZA\n2,"NA"\n3,BW\n' * 10)
    assert json.loads(luce("fit", "q.csv", "-t", "country", "--json").out)["data"]["classes"] == ["BW", "NA", "ZA"]


def test_codes_as_classes_keep_their_zeros(luce):
    Path("t.csv").write_text("x,code\n" + "1,007\n2,07\n3,7\n" * 12)
    result = luce("fit", "t.csv", "-t", "code", "-q", "-o", "m.luce")
    assert result.code == 0, result.err
    assert load_model(Path("m.luce")).classes == ["007", "07", "7"]


def test_options_of_text_are_refused_for_parquet_and_without_a_table(luce):
    pl.DataFrame({"x": [1, 2, 3, 4], "y": ["u", "v"] * 2}).write_parquet("t.parquet")
    for options in (("--missing", "x"), ("--text", "x"), ("--decimal", ",")):
        assert "Parquet has types" in luce("fit", "t.parquet", "-t", "y", *options).err
    for options in (("--encoding", "cp1252"), ("--skip-lines", "1"), ("--separator", ";")):
        assert "Parquet has no lines" in luce("fit", "t.parquet", "-t", "y", *options).err
        assert "go with a table" in luce("fit", *options).err
