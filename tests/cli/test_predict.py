"""`luce predict`: the model's own probabilities, found by column name."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from luce.tables.conversion import converted
from luce.tables.model_file import load_model


@pytest.fixture
def trained(luce):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    table = pl.DataFrame(
        {
            "u": rng.normal(size=150) + y,
            "zip": [f"0{code}" for code in rng.integers(1, 4, 150) + y],
            "class": np.array([10, 20, 30])[y],
        }
    )
    table.write_csv("train.csv")
    assert luce("fit", "train.csv", "--target", "class", "-q", "-o", "m.luce").code == 0
    return table


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_probabilities_are_the_models(luce, trained, kind):
    model = load_model(Path("m.luce"))
    shuffled = trained.select("class", pl.lit("extra").alias("more"), "zip", "u")[::-1]
    shuffled.write_parquet("new.parquet")
    result = luce("predict", "m.luce", "new.parquet", "-o", f"out.{kind}")
    assert (result.code, result.out) == (0, "")
    written = pl.read_csv("out.csv") if kind == "csv" else pl.read_parquet("out.parquet")
    assert written.columns == ["prediction", "probability_10", "probability_20", "probability_30"]
    expected = model.predict_proba(converted(shuffled, model.columns, "new"))
    np.testing.assert_allclose(written.drop("prediction").to_numpy(), expected, rtol=1e-12)
    assert written["prediction"].to_list() == np.array([10, 20, 30])[expected.argmax(axis=1)].tolist()
    right = np.mean(written["prediction"].to_numpy() == shuffled["class"].to_numpy())
    assert f"accuracy on the 150 rows with a known 'class': {right:.1%}" in result.err


def test_without_output_csv_goes_to_standard_output(luce, trained):
    trained.drop("class").write_csv("new.csv")
    result = luce("predict", "m.luce", "new.csv")
    assert result.err == ""
    assert pl.read_csv(io.StringIO(result.out)).shape == (150, 4)


def test_text_that_looks_like_numbers_is_read_as_the_model_saw_it(luce, trained):
    """Codes with leading zeros are text, unless they are asked for as numbers: then they are numbers ever after."""
    trained.write_csv("again.csv")
    trained.write_parquet("again.parquet")  # text there
    assert {column.name: column.kind for column in load_model(Path("m.luce")).columns}["zip"] == "text"
    assert luce("predict", "m.luce", "again.csv").out == luce("predict", "m.luce", "again.parquet").out
    assert luce("fit", "again.csv", "-t", "class", "-q", "-o", "number.luce", "--number", "zip").code == 0
    assert {column.name: column.kind for column in load_model(Path("number.luce")).columns}["zip"] == "number"
    assert luce("predict", "number.luce", "again.csv").out == luce("predict", "number.luce", "again.parquet").out
    assert luce("fit", "again.parquet", "-t", "class", "-q", "-o", "text.luce").code == 0
    from_csv = luce("predict", "text.luce", "again.csv").out
    assert from_csv == luce("predict", "text.luce", "again.parquet").out


def test_missing_values_and_new_levels_are_taken(luce):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 100)
    pl.DataFrame({"u": rng.normal(size=100) + y, "c": np.array(["p", "q"])[y], "y": y}).write_csv("t.csv")
    luce("fit", "t.csv", "-t", "y", "-q")
    Path("new.csv").write_text("c,u\nnever seen,\n,NA\n")
    result = luce("predict", "t.luce", "new.csv")
    assert result.code == 0
    probabilities = pl.read_csv(io.StringIO(result.out)).drop("prediction").to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_booleans_as_classes(luce):
    pl.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 5, "y": [False, False, True, True] * 5}).write_parquet("t.parquet")
    assert luce("fit", "t.parquet", "-t", "y", "-q").code == 0
    result = luce("predict", "t.luce", "t.parquet")
    assert result.out.splitlines()[0] == "prediction,probability_false,probability_true"
    assert "100.0%" in result.err


@pytest.mark.parametrize("classes", [[1.0, 2.0, float("nan")], ["01", "02", "x1"]])
def test_accuracy_whatever_the_classes_look_like(luce, classes):
    """Float classes are integers to the model, codes are text, and a row without a class has none to compare with."""
    y = [classes[k] for k in (0, 1)] * 20 + [classes[2]] * 5
    x = [float(k) for k in (0, 1)] * 20 + [9.0] * 5
    pl.DataFrame({"x": x, "y": y}).write_parquet("t.parquet")
    assert luce("fit", "t.parquet", "-t", "y", "-q").code == 0
    pl.DataFrame({"x": x[:40], "y": y[:40]}).write_csv("new.csv")
    assert "40 rows with a known 'y': 100.0%" in luce("predict", "t.luce", "new.csv").err
    rows = 45 if isinstance(classes[2], str) else 40
    assert f"{rows} rows with a known 'y': 100.0%" in luce("predict", "t.luce", "t.parquet").err


def test_levels_never_seen_are_told(luce):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 100)
    pl.DataFrame({"u": rng.normal(size=100), "c": np.array(["p", "q"])[y], "y": y}).write_csv("t.csv")
    luce("fit", "t.csv", "-t", "y", "-q")
    Path("new.csv").write_text("c,u\nstrange,1\np,2\nalien,3\n,4\n")
    result = luce("predict", "t.luce", "new.csv", "-o", "out.csv")
    assert (result.code, result.out) == (0, "")
    assert result.err == "luce: warning: new.csv: column 'c': 2 values that training never saw, taken as rare\n"


@pytest.mark.parametrize("spelling", ["1", "1.0"])
def test_text_levels_that_are_numbers_elsewhere(luce, spelling):
    """A column of text in training may be one of floats or integers in Parquet later: the levels stay the same."""
    levels = [spelling, "x", spelling, "x"] * 10
    pl.DataFrame({"c": levels, "y": [0, 1, 0, 1] * 10}).write_csv("t.csv")
    assert luce("fit", "t.csv", "-t", "y", "-q").code == 0
    pl.DataFrame({"c": [spelling]}).write_parquet("text.parquet")
    expected = luce("predict", "t.luce", "text.parquet")
    for value in (1, 1.0):
        pl.DataFrame({"c": [value]}).write_parquet("number.parquet")
        assert luce("predict", "t.luce", "number.parquet") == expected
    assert expected.err == ""


def test_the_model_is_not_overwritten(luce, trained):
    before = Path("m.luce").read_bytes()
    Path("m.csv").symlink_to("m.luce")
    result = luce("predict", "m.luce", "train.csv", "-o", "m.csv")
    assert result.code == 2 and "the predictions would overwrite the model" in result.err
    assert Path("m.luce").read_bytes() == before
