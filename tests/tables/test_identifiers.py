"""Columns that number the rows never take part in secret, and measurements do."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from luce.tables.identifiers import index_reason, names_rows, tells_the_class

ROWS = 240


def sorted_by_class(index, seed=0):
    """A table of noise that was sorted by class, with a column that numbers its rows."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(["red", "green", "blue"], ROWS // 3)
    return pl.DataFrame({"noise": rng.normal(size=ROWS), "class": classes}).with_columns(index)


def fit(luce, table, *options, kind="csv"):
    table.write_csv("t.csv") if kind == "csv" else table.write_parquet("t.parquet")
    result = luce("fit", f"t.{kind}", "-t", "class", "--json", *options)
    assert result.code == 0, result.err
    report = json.loads(result.out)
    return report["held_out"]["scores"]["model"]["accuracy"]["value"], {c["name"]: c for c in report["data"]["columns"]}


WAYS = {
    "as it was": lambda table: table,
    "shuffled": lambda table: table.sample(fraction=1, shuffle=True, seed=1),
    "a sample": lambda table: table.sample(fraction=0.5, shuffle=True, seed=2),
    "a sample in order": lambda table: table[np.sort(np.random.default_rng(3).choice(ROWS, 150, False)).tolist()],
    "filtered": lambda table: table.filter(pl.col("noise") > -0.3),
    "backwards": lambda table: table[::-1],
}
INDEXES = {
    "integers": pl.int_range(ROWS, eager=True),
    "from 1": pl.int_range(1, ROWS + 1, eager=True),
    "floats": pl.int_range(ROWS, eager=True).cast(pl.Float64),
    "with holes": pl.Series([1000 + k + k // 7 for k in range(ROWS)]),
    "with a sentinel": pl.Series([*range(ROWS - 1), 999_999]),
    "with missing ones": pl.Series([None if k % 50 == 9 else k for k in range(ROWS)]),
    "text": pl.Series([f"row_{k}" for k in range(ROWS)]),
    "unsigned": pl.int_range(ROWS, dtype=pl.UInt32, eager=True),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_by_any_other_name_is_dropped(luce, kind, way):
    accuracy, columns = fit(luce, WAYS[way](sorted_by_class(INDEXES[kind].alias("nummer"))), kind="parquet")
    assert accuracy < 0.5
    assert not columns["nummer"]["used"] and columns["noise"]["used"]
    assert any(word in columns["nummer"]["done"] for word in ("counts the rows", "numbers the rows", "identifier"))


@pytest.mark.parametrize(
    "name",
    [
        *("", "Unnamed: 0", "Unnamed: 0.1", "__index_level_0__", "level_0", "index", "...1", "#", "no", "uuid"),
        *("id", "ID", "Id", "_id", "row", "rownames", "row.names", "Row ID"),
        *("customer_id", "PassengerId", "customerID", "id_customer"),
    ],
)
def test_names_of_an_index(luce, name):
    """Wide gaps, so that the numbers alone don't give it away; with repeats, as a bootstrap leaves them."""
    rng = np.random.default_rng(0)
    index = np.sort(rng.choice(10**7, ROWS, False))
    assert not names_rows("population") and names_rows(name)
    accuracy, columns = fit(luce, sorted_by_class(pl.Series(name, index)), kind="parquet")
    assert accuracy < 0.5 and "an identifier by its name" in columns[name]["done"]
    table = sorted_by_class(pl.Series(name, index))[rng.choice(ROWS, ROWS).tolist()]
    assert not fit(luce, table, kind="parquet")[1][name]["used"]


@pytest.mark.parametrize("name", ["x", "0", "2019", "valid", "paid", "covid", "price_index", "level", "größe", "编号"])
def test_names_of_none(name):
    assert not names_rows(name)


def measurements():
    rng = np.random.default_rng(0)
    return {
        "population": rng.permutation(np.unique((10 ** rng.uniform(3, 7, 2000)).astype(int)))[:ROWS],
        "price in cents": rng.permutation(np.unique(rng.lognormal(12, 0.5, 2000).astype(int)))[:ROWS],
        "seconds since 1970": 1_700_000_000 + rng.permutation(10**7)[:ROWS],
        "age": rng.integers(18, 80, ROWS),
        "score": rng.integers(0, 1000, ROWS),
        "a row of measurements, some equal": rng.poisson(300, ROWS),
    }


@pytest.mark.parametrize("name", measurements())
def test_measurements_stay(luce, name):
    values = measurements()[name]
    assert index_reason(name, pl.Series(values)) is None
    _, columns = fit(luce, sorted_by_class(pl.Series(name, values)))
    assert columns[name]["used"] and not columns[name]["remarks"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_codes_of_many_digits_are_told(luce, kind):
    """Numbers in floating point tell 16 digits apart: the ids of tweets are no measurements."""
    shuffled = np.random.default_rng(0).permutation(ROWS)
    columns = {
        "close": 479_386_071_891_505_153 + shuffled,
        "far": 479_386_071_891_505_153 + shuffled * 10**9,
        "equal": 479_386_071_891_505_153 + shuffled // 2,
        "few": 2**60 + shuffled % 4 * 2**20,
        "short": 2**52 + shuffled * 10**9,
    }
    _, found = fit(luce, sorted_by_class(pl.Series("noise", shuffled)).with_columns(**columns), kind=kind)
    assert "numbers the rows: 240 whole numbers" in found["close"]["done"]
    told = "whole numbers of 18 digits, {}: if they are codes, --text or --drop"
    assert found["far"]["remarks"] == [told.format("no value twice")]
    few = len({float(value) for value in columns["equal"]})
    assert found["equal"]["remarks"] == [told.format(f"only {few} of 120 are told apart")]
    assert found["few"]["used"] and found["short"]["used"]
    assert not found["few"]["remarks"] and not found["short"]["remarks"]


def test_chance_alone_seldom_looks_like_an_index():
    """Independent whole numbers that never repeat where 5 repeats are expected: less than one table in a hundred."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(4000):
        rows = int(rng.integers(10, 60))
        span = int(rng.integers(1, rows**2))
        found += index_reason("n", pl.Series(rng.integers(0, span, rows))) is not None
    assert found < 20


@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_what_tells_the_class_alone_is_remarked_on(luce, options):
    """A thin sample of the numbers of a table that was sorted: no chance to tell it from a measurement but this."""
    index = pl.Series("nummer", np.sort(np.random.default_rng(0).choice(10**6, ROWS, False)))
    table = sorted_by_class(index).sample(fraction=1, shuffle=True, seed=4)
    table.write_csv("t.csv")
    result = luce("fit", "t.csv", "-t", "class", *options, "--report", "r.html")
    plain = " ".join(result.out.split())
    assert "Note: 'nummer': in its order" in plain and "if it is an index, leave it out with --drop 'nummer'" in plain
    assert "in its order" in Path("r.html").read_text()
    _, columns = fit(luce, table, *options)
    assert columns["nummer"]["used"] and len(columns["nummer"]["remarks"]) == 1


def test_keep_overrules(luce):
    table = sorted_by_class(INDEXES["integers"].alias("id")).with_columns(
        code=pl.Series([f"c{k % 120}" for k in range(ROWS)])
    )
    accuracy, columns = fit(luce, table, "--keep", "id")
    assert columns["id"]["used"] and accuracy > 0.8 and columns["id"]["remarks"]
    assert fit(luce, table, "--keep", "id", "--stream")[1]["id"]["used"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--keep nowhere", "no column 'nowhere' to keep"),
        ("--keep class", "column 'class' is the target or the weights, it can't be kept"),
        ("--keep noise --drop noise", "--keep and --drop exclude each other, both name column 'noise'"),
        ("--keep same", "column 'same' can't be kept, it would be dropped: constant (1)"),
        ("--keep name", "column 'name' can't be kept, it would be dropped: 240 levels, none of them frequent"),
    ],
)
def test_what_cannot_be_kept_is_one_line(luce, options, words):
    names = pl.Series("name", [f"name {k}" for k in range(ROWS)])
    sorted_by_class(names).with_columns(same=1).write_csv("t.csv")
    result = luce("fit", "t.csv", "-t", "class", *options.split())
    assert result.code == 2 and words in result.err and result.err.count("\n") == 1


def test_the_neighbour_tells_only_what_is_sorted():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 300)
    assert tells_the_class(np.arange(300), codes) is None
    assert tells_the_class(np.argsort(np.argsort(codes, kind="stable")), codes) == pytest.approx(297 / 299)
    assert tells_the_class(codes + 5, codes) is None  # few values: a category


def test_no_column_left_says_why(luce):
    sorted_by_class(pl.Series("id", range(ROWS))).drop("noise").with_columns(same=1).write_csv("t.csv")
    result = luce("fit", "t.csv", "-t", "class")
    assert result.code == 2
    assert result.err == (
        "luce: t.csv: no column left to learn from: 'id' dropped: counts the rows (0, 1, …); "
        "'same' dropped: constant (1) (--keep uses an index)\n"
    )
    assert luce("fit", "t.csv", "-t", "class", "--keep", "id").code == 0
