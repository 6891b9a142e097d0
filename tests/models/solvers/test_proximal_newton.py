"""L1 and elastic net: the conditions at a minimum, scikit-learn's minima, and the coordinate descent inside."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from luce._core import lasso_descent
from luce.models.classifier import SoftmaxClassifier
from luce.models.solvers import ProximalNewton, minimise
from luce.models.solvers.penalties import subgradient

SHARES = [0.3, 1.0]


def wine(classes=3):
    X, y = load_wine(return_X_y=True)
    return X[y < classes], y[y < classes]


def residual(model, X, y, C, l1_ratio):
    """The largest violation of the conditions at a minimum, per standard deviation, from the definition."""
    if len(model.classes_) == 2:
        P = (model.predict_proba(X)[:, 1] - (y == model.classes_[1]))[:, None]
    elif model.loss == "sigmoid":
        P = 1 / (1 + np.exp(-model.decision_function(X))) - (y[:, None] == model.classes_)
    else:
        P = model.predict_proba(X) - (y[:, None] == model.classes_)
    deviations = X.std(axis=0) if model.fit_intercept else np.sqrt(np.mean(np.square(X), axis=0))
    W = model.coef_
    smooth = C * P.T @ X + (1 - l1_ratio) * W
    there = np.abs(smooth + l1_ratio * np.sign(W))
    absent = np.maximum(np.abs(smooth) - l1_ratio, 0)
    worst = np.max(np.where(W != 0, there, absent) / (C * len(X) * deviations))
    return max(worst, np.abs(P.mean(axis=0)).max() if model.fit_intercept else 0)


@pytest.mark.parametrize("l1_ratio", SHARES)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("C", [0.01, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_the_conditions_at_the_minimum(l1_ratio, classes, loss, C, fit_intercept, form):
    X, y = wine(classes)
    X = X[:, [0, 1, 3, 4, 9, 12]] / [1, 1, 10, 10, 1, 100]
    model = SoftmaxClassifier(C=C, l1_ratio=l1_ratio, loss=loss, fit_intercept=fit_intercept, tol=1e-10)
    model.fit(form(X), y)
    assert residual(model, X, y, C, l1_ratio) < 1e-9
    assert model.solver_ == "proximal-newton" and model.gap_ < 1e-8
    if C == 0.01 and l1_ratio == 1:
        assert (model.coef_ == 0).mean() > 0.3
    if loss == "softmax" and classes == 3 and fit_intercept:
        assert abs(model.intercept_.sum()) < 1e-9


def scikit_learn(X, y, solver, C, l1_ratio, fit_intercept=True, max_iter=20000):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(
            C=C, l1_ratio=l1_ratio, solver=solver, tol=1e-12, max_iter=max_iter, fit_intercept=fit_intercept
        )
        return model.fit(X, y)


@pytest.mark.parametrize("l1_ratio", SHARES)
@pytest.mark.parametrize("C", [0.02, 0.2])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_coefficients_equal_sagas(load, C, l1_ratio):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :8])
    model = SoftmaxClassifier(C=C, l1_ratio=l1_ratio, tol=1e-11).fit(X, y)
    expected = scikit_learn(X, y, "saga", C, l1_ratio)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(
        model.intercept_ - model.intercept_.mean() * (len(model.coef_) > 1),
        expected.intercept_ - expected.intercept_.mean() * (len(model.coef_) > 1),
        atol=1e-6,
    )


def test_coefficients_equal_liblinears():
    """Which penalises the intercept, so without one."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = SoftmaxClassifier(C=0.1, l1_ratio=1.0, fit_intercept=False, tol=1e-11).fit(X, y)
    expected = scikit_learn(X, y, "liblinear", 0.1, 1.0, fit_intercept=False)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ == 0, expected.coef_ == 0)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_from_a_penalty_that_leaves_nothing_to_one_that_leaves_all(loss):
    X, y = wine()
    X = StandardScaler().fit_transform(X)
    shares = np.bincount(y) / len(y)
    largest = np.abs((shares - np.eye(3)[y]).T @ X).max()  # of the gradient where there are intercepts alone
    nothing = SoftmaxClassifier(C=0.999 / largest, l1_ratio=1.0, loss=loss, tol=1e-10).fit(X, y)
    assert (nothing.coef_ == 0).all()
    expected = np.log(shares) if loss == "softmax" else np.log(shares / (1 - shares))
    np.testing.assert_allclose(nothing.intercept_ - nothing.intercept_.mean(), expected - expected.mean(), atol=1e-8)
    one = SoftmaxClassifier(C=1.01 / largest, l1_ratio=1.0, loss=loss, tol=1e-10).fit(X, y)
    assert 1 <= np.count_nonzero(one.coef_) <= 2
    counts, losses = [], []
    for C in (0.03, 0.1, 1.0, 10.0):
        model = SoftmaxClassifier(C=C, l1_ratio=1.0, loss=loss).fit(X, y)
        counts.append(np.count_nonzero(model.coef_))
        losses.append(np.abs(model.coef_).sum())
    assert counts[0] < counts[1] and counts[0] > 0 and (np.diff(losses) > 0).all()


