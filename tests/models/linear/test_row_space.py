"""Fewer rows than features: the small problem has the large one's minimum."""

import numpy as np
import pytest

import luce
from luce.models.inputs.targets import checked_targets
from luce.models.linear.assembly import LinearProblem
from luce.models.linear.parts import parts_of
from luce.models.linear.row_space import RowSpace, pays


def drawn(kind, rows=30, columns=100, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) * np.exp(rng.uniform(-2, 2, columns)) + 3 * rng.normal(size=columns)
    if kind == "low rank":
        X = X[:, :5] @ rng.normal(size=(5, columns))
    if kind == "duplicate rows":
        X[10:20] = X[:10]
    if kind == "constant columns":
        X[:, ::2] = 7.0
    return X, np.arange(rows) % 3, rng.uniform(0.2, 3, rows)


KINDS = ["full", "low rank", "duplicate rows", "constant columns"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(("loss", "classes"), [("softmax", 3), ("softmax", 2), ("sigmoid", 3)])
def test_it_is_the_same_minimum(kind, fit_intercept, weighted, loss, classes):
    X, y, weight = drawn(kind)
    found = checked_targets(y % classes, weight if weighted else None, None, loss=loss, dtype=X.dtype)
    parts = parts_of(found, loss=loss, fit_intercept=fit_intercept)
    small, large = (LinearProblem(X, found, parts, in_row_space=there) for there in (True, False))
    assert small.design.n_features <= 30 < large.design.n_features
    ours, theirs = (problem.solve(0.5, tol=1e-12, solver="newton") for problem in (small, large))
    size = np.abs(theirs.coef).max()
    np.testing.assert_allclose(ours.coef, theirs.coef, atol=1e-7 * size)
    np.testing.assert_allclose(X @ ours.coef.T + ours.intercept, X @ theirs.coef.T + theirs.intercept, atol=1e-6)
    assert ours.last.value == pytest.approx(theirs.last.value, rel=1e-10)
    again = small.solve(0.5, tol=1e-6, start=(ours.coef, ours.intercept))
    assert again.last.iteration == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("centred", [True, False])
def test_into_and_back(kind, centred):
    X, _, weight = drawn(kind)
    space = RowSpace(X, weight, centred)
    centre = np.average(X, axis=0, weights=weight) if centred else 0.0
    rank = np.linalg.matrix_rank(X - centre)
    assert space.rows.shape == (30, rank)
    np.testing.assert_allclose(space.rows @ space.rows.T, (X - centre) @ (X - centre).T, atol=1e-8 * np.square(X).sum())
    rng = np.random.default_rng(1)
    V, b = rng.normal(size=(3, rank)), rng.normal(size=3)
    W, a = space.back(V, b)
    np.testing.assert_allclose(X @ W.T + a, space.rows @ V.T + b, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), np.linalg.norm(V, axis=1), rtol=1e-6)
    there, free = space.into(W, a)
    np.testing.assert_allclose(there, V, atol=1e-6)
    np.testing.assert_allclose(free, b, atol=1e-7)
    outside = rng.normal(size=(3, 100))
    inside, _ = space.back(*space.into(outside, b))
    np.testing.assert_allclose((X - centre) @ inside.T, (X - centre) @ outside.T, atol=1e-5)


def test_blocks_of_columns_add_up(monkeypatch):
    X, _, weight = drawn("full")
    whole = RowSpace(X, weight, True).rows
    monkeypatch.setattr("luce.models.linear.row_space.COLUMNS_AT_A_TIME", 7)
    np.testing.assert_allclose(RowSpace(X, weight, True).rows, whole, atol=1e-9)


def test_float32_stays():
    X, _, _ = drawn("full")
    assert RowSpace(X.astype(np.float32), None, True).rows.dtype == np.float32


def test_where_it_pays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(11, 20))
    assert pays(X[:10], None, True) and not pays(X, None, True)
    assert not pays(np.lib.stride_tricks.as_strided(X, (4001, 9000), (0, 0)), None, True)
    assert pays(X[:10] * 1e9, None, False) and not pays(X[:10] * np.logspace(0, 4, 20), None, True)


def test_the_penalty_that_is_no_norm_and_sparse_rows_stay_where_they_are():
    X, y, _ = drawn("full")
    found = checked_targets(y, None, None, loss="softmax", dtype=X.dtype)
    assert LinearProblem(X, found, parts_of(found, l1_ratio=0.5)).design.n_features == 100
    assert LinearProblem(X, found, parts_of(found)).design.n_features < 31


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_a_column_of_another_unit_is_not_lost(unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 200))
    y = (X @ rng.normal(size=200) > 0).astype(int)
    X[:, 0] *= unit
    model = luce.SoftmaxClassifier(tol=1e-9).fit(X, y)
    P = model.predict_proba(X)[:, 1] - y
    np.testing.assert_allclose((P @ X + model.coef_[0]) / X.std(axis=0), 0, atol=1e-5)
    assert model.score(X, y) == 1
