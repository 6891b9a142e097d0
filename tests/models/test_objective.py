"""The objective against plain NumPy, central differences and itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from luce.models.coordinates import SumZero
from luce.models.design import Design, as_matrix
from luce.models.losses import SoftmaxLoss
from luce.models.objective import LinearObjective

shapes = st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(2, 7))


def built(X, codes, classes, weight=None, penalty=0.0, fit_intercept=True):
    design = Design(as_matrix(X), weight, fit_intercept)
    return LinearObjective(design, SoftmaxLoss(codes, classes, n_threads=1), SumZero(classes), l2=penalty)


def drawn(shape, seed, *, weighted=True, penalty=0.3, fit_intercept=True, dtype=np.float64, order="C"):
    rng = np.random.default_rng(seed)
    rows, columns, classes = shape
    spread = np.exp(rng.uniform(-3, 3, columns))
    X = np.asarray(
        rng.normal(size=(rows, columns)) * spread + 5 * spread * rng.normal(size=columns), dtype, order=order
    )
    codes = rng.integers(0, classes, rows)
    weight = rng.uniform(0.1, 3, rows) if weighted else None
    objective = built(X, codes, classes, weight, penalty, fit_intercept)
    return objective, X, codes, weight, rng.normal(size=objective.size)


@given(shapes, st.integers(0, 10**6), st.booleans(), st.booleans(), st.sampled_from("CF"))
def test_value_is_the_written_out_formula(shape, seed, weighted, fit_intercept, order):
    objective, X, codes, weight, parameters = drawn(
        shape, seed, weighted=weighted, fit_intercept=fit_intercept, order=order
    )
    coef, intercept = objective.coefficients(parameters)
    scores = X @ coef.T + intercept
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(X)), codes]
    expected = np.average(losses, weights=weight) + 0.5 * 0.3 * np.sum(coef**2)
    assert objective.at(parameters).value == pytest.approx(expected, rel=1e-11)


@given(shapes, st.integers(0, 10**6), st.booleans())
def test_derivatives_agree_with_central_differences(shape, seed, fit_intercept):
    objective, *_, parameters = drawn(shape, seed, fit_intercept=fit_intercept)
    point, vector = objective.at(parameters), np.random.default_rng(seed + 1).normal(size=objective.size)
    step = 1e-5
    ahead, behind = objective.at(parameters + step * vector), objective.at(parameters - step * vector)
    size = 1 + np.abs(point.gradient).max()
    assert (ahead.value - behind.value) / (2 * step) == pytest.approx(point.gradient @ vector, abs=1e-7 * size)
    product = point.hvp(vector)
    np.testing.assert_allclose(
        (ahead.gradient - behind.gradient) / (2 * step), product, atol=1e-7 * (1 + np.abs(product).max())
    )
    np.testing.assert_allclose(point.hessian() @ vector, product, atol=1e-11 * (1 + np.abs(product).max()))


@given(shapes, st.integers(0, 10**6))
def test_hessian_is_symmetric_and_positive_definite_with_a_penalty(shape, seed):
    objective, *_, parameters = drawn(shape, seed)
    hessian = objective.at(parameters).hessian()
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12 * np.abs(hessian).max())
    assert np.linalg.eigvalsh(hessian).min() > -1e-12 * np.abs(hessian).max()


@given(shapes, st.integers(0, 10**6))
def test_coefficients_and_start_are_inverse_and_sum_to_zero(shape, seed):
    objective, X, *_, parameters = drawn((shape[0] + 3, *shape[1:]), seed)
    coef, intercept = objective.coefficients(parameters)
    np.testing.assert_allclose(coef.sum(axis=0), 0, atol=1e-12 * np.abs(coef).max())
    assert abs(intercept.sum()) <= 1e-12 * np.abs(intercept).max() * len(intercept)
    np.testing.assert_allclose(objective.start(coef, intercept), parameters, rtol=1e-9, atol=1e-11)
    shifted = objective.start(coef + np.ones(X.shape[1]), intercept + 7)  # one shift for all classes changes nothing
    np.testing.assert_allclose(shifted, parameters, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("strong", ["weak", "strong"])
@given(shapes, st.integers(0, 10**6))
def test_preconditioners_are_symmetric_positive_definite_and_close(strong, shape, seed):
    objective, *_, parameters = drawn((shape[0] + 20, *shape[1:]), seed)
    point = objective.at(0.1 * parameters)
    solve = point.preconditioner(strong)
    inverse = np.stack([solve(row) for row in np.eye(objective.size)])
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-9 * np.abs(inverse).max())
    eigenvalues = np.linalg.eigvals(inverse @ point.hessian()).real
    assert eigenvalues.min() > 1e-3
    assert eigenvalues.max() / eigenvalues.min() < 300


def test_weak_preconditioner_is_the_inverse_hessian_where_all_classes_are_alike():
    objective, *_ = drawn((50, 4, 5), 3, weighted=False)
    point = objective.at(objective.start())
    vector = np.random.default_rng(0).normal(size=objective.size)
    np.testing.assert_allclose(point.hessian() @ point.preconditioner("weak")(vector), vector, rtol=1e-8, atol=1e-8)


def test_blocks_of_rows_and_forgotten_logits_change_nothing(monkeypatch):
    whole, *_, parameters = drawn((700, 3, 4), 5)
    vector = np.random.default_rng(1).normal(size=whole.size)
    expected = whole.at(parameters)
    monkeypatch.setattr("luce.models.design.BLOCK_ENTRIES", 64)
    monkeypatch.setattr("luce.models.objective.KEPT_SCORES", 0)
    pieces, *_ = drawn((700, 3, 4), 5)
    assert len(list(pieces.design.blocks(4))) > 1
    point = pieces.at(parameters)
    assert point.value == pytest.approx(expected.value, rel=1e-13)
    np.testing.assert_allclose(point.gradient, expected.gradient, atol=1e-12)
    np.testing.assert_allclose(point.hvp(vector), expected.hvp(vector), atol=1e-12)
    np.testing.assert_allclose(point.hessian(), expected.hessian(), atol=1e-12)


def test_wide_tables_use_the_diagonal_of_the_gram_matrix(monkeypatch):
    monkeypatch.setattr("luce.models.design.GRAM_COLUMNS", 2)
    monkeypatch.setattr("luce.models.curvature.GRAM_COLUMNS", 2)
    objective, *_, parameters = drawn((30, 4, 3), 2)
    point = objective.at(parameters)
    solve = point.preconditioner("weak")
    inverse = np.stack([solve(row) for row in np.eye(objective.size)])
    np.testing.assert_array_equal(inverse, np.diag(np.diagonal(inverse)))
    assert (np.diagonal(inverse) > 0).all()


def test_a_constant_column_gets_no_weight_and_no_gradient():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=20), np.full(20, 0.1)])
    objective = built(X, rng.integers(0, 3, 20), 3)
    point = objective.at(rng.normal(size=objective.size))
    coef, _ = objective.coefficients(point.parameters)
    assert (coef[:, 1] == 0).all()
    assert (point.gradient.reshape(2, 3)[:, 1] == 0).all()


def test_the_data_are_left_alone():
    objective, X, codes, weight, parameters = drawn((30, 3, 3), 1)
    before = X.copy(), codes.copy(), weight.copy()
    X.flags.writeable = codes.flags.writeable = weight.flags.writeable = False
    point = objective.at(parameters)
    point.hessian(), point.hvp(parameters), point.preconditioner("strong")
    for array, copy in zip((X, codes, weight), before, strict=True):
        np.testing.assert_array_equal(array, copy)
