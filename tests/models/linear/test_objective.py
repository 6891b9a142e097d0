"""The objective against plain NumPy, central differences and itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

import objectives
from luce.models.linear.coordinates import SumZero
from luce.models.linear.design import Design, as_matrix
from luce.models.linear.losses import SoftmaxLoss
from luce.models.linear.objective import LinearObjective
from luce.models.linear.preconditioner import _sample_by_weight
from objectives import PAIRS, TARGETS

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
    np.testing.assert_allclose(point.hessian() @ point.preconditioner("weak")(vector), vector, rtol=1e-5, atol=1e-5)


def test_blocks_of_rows_and_forgotten_logits_change_nothing(monkeypatch):
    whole, *_, parameters = drawn((700, 3, 4), 5)
    vector = np.random.default_rng(1).normal(size=whole.size)
    expected = whole.at(parameters)
    monkeypatch.setattr("luce.models.linear.design.BLOCK_ENTRIES", 64)
    monkeypatch.setattr("luce.models.linear.place.KEPT_SCORES", 0)
    pieces, *_ = drawn((700, 3, 4), 5)
    assert len(list(pieces.design.blocks(4))) > 1
    point = pieces.at(parameters)
    assert point.value == pytest.approx(expected.value, rel=1e-13)
    np.testing.assert_allclose(point.gradient, expected.gradient, atol=1e-12)
    np.testing.assert_allclose(point.hvp(vector), expected.hvp(vector), atol=1e-12)
    np.testing.assert_allclose(point.hessian(), expected.hessian(), atol=1e-12)


def test_wide_tables_use_the_diagonal_of_the_gram_matrix(monkeypatch):
    monkeypatch.setattr("luce.models.linear.design.GRAM_COLUMNS", 2)
    monkeypatch.setattr("luce.models.linear.preconditioner.GRAM_COLUMNS", 2)
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


@pytest.fixture(params=[f"{loss}, {coordinates}" for loss, coordinates in PAIRS])
def pair(request):
    loss, coordinates = request.param.split(", ")
    return {"loss": loss, "coordinates": coordinates}


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_every_derivative_of_every_kind(pair, target, form, fit_intercept):
    case = objectives.drawn(2, target=target, form=form, fit_intercept=fit_intercept, **pair)
    objective = case.objective
    parameters, vector = case.rng.normal(size=(2, objective.size))
    point, step = objective.at(parameters), 1e-5
    assert point.value == pytest.approx(case.value(parameters), rel=1e-12)
    ahead, behind = objective.at(parameters + step * vector), objective.at(parameters - step * vector)
    assert (ahead.value - behind.value) / (2 * step) == pytest.approx(point.gradient @ vector, rel=1e-7, abs=1e-8)
    product, hessian = point.hvp(vector), point.hessian()
    expected = objectives.written_out(case, parameters)
    np.testing.assert_allclose((ahead.gradient - behind.gradient) / (2 * step), product, atol=1e-7)
    np.testing.assert_allclose(hessian, expected, atol=1e-11)
    np.testing.assert_allclose(product, expected @ vector, atol=1e-10)
    ridge = np.tile(objective.ridge, objective.coordinates.n_rows)
    np.testing.assert_allclose(point.hessian_diagonal(), np.diagonal(expected) - ridge, atol=1e-11)
    columns = objective.design.n_columns
    for at, block in enumerate(point.hessian_blocks()):
        inside = slice(at * columns, (at + 1) * columns)
        np.testing.assert_allclose(block, expected[inside, inside] - np.diag(objective.ridge), atol=1e-11)
    assert len(point.hessian_blocks()) == objective.coordinates.n_rows
    chosen = np.flatnonzero(case.rng.random(objective.size) < 0.6)
    np.testing.assert_allclose(point.hessian_among(chosen), expected[np.ix_(chosen, chosen)], atol=1e-11)
    np.testing.assert_allclose(objective.class_shares, case.share @ case.table, rtol=1e-13)


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_blocks_of_rows_add_up_for_every_kind(pair, form, monkeypatch):
    case = objectives.drawn(4, rows=800, form=form, **pair)
    parameters = case.rng.normal(size=case.objective.size)
    chosen = np.arange(0, case.objective.size, 2)

    def everything():
        point = case.objective.at(parameters)
        first = [point.gradient, point.hessian(), point.hvp(parameters)]
        return [*first, point.hessian_diagonal(), point.hessian_blocks(), point.hessian_among(chosen)]

    whole = everything()
    monkeypatch.setattr("luce.models.linear.design.BLOCK_ENTRIES", 500)
    monkeypatch.setattr("luce.models.linear.hessian.WRITTEN_ENTRIES", 500)
    monkeypatch.setattr("luce.models.linear.place.KEPT_SCORES", 0)
    for found, expected in zip(everything(), whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    rows = np.array([700, 3, 41])
    coef, intercept = case.objective.coefficients(parameters)
    np.testing.assert_allclose(case.objective.at(parameters).scores_of(rows), case.X[rows] @ coef.T + intercept)


@pytest.mark.parametrize("route", ["weak", "whole", "blocks", "diagonals"])
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("l2", [0.3, 0.0])
def test_preconditioners_of_every_kind_are_symmetric_and_positive_definite(pair, route, form, l2, monkeypatch):
    if route in ("whole", "blocks"):
        monkeypatch.setattr("luce.models.linear.preconditioner.ROWS_PER_UNKNOWN", 1000)  # all rows
    if route == "blocks":
        monkeypatch.setattr("luce.models.linear.preconditioner.WHOLE_HESSIAN", 1)
    if route == "diagonals":
        monkeypatch.setattr("luce.models.linear.preconditioner.GRAM_COLUMNS", 1)
    case = objectives.drawn(7, rows=200, form=form, l2=l2, **pair)
    parameters = 0.1 * case.rng.normal(size=case.objective.size)
    point = case.objective.at(parameters)
    solve = point.preconditioner("weak" if route == "weak" else "strong")
    inverse = np.stack([solve(row) for row in np.eye(case.objective.size)])
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-6 * np.abs(inverse).max())  # built in single precision
    assert np.linalg.eigvalsh(inverse).min() > 0
    hessian = point.hessian()
    free = np.eye(len(hessian))
    if pair == {"loss": "softmax", "coordinates": "whole"}:  # singular along shifts of all classes, without a penalty
        free = np.linalg.eigh(hessian)[1][:, 4:]
    ratio = np.linalg.eigvals(np.linalg.inv(free.T @ np.linalg.inv(inverse) @ free) @ free.T @ hessian @ free).real
    assert ratio.max() / ratio.min() < {"whole": 1.01, "blocks": 6, "weak": 20, "diagonals": 50}[route]
    assert point.strong_preconditioner_cost > 1


def test_samples_are_stratified_weighted_and_in_the_same_coordinates():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40000, 3)) + 5
    codes = np.concatenate([np.full(30, 2), rng.integers(0, 2, 39970)])
    weight = rng.uniform(0.5, 2, 40000)
    objective = built(X, codes, 3, weight, 0.1)
    assert any(True for _ in objective.samples()) and objective.class_shares.sum() == pytest.approx(1)
    samples = list(objective.samples())
    assert [len(sample.loss.target) for sample in samples] == [pytest.approx(5000, abs=30)]
    sample = samples[0]
    assert np.bincount(sample.loss.target)[2] == 20
    assert sample.design.centre is objective.design.centre and sample.ridge is objective.ridge
    np.testing.assert_allclose(sample.design.share.sum(), 1)
    np.testing.assert_allclose(sample.class_shares, objective.class_shares, rtol=0.1)  # 20 rows stand for 30
    np.testing.assert_allclose(sample.class_shares, np.bincount(sample.loss.target, sample.design.share))
    parameters = 0.3 * rng.normal(size=objective.size)
    assert sample.at(parameters).value == pytest.approx(objective.at(parameters).value, rel=0.03)
    soft = np.eye(3)[codes]
    built_soft = LinearObjective(objective.design, SoftmaxLoss(soft, 3, n_threads=1), SumZero(3), l2=0.1)
    sample = next(built_soft.samples())
    assert sample.loss.target.shape == (5000, 3)
    assert sample.at(parameters).value == pytest.approx(objective.at(parameters).value, rel=0.03)
    assert not any(True for _ in built(X[:10000], codes[:10000], 3).samples())


@pytest.mark.parametrize("most", [50, 300, 3000])
def test_chosen_rows_stand_for_all_of_them(most):
    weights = np.random.default_rng(0).lognormal(sigma=2, size=2000)
    rows, factors = _sample_by_weight(weights, most)
    assert len(rows) == len(np.unique(rows)) <= most + 1
    assert factors @ weights[rows] == pytest.approx(weights.sum(), rel=3 / np.sqrt(most))
    assert (factors >= 1).all()
    certain = np.flatnonzero(weights * most >= weights.sum())
    assert np.isin(certain, rows).all() and (factors[np.isin(rows, certain)] == 1).all()
    nothing, ones = _sample_by_weight(np.array([0.0, 1.0, 0.0, 2.0]), most)
    assert nothing.tolist() == [1, 3] and ones.tolist() == [1, 1]
