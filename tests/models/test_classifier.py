"""The estimator against scikit-learn's LogisticRegression, and what it promises by itself."""

import io
import pickle
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

from luce.models.classifier import SoftmaxClassifier

SOLVERS = ["newton", "newton-cg", "quasi-newton"]
DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}


@parametrize_with_checks(
    [
        SoftmaxClassifier(),
        SoftmaxClassifier(solver="newton-cg", C=10.0, tol=1e-10),
        SoftmaxClassifier(l1_ratio=0.5),
        SoftmaxClassifier(loss="sigmoid"),
        SoftmaxClassifier(solver="quasi-newton", label_smoothing=0.1, tol=1e-10),
    ]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def reference(X, y, sample_weight=None, **parameters):
    """Return scikit-learn's optimum, to the last digit that its Newton solver reaches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(tol=1e-13, max_iter=1000, solver="newton-cholesky", **parameters)
        return model.fit(X, y, sample_weight)


def assert_same_coefficients(model, expected, tolerance=1e-6):
    """Compare entries, each relative to the larger of itself and 1e-3 of its class's largest one."""
    for ours, theirs in ((model.coef_, expected.coef_), (model.intercept_[:, None], expected.intercept_[:, None])):
        size = np.maximum(np.abs(theirs), 1e-3 * np.abs(theirs).max(axis=1, keepdims=True))
        assert (np.abs(ours - theirs) <= tolerance * size).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", DATA)
def test_coefficients_equal_scikit_learns(name, solver):
    X, y = DATA[name](return_X_y=True)
    model, expected = SoftmaxClassifier(tol=1e-12, solver=solver).fit(X, y), reference(X, y)
    assert model.coef_.shape == expected.coef_.shape
    assert model.intercept_.shape == expected.intercept_.shape
    assert_same_coefficients(model, expected)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(model.decision_function(X), expected.decision_function(X), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_the_comparison_catches_a_shifted_penalty():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(AssertionError):
        assert_same_coefficients(SoftmaxClassifier(tol=1e-12, C=1.0001).fit(X, y), reference(X, y))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("options", [{"fit_intercept": False}, {"C": 0.01}, {"C": 100.0}, {"class_weight": "balanced"}])
def test_options_mean_what_they_mean_there(options, classes, solver):
    X, y = load_wine(return_X_y=True)
    X, y = X[y < classes], y[y < classes]
    weight = np.random.default_rng(0).uniform(0, 3, len(y))
    model = SoftmaxClassifier(tol=1e-12, solver=solver, **options).fit(X, y, weight)
    assert_same_coefficients(model, reference(X, y, weight, **options), 1e-5)


def test_class_weights_by_name_equal_sample_weights():
    X, y = load_iris(return_X_y=True, as_frame=False)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    by_class = SoftmaxClassifier(class_weight={"setosa": 2.0, "virginica": 0.5}, tol=1e-12).fit(X, names)
    by_row = SoftmaxClassifier(tol=1e-12).fit(X, names, np.array([2.0, 1.0, 0.5])[y])
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_objective_is_no_higher_than_scikit_learns(solver):
    X, y = load_digits(return_X_y=True)
    model = SoftmaxClassifier(solver=solver).fit(X, y)
    expected = reference(X, y)

    def objective(candidate):
        chosen = candidate.predict_log_proba(X)[np.arange(len(y)), y]
        return -chosen.sum() + 0.5 * np.sum(candidate.coef_**2)

    assert objective(model) <= objective(expected) * (1 + 1e-6)
    assert model.loss_curve_[-1] * len(y) == pytest.approx(objective(model), rel=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_scale_shift_and_correlation_of_features_do_not_matter(solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 8)) @ rng.normal(size=(8, 8))
    y = np.argmax(X @ rng.normal(size=(8, 4)) + 3 * rng.gumbel(size=(400, 4)), axis=1)
    bad = X * np.exp(rng.uniform(-4, 4, 8))
    bad[:, 0] += 1e4
    model = SoftmaxClassifier(C=np.inf, tol=1e-10, solver=solver).fit(bad, y)
    plain = SoftmaxClassifier(C=np.inf, tol=1e-10, solver=solver).fit(X, y)
    assert model.n_iter_[0] <= plain.n_iter_[0] + 1 <= (40 if solver == "quasi-newton" else 15)
    np.testing.assert_allclose(model.predict_proba(bad), plain.predict_proba(X), atol=1e-6)


def test_the_gradient_vanishes_and_the_curve_falls():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifier(tol=1e-10).fit(X, y)
    P = model.predict_proba(X) - np.eye(3)[y]
    np.testing.assert_allclose((P.T @ X + model.coef_) / (len(X) * X.std(axis=0)), 0, atol=1e-9)
    np.testing.assert_allclose(P.mean(axis=0), 0, atol=1e-10)
    assert model.grad_norm_ <= 1e-10
    assert len(model.loss_curve_) == model.n_iter_[0] + 1
    assert model.loss_curve_[0] == pytest.approx(np.log(3))
    assert (np.diff(model.loss_curve_) <= 1e-15).all()
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
    assert abs(model.intercept_.sum()) < 1e-9


def test_float32_is_kept_and_close():
    X, y = load_iris(return_X_y=True)
    single = SoftmaxClassifier().fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float64  # an offset of the data must not cancel
    assert single.predict_proba(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, SoftmaxClassifier().fit(X, y).coef_, atol=2e-3)


def test_float32_stops_at_its_own_rounding_without_a_warning():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifier(tol=1e-15).fit(X.astype(np.float32), y)
    assert model.n_iter_[0] < 50


def test_log_probabilities_keep_their_digits_where_probabilities_underflow():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier().fit(X, y)
    far = 1e4 * X[:1]
    assert (model.predict_proba(far) == 0).any()
    assert np.isfinite(model.predict_log_proba(far)).all()


def test_not_converged_is_said_with_advice():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match=r"Did not converge to tol=1e-06: after 2 iterations.*Raise max_iter"):
        model = SoftmaxClassifier(max_iter=2).fit(X, y)
    assert model.n_iter_[0] == 2


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("classes", [2, 3])
def test_separable_classes_without_penalty_are_called_so(classes, solver):
    rng = np.random.default_rng(0)
    y = np.arange(60) % classes
    X = rng.normal(size=(60, 2)) * 0.1 + np.array([[0, 0], [5, 0], [0, 5]])[y]
    with pytest.warns(ConvergenceWarning, match="linearly separable"):
        model = SoftmaxClassifier(C=np.inf, solver=solver).fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_on_the_boundary_between_classes_are_no_excuse(solver):
    X, y = load_iris(return_X_y=True)  # setosa lies apart from the other two, which overlap
    with pytest.warns(ConvergenceWarning, match="quasi-separable.*Set a finite C"):
        SoftmaxClassifier(C=np.inf, solver=solver).fit(X, y)


@pytest.mark.parametrize("solver", SOLVERS)
def test_repeated_and_constant_columns_without_penalty(solver):
    X, y = load_iris(return_X_y=True)
    X, y = X[y > 0], y[y > 0]
    doubled = np.hstack([X, X, np.ones((100, 1))])
    model = SoftmaxClassifier(C=np.inf, solver=solver).fit(doubled, y)
    single = SoftmaxClassifier(C=np.inf, solver=solver).fit(X, y)
    assert model.loss_curve_[-1] == pytest.approx(single.loss_curve_[-1], rel=1e-5)
    assert np.abs(model.coef_).max() < 2 * np.abs(single.coef_).max()


def test_many_classes_with_few_rows_each():
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(300, 6))
    y = np.arange(300).repeat(2)
    X = centres[y] + rng.normal(size=(600, 6))
    model = SoftmaxClassifier().fit(X, y)
    assert model.solver_ == "newton-cg"
    P = model.predict_proba(X) - np.eye(300)[y]
    np.testing.assert_allclose(P.T @ X + model.coef_, 0, atol=1e-2)
    assert model.coef_.shape == (300, 6)


