"""`luce fit` from end to end: numbers against scikit-learn, the report, the model file."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from luce.tables.model_file import load_model


def wine_table():
    wine = load_wine()
    return pl.DataFrame(wine.data, schema=list(wine.feature_names)).with_columns(kind=pl.Series(wine.target))


def number_after(text, words):
    return float(re.search(words + r"\D*([-\d.]+)", text)[1])


def test_without_arguments_it_trains_on_iris(luce):
    result = luce("fit")
    assert (result.code, result.err) == (0, "")
    assert "150 rows, 4 columns, 3 classes" in result.out
    assert list(Path().iterdir()) == [Path("iris.luce")]
    X, y = load_iris(return_X_y=True)
    expected = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10, solver="newton-cholesky")).fit(X, y)
    model = load_model(Path("iris.luce"))
    np.testing.assert_allclose(model.coef, expected[-1].coef_, rtol=1e-4, atol=1e-5)
    assert model.classes == ["setosa", "versicolor", "virginica"]


def test_held_out_figures_are_those_of_scikit_learn(luce):
    table = wine_table()
    table.write_parquet("wine.parquet")
    out = luce("fit", "wine.parquet", "--target", "kind", "--seed", 3, "--folds", 4, "--C", 0.01).out
    X, y = load_wine(return_X_y=True)
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, tol=1e-10, solver="newton-cholesky"))
    probabilities = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    line = next(line for line in out.splitlines() if line.strip().startswith("model") and "±" in line)
    accuracy, loss = re.match(r"\s*model\s+([\d.]+)%.*?%\s+([\d.]+)", line).groups()
    assert float(accuracy) == pytest.approx(100 * np.mean(probabilities.argmax(axis=1) == y), abs=0.051)
    assert float(loss) == pytest.approx(log_loss(y, probabilities), abs=1e-4)
    baseline = next(line for line in out.splitlines() if "baseline" in line)
    shares = np.bincount(y) / len(y)
    assert float(re.search(r"([\d.]+)%", baseline)[1]) == pytest.approx(100 * shares.max(), abs=0.06)
    matrix = [[0 if cell == "·" else int(cell) for cell in line.split()[1:]] for line in _matrix_lines(out)]
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (y, probabilities.argmax(axis=1)), 1)
    assert matrix == expected.tolist()


def _matrix_lines(out):
    lines = out.splitlines()
    start = next(k for k, line in enumerate(lines) if "true \\ predicted" in line)
    return lines[start + 1 : start + 4]


def messy(rows=200):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    colours = np.where(rng.random(rows) < 0.7, np.array(["red", "blue"])[y], "green").astype(object)
    colours[:7] = [f"rare {k}" for k in range(7)]
    colours[7:10] = None
    width = (rng.normal(size=rows) + y).astype(object)
    width[20:26] = None
    return pl.DataFrame(
        {
            "row": np.arange(rows) + 1,
            "code": [f"id{k}" for k in rng.permutation(rows)],
            "width": pl.Series(width.tolist(), dtype=pl.Float64),
            "colour": colours.tolist(),
            "same": ["x"] * rows,
            "day": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 1) + pl.duration(days=rows - 1), eager=True),
            "flag": rng.random(rows) < 0.3 + 0.3 * y,
            "void": pl.Series([None] * rows, dtype=pl.String),
            'the "class", ü': [None, None, *np.array(["nö", "yes, really"])[y[2:]].tolist()],
        }
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_report_says_what_became_of_each_column(luce, kind):
    table = messy()
    table.write_csv("messy.csv") if kind == "csv" else table.write_parquet("messy.parquet")
    result = luce("fit", f"messy.{kind}", "-t", 'the "class", ü', "--drop", "day")
    assert result.code == 0, result.err
    plain = " ".join(result.out.split())
    assert "198 rows, 8 columns, 2 classes" in plain
    assert "2 rows dropped: no 'the \"class\", ü'" in plain
    for words in (
        "row number dropped: counts the rows",
        "code text dropped: no value twice, an identifier",
        "width number standardised; 6 missing: median",
        "colour text one-hot, 3 levels; 5 rare ones pooled; missing (3) is a level",
        "same text dropped: constant ('x')",
        "day date dropped: asked for",
        "flag boolean 0 and 1, standardised",
        "void text dropped: every value is missing",
        "Held-out rows 198 rows, stratified cross-validation, 5 folds",
    ):
        assert words in plain
    assert max(map(len, result.out.splitlines())) <= 80
    assert "\x1b" not in result.out


def test_many_classes_show_their_worst_confusions(luce):
    rng = np.random.default_rng(0)
    y = np.arange(60).repeat(6)
    y[y == 59] = 58
    y[-1] = 59  # a class of one row
    X = np.stack([y % 8, y // 8], axis=1) + 0.4 * rng.normal(size=(len(y), 2))
    pl.DataFrame(X, schema=["u", "v"]).with_columns(y=y).write_csv("many.csv")
    out = luce("fit", "many.csv", "--target", "y").out
    assert "1 class with a single row: learnt from, never held out" in " ".join(out.split())
    assert "most frequent confusions" in out
    assert f"{len(y) - 1:,} rows" in out
    assert "true \\ predicted" not in out


def test_a_row_per_class_cannot_be_held_out(luce):
    pl.DataFrame({"x": [1.0, 2.0, 4.0], "y": ["a", "b", "c"]}).write_csv("t.csv")
    result = luce("fit", "t.csv", "--target", "y")
    assert result.code == 0
    assert "Every class has a single row" in result.out


def test_quiet_writes_the_model_alone(luce):
    result = luce("fit", "--quiet", "-o", "here.luce")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert Path("here.luce").exists()


def test_without_folds_nothing_is_held_out(luce):
    assert "Held-out" not in luce("fit", "--folds", 0).out


def test_separable_classes_without_penalty_are_reported(luce):
    pl.DataFrame({"x": [1.0, 2.0, 3.0, 11.0, 12.0, 13.0], "y": list("aaabbb")}).write_csv("t.csv")
    result = luce("fit", "t.csv", "--target", "y", "--C", "inf")
    assert result.code == 0
    assert "Warning: The classes are linearly separable" in " ".join(result.out.split())


def test_a_model_takes_the_place_of_an_older_one(luce):
    Path("iris.luce").write_text("old")
    assert luce("fit", "-q").code == 0
    assert load_model(Path("iris.luce")).target == "species"
    assert [path.name for path in Path().iterdir()] == ["iris.luce"]
