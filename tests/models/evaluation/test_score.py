"""A measure's error over rows and over folds, against formulas written out and the bootstrap."""

import numpy as np
import pytest

from luce.models.evaluation.score import Score, standard_error


def test_over_rows_it_is_the_weighted_mean_and_its_linearised_error():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(3, 2, 50), rng.uniform(0.5, 2, 50)
    mean = (weights * values).sum() / weights.sum()
    error = np.sqrt(((weights * (values - mean)) ** 2).sum()) / weights.sum()
    assert Score.over_rows(values, weights) == pytest.approx((mean, error), rel=1e-13)
    assert Score.over_rows(values) == pytest.approx((values.mean(), values.std() / np.sqrt(50)), rel=1e-13)
    assert Score.over_rows(values, 7 * weights) == pytest.approx(Score.over_rows(values, weights), rel=1e-13)


def test_the_error_over_rows_is_what_the_bootstrap_finds():
    rng = np.random.default_rng(1)
    values, weights = rng.exponential(size=400), rng.uniform(0.5, 2, 400)
    rows = rng.integers(400, size=(2000, 400))
    again = [np.average(values[r], weights=weights[r]) for r in rows]
    assert Score.over_rows(values, weights).error == pytest.approx(np.std(again), rel=0.08)  # known to 1.6 %


def test_an_infinite_mean_has_no_error():
    value, error = Score.over_rows(np.array([1.0, np.inf]))
    assert value == np.inf and np.isnan(error)


def test_over_folds_it_leaves_out_what_is_not_defined():
    values = np.array([0.8, np.nan, 0.9, 1.0])
    known = np.array([0.8, 0.9, 1.0])
    assert Score.over_folds(values) == pytest.approx((0.9, known.std(ddof=1) / np.sqrt(3)))
    assert Score.over_folds(values, median=True) == pytest.approx((0.9, np.sqrt(np.pi / 2) * 0.1 / np.sqrt(3)))
    assert np.isnan(Score.over_folds(np.full(3, np.nan))).all()
    assert Score.over_folds(np.array([0.5]))[0] == 0.5 and np.isnan(Score.over_folds(np.array([0.5])).error)
    assert np.isnan(Score.over_folds(np.array([0.5, np.inf])).error)


def test_standard_errors_go_along_the_axis():
    values = np.random.default_rng(2).normal(size=(2, 3, 5))
    np.testing.assert_allclose(standard_error(values), values.std(axis=2, ddof=1) / np.sqrt(5))
    np.testing.assert_allclose(standard_error(values, axis=0), values.std(axis=0, ddof=1) / np.sqrt(2))
