"""float32 data give what the same numbers in float64 give, to the rounding of a float32 score, wherever they lie."""

import io
import pickle
import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import luce
from luce.models.linear import scores as scores_module
from luce.models.linear.precision import LARGEST_PART, columns_suit_single, numbers_suit_single, rows_suit_single
from luce.models.linear.scores import scores

FORMS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csr": sparse.csr_array, "csc": sparse.csc_array}
CLOSE = {"atol": 1e-5}  # of probabilities
SETTINGS = [
    {},
    {"solver": "newton"},
    {"solver": "newton-cg"},
    {"solver": "quasi-newton"},
    {"l1_ratio": 0.5, "C": 0.5},
    {"loss": "sigmoid"},
    {"label_smoothing": 0.1},
]


def far(offset, width=1.0, rows=300, classes=3, seed=0):
    """Return float32 rows at an offset, and classes that depend on where in the spread a row is."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(rows, 3))
    y = (Z[:, 0] + 0.3 * rng.normal(size=rows) > 0).astype(int)
    if classes > 2:
        y[Z[:, 1] + 0.3 * Z[:, 2] > 0.7] = 2
    return (offset + width * Z).astype(np.float32), y


def pair(X, y, form=np.asarray, **parameters):
    """Return the model of float32 rows and that of the same numbers in float64, to the same tolerance."""
    parameters = {"C": 100.0, "tol": 1e-9, "max_iter": 500, **parameters}
    double = luce.SoftmaxClassifier(**parameters).fit(form(X.astype(np.float64)), y)
    return luce.SoftmaxClassifier(**parameters).fit(form(X), y), double


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("offset", [0.0, 50.0, -1e6, 1e7])
def test_every_solver_far_from_the_origin(offset, classes, options):
    X, y = far(offset, classes=classes)
    single, double = pair(X, y, **options)
    wide = X.astype(np.float64)
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(wide), **CLOSE)
    np.testing.assert_allclose(single.decision_function(X), double.decision_function(wide), atol=2e-4)
    assert single.predict_proba(X).dtype == single.decision_function(X).dtype == np.float32
    assert single.score(X, y) == double.score(wide, y)
    assert single.score(X, y) > 0.8


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("offset", [1e6, 1e7])
def test_every_form_of_the_data(form, offset, monkeypatch):
    X, y = far(offset)
    monkeypatch.setattr(scores_module, "SCORED_ENTRIES", 100)
    single, double = pair(X, y, FORMS[form])
    expected = double.predict_proba(X.astype(np.float64))
    np.testing.assert_allclose(single.predict_proba(FORMS[form](X)), expected, **CLOSE)
    np.testing.assert_allclose(single.predict_proba(FORMS[form](X.astype(np.float64))), expected, **CLOSE)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("power", [-44, -38, -30, -20, -8, 8, 15, 20, 25, 30, 36, 38])
@pytest.mark.parametrize("options", [{}, {"l1_ratio": 1.0}, {"solver": "newton-cg"}, {"solver": "quasi-newton"}])
def test_units_from_the_smallest_to_the_largest(form, power, options):
    """C grows with the unit's square, so that the penalty says the same in every unit."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, size=(200, 2)).astype(np.float64)
    y = (X[:, 0] + rng.normal(size=200) > 1).astype(int) + (X[:, 1] > 1)
    unit = np.float32(10.0**power)
    C = float(unit) ** (-1 if options.get("l1_ratio") else -2)
    single, double = pair(
        (X * float(unit)).astype(np.float32), y, FORMS[form], C=C if np.isfinite(C) else np.inf, **options
    )
    plain = luce.SoftmaxClassifier(**{"C": 1.0, "tol": 1e-9, **options}).fit(X, y)
    found = single.predict_proba(FORMS[form]((X * float(unit)).astype(np.float32)))
    wide = (X * float(unit)).astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(found, double.predict_proba(wide), **CLOSE)
    if power > -40:  # below, float32 holds the values themselves with a few bits only
        np.testing.assert_allclose(found, plain.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("power", range(1, 39))
def test_one_column_of_zero_and_something_huge(power):
    y = np.array([0, 1, 0, 1])
    X = np.array([[0], [1], [0], [1]], np.float32) * np.float32(10.0**power)
    model = luce.SoftmaxClassifier().fit(X, y)
    assert model.predict(X).tolist() == y.tolist()
    assert (model.predict_proba(X)[np.arange(4), y] > 0.95).all()
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_a_huge_constant_column_beside_a_real_one_changes_nothing():
    X, y = far(0.0)
    alone = luce.SoftmaxClassifier().fit(X, y)
    for constant in (1e9, 1e20, 3e38):
        both = luce.SoftmaxClassifier().fit(np.column_stack([X, np.full(len(X), constant, np.float32)]), y)
        np.testing.assert_allclose(both.coef_[:, :3], alone.coef_, atol=1e-4)
        assert (both.coef_[:, 3] == 0).all()


def test_columns_that_all_but_repeat_each_other():
    """Large coefficients of opposite signs cancel: rows that are ordinary in themselves need double precision too."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    X = np.column_stack([a, a + 1e-4 * rng.normal(size=400)]).astype(np.float32)
    y = ((X[:, 1].astype(float) - X[:, 0]) * 1e4 + rng.normal(size=400) > 0).astype(int)
    single, double = pair(X, y, C=np.inf)
    assert np.abs(double.coef_).max() > 1e4
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(X.astype(float)), **CLOSE)
    assert len(single.loss_curve_) == single.n_iter_[0] + 1


def test_a_walk_that_goes_on_in_double_precision_tells_one_story():
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    X = np.column_stack([a, a + 1e-4 * rng.normal(size=400)]).astype(np.float32)
    y = ((X[:, 1].astype(float) - X[:, 0]) * 1e4 + rng.normal(size=400) > 0).astype(int)
    seen = []
    model = luce.SoftmaxClassifier(C=1e9, tol=1e-9).fit(X, y, callback=seen.append)
    numbers = [iterate.iteration for iterate in seen]
    assert numbers == sorted(numbers) and numbers[-1] == model.n_iter_[0] and numbers[0] == 0
    assert seen[-1].status == "converged" and all(iterate.status == "running" for iterate in seen[:-1])
    assert {iterate.point.objective.design.matrix.dtype for iterate in seen} == {np.dtype("f4"), np.dtype("f8")}


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_public_coefficients_alone_reproduce_the_scores(offset):
    for classes in (2, 3):
        X, y = far(offset, classes=classes)
        model = luce.SoftmaxClassifier().fit(X, y)
        assert model.coef_.dtype == model.intercept_.dtype == np.float64
        by_hand = X.astype(np.float64) @ model.coef_.T + model.intercept_
        np.testing.assert_allclose(model.decision_function(X).reshape(by_hand.shape), by_hand, rtol=1e-5, atol=1e-5)


def test_what_follows_a_fit_sees_the_same():
    X, y = far(1e6)
    wide, weight = X.astype(np.float64), np.random.default_rng(0).uniform(0, 2, len(y))
    single, double = pair(X, y, C=1.0)
    assert single.calibrate(X, y, weight).temperature_ == pytest.approx(
        double.calibrate(wide, y, weight).temperature_, rel=1e-4
    )
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(wide), **CLOSE)
    copy = pickle.load(io.BytesIO(pickle.dumps(single)))
    np.testing.assert_array_equal(copy.predict_proba(X), single.predict_proba(X))
    before = single.predict_proba(X)
    single.sparsify()
    for form in FORMS.values():
        np.testing.assert_allclose(single.predict_proba(form(X)), before, atol=1e-6)
    again = luce.SoftmaxClassifier(warm_start=True).fit(X, y)
    first = again.n_iter_[0]
    assert again.fit(X, y).n_iter_[0] == 1 < first


def test_batches_wherever_they_lie():
    X, y = far(0.0, rows=600)
    X = np.concatenate([X[:300], X[300:] + np.float32(1e4)])
    models = []
    for table in (X, X.astype(np.float64)):
        model = luce.SoftmaxClassifier(C=1.0, max_iter=500)
        for rows in (slice(0, 300), slice(300, 450), slice(450, 600)):
            model.partial_fit(table[rows], y[rows], classes=[0, 1, 2])
        models.append(model.predict_proba(table))
    np.testing.assert_allclose(*models, atol=1e-5)


def test_paths_choices_and_comparisons():
    X, y = far(1e6)
    wide = X.astype(np.float64)
    for one, other in zip(luce.softmax_path(X, y, Cs=4).models, luce.softmax_path(wide, y, Cs=4).models, strict=True):
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(wide), atol=1e-4)
    single, double = (luce.SoftmaxClassifierCV(Cs=4, cv=3).fit(table, y) for table in (X, wide))
    assert single.C_ == double.C_
    np.testing.assert_allclose(single.scores_, double.scores_, atol=1e-4)
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(wide), atol=1e-4)
    for scale in (True, False):
        single, double = (luce.compare(table, y, models=["softmax"], cv=3, scale=scale).rows[0] for table in (X, wide))
        assert single.accuracy.value == pytest.approx(double.accuracy.value, abs=0.01)
        assert single.log_loss.value == pytest.approx(double.log_loss.value, abs=1e-3)


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_standard_errors_are_those_of_double_precision(offset, C):
    X, y = far(offset)
    y[::10] = 2  # nothing separates the classes
    single, double = pair(X, y, C=C, standard_errors=True)
    np.testing.assert_allclose(single.standard_errors_, double.standard_errors_, rtol=1e-4)
    assert single.log_likelihood_ == pytest.approx(double.log_likelihood_, rel=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_fewer_rows_than_features(offset):
    rng = np.random.default_rng(0)
    X = (offset + rng.normal(size=(40, 200))).astype(np.float32)
    y = np.argmax(X[:, :3], axis=1)
    single, double = pair(X, y, C=1.0)
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(X.astype(float)), atol=1e-4)
    assert single.score(X, y) == 1


def test_rows_of_an_outlier_do_not_hide_the_others():
    """One row with a huge score must not make the rounding errors of the others look small."""
    X, y = far(1e6)
    model = luce.SoftmaxClassifier().fit(X, y)
    strange = np.vstack([X, np.full((1, 3), 1e9, np.float32)])
    np.testing.assert_array_equal(model.predict_proba(strange)[:-1], model.predict_proba(X))


def test_scores_beyond_the_range():
    X = np.array([[0.0], [1.0], [0.2], [0.9]], np.float32)
    model = luce.SoftmaxClassifier(C=1e6).fit(X, [0, 1, 0, 1])
    model.coef_ = model.coef_ * 1e6
    huge = np.array([[3e38], [-3e38]], np.float32)  # whose scores float32 can't hold
    assert model.predict(huge).tolist() == [1, 0]
    np.testing.assert_allclose(model.predict_proba(huge), [[0, 1], [1, 0]], atol=1e-30)
    assert np.isfinite(model.predict_log_proba(huge)).all() and np.isfinite(model.decision_function(huge)).all()
    model.coef_ = model.coef_ * 1e300
    with pytest.raises(ValueError, match="X: the scores of row 1 leave the range of float64"):
        model.predict(np.array([[0.0], [1e300]]))


def test_models_of_an_earlier_version_held_float32():
    X, y = far(0.0)
    model = luce.SoftmaxClassifier().fit(X, y)
    before = model.predict_proba(X)
    model.coef_, model.intercept_ = model.coef_.astype(np.float32), model.intercept_.astype(np.float32)
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-5)


def test_the_rules_say_no_where_single_precision_fails():
    def off(rows, coef, intercept):
        exact = rows.astype(np.float64) @ coef.T + intercept
        return np.abs(rows @ coef.astype(np.float32).T + intercept.astype(np.float32) - exact).max()

    rng = np.random.default_rng(0)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        offset = 10.0 ** rng.uniform(-2, 7)
        rows = (offset + rng.normal(size=(50, 4))).astype(np.float32)
        coef = rng.normal(size=(3, 4)) * 10.0 ** rng.uniform(-2, 2)
        intercept = -coef @ np.full(4, offset)
        if rows_suit_single(rows, coef, intercept):
            assert off(rows, coef, intercept) < 2 * LARGEST_PART * 2.0**-23
            assert rows_suit_single(sparse.csr_array(rows), coef, intercept)
        if numbers_suit_single(rows, coef, intercept):
            assert rows_suit_single(rows, coef, intercept)
        assert scores(rows, coef, intercept) == pytest.approx(rows.astype(float) @ coef.T + intercept, abs=4e-5)
    assert columns_suit_single(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    assert not columns_suit_single(np.array([1e3]), np.array([1.0]))
    assert not columns_suit_single(np.array([0.0]), np.array([1e31]))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_float32_rows_are_converted_a_block_at_a_time(form):
    rng = np.random.default_rng(0)
    X = form((1e6 + rng.normal(size=(200_000, 50))).astype(np.float32))
    y = np.arange(200_000) % 2
    model = luce.SoftmaxClassifier(max_iter=3, solver="newton-cg", C=1e-6)
    tracemalloc.start()
    model.fit(X, y).predict_proba(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole = X.shape[0] * X.shape[1] * 8  # 80 MB
    assert peak < 0.9 * whole