def test_an_elastic_net_of_no_l1_is_the_ridge():
    X, y = wine()
    ridge = SoftmaxClassifier(tol=1e-11).fit(X, y)
    net = SoftmaxClassifier(tol=1e-11, l1_ratio=1e-9).fit(X, y)
    np.testing.assert_allclose(net.coef_, ridge.coef_, atol=1e-5)
    plain = SoftmaxClassifier(tol=1e-11, solver="proximal-newton").fit(X, y)
    np.testing.assert_allclose(plain.coef_, ridge.coef_, atol=1e-7)


def test_the_unit_of_a_column_is_its_penalty():
    """A column in another unit is another problem: its weight is dearer, as the objective says."""
    X, y = wine(2)
    unit = np.array([1e-3, 1.0, 1e3])
    model = SoftmaxClassifier(C=0.5, l1_ratio=1.0, tol=1e-11).fit(X[:, :3] * unit, y)
    assert residual(model, X[:, :3] * unit, y, 0.5, 1.0) < 1e-10
    assert model.coef_[0, 0] == 0


def test_repeated_columns_and_constant_ones():
    X, y = wine(2)
    X = X[:, :3]
    single = SoftmaxClassifier(C=0.5, l1_ratio=1.0, tol=1e-9).fit(X, y)
    doubled = SoftmaxClassifier(C=0.5, l1_ratio=1.0, tol=1e-9).fit(np.hstack([X, X, np.ones((len(X), 1))]), y)
    assert doubled.loss_curve_[-1] == pytest.approx(single.loss_curve_[-1], rel=1e-9)
    np.testing.assert_allclose(doubled.coef_[:, :3] + doubled.coef_[:, 3:6], single.coef_, atol=1e-5)
    assert doubled.coef_[0, 6] == 0


def test_columns_far_from_zero_without_an_intercept():
    """Then they are all but collinear."""
    X, y = wine(2)
    X = StandardScaler().fit_transform(X[:, :3]) + 30
    model = SoftmaxClassifier(C=0.5, l1_ratio=1.0, fit_intercept=False).fit(X, y)
    assert residual(model, X, y, 0.5, 1.0) < 1e-6


def test_more_columns_than_rows_and_a_small_working_set(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 300))
    y = (X[:, :3].sum(axis=1) + 0.3 * rng.normal(size=60) > 0).astype(int)
    model = SoftmaxClassifier(C=0.3, l1_ratio=1.0, tol=1e-9).fit(X, y)
    assert residual(model, X, y, 0.3, 1.0) < 1e-8
    assert 3 <= np.count_nonzero(model.coef_) < 60
    monkeypatch.setattr("luce.models.solvers.proximal_newton.LARGEST_SET", 40)
    again = SoftmaxClassifier(C=0.3, l1_ratio=1.0, tol=1e-9, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(again.coef_, model.coef_, atol=1e-6)


def test_a_warm_start_is_at_its_end():
    X, y = wine()
    model = SoftmaxClassifier(C=0.5, l1_ratio=0.5, warm_start=True, tol=1e-9).fit(X, y)
    before, coef = model.loss_curve_[-1], model.coef_
    model.fit(X, y)
    assert model.n_iter_[0] == 1 and len(model.loss_curve_) <= 2
    assert model.loss_curve_[0] == pytest.approx(before, rel=1e-12)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-7)
    np.testing.assert_array_equal(model.coef_ == 0, coef == 0)