def test_rows_of_weight_zero_count_as_absent():
    X, y = load_iris(return_X_y=True)
    weight = (y != 1).astype(float)
    model = SoftmaxClassifier().fit(X, y, weight)
    assert model.classes_.tolist() == [0, 2]
    np.testing.assert_array_equal(model.coef_, SoftmaxClassifier().fit(X[y != 1], y[y != 1]).coef_)


def test_a_warm_start_begins_where_the_last_fit_ended():
    X, y = load_wine(return_X_y=True)
    for rows in (slice(None), y < 2):
        model = SoftmaxClassifier(warm_start=True).fit(X[rows], y[rows])
        cold, loss, coef = model.n_iter_[0], model.loss_curve_[-1], model.coef_
        model.fit(X[rows], y[rows])
        assert model.n_iter_[0] == 1 < cold
        assert model.loss_curve_[0] == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-5, atol=1e-8)


def test_a_warm_start_from_other_classes_or_columns_is_a_cold_one():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(warm_start=True).fit(X[y < 2], y[y < 2])
    assert model.fit(X[y > 0], y[y > 0]).loss_curve_[0] == pytest.approx(np.log(2))
    assert model.fit(X[y > 0][:, :2], y[y > 0]).loss_curve_[0] == pytest.approx(np.log(2))


