"""Tables larger than memory: batches are the table, samples are fair, the model is close to that of all rows."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from luce.tables import batches, model
from luce.tables.batches import Batches
from luce.tables.reading import read_table
from luce.tables.sample import Sample, draws
from luce.tables.text import table as text_table
from luce.tables.text.options import ReadingOptions
from luce.tables.training import streamed


def drawn(rows=3000, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return pl.DataFrame(
        {
            "row": np.arange(rows),
            "u": (rng.normal(size=rows) + y).round(4),
            "v": pl.Series(np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows) - y)).round(4).fill_nan(None),
            "colour": np.where(rng.random(rows) < 0.6, np.array(["red", "blue, dark", 'the "teal"'])[y], "green\nish"),
            "w": rng.integers(0, 3, rows),
            "y": np.array([10, 20, 30])[y],
        }
    )


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(text_table, "CHARACTERS", 9000)
    monkeypatch.setattr(text_table, "WIDE", 1)
    monkeypatch.setattr(batches, "CELLS", 6 * 400)
    monkeypatch.setattr(streamed, "CELLS", 8 * 500)
    monkeypatch.setattr(model, "CELLS", 8 * 70)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_batches_are_the_table(tmp_path, small_batches, kind):
    table = drawn()
    path = tmp_path / f"t.{kind}"
    table.write_csv(path) if kind == "csv" else table.write_parquet(path)
    told = []
    found = Batches(path)
    found.survey(ReadingOptions(), {})
    parts = list(found.read(each=lambda *now: told.append(now)))
    assert len(parts) > 5
    assert_frame_equal(pl.concat(parts), table)
    assert_frame_equal(pl.concat(parts), read_table(path))
    assert told[-1] == (found.total, found.total, 3000)
    assert [now[0] for now in told] == sorted(now[0] for now in told)


def test_utf_16_in_batches(tmp_path, small_batches):
    table = drawn().select("colour", "u")
    (tmp_path / "t.csv").write_bytes(table.write_csv(separator=";").encode("utf-16"))
    found = Batches(tmp_path / "t.csv")
    found.survey(ReadingOptions(), {})
    assert_frame_equal(pl.concat(found.read()), table)


@given(st.integers(1, 40), st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(0, 9))
def test_a_sample_is_that_of_all_rows_at_once(most, sizes, seed):
    keys = draws(np.arange(sum(sizes)), seed)
    sample, first = Sample(most), 0
    for size in sizes:
        part = np.arange(first, first + size)
        sample.add(pl.DataFrame({"row": part}), keys[part], part)
        first += size
    table, numbers = sample.taken()
    assert numbers.tolist() == table["row"].to_list() == sorted(np.argsort(keys)[:most].tolist())
    assert (keys < sample.limit).sum() == len(numbers)


def test_draws_are_uniform_and_differ_by_seed():
    one, other = draws(np.arange(100_000), 0), draws(np.arange(100_000), 1)
    for drawn in (one, other):
        counts = np.histogram(drawn, 20, (0, 1))[0]
        assert ((counts - 5000) ** 2 / 5000).sum() < 44  # of 19 degrees of freedom: 1 in 1000
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.015
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.015


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_pass_comes_close_to_all_rows_at_once(luce, small_batches, kind):
    table = drawn()
    table.write_csv("t.csv") if kind == "csv" else table.write_parquet("t.parquet")
    options = ("-t", "y", "--weights", "w", "--json")
    stream = json.loads(luce("fit", f"t.{kind}", *options, "--stream", "-o", "s.luce", "--report", "s.html").out)
    whole = json.loads(luce("fit", f"t.{kind}", *options, "-o", "w.luce").out)
    assert stream["coefficients"]["features"] == whole["coefficients"]["features"]
    assert stream["data"]["classes"] == whole["data"]["classes"] == ["10", "20", "30"]
    assert stream["data"]["columns"][0]["done"].startswith("dropped: counts the rows")
    judged = stream["held_out"]
    assert judged["rows"] + stream["data"]["rows"] == whole["data"]["rows"]
    assert judged["rows"] == pytest.approx(200, abs=40)
    loss = [scores["held_out"]["scores"]["model"]["log_loss"]["value"] for scores in (stream, whole)]
    assert loss[0] == pytest.approx(loss[1], abs=0.06)
    one, other = (np.ravel(found["coefficients"]["coef"]) for found in (stream, whole))
    assert np.corrcoef(one, other)[0, 1] > 0.997
    assert stream["model"]["iterations"] == len(stream["model"]["loss_curve"]) + 1 > 4
    for row in judged["hardest"]:
        place = row["row"] - 1
        assert float(row["values"]["u"]) == table["u"][place]
        assert row["true"] == str(table["y"][place])
    assert "on each batch" in Path("s.html").read_text()


def test_held_out_rows_are_not_learnt_from(luce, small_batches):
    """Whatever the classes of the held-out rows, the coefficients stay."""
    table = drawn(1200)
    table.write_parquet("a.parquet")
    held = draws(np.arange(1, 1201), 5) < 0.25
    wrong = np.where(held, 10, table["y"].to_numpy())
    table.with_columns(y=pl.Series(wrong)).write_parquet("b.parquet")
    options = ("-t", "y", "--stream", "--seed", 5, "--held-out", 0.25, "--json")
    one, other = (json.loads(luce("fit", name, *options).out) for name in ("a.parquet", "b.parquet"))
    assert one["coefficients"] == other["coefficients"]
    assert one["held_out"]["rows"] == held.sum()
    assert one["held_out"]["confusion"] != other["held_out"]["confusion"]


def test_soft_targets_as_a_stream(luce, small_batches):
    rng = np.random.default_rng(1)
    u = rng.normal(size=2000)
    p = 1 / (1 + np.exp(-u))
    pl.DataFrame({"u": u, "p_no": 1 - p, "p_yes": p}).write_csv("t.csv")
    found = json.loads(luce("fit", "t.csv", "--soft-target", "p_", "--C", "1e6", "--stream", "--json").out)
    assert found["coefficients"]["coef"][0][0] == pytest.approx(u.std(), rel=0.05)
    scores = found["held_out"]["scores"]
    assert scores["model"]["log_loss"]["value"] < scores["baseline"]["log_loss"]["value"]


def test_a_class_of_held_out_rows_alone_is_told(luce):
    table = drawn(400)
    place = int(np.argmin(draws(np.arange(1, 401), 0)))
    labels = [str(label) for label in table["y"]]
    labels[place] = "alone"
    table.with_columns(y=pl.Series(labels)).write_csv("t.csv")
    found = json.loads(luce("fit", "t.csv", "-t", "y", "--stream", "--json").out)
    assert found["data"]["classes"] == ["10", "20", "30"]
    assert any("1 held-out row" in note for note in found["model"]["notes"])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_predictions_by_batches_are_those_of_the_table(luce, small_batches, kind):
    table = drawn()
    table.write_csv("t.csv") if kind == "csv" else table.write_parquet("t.parquet")
    assert luce("fit", f"t.{kind}", "-t", "y", "-q").code == 0
    whole = luce("predict", "t.luce", f"t.{kind}")
    stream = luce("predict", "t.luce", f"t.{kind}", "--stream")
    assert stream == whole
    assert "accuracy on the 3,000 rows" in stream.err
    for end in ("csv", "parquet"):
        assert luce("predict", "t.luce", f"t.{kind}", "--stream", "-o", f"out.{end}").code == 0
    expected = pl.read_csv(io.StringIO(whole.out))
    assert_frame_equal(pl.read_csv("out.csv"), expected)
    assert_frame_equal(pl.read_parquet("out.parquet"), expected, check_dtypes=False)


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_a_fault_in_a_late_batch_leaves_no_file(luce, small_batches, end):
    table = drawn()
    table.write_csv("t.csv")
    assert luce("fit", "t.csv", "-t", "y", "-q").code == 0
    faulty = table.with_columns(u=pl.col("u").cast(pl.String)).with_columns(
        u=pl.when(pl.col("row") == 2900).then(pl.lit("wide")).otherwise(pl.col("u"))
    )
    faulty.write_csv("new.csv")
    before = sorted(path.name for path in Path().iterdir())
    result = luce("predict", "t.luce", "new.csv", "--stream", "-o", f"out.{end}")
    assert (result.code, result.out) == (2, "")
    words = "row 2901: column 'u' holds text ('wide') where the model saw numbers; --missing 'wide' takes it as missing"
    assert result.err == f"luce: new.csv: {words}\n"
    assert sorted(path.name for path in Path().iterdir()) == before
    Path("new.csv").write_text(table.write_csv() + "1,2\n")
    result = luce("predict", "t.luce", "new.csv", "--stream", "-o", f"out.{end}")
    assert result.err.startswith("luce: new.csv: row 3001 has 2 fields, the header has 6 (line ")
    assert ": '1,2')" in result.err and result.err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == sorted(before)


@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss differ between systems")
def test_memory_does_not_grow_with_the_table(tmp_path):
    """Ten times the rows, 40 MB more of them as text and several times that as arrays: the peak stays."""
    rng = np.random.default_rng(0)
    rows = 40_000
    y = rng.integers(0, 2, rows)
    table = pl.DataFrame(rng.normal(size=(rows, 5)).round(6) + y[:, None], schema=list("abcde")).with_columns(y=y)
    program = (
        "import resource, sys; from luce.cli import main; from luce.tables.text import table;"
        "from luce.tables.training import streamed; table.CHARACTERS = 2**20; streamed.SAMPLED_ROWS = 5000;"
        "code = main(sys.argv[1:]); print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = []
    for name, times in (("small", 1), ("large", 10)):
        with open(tmp_path / f"{name}.csv", "wb") as file:
            for part in range(times):
                table.write_csv(file, include_header=not part)
        words = ["fit", f"{name}.csv", "-t", "y", "--stream", "-q", "--max-iter", "5"]
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=tmp_path)
        code, peak = map(int, done.stdout.split())
        assert code == 0, done.stderr
        peaks.append(peak)
    size = (tmp_path / "large.csv").stat().st_size / 2**20
    assert size > 15
    assert peaks[1] - peaks[0] < size


def test_rows_sorted_by_class_are_told(luce, tmp_path, small_batches):
    table = drawn().sort("y").with_columns(y=pl.col("y").cast(str) + "s")
    table.write_csv(tmp_path / "t.csv")
    notes = json.loads(luce("fit", "t.csv", "-t", "y", "--stream", "--json").out)["model"]["notes"]
    assert sum("sorted by class: '10s', frequent before, came no more in rows" in note for note in notes) == 1
    table.sample(fraction=1.0, shuffle=True, seed=0).write_csv(tmp_path / "t.csv")
    notes = json.loads(luce("fit", "t.csv", "-t", "y", "--stream", "--json").out)["model"]["notes"]
    assert not any("sorted" in note for note in notes)
