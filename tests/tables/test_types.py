"""Every type that a Parquet file may hold, in every part: used, dropped with a reason, or refused in one line."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from luce.report.facts import Column
from luce.tables.conversion import as_number, converted, shown

ROWS = 60
rng = np.random.default_rng(0)
CODES = rng.integers(0, 2, ROWS)
DAYS = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=int(h)) for h in 1000 * CODES + rng.integers(0, 900, ROWS)]
SPANS = pl.Series([dt.timedelta(minutes=int(m)) for m in 50 * CODES + rng.integers(0, 40, ROWS)])
WORDS = np.where(rng.random(ROWS) < 0.8, np.array(["u", "v"])[CODES], "w").tolist()
COUNTS = pl.Series(3 * CODES + rng.integers(0, 4, ROWS))
NUMBERS = (
    "Int8 Int16 Int32 Int64 Int128 UInt8 UInt16 UInt32 UInt64 UInt128 Float16 Float32 Float64".split()  # noqa: SIM905
)

USED = {name: COUNTS.cast(getattr(pl, name)) for name in NUMBERS if hasattr(pl, name)} | {
    "Decimal": pl.Series([Decimal(int(c)) / 8 for c in COUNTS], dtype=pl.Decimal(12, 3)),
    "Boolean": pl.Series(CODES > 0),
    "String": pl.Series(WORDS),
    "Categorical": pl.Series(WORDS).cast(pl.Categorical),
    "Enum": pl.Series(WORDS).cast(pl.Enum(["w", "v", "u"])),
    "Date": pl.Series(DAYS).dt.date(),
    "Time": pl.Series(DAYS).dt.time(),
    "Datetime ms": pl.Series(DAYS).cast(pl.Datetime("ms")),
    "Datetime us": pl.Series(DAYS).cast(pl.Datetime("us")),
    "Datetime ns, a zone": pl.Series(DAYS).cast(pl.Datetime("ns")).dt.replace_time_zone("Europe/Berlin"),
    "Duration ms": SPANS.cast(pl.Duration("ms")),
    "Duration us": SPANS.cast(pl.Duration("us")),
    "Duration ns": SPANS.cast(pl.Duration("ns")),
    "integers beyond 2^63": pl.Series(2**63 + 2**40 * COUNTS.to_numpy().astype(np.uint64)),
    "NaN and inf": pl.Series(np.where(np.arange(ROWS) % 7 == 0, np.inf, rng.normal(size=ROWS))).set(
        pl.Series(np.arange(ROWS) == 3), float("nan")
    ),
    "dates beyond the calendar": pl.Series([2**62, -(2**62), 0] * 20).cast(pl.Datetime("us")),
    "days beyond the calendar": pl.Series([2**31 - 1, -(2**31), 0] * 20, dtype=pl.Int32).cast(pl.Date),
    "spans beyond Python's": pl.Series([2**62, -(2**62), 0] * 20).cast(pl.Duration("ms")),
    "zero bytes": pl.Series(["a\0b", "c"] * 30),
}
DROPPED = {
    "Binary": pl.Series([bytes([i % 256, 200]) for i in range(ROWS)]),
    "List": pl.Series([[int(c)] for c in COUNTS]),
    "List of dates beyond the calendar": pl.Series([[2**62]] * ROWS).cast(pl.List(pl.Datetime("us"))),
    "Array": pl.Series([[int(c), 1] for c in COUNTS], dtype=pl.Array(pl.Int64, 2)),
    "Struct": pl.Series([{"a": int(c)} for c in COUNTS]),
    "Null": pl.Series([None] * ROWS, dtype=pl.Null),
    "all missing": pl.Series([None] * ROWS, dtype=pl.Duration("ns")),
}
ALL = USED | DROPPED
CLASSES = {*NUMBERS, "Boolean", "String", "Categorical", "Enum", "Date", "Time", "NaN and inf", "zero bytes"}
BEYOND = {name for name in ALL if "beyond" in name or "Datetime" in name}


def written(column, name="t.parquet"):
    base = pl.DataFrame({"n": CODES + rng.normal(size=ROWS), "y": np.where(CODES > 0, "yes", "no")})
    base.with_columns(column.alias("column")).write_parquet(name)


def fine_or_one_line(result):
    assert "Traceback" not in result.err and "panicked" not in result.err, result.err
    assert result.code == 0 or (result.code == 2 and result.err.startswith("luce: ") and result.err.count("\n") == 1)
    return result.code


@pytest.mark.parametrize("name", ALL)
def test_as_a_feature(luce, name):
    written(ALL[name])
    for options in ((), ("--stream",)):
        result = luce("fit", "t.parquet", "-t", "y", "--json", "--report", "r.html", *options)
        assert result.code == 0, result.err
        column = json.loads(result.out)["data"]["columns"][1]
        assert column["used"] == (name in USED), column
        assert column["used"] or column["done"].startswith("dropped: ")
        for more in ((), ("--stream",), ("-o", "out.parquet")):
            predicted = luce("predict", "t.luce", "t.parquet", *more)
            assert predicted.code == 0 and "accuracy on the 60 rows" in predicted.err


@pytest.mark.parametrize("name", ALL)
def test_as_target_and_as_weights(luce, name):
    written(ALL[name])
    for options in ((), ("--stream",)):
        target = luce("fit", "t.parquet", "-t", "column", "--drop", "y", "-q", *options)
        assert fine_or_one_line(target) == 0 if name in CLASSES - {"NaN and inf"} else fine_or_one_line(target) >= 0
        if target.code == 0:
            predicted = luce("predict", "t.luce", "t.parquet", "-o", "out.parquet")
            assert predicted.code == 0
            assert options or "does not know" not in predicted.err
        else:
            assert "'column'" in target.err
        weights = luce("fit", "t.parquet", "-t", "y", "--weights", "column", "-q", *options)
        assert fine_or_one_line(weights) == 0 or "'column'" in weights.err or "one class only" in weights.err


@pytest.mark.parametrize("name", ALL)
def test_where_the_model_saw_another(luce, name):
    """Whatever stands where numbers, text or booleans were: predicted from, or one line with the column."""
    for saw in ("Int64", "String", "Boolean", "Datetime us", "Duration ms"):
        written(USED[saw])
        assert luce("fit", "t.parquet", "-t", "y", "-q", "--folds", 0).code == 0
        written(ALL[name])
        result = luce("predict", "t.luce", "t.parquet", "-o", "out.csv")
        assert "Traceback" not in result.err and "panicked" not in result.err, result.err
        assert result.code == 0 or (result.code == 2 and "'column'" in result.err and result.err.count("\n") == 1)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_spans_are_seconds_and_times_are_days(unit):
    spans = pl.Series([dt.timedelta(days=1, seconds=1.5), None]).cast(pl.Duration(unit))
    assert as_number(spans).to_list() == [86401.5, None]
    times = pl.Series([dt.datetime(1970, 1, 2, 12), None]).cast(pl.Datetime(unit))
    assert as_number(times).to_list() == [1.5, None]
    assert as_number(pl.Series([dt.time(0, 1, 0, 500_000)])).to_list() == [60.5]
    assert as_number(pl.Series([Decimal("1.25")], dtype=pl.Decimal(9, 2))).to_list() == [1.25]


def test_the_last_day_of_all_is_told(luce):
    """Databases write it for no date; standardised, it leaves nothing of the others."""
    days = [f"2024-01-{1 + k % 28:02d}" if k % 4 else "9999-12-31" for k in range(60)]
    pl.DataFrame({"x": days, "n": rng.normal(size=60), "y": ["u", "v"] * 30}).write_csv("t.csv")
    told = json.loads(luce("fit", "t.csv", "-t", "y", "--json").out)["data"]["columns"][0]
    assert told["remarks"] == ["9999-12-31 (15) is read as that day: if it means no date, --missing 9999-12-31"]
    told = json.loads(luce("fit", "t.csv", "-t", "y", "--json", "--missing", "9999-12-31").out)["data"]["columns"][0]
    assert told["remarks"] == ["'9999-12-31' (15) counted as missing (--missing)"]
    assert "15 missing" in told["done"]


def test_what_is_shown_of_each_type():
    assert shown(pl.Series([2**62, 0]).cast(pl.Datetime("us"))).to_list() == [
        "53375995.58365032 days since 1970",
        "1970-01-01 00:00:00.000000",
    ]
    assert shown(pl.Series([b"\xff", None])).to_list() == [r"b'\xff'", None]
    assert shown(pl.Series([dt.timedelta(hours=25)])).to_list() == ["1d 1h"]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [(["true", "FALSE", " True ", None], [1.0, 0.0, 1.0, None]), (["1", "0", "1.0", None], [1.0, 0.0, 1.0, None])],
)
def test_words_for_booleans(words, numbers):
    table = pl.DataFrame({"flag": words})
    assert converted(table, [Column("flag", "boolean", "")], "t")["flag"].to_list() == numbers


def test_words_for_booleans_in_training(luce):
    """The words of a Parquet file are what they are in CSV, and either model takes the other's table."""
    table = pl.DataFrame({"flag": np.where(CODES > 0, "TRUE", "False"), "y": CODES, "n": rng.normal(size=ROWS)})
    table.write_parquet("words.parquet")
    table.with_columns(flag=CODES > 0).write_csv("flags.csv")
    said = []
    for name in ("words.parquet", "flags.csv"):
        report = json.loads(luce("fit", name, "-t", "y", "--json", "-o", "m.luce").out)
        assert report["data"]["columns"][0]["kind"] == "boolean"
        said += [luce("predict", "m.luce", other).out for other in ("words.parquet", "flags.csv")]
    assert len(set(said)) == 1
