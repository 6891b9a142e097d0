"""The measures against scikit-learn, values by hand, and their errors against the bootstrap."""

import numpy as np
import pytest
from sklearn import metrics as sk

from luce.models.evaluation import metrics
from luce.models.evaluation.metrics import confidence_bins, per_class, scores


def drawn(n=600, K=4, seed=0):
    """Probabilities with many ties, rather good and not calibrated."""
    rng = np.random.default_rng(seed)
    true = rng.integers(K, size=n)
    p = rng.dirichlet(np.ones(K), n).round(1) + 0.01
    p[np.arange(n), true] += 0.3
    return true, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("K", [2, 3, 7])
def test_the_values_are_scikit_learns(K):
    true, p = drawn(K=K)
    result = scores(true, p)
    hot = np.eye(K)[true]
    auc = sk.roc_auc_score(hot, p, average="macro")
    assert result.accuracy.value == pytest.approx(sk.accuracy_score(true, p.argmax(axis=1)), rel=1e-14)
    assert result.log_loss.value == pytest.approx(sk.log_loss(true, p), rel=1e-12)
    assert result.brier.value == pytest.approx(((p - hot) ** 2).sum(axis=1).mean(), rel=1e-12)
    assert result.reciprocal_rank.value == pytest.approx(sk.label_ranking_average_precision_score(hot, p), rel=1e-12)
    assert result.f1.value == pytest.approx(sk.f1_score(true, p.argmax(axis=1), average="macro"), rel=1e-12)
    assert result.auc.value == pytest.approx(auc, rel=1e-12)
    assert per_class(true, p).auc == pytest.approx([sk.roc_auc_score(true == k, p[:, k]) for k in range(K)], rel=1e-12)


def test_values_by_hand():
    true = np.array([0, 0, 1, 2])
    p = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.5, 0.3], [0.5, 0.25, 0.25]])
    result = scores(true, p)
    assert result.accuracy == pytest.approx((0.5, np.sqrt(0.25 / 4)))
    assert result.log_loss.value == pytest.approx(-np.log(0.8 * 0.3 * 0.5 * 0.25) / 4)
    assert result.brier.value == pytest.approx((0.06 + 0.86 + 0.38 + 0.875) / 4)
    assert result.reciprocal_rank.value == pytest.approx((1 + 1 / 2 + 1 + 1 / 3) / 4)  # a tie counts as the worst place
    assert result.f1.value == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert result.calibration_error.value == pytest.approx(abs(0.5 - (0.8 + 0.6 + 0.5 + 0.5) / 4))  # one bin


def test_a_class_without_rows_counts_for_no_mean():
    true, p = drawn(K=3)
    wider = np.column_stack([p, np.zeros(len(p))])
    for name, one, other in zip(scores(true, p)._fields, scores(true, p), scores(true, wider), strict=True):
        assert other == pytest.approx(one, rel=1e-12), name
    table = per_class(true, wider)
    assert np.isnan([table.precision[3], table.recall[3], table.f1[3], table.auc[3]]).all()
    assert table.support.tolist() == [*np.bincount(true), 0]


def test_one_class_alone_has_no_auc():
    result = scores(np.zeros(5, int), np.full((5, 2), 0.5))
    assert np.isnan(result.auc.value)
    assert result.accuracy.value == 1.0


def test_probability_0_of_what_happened_is_an_infinite_loss():
    result = scores(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert result.log_loss.value == np.inf
    assert result.brier.value == 1.0


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "brier", "reciprocal_rank", "f1", "auc"])
def test_the_errors_are_what_the_bootstrap_finds(name):
    true, p = drawn()
    rng = np.random.default_rng(1)
    resamples = [rng.integers(len(true), size=len(true)) for _ in range(400)]
    again = np.std([getattr(scores(true[rows], p[rows]), name).value for rows in resamples])
    assert getattr(scores(true, p), name).error == pytest.approx(again, rel=0.12)  # 400 resamples know it to 3.5 %


def test_bins_hold_all_rows_equally_and_wilsons_interval():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 1000)
    right = (rng.uniform(size=1000) < confidence).astype(float)
    bins = confidence_bins(right, confidence)
    assert bins.rows.tolist() == [100] * 10
    assert (np.diff(bins.confidence) > 0).all()
    assert (bins.accuracy * bins.rows).sum() == right.sum()
    x, z = bins.accuracy[3], 1.959963984540054
    for end in (bins.low[3], bins.high[3]):  # the ends solve |x − q| = z √(q (1 − q) / n)
        assert abs(x - end) == pytest.approx(z * np.sqrt(end * (1 - end) / 100), rel=1e-9)


def test_equal_confidences_share_a_bin_whatever_the_order():
    confidence = np.repeat([0.5, 0.9, 1.0], [10, 10, 380])
    right = np.arange(400) % 3 > 0
    bins, shuffled = (
        confidence_bins(right[order], confidence[order]) for order in (np.arange(400), np.arange(400)[::-1])
    )
    assert len(set(bins.confidence.round(12))) == len(bins.rows)
    assert np.array_equal(bins.rows, shuffled.rows)
    assert np.array_equal(bins.accuracy, shuffled.accuracy)


def test_a_weight_counts_a_row_as_often():
    """Whole weights are repeated rows: all measures agree, and of the errors those that rows of weight 1 give."""
    rng = np.random.default_rng(5)
    true, p, weights = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60).round(1) + 0.01, rng.integers(1, 4, 60)
    p /= p.sum(axis=1, keepdims=True)
    again = np.repeat(np.arange(60), weights)
    for one, other in zip(scores(true, p, weights)[:-1], scores(true[again], p[again])[:-1], strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-12)
        assert one.error > other.error  # a row counted twice is no second witness
    for one, other in zip(per_class(true, p, weights), per_class(true[again], p[again]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    for one, other in zip(scores(true, p, np.full(60, 7.5)), scores(true, p), strict=True):
        assert one == pytest.approx(other, rel=1e-12)  # the unit of the weights does not matter


def test_shares_of_the_classes_count_a_row_as_each_of_them():
    rng = np.random.default_rng(6)
    shares, p, weights = rng.dirichlet(np.ones(3), 40), rng.dirichlet(np.ones(3), 40), rng.uniform(0.5, 2, 40)
    result = scores(shares, p, weights)
    losses = -(shares * np.log(p)).sum(axis=1)
    mean = np.average(losses, weights=weights)
    assert result.log_loss.value == pytest.approx(mean, rel=1e-12)
    right = shares[np.arange(40), p.argmax(axis=1)]
    assert result.accuracy.value == pytest.approx(np.average(right, weights=weights), rel=1e-12)
    hard = np.eye(3)[rng.integers(0, 3, 40)]
    for one, other in zip(scores(hard, p, weights), scores(hard.argmax(axis=1), p, weights), strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_macro_f1_is_over_the_classes_that_occur_or_are_predicted():
    true, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    found = metrics.macro_f1(predicted, metrics.outcomes(true, np.ones(5)), 4)
    assert found.value == pytest.approx(sk.f1_score(true, predicted, average="macro"), rel=1e-12)