def test_the_curve_falls_and_holds_the_whole_objective():
    X, y = wine()
    model = SoftmaxClassifier(C=0.5, l1_ratio=0.4, tol=1e-10).fit(X, y)
    chosen = model.predict_log_proba(X)[np.arange(len(y)), y]
    penalty = 0.3 * np.sum(model.coef_**2) + 0.4 * np.abs(model.coef_).sum()
    assert model.loss_curve_[-1] == pytest.approx((-0.5 * chosen.sum() + penalty) / (0.5 * len(y)), rel=1e-10)
    assert model.loss_curve_[0] == pytest.approx(np.log(3))
    assert (np.diff(model.loss_curve_) <= 1e-13).all()


class Quadratic:
    """½ (x − m)ᵀ H (x − m), with absolute values."""

    resolution = 1e-15

    def __init__(self, hessian, middle, lasso):
        self.hessian, self.middle, self.lasso = hessian, middle, lasso

    def at(self, parameters):
        point = type("Place", (), {})()
        moved = parameters - self.middle
        point.objective, point.gap = self, np.inf
        point.parameters, point.gradient = parameters, self.hessian @ moved
        point.value = 0.5 * float(moved @ point.gradient)
        point.hessian_among = lambda chosen: self.hessian[np.ix_(chosen, chosen)]
        return point


def test_a_diagonal_quadratic_is_thresholded_softly():
    function = Quadratic(
        np.diag([1.0, 2.0, 4.0, 1.0]), np.array([3.0, -2.0, 0.1, -5.0]), np.array([1.0, 1.0, 1.0, 0.0])
    )
    last = minimise(ProximalNewton(), function, np.zeros(4), tol=1e-12, max_iter=20)
    np.testing.assert_allclose(last.point.parameters, [2.0, -1.5, 0.0, -5.0], atol=1e-12)
    assert last.point.parameters[2] == 0
    assert last.penalty == pytest.approx(3.5) and last.value == pytest.approx(last.point.value + 3.5)


def test_the_subgradient_nearest_to_zero():
    x, g = np.array([1.0, -1.0, 0.0, 0.0, 0.0]), np.array([-0.5, 0.2, 0.3, -0.9, 2.0])
    np.testing.assert_allclose(subgradient(x, g, np.full(5, 0.5)), [0.0, -0.3, 0.0, -0.4, 1.5])


def descended(hessian, gradient, lasso, x0, start, tol, most):
    """Coordinate descent in NumPy: whole sweeps, and sweeps over what is not 0 between them."""
    x, sweeps, whole = start.copy(), 0, True
    while sweeps < most:
        sweeps, largest = sweeps + 1, 0.0
        for j in range(len(x)):
            if hessian[j, j] <= 0 or (not whole and x[j] == 0):
                continue
            slope = gradient[j] + hessian[j] @ (x - x0)
            aim = x[j] - slope / hessian[j, j]
            to = np.sign(aim) * max(abs(aim) - lasso[j] / hessian[j, j], 0)
            largest = max(largest, hessian[j, j] * abs(to - x[j]))
            x[j] = to
        if largest <= tol and whole:
            break
        whole = largest <= tol
    return x, sweeps


@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([0.0, 0.3, 3.0]))
def test_coordinate_descent_is_the_plain_one(seed, size, strength):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3 * size, size))
    hessian, gradient = root.T @ root, 2 * rng.normal(size=size)
    lasso = strength * rng.random(size)
    x0 = rng.normal(size=size) * (rng.random(size) < 0.5)
    start = rng.normal(size=size) * (rng.random(size) < 0.5)
    for tol, most in ((1e-2, 1000), (0.0, 3), (1e-11, 4000)):
        found = start.copy()
        sweeps = lasso_descent(hessian, gradient, lasso, x0, found, tol, most)
        expected, count = descended(hessian, gradient, lasso, x0, start, tol, most)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        if tol != 1e-11:
            assert sweeps == count
    slope = gradient + hessian @ (found - x0)
    assert np.abs(subgradient(found, slope, lasso)).max() < 1e-8


def test_coordinate_descent_leaves_columns_without_curvature():
    hessian, x = np.diag([1.0, 0.0]), np.array([0.0, 5.0])
    lasso_descent(hessian, np.array([2.0, 1.0]), np.zeros(2), np.zeros(2), x, 1e-12, 10)
    assert x.tolist() == [-2.0, 5.0]