def test_callback_and_verbose_tell_each_iteration(capsys):
    X, y = load_iris(return_X_y=True)
    seen = []
    model = SoftmaxClassifier(verbose=1).fit(X, y, callback=seen.append)
    assert [iterate.iteration for iterate in seen] == list(range(model.n_iter_[0] + 1))
    assert [iterate.point.value for iterate in seen] == model.loss_curve_.tolist()
    assert seen[-1].status == "converged"
    assert capsys.readouterr().err.count("iteration") == len(seen)


def test_threads_do_not_change_the_result():
    X, y = load_digits(return_X_y=True)
    one, two = (SoftmaxClassifier(n_threads=n).fit(X[:300], y[:300]).coef_ for n in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9)


def test_in_the_company_of_scikit_learn():
    X, y = load_iris(return_X_y=True, as_frame=True)
    search = GridSearchCV(make_pipeline(StandardScaler(), SoftmaxClassifier()), {"softmaxclassifier__C": [0.1, 1, 10]})
    assert search.fit(X, y).best_score_ > 0.94
    model = SoftmaxClassifier().fit(X, y)
    assert model.feature_names_in_.tolist() == list(X.columns)
    copy = pickle.load(io.BytesIO(pickle.dumps(model)))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"C": 0}, "C must be"),
        ({"C": -1.0}, "C must be"),
        ({"C": float("nan")}, "C must be"),
        ({"C": "1"}, "C must be"),
        ({"tol": -1e-3}, "tol must be"),
        ({"tol": float("nan")}, "tol must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"max_iter": 1.5}, "max_iter must be"),
        ({"solver": "lbfgs"}, "solver must be one of .*newton-cg.* got 'lbfgs'"),
        ({"n_threads": 0}, "n_threads must be"),
        ({"class_weight": "even"}, "class_weight must be"),
        ({"class_weight": {0: -1.0}}, "class weights must be positive"),
    ],
)
def test_parameters_out_of_range(parameters, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier(**parameters).fit(X, y)


@pytest.mark.parametrize(
    ("X", "y", "weight", "words"),
    [
        ([[1.0], [2.0]], ["a", "a"], None, "at least two classes.*'a'"),
        ([[1.0], [2.0]], [0, 1], [0.0, 0.0], "non-zero|two classes"),
        ([[1.0], [np.nan]], [0, 1], None, "NaN"),
        ([[1.0], [np.inf]], [0, 1], None, "infinity"),
        ([[1.0], [2.0]], [0.5, 1.25], None, "[Cc]ontinuous"),
        ([[1.0], [2.0]], [0, 1, 1], None, "inconsistent"),
        ([[1.0], [2.0]], [0, 1], [1.0, -1.0], "[Nn]egative"),
    ],
)
def test_data_that_cannot_be_fitted(X, y, weight, words):
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier().fit(X, y, weight)


def test_no_penalty_on_a_frame_warns_of_nothing_else():
    """The check for separable classes predicts on what was validated, names and all."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 0.0, 1.0]})
    SoftmaxClassifier(C=np.inf).fit(frame, [0, 1, 0, 1])


@pytest.mark.parametrize("unit", [1e-145, 1e145])
def test_the_unit_of_the_features_does_not_matter(unit):
    X, y = load_iris(return_X_y=True)
    X, y = X[y > 0], y[y > 0]
    plain = SoftmaxClassifier(C=np.inf).fit(X, y)
    scaled = SoftmaxClassifier(C=np.inf).fit(X * unit, y)
    np.testing.assert_allclose(scaled.coef_ * unit, plain.coef_, rtol=1e-4)


def test_features_that_cannot_be_squared_are_refused():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="column 2 spans"):
        SoftmaxClassifier().fit(X * 1e160, y)


def sectors():
    """Six classes around a point: each has the largest score in its own sector, and no line parts one from the rest."""
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0.1, np.pi / 3 - 0.1, 200), rng.uniform(0.05, 1, 200)
    y = np.arange(6).repeat(200)
    angle = np.tile(angle, 6) + y * np.pi / 3
    return np.column_stack([np.cos(angle), np.sin(angle)]) * np.tile(radius, 6)[:, None], y


def test_sigmoids_have_a_minimum_where_no_class_is_apart_from_all_others():
    X, y = sectors()
    model = SoftmaxClassifier(C=np.inf, loss="sigmoid").fit(X, y)
    assert model.score(X, y) == 1
    assert model.grad_norm_ < 1e-6


def test_sigmoids_of_one_class_that_is_apart_have_none():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="separable"):
        SoftmaxClassifier(C=np.inf, loss="sigmoid").fit(X, y)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_smoothed_labels_have_a_minimum_however_far_apart_the_classes(loss):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier(C=np.inf, label_smoothing=0.1, loss=loss).fit(X, y)
    assert model.grad_norm_ < 1e-6


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_an_l1_share_of_no_penalty_is_none(loss):
    X, y = load_wine(return_X_y=True)
    X = X[:, :2]
    plain = SoftmaxClassifier(C=np.inf, loss=loss, tol=1e-10).fit(X, y)
    model = SoftmaxClassifier(C=np.inf, loss=loss, tol=1e-10, l1_ratio=0.5).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-7)


def soft_wine(seed=0):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :5])
    return X, np.random.default_rng(seed).dirichlet([0.6, 0.8, 1.0], len(X)), y


def as_weighted_rows(X, table, weight=None):
    """Each row once for every class, weighted by its probability."""
    weight = np.ones(len(X)) if weight is None else weight
    classes = table.shape[1]
    return X.repeat(classes, axis=0), np.tile(np.arange(classes), len(X)), (weight[:, None] * table).ravel()


@pytest.mark.parametrize(
    "options", [{}, {"l1_ratio": 0.5, "C": 0.3}, {"fit_intercept": False}, {"solver": "newton-cg"}]
)
@pytest.mark.parametrize("weighted", [True, False])
def test_soft_labels_are_weighted_rows(options, weighted):
    X, table, _ = soft_wine()
    weight = np.random.default_rng(1).uniform(0.1, 2, len(X)) if weighted else None
    soft = SoftmaxClassifier(tol=1e-10, **options).fit(X, table, weight)
    hard = SoftmaxClassifier(tol=1e-10, **options).fit(*as_weighted_rows(X, table, weight))
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-7)
    np.testing.assert_allclose(soft.intercept_, hard.intercept_, atol=1e-7)


def test_soft_labels_of_two_classes():
    X, table, _ = soft_wine()
    table = np.column_stack([table[:, 0], 1 - table[:, 0]])
    soft = SoftmaxClassifier(tol=1e-10).fit(X, table)
    assert soft.coef_.shape == (1, 5)
    hard = SoftmaxClassifier(tol=1e-10).fit(*as_weighted_rows(X, table))
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-8)


@pytest.mark.parametrize("class_weight", [{0: 3.0, 2: 0.2}, "balanced"])
def test_class_weights_of_soft_labels_are_those_of_the_weighted_rows(class_weight):
    X, table, _ = soft_wine()
    soft = SoftmaxClassifier(tol=1e-10, class_weight=class_weight).fit(X, table)
    hard = SoftmaxClassifier(tol=1e-10, class_weight=class_weight).fit(*as_weighted_rows(X, table))
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-7)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("smoothing", [0.1, 0.6])
def test_label_smoothing_is_soft_labels(classes, smoothing):
    X, _, y = soft_wine()
    X, y = X[y < classes], y[y < classes]
    table = (1 - smoothing) * np.eye(classes)[y] + smoothing / classes
    smooth = SoftmaxClassifier(tol=1e-10, label_smoothing=smoothing).fit(X, y)
    soft = SoftmaxClassifier(tol=1e-10).fit(X, table)
    np.testing.assert_allclose(smooth.coef_, soft.coef_, atol=1e-8)
    np.testing.assert_allclose(smooth.intercept_, soft.intercept_, atol=1e-8)
    assert smooth.loss_curve_[-1] == pytest.approx(soft.loss_curve_[-1], rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.5}, {"fit_intercept": False}, {"solver": "newton-cg"}])
def test_several_labels_a_row_are_separate_fits(options):
    X, _, _ = soft_wine()
    table = (np.random.default_rng(0).random((len(X), 4)) < [0.2, 0.5, 0.7, 0.4]).astype(int)
    model = SoftmaxClassifier(loss="sigmoid", tol=1e-11, **options).fit(X, table)
    assert model.multilabel_ and model.predict(X).shape == table.shape
    for k in range(4):
        alone = SoftmaxClassifier(tol=1e-11, **options).fit(X, table[:, k])
        np.testing.assert_allclose(model.coef_[k], alone.coef_[0], atol=1e-6)
        np.testing.assert_allclose(model.predict_proba(X)[:, k], alone.predict_proba(X)[:, 1], atol=1e-7)
        np.testing.assert_array_equal(model.predict(X)[:, k], alone.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-12)
    assert model.score(X, table) == (model.predict(X) == table).all(axis=1).mean()
    two = SoftmaxClassifier(loss="sigmoid").fit(X, table[:, :2])
    assert two.multilabel_ and two.coef_.shape == (2, 5) and two.predict_proba(X).shape == (len(X), 2)


def test_one_against_the_rest():
    X, _, y = soft_wine()
    model = SoftmaxClassifier(loss="sigmoid", tol=1e-11).fit(X, y)
    expected = OneVsRestClassifier(SoftmaxClassifier(tol=1e-11)).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-8)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-12)
    two = SoftmaxClassifier(loss="sigmoid", tol=1e-11).fit(X[y < 2], y[y < 2])
    plain = SoftmaxClassifier(tol=1e-11).fit(X[y < 2], y[y < 2])
    np.testing.assert_array_equal(two.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("options", [{}, {"l1_ratio": 0.5}, {"loss": "sigmoid"}, {"solver": "newton-cg"}, {"C": 0.01}])
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_data_are_dense_data(options, form):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] * (X[:300] > 3), y[:300]
    options = {"C": 1e-3, **options}
    dense = SoftmaxClassifier(tol=1e-10, **options).fit(X, y)
    model = SoftmaxClassifier(tol=1e-10, **options).fit(form(X), y)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(form(X)), dense.predict_proba(X), atol=1e-8)
    np.testing.assert_allclose(model.decision_function(X), dense.decision_function(form(X)), atol=1e-6)
    single = SoftmaxClassifier(**options).fit(form(X.astype(np.float32)), y)
    assert single.coef_.dtype == np.float64
    np.testing.assert_allclose(single.predict_proba(X), dense.predict_proba(X), atol=2e-3)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_name_features_and_pass_through_pipelines(library):
    module = pytest.importorskip(library)
    X, y = load_iris(return_X_y=True)
    frame = module.DataFrame(dict(zip("abcd", X.T, strict=True)))
    model = SoftmaxClassifier().fit(frame, module.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_allclose(model.coef_, SoftmaxClassifier().fit(X, y).coef_, rtol=1e-10)
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("badc")])
    line = make_pipeline(StandardScaler(), SoftmaxClassifier()).set_output(transform=library).fit(frame, y)
    assert line[-1].feature_names_in_.tolist() == list("abcd")
    table = module.DataFrame(dict(zip(["x", "y", "z"], np.eye(3)[y].T, strict=True)))
    soft = SoftmaxClassifier().fit(frame, table)
    assert soft.classes_.tolist() == ["x", "y", "z"] and soft.predict(frame)[0] == "x"


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("form", [np.zeros, sparse.csr_array])
def test_data_that_say_nothing(form, l1_ratio, fit_intercept):
    y = np.array([0, 0, 0, 1, 2, 2])
    model = SoftmaxClassifier(l1_ratio=l1_ratio, fit_intercept=fit_intercept, tol=1e-10).fit(form((6, 3)), y)
    assert (model.coef_ == 0).all()
    expected = [3 / 6, 1 / 6, 2 / 6] if fit_intercept else [1 / 3, 1 / 3, 1 / 3]
    np.testing.assert_allclose(model.predict_proba(np.ones((1, 3)))[0], expected, rtol=1e-8)


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("C", [1e-5, 1e-8, 1e-12])
def test_a_penalty_that_leaves_nothing_leaves_the_intercepts(solver, C):
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifier(C=C, solver=solver, tol=1e-9).fit(StandardScaler().fit_transform(X), y)
    shares = np.bincount(y) / len(y)
    np.testing.assert_allclose(np.exp(model.intercept_) / np.exp(model.intercept_).sum(), shares, atol=500 * C + 1e-7)
    assert 0 < np.abs(model.coef_).max() < 100 * C


def test_sparse_coefficients_predict_the_same():
    X, y = load_wine(return_X_y=True)
    for rows in (slice(None), y < 2):
        model = SoftmaxClassifier(l1_ratio=1.0, C=0.1, warm_start=True).fit(X[rows], y[rows])
        before, coef = model.predict_proba(X), model.coef_
        assert model.sparsify() is model and sparse.issparse(model.coef_)
        np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-12)
        np.testing.assert_allclose(model.predict_proba(sparse.csr_array(X)), before, atol=1e-12)
        np.testing.assert_array_equal(model.densify().coef_, coef)
        assert model.densify().coef_ is model.coef_
        model.sparsify().fit(X[rows], y[rows])
        assert model.n_iter_[0] == 1


def test_the_score_of_soft_labels_is_their_probability_of_what_was_predicted():
    X, table, y = soft_wine()
    model = SoftmaxClassifier().fit(X, table)
    given = table[np.arange(len(X)), model.predict(X)]
    assert model.score(X, table) == pytest.approx(given.mean())
    weight = np.arange(len(X)) + 1.0
    assert model.score(X, table, weight) == pytest.approx(np.average(given, weights=weight))
    assert model.score(X, y) == pytest.approx((model.predict(X) == y).mean())
    assert model.score(X, y, weight) == pytest.approx(np.average(model.predict(X) == y, weights=weight))


def interrupting(after):
    def callback(iterate):
        if iterate.iteration == after:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_an_interrupt_leaves_the_coefficients_reached(l1_ratio, capsys):
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifier(l1_ratio=l1_ratio)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, callback=interrupting(3))
    assert model.n_iter_[0] == 3 and len(model.loss_curve_) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        stopped = SoftmaxClassifier(l1_ratio=l1_ratio, max_iter=3).fit(X, y)
    np.testing.assert_array_equal(model.coef_, stopped.coef_)
    model.set_params(verbose=1)
    with pytest.warns(ConvergenceWarning, match="Interrupted after 2 iterations"):
        assert model.fit(X, y, callback=interrupting(2)) is model
    assert model.n_iter_[0] == 2 and model.score(X, y) > 0.5
    capsys.readouterr()


def test_an_interrupt_before_anything_is_reached_leaves_no_model(monkeypatch):
    X, y = load_wine(return_X_y=True)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("luce.models.linear.objective.LinearObjective.at", interrupted)
    model = SoftmaxClassifier(verbose=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("terminal", [True, False])
def test_the_live_line(terminal, capsys, monkeypatch):
    X, y = load_iris(return_X_y=True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    model = SoftmaxClassifier(verbose=1).fit(X, y)
    err = capsys.readouterr().err
    assert err.endswith("s\n") and err.count("\n") == (1 if terminal else model.n_iter_[0] + 1)
    assert err.count("\r\x1b[K") == (model.n_iter_[0] + 1 if terminal else 0)
    assert f"objective {model.loss_curve_[-1]:.9f}" in err
    assert f"gradient {model.grad_norm_:.1e}" in err and f"within {model.gap_:.1e} of the minimum" in err
    SoftmaxClassifier(C=np.inf, verbose=1).fit(X[y > 0], y[y > 0])
    assert "no bound without a penalty" in capsys.readouterr().err


def test_searches_in_processes_and_metadata():
    X, y = load_wine(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = SoftmaxClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        grid = {"C": [0.01, 1.0], "l1_ratio": [0.0, 0.5]}
        search = GridSearchCV(model, grid, n_jobs=2, cv=3).fit(X, y, sample_weight=weight)
        alone = GridSearchCV(model, grid, cv=3).fit(X, y, sample_weight=weight)
        without = GridSearchCV(SoftmaxClassifier(), grid, cv=3).fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert (search.cv_results_["mean_test_score"] != without.cv_results_["mean_test_score"]).any()
    best = SoftmaxClassifier(**search.best_params_).fit(X, y, weight)
    np.testing.assert_allclose(search.best_estimator_.coef_, best.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("way", ["pickle", "joblib", "skops", "clone"])
def test_copies(way, tmp_path):
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = SoftmaxClassifier(C=2.0, standard_errors=True).fit(X, y).calibrate(X, y)
    if way == "clone":
        copy = clone(model)
        assert copy.get_params() == model.get_params() and not hasattr(copy, "coef_")
        copy.fit(X, y).calibrate(X, y)
    elif way == "pickle":
        copy = pickle.loads(pickle.dumps(model))
    elif way == "joblib":
        joblib = pytest.importorskip("joblib")
        joblib.dump(model, tmp_path / "model")
        copy = joblib.load(tmp_path / "model")
    else:
        skops = pytest.importorskip("skops.io")
        data = skops.dumps(model)
        copy = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert str(copy.summary()) == str(model.summary())


def test_very_many_classes():
    """From a thousand on scores are computed again instead of kept."""
    rng = np.random.default_rng(0)
    y = np.arange(1200).repeat(2)
    X = (3 * rng.normal(size=(1200, 4)))[y] + rng.normal(size=(2400, 4))
    model = SoftmaxClassifier().fit(X, y)
    P = model.predict_proba(X)
    P[np.arange(len(y)), y] -= 1
    np.testing.assert_allclose(P.T @ X + model.coef_, 0, atol=2e-2)
    assert model.coef_.shape == (1200, 4) and model.grad_norm_ < 1e-6


@pytest.fixture(scope="module")
def many_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20000, 5)) @ rng.normal(size=(5, 5)) + 2
    return X, np.argmax(X @ rng.normal(size=(5, 3)) + 2 * rng.gumbel(size=(20000, 3)), axis=1)


@pytest.mark.parametrize("solver", ["auto", *SOLVERS, "proximal-newton"])
@pytest.mark.parametrize("kind", ["labels", "soft labels", "sigmoids", "sparse"])
def test_all_solvers_end_at_the_same_minimum(solver, kind, many_rows):
    X, y = many_rows
    options = {"loss": "sigmoid"} if kind == "sigmoids" else {}
    if kind == "soft labels":
        y = 0.8 * np.eye(3)[y] + 0.2 / 3
    if kind == "sparse":
        X = sparse.csr_array(X * (X > 2))
    model = SoftmaxClassifier(solver=solver, tol=1e-9, C=0.01, **options).fit(X, y)
    P = model.predict_proba(X)
    if kind == "sigmoids":
        P = 1 / (1 + np.exp(-model.decision_function(X)))
    gradient = (X.T @ (P - (np.eye(3)[y] if y.ndim == 1 else y))).T + model.coef_ / 0.01
    assert np.abs(gradient).max() / len(y) < 1e-7
    sampled = solver in ("quasi-newton", "newton", "newton-cg")
    start = np.log(3) if kind != "sigmoids" else 3 * np.log(2)
    if sampled:  # the start is the minimum over a sample
        assert model.loss_curve_[0] < model.loss_curve_[-1] * 1.03 < start
    assert model.gap_ < 1e-6


def test_the_solver_that_is_chosen(many_rows, monkeypatch):
    X, y = many_rows
    assert SoftmaxClassifier().fit(X, y).solver_ == "newton"
    monkeypatch.setattr("luce.models.linear.assembly.HESSIAN_WORK", 1)
    assert SoftmaxClassifier().fit(X, y).solver_ == "quasi-newton"
    assert SoftmaxClassifier().fit(X[:100], y[:100]).solver_ == "newton-cg"
    assert SoftmaxClassifier(l1_ratio=0.1).fit(X[:1000], y[:1000]).solver_ == "proximal-newton"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"l1_ratio": -0.1}, "l1_ratio must be a number between 0 and 1, got -0.1"),
        ({"l1_ratio": 1.1}, "l1_ratio must be"),
        ({"label_smoothing": 1.0}, "label_smoothing must be a number >= 0 and < 1, got 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing must be"),
        ({"loss": "hinge"}, "loss must be 'softmax' or 'sigmoid', got 'hinge'"),
        ({"l1_ratio": 0.5, "solver": "newton"}, "with l1_ratio > 0 it is 'proximal-newton', got 'newton'"),
    ],
)
def test_newer_parameters_out_of_range(parameters, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier(**parameters).fit(X, y)


def test_the_data_are_left_alone():
    X, _, y = soft_wine()
    weight, table = np.linspace(0, 1, len(y)), np.eye(3)[y]
    for rows in (X, sparse.csr_array(X), sparse.csc_array(X)):
        before = rows.copy()
        for target in (y, table):
            SoftmaxClassifier(l1_ratio=0.5).fit(rows, target, weight)
            SoftmaxClassifier().fit(rows, target, weight).calibrate(rows, target, weight)
        assert abs(rows - before).max() == 0
    assert (weight == np.linspace(0, 1, len(y))).all() and (table == np.eye(3)[y]).all()


def peak(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_sparse_rows_stay_sparse_with_l1_and_in_streams():
    rng = np.random.default_rng(0)
    X = sparse.random_array((3000, 6000), density=1e-3, rng=rng, format="csr")
    y = rng.integers(0, 3, 3000)
    dense = X.shape[0] * X.shape[1] * 8
    assert peak(lambda: SoftmaxClassifier(C=0.05, l1_ratio=1.0).fit(X, y)) < dense / 4
    narrow = sparse.random_array((40000, 300), density=0.01, rng=rng, format="csr")
    labels = rng.integers(0, 3, 40000)
    assert peak(lambda: SoftmaxClassifier().partial_fit(narrow, labels, classes=[0, 1, 2])) < 40000 * 300 * 8 / 2


def test_columns_of_a_table_are_known_by_their_names():
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True)
    soft = pandas.DataFrame(0.9 * np.eye(3)[y] + 0.1 / 3, columns=["a", "b", "c"])
    model = SoftmaxClassifier().partial_fit(X, soft).partial_fit(X, soft[["c", "a", "b"]])
    straight = SoftmaxClassifier().partial_fit(X, soft).partial_fit(X, soft)
    np.testing.assert_allclose(model.coef_, straight.coef_)
    assert model.score(X, soft[["b", "c", "a"]]) == pytest.approx(model.score(X, soft))
    with pytest.raises(ValueError, match="y has the columns"):
        model.partial_fit(X, soft.rename(columns={"a": "d"}))
    numbers = soft.set_axis([3, 4, 5], axis=1)
    assert SoftmaxClassifier().fit(X, numbers).classes_.tolist() == [3, 4, 5]


def test_a_score_needs_as_many_targets_as_rows_and_classes():
    X, y = load_iris(return_X_y=True)
    soft = np.eye(3)[y]
    model = SoftmaxClassifier().fit(X, soft)
    with pytest.raises(ValueError, match="inconsistent"):
        model.score(X[:10], soft)
    with pytest.raises(ValueError, match="4 columns for 3 classes"):
        model.score(X, np.eye(4)[y])


def test_limits_on_the_blas_are_put_back_when_fits_overlap():
    X, y = load_iris(return_X_y=True)
    inside, done = threading.Event(), threading.Event()

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    wait = threading.Thread(
        target=lambda: SoftmaxClassifier().fit(X, y, callback=lambda _: (inside.set(), done.wait(10)))
    )
    with threadpool_limits(2, user_api="blas"):
        two = threads()
        wait.start()
        assert inside.wait(10)
        SoftmaxClassifier().fit(X, y)
        done.set()
        wait.join()
        assert threads() == two
    assert threads() == before


def test_a_warm_start_knows_labels_from_several_labels():
    X, y = load_iris(return_X_y=True)
    several = np.column_stack([y > 0, y > 1]).astype(int)
    model = SoftmaxClassifier(loss="sigmoid", warm_start=True).fit(X, several)
    assert model.fit(X, y > 0).coef_.shape == (1, 4)


def test_what_a_stream_began_with_must_stay():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifier().partial_fit(X, y, classes=[0, 1, 2])
    for changed in ({"fit_intercept": False}, {"loss": "sigmoid"}, {"C": 2.0}):
        with pytest.raises(ValueError, match=f"{next(iter(changed))}: partial_fit began with"):
            pickle.loads(pickle.dumps(model)).set_params(**changed).partial_fit(X, y)
    with pytest.raises(ValueError, match="standard_errors need all rows"):
        SoftmaxClassifier(standard_errors=True).partial_fit(X, y, classes=[0, 1, 2])


def test_labels_written_as_a_table_are_separable_too():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="quasi-separable"):
        SoftmaxClassifier(C=np.inf).fit(X, np.eye(3)[y])


def test_a_class_weight_for_no_class_is_told():
    X, y = load_iris(return_X_y=True)
    for target in (y, np.eye(3)[y]):
        with pytest.raises(ValueError, match="class_weight names 7, which is no class"):
            SoftmaxClassifier(class_weight={0: 1.0, 7: 2.0}).fit(X, target)


def test_an_interrupt_is_not_replaced_by_a_complaint_about_statistics():
    X, y = load_iris(return_X_y=True)

    def stop(iterate):
        if iterate.iteration == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SoftmaxClassifier(C=np.inf, standard_errors=True).fit(X, y, callback=stop)


@pytest.mark.parametrize("unit", [2.0**-150, 2.0**150])  # powers of 2, so that nothing is rounded otherwise
def test_units_beyond_single_precision(unit):
    X, y = load_digits(return_X_y=True)
    plain = SoftmaxClassifier(C=np.inf, max_iter=8, solver="newton-cg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected, found = plain.fit(X, y).loss_curve_, clone(plain).fit(X * unit, y).loss_curve_
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_the_bound_is_never_above_the_objective():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    X[:, 0] = 1.7e9 + 1e7 * X[:, 0]
    model = SoftmaxClassifier().fit(X, rng.integers(0, 2, 600))
    assert model.gap_ <= model.loss_curve_[-1]


def test_the_null_model_of_sigmoids_is_theirs():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2)), rng.integers(0, 3, 300)
    summary = SoftmaxClassifier(loss="sigmoid", C=np.inf, standard_errors=True).fit(X, y).summary()
    shares = np.bincount(y) / 300
    null = 300 * np.sum(shares * np.log(shares) + (1 - shares) * np.log(1 - shares))
    assert summary.null_log_likelihood == pytest.approx(null)
    assert 0 < summary.mcfadden < 0.1


def test_sparse_coefficients_have_a_summary():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifier(standard_errors=True).fit(X, y)
    before = str(model.summary())
    assert str(model.sparsify().summary()) == before
