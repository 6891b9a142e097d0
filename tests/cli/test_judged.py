"""What `luce fit` says about held-out rows: weights, soft targets, calibration, the page, JSON."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from luce._softmax import softmax
from luce.models.evaluation.calibration import temperature
from luce.models.evaluation.held_out import HeldOutPredictions, calibrated, gain_over_shares
from luce.tables.model_file import load_model


def drawn(rows=150, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    X = rng.normal(size=(rows, 2)) + 0.8 * y[:, None]
    return pl.DataFrame(X, schema=["u", "v"]).with_columns(w=rng.integers(0, 4, rows), y=np.array(["a", "b", "c"])[y])


def report(luce, *arguments):
    result = luce("fit", *arguments, "--json")
    assert result.code == 0, result.err
    assert result.out.count("\n") == 1

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(result.out, parse_constant=refuse)


def test_weights_count_in_training_and_in_judgement(luce):
    table = drawn()
    table.write_csv("t.csv")
    found = report(luce, "t.csv", "-t", "y", "--weights", "w", "--folds", 3, "--C", 0.1)
    kept = table.filter(pl.col("w") > 0)
    X, y, w = kept.select("u", "v").to_numpy(), kept["y"].to_numpy().astype(str), kept["w"].to_numpy()
    assert found["data"]["rows"] == len(kept)
    assert found["data"]["rows_without_weight"] == 150 - len(kept)
    assert [column["name"] for column in found["data"]["columns"]] == ["u", "v"]
    logistic = LogisticRegression(C=0.1, tol=1e-12, solver="newton-cholesky")
    whole = make_pipeline(StandardScaler(), logistic).fit(X, y, logisticregression__sample_weight=w)
    np.testing.assert_allclose(found["coefficients"]["coef"], whole[-1].coef_, rtol=1e-4, atol=1e-5)
    probabilities, shares = np.empty((len(y), 3)), np.empty((len(y), 3))
    for learnt, held in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        model = make_pipeline(StandardScaler(), logistic).fit(
            X[learnt], y[learnt], logisticregression__sample_weight=w[learnt]
        )
        probabilities[held] = model.predict_proba(X[held])
        shares[held] = np.bincount(np.unique(y[learnt], return_inverse=True)[1], w[learnt]) / w[learnt].sum()
    scores = found["held_out"]["scores"]
    assert scores["model"]["log_loss"]["value"] == pytest.approx(log_loss(y, probabilities, sample_weight=w), rel=1e-5)
    assert scores["baseline"]["log_loss"]["value"] == pytest.approx(log_loss(y, shares, sample_weight=w), rel=1e-9)
    right = np.array(["a", "b", "c"])[probabilities.argmax(axis=1)] == y
    assert scores["model"]["accuracy"]["value"] == pytest.approx(np.average(right, weights=w))
    assert np.sum(found["held_out"]["confusion"]) == pytest.approx(w.sum())
    assert "dropped: 'w' is 0" in luce("fit", "t.csv", "-t", "y", "--weights", "w").out


def test_row_numbers_are_those_of_the_table(luce):
    table = drawn()
    table = pl.concat([table[:3].with_columns(y=pl.lit(None, pl.String)), table[3:]])
    table.write_csv("t.csv")
    found = report(luce, "t.csv", "-t", "y", "--weights", "w")
    for row in found["held_out"]["hardest"]:
        assert row["row"] > 3
        assert float(row["values"]["u"]) == pytest.approx(table["u"][row["row"] - 1])
        assert row["true"] == table["y"][row["row"] - 1]


def test_soft_targets_of_one_and_zero_are_classes(luce):
    table = drawn()
    for label in "abc":
        table = table.with_columns((pl.col("y") == label).cast(pl.Float64).alias(f"p_{label}"))
    table.write_parquet("t.parquet")
    soft = report(luce, "t.parquet", "--soft-target", "p_", "--drop", "y", "--drop", "w", "-o", "soft.luce")
    hard_options = [part for label in "abc" for part in ("--drop", f"p_{label}")]
    hard = report(luce, "t.parquet", "-t", "y", "--drop", "w", *hard_options, "-o", "hard.luce")
    assert soft["data"]["classes"] == hard["data"]["classes"] == ["a", "b", "c"]
    assert soft["data"]["target"] == "p_…"
    np.testing.assert_allclose(soft["coefficients"]["coef"], hard["coefficients"]["coef"], rtol=1e-4, atol=1e-6)
    assert soft["held_out"]["rows"] == 150
    for stage in ("model", "baseline", "calibrated"):
        for name, score in soft["held_out"]["scores"][stage].items():
            assert score == pytest.approx(hard["held_out"]["scores"][stage][name], rel=1e-3), name
    result = luce("predict", "soft.luce", "t.parquet")
    assert result.out.splitlines()[0] == "prediction,probability_a,probability_b,probability_c"
    assert result.err == ""
    assert load_model(Path("soft.luce")).target is None


def test_soft_targets_between(luce):
    rng = np.random.default_rng(1)
    u = rng.normal(size=100)
    p = 1 / (1 + np.exp(-u))
    pl.DataFrame({"u": u, "p_no": 1 - p, "p_yes": p}).write_csv("t.csv")
    found = report(luce, "t.csv", "--soft-target", "p_", "--C", "inf", "--report", "r.html")
    assert found["coefficients"]["coef"][0][0] == pytest.approx(u.std(), rel=1e-3)
    entropy = -np.mean(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert found["held_out"]["scores"]["model"]["log_loss"]["value"] == pytest.approx(entropy, rel=1e-3)
    assert "p_…" in Path("r.html").read_text().replace("<wbr>", "")


def test_the_temperature_of_a_row_does_not_know_the_row():
    rng = np.random.default_rng(2)
    fold = np.arange(90) % 3
    true = rng.integers(0, 3, 90)
    logs = np.log(softmax(rng.normal(size=(90, 3)) * 3 + 2 * np.eye(3)[true]))
    judged = HeldOutPredictions("", np.arange(90), fold, true, None, logs, np.full((90, 3), 1 / 3))
    after, overall = calibrated(judged)
    assert overall == temperature(logs, true, None)
    for k in range(3):
        T = temperature(logs[fold != k], true[fold != k], None)
        np.testing.assert_allclose(after[fold == k], softmax(logs[fold == k] / T), rtol=1e-12)
    other = np.where(np.arange(90) == 7, (true + 1) % 3, true)
    np.testing.assert_array_equal(calibrated(judged._replace(true=other))[0][7], after[7])


def test_a_temperature_without_a_minimum_is_one():
    logs = np.log(np.full((10, 2), 0.1) + 0.8 * np.eye(2)[np.arange(10) % 2])
    judged = HeldOutPredictions(
        "", np.arange(10), np.arange(10) % 5, np.arange(10) % 2, None, logs, np.full((10, 2), 0.5)
    )
    after, overall = calibrated(judged)
    assert overall == 1
    np.testing.assert_allclose(after, np.exp(logs))


def test_gain_is_paired_by_row():
    logs, baseline = np.log([[0.5, 0.5], [0.8, 0.2]]), np.full((2, 2), 0.25)
    judged = HeldOutPredictions("", np.arange(2), np.zeros(2), np.array([0, 1]), np.array([1.0, 3.0]), logs, baseline)
    by_row = np.log([2.0, 0.8])
    assert gain_over_shares(judged).value == pytest.approx((by_row[0] + 3 * by_row[1]) / 4)
    shares = judged._replace(true=np.eye(2))
    assert gain_over_shares(shares) == pytest.approx(gain_over_shares(judged))


def test_a_model_that_learnt_nothing_is_told(luce):
    rng = np.random.default_rng(3)
    pl.DataFrame({"x": rng.normal(size=200), "y": rng.integers(0, 2, 200)}).write_csv("noise.csv")
    plain = " ".join(luce("fit", "noise.csv", "-t", "y").out.split())
    assert "Warning: No better than the class shares alone" in plain
    assert "No better" not in luce("fit").out


def test_standard_errors_are_the_classifiers(luce):
    found = report(luce, "--standard-errors", "--folds", 0)
    assert found["held_out"] is None
    preparation = load_model(Path("iris.luce")).preparation
    from sklearn.datasets import load_iris

    from luce.models.classifier import SoftmaxClassifier

    data = pl.DataFrame(load_iris().data, schema=load_iris().feature_names)
    expected = SoftmaxClassifier(standard_errors=True).fit(preparation.transform(data), load_iris().target)
    np.testing.assert_allclose(found["coefficients"]["standard_errors"], expected.standard_errors_[:, :-1], rtol=1e-6)
    assert found["statistics"]["mcfadden"] == pytest.approx(expected.summary().mcfadden)
    out = luce("fit", "--standard-errors", "--folds", 0).out
    assert "McFadden's R² 0.8821" in out
    assert max(map(len, out.splitlines())) <= 80


def test_of_many_coefficients_the_strongest_are_printed(luce):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 30))
    y = (X[:, 7] + 0.5 * rng.normal(size=300) > 0).astype(int)
    pl.DataFrame(X, schema=[f"x{j}" for j in range(30)]).with_columns(y=y).write_csv("t.csv")
    out = luce("fit", "t.csv", "-t", "y", "--standard-errors", "--folds", 0).out
    assert "the 20 of 31 that are furthest from 0" in out
    table = out[out.index("std. error") :]
    assert "x7 " in table
    assert sum(f" x{j} " in table for j in range(30)) <= 20


def test_the_page_has_the_features_in_the_readers_words(luce):
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 120)
    colours = np.where(rng.random(120) < 0.8, np.array(["red", "blue"])[y], "green").astype(object)
    colours[:4] = ["odd 1", "odd 2", None, None]
    width = rng.normal(size=120) + y
    table = pl.DataFrame({"width": width, "colour": colours.tolist(), "y": np.array(["no", "yes"])[y]})
    table = table.with_columns(width=pl.when(pl.int_range(120) % 20 == 5).then(None).otherwise(pl.col("width")))
    table.write_parquet("t.parquet")
    found = report(luce, "t.parquet", "-t", "y", "--report", "page.html")
    assert found["coefficients"]["features"] == [
        "width",
        "width missing",
        *("colour = blue", "colour = green", "colour = red", "colour missing", "colour rare"),
    ]
    assert found["coefficients"]["scales"][0] == pytest.approx(1)
    share = np.mean(colours == "red")
    assert found["coefficients"]["scales"][4] == pytest.approx(np.sqrt(share * (1 - share)))
    page = Path("page.html").read_text()
    for words in ("colour = red", "per standard deviation", "Hardest rows", "calibrated, temperature", "t.parquet"):
        assert words in page
    assert found["files"] == {"model": "t.luce", "report": "page.html"}


def test_one_class_against_the_rest(luce):
    found = report(luce, "--model", "sigmoid", "--report", "r.html")
    assert found["model"]["name"].startswith("sigmoid")
    assert found["held_out"]["temperature"] is None
    assert load_model(Path("iris.luce")).loss == "sigmoid"
    assert report(luce, "--l1-ratio", 1, "--C", 0.1)["coefficients"]["coef"][0].count(0) > 0
