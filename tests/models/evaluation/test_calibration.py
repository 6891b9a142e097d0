"""The temperature: where the loss is stationary, and what it leaves alone."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits, load_iris

from luce.models.classifier import SoftmaxClassifier
from luce.models.evaluation.calibration import temperature


def drawn(kind, sharpness, seed=0, rows=400, classes=4):
    """Logits and targets that are calibrated at T = sharpness."""
    rng = np.random.default_rng(seed)
    true = 2 * rng.normal(size=(rows, classes))
    if kind == "soft":
        return sharpness * true, softmax(true, axis=1)
    return sharpness * true, np.array([rng.choice(classes, p=p) for p in softmax(true, axis=1)])


def loss(T, logits, target, weights):
    table = np.eye(logits.shape[1])[target] if target.ndim == 1 else target
    return np.average(-(table * log_softmax(logits / T, axis=1)).sum(axis=1), weights=weights)


@pytest.mark.parametrize("kind", ["codes", "soft"])
@pytest.mark.parametrize("sharpness", [0.01, 0.5, 1.0, 3.0, 200.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_it_is_the_minimum(kind, sharpness, weighted):
    logits, target = drawn(kind, sharpness)
    weights = np.random.default_rng(1).uniform(0, 2, len(logits)) if weighted else None
    T = temperature(logits, target, weights)
    ahead, here, behind = (loss(T * factor, logits, target, weights) for factor in (1 + 1e-4, 1, 1 - 1e-4))
    assert here < ahead and here < behind
    assert abs(ahead - behind) < 1e-9  # the slope; the curvature alone makes each of them 1e-8
    assert pytest.approx(sharpness, rel=1e-9 if kind == "soft" else 0.25) == T


def test_weights_are_repeated_rows():
    logits, target = drawn("codes", 2.0, rows=50)
    times = np.arange(50) % 3
    again = temperature(logits.repeat(times, axis=0), target.repeat(times), None)
    assert temperature(logits, target, times.astype(float)) == pytest.approx(again, rel=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_the_range(dtype):
    logits = np.array([[3.0, 0.0], [0.0, 2.0]], dtype)
    assert temperature(logits, np.array([0, 1]), None) == pytest.approx(1e-3)  # always right: the sharper the better
    assert temperature(logits, np.array([1, 0]), None) == pytest.approx(1e3)  # always wrong
    assert 1e-3 <= temperature(0 * logits, np.array([1, 0]), None) <= 1e3


def test_probabilities_change_and_predictions_do_not():
    X, y = load_digits(return_X_y=True)
    model = SoftmaxClassifier(C=1e3, max_iter=500).fit(X[:600], y[:600])
    held, truth = X[600:1200], y[600:1200]
    before = model.decision_function(held), model.predict(held), model.predict_proba(held), model.coef_.copy()
    assert model.temperature_ == 1
    assert model.calibrate(held, truth) is model
    assert model.temperature_ > 1.2
    np.testing.assert_array_equal(model.decision_function(held), before[0])
    np.testing.assert_array_equal(model.predict(held), before[1])
    np.testing.assert_array_equal(model.coef_, before[3])
    np.testing.assert_allclose(model.predict_proba(held), softmax(before[0] / model.temperature_, axis=1), rtol=1e-10)
    rows = np.arange(len(truth))
    assert -model.predict_log_proba(held)[rows, truth].mean() < -np.log(before[2][rows, truth]).mean()
    once = model.temperature_
    assert model.calibrate(held, truth).temperature_ == once
    assert model.fit(X[:600], y[:600]).temperature_ == 1


def test_two_classes_weights_of_zero_and_soft_labels():
    X, y = load_iris(return_X_y=True)
    X, y = X[y > 0], y[y > 0]
    model = SoftmaxClassifier(C=100).fit(X[::2], y[::2])
    weight = (np.arange(50) % 2).astype(float)
    by_weight = model.calibrate(X[1::2], y[1::2], weight).temperature_
    assert by_weight == model.calibrate(X[1::2][1::2], y[1::2][1::2]).temperature_ != 1
    hard = model.calibrate(X[1::2], y[1::2]).temperature_
    table = (y[1::2, None] == model.classes_).astype(float)
    assert model.calibrate(X[1::2], table).temperature_ == pytest.approx(hard, rel=1e-9)


def test_float32_keeps_its_dtype():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier().fit(X.astype(np.float32), y).calibrate(X.astype(np.float32), y)
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32


def test_what_cannot_be_calibrated_changes_nothing():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier().fit(X[y > 0], y[y > 0])
    model.calibrate(X[y > 0], y[y > 0])
    once = model.temperature_
    with pytest.raises(ValueError, match="not among the classes"):
        model.calibrate(X, y)
    assert model.temperature_ == once
    with pytest.raises(ValueError, match="loss='sigmoid'"):
        SoftmaxClassifier(loss="sigmoid").fit(X, y).calibrate(X, y)
