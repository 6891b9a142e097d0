"""Batches that are seen once, against all rows at once."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from luce.models.classifier import SoftmaxClassifier
from luce.models.linear.class_order import ClassOrder

FORMS = {"whole": {}, "blocks": {"WHOLE_PARAMETERS": 0}, "diagonal": {"WHOLE_PARAMETERS": 0, "BLOCK_NUMBERS": 0}}


@pytest.fixture(params=FORMS)
def form(request, monkeypatch):
    for name, limit in FORMS[request.param].items():
        monkeypatch.setattr(f"luce.models.linear.stream.{name}", limit)
    return request.param


def drawn(rows=4000, columns=4, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) * np.exp(rng.uniform(-2, 2, columns)) + 3
    scores = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(columns, classes))
    return X, np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)


def streamed(X, y, batches=20, weight=None, **options):
    model = SoftmaxClassifier(tol=1e-9, **options)
    classes = None if y.ndim == 2 else np.unique(y)
    for rows in np.array_split(np.arange(X.shape[0]), batches):
        model.partial_fit(X[rows], y[rows], classes, None if weight is None else weight[rows])
    return model


def objective(model, X, y, C=1.0):
    """The whole objective, summed over the rows."""
    chosen = model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return -chosen.sum() + 0.5 / C * np.sum(model.coef_**2)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_one_pass_comes_close_to_all_rows_at_once(form, classes):
    X, y = drawn(classes=classes)
    whole, pass_ = SoftmaxClassifier(tol=1e-9).fit(X, y), streamed(X, y)
    excess = objective(pass_, X, y) - objective(whole, X, y)
    free = (classes - 1) * 5
    # the estimate itself is off the truth by ½ a parameter, on average; what batches in other forms forget is more
    assert 0 <= excess < {"whole": 0.1, "blocks": 0.5, "diagonal": 2.0}[form] * 0.5 * free
    assert excess < 1e-2 * (objective(streamed(X[:200], y[:200], 1), X, y) - objective(whole, X, y)) or form != "whole"


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("options", [{}, {"C": 0.01}, {"loss": "sigmoid"}, {"label_smoothing": 0.1}])
def test_a_single_batch_is_a_fit(form, classes, fit_intercept, options):
    X, y = drawn(500, classes=classes)
    weight = np.random.default_rng(0).uniform(0, 2, 500)
    whole = SoftmaxClassifier(tol=1e-10, fit_intercept=fit_intercept, **options).fit(X, y, weight)
    batch = streamed(X, y, 1, weight, fit_intercept=fit_intercept, **options)
    np.testing.assert_allclose(batch.coef_, whole.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(batch.intercept_, whole.intercept_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(batch.predict_proba(X), whole.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_an_objective_that_is_quadratic_is_followed_exactly(classes):
    """Where all is close to 0 the losses are their quadratics, and the order of the batches is nothing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = np.tile(np.arange(classes), 600 // classes)
    whole = SoftmaxClassifier(C=1e-6, tol=1e-13, fit_intercept=False).fit(X, y)
    pass_ = SoftmaxClassifier(C=1e-6, tol=1e-13, fit_intercept=False)
    for rows in np.array_split(rng.permutation(600), 6):
        pass_.partial_fit(X[rows], y[rows], np.arange(classes))
    np.testing.assert_allclose(pass_.coef_, whole.coef_, rtol=1e-4, atol=1e-9)


def test_weights_are_repeated_rows_and_rows_without_weight_are_absent(form):
    X, y = drawn(400)
    times = np.arange(400) % 3
    by_weight = SoftmaxClassifier(tol=1e-10)
    by_row = SoftmaxClassifier(tol=1e-10)
    for rows in np.array_split(np.arange(400), 4):
        by_weight.partial_fit(X[rows], y[rows], [0, 1, 2], times[rows].astype(float))
        by_row.partial_fit(X[rows].repeat(times[rows], axis=0), y[rows].repeat(times[rows]), [0, 1, 2])
    np.testing.assert_allclose(by_weight.coef_, by_row.coef_, rtol=1e-6)


def test_sparse_batches_are_dense_ones(form):
    X, y = drawn(600)
    X[np.random.default_rng(0).random(X.shape) < 0.6] = 0
    dense = streamed(X, y, 5)
    for kind in (sparse.csr_array, sparse.csr_matrix):
        np.testing.assert_allclose(streamed(kind(X), y, 5).coef_, dense.coef_, rtol=1e-6, atol=1e-9)


def test_tables_of_labels_and_soft_labels(form):
    X, y = drawn(600)
    table = np.eye(3)[y]
    hard, soft = streamed(X, y, 5), streamed(X, table, 5)
    np.testing.assert_allclose(soft.coef_, hard.coef_, rtol=1e-6, atol=1e-9)
    many, one = streamed(X, table, 5, loss="sigmoid"), streamed(X, y, 5, loss="sigmoid")
    np.testing.assert_allclose(many.coef_, one.coef_, rtol=1e-6, atol=1e-9)
    assert many.multilabel_ and not one.multilabel_ and not soft.multilabel_
    rng = np.random.default_rng(0)
    table = softmax(rng.normal(size=(600, 3)), axis=1)
    whole = SoftmaxClassifier(tol=1e-9).fit(X, table)
    np.testing.assert_allclose(streamed(X, table, 5).predict_proba(X), whole.predict_proba(X), atol=0.02)


def test_names_of_a_tables_columns_keep_their_order():
    X, y = drawn(600)
    names = np.array(["z", "a", "m"])
    model = SoftmaxClassifier().partial_fit(X[:300], np.eye(3)[y[:300]], names)
    assert model.classes_.tolist() == names.tolist()
    assert (model.predict(X) == names[y]).mean() > 0.6
    model.partial_fit(X[300:], names[y[300:]])  # and labels among them
    assert (model.predict(X) == names[y]).mean() > 0.6
    assert model.calibrate(X, names[y]).temperature_ == pytest.approx(1, abs=0.3)


def test_a_pickle_midway_goes_on(form):
    X, y = drawn(600)
    model = SoftmaxClassifier().partial_fit(X[:300], y[:300], [0, 1, 2])
    copy = pickle.loads(pickle.dumps(model))
    model.partial_fit(X[300:], y[300:])
    assert not np.allclose(model.coef_, copy.coef_)
    np.testing.assert_array_equal(copy.partial_fit(X[300:], y[300:]).coef_, model.coef_)


def test_a_column_that_is_constant_at_first_is_learned_later(form):
    X, y = drawn(3000)
    X[:300, 1] = 2.0
    model = streamed(X, y, 10)
    whole = SoftmaxClassifier().fit(X, y)
    assert np.abs(whole.coef_[:, 1]).max() > 0.05
    share = 0.6 if form == "diagonal" else 0.25
    np.testing.assert_allclose(model.coef_[:, 1], whole.coef_[:, 1], atol=share * np.abs(whole.coef_[:, 1]).max())


@pytest.mark.filterwarnings("ignore:partial_fit. the rows seem to be sorted")  # with two missing, they are
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_labels_that_the_first_batch_has_none_of(form, missing, loss):
    X, y = drawn(3000)
    first = np.flatnonzero(y < 3 - missing)[:200]
    rest = np.delete(np.arange(3000), first)
    names = np.array(["a", "b", "c"])[y]
    model = SoftmaxClassifier(loss=loss).partial_fit(X[first], names[first], ["c", "a", "b"])
    assert np.isfinite(model.coef_).all() and model.classes_.tolist() == ["a", "b", "c"]
    for rows in np.array_split(rest, 14):
        model.partial_fit(X[rows], names[rows])
    whole = SoftmaxClassifier(loss=loss).fit(X, names)
    assert model.score(X, names) > whole.score(X, names) - 0.02
    assert objective(model, X, names) < (1.02 if form == "whole" else 1.04) * objective(whole, X, names)


def test_a_batch_that_is_not_over_says_so():
    X, y = drawn(300)
    with pytest.warns(ConvergenceWarning, match="Did not converge to tol=1e-06: after 1 iterations"):
        SoftmaxClassifier(max_iter=1).partial_fit(X, y, [0, 1, 2])


def test_a_fit_begins_anew_and_so_does_the_batch_after_it():
    X, y = drawn(600)
    model = streamed(X[:300], y[:300], 3)
    np.testing.assert_array_equal(
        model.fit(X[300:], y[300:]).coef_, SoftmaxClassifier(tol=1e-9).fit(X[300:], y[300:]).coef_
    )
    model.partial_fit(X[:300], y[:300])  # the classes are known
    expected = SoftmaxClassifier(tol=1e-9).partial_fit(X[:300], y[:300], [0, 1, 2])
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_class_weights_by_name():
    X, y = drawn(600)
    factors = {0: 2.0, 2: 0.5}
    by_class = streamed(X, y, 4, class_weight=factors)
    by_row = streamed(X, y, 4, np.array([2.0, 1.0, 0.5])[y])
    SoftmaxClassifier(class_weight=factors).partial_fit(X[y > 0], y[y > 0], [0, 1, 2])  # a class that is not there yet
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "y", "classes", "words"),
    [
        ({}, [0, 1], None, "classes must be given at the first call"),
        ({}, [0, 3], [0, 1], "y holds .*3.* not among the classes"),
        ({"class_weight": "balanced"}, [0, 1], [0, 1], "give partial_fit a dict"),
        ({}, [[0.5, 0.5], [1.0, 0.0]], [0, 1, 2], "y has 2 columns for 3 classes"),
        ({"C": -1}, [0, 1], [0, 1], "C must be"),
    ],
)
def test_what_no_stream_can_be(options, y, classes, words):
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier(**options).partial_fit([[0.0], [1.0]], y, classes)


def test_an_l1_penalty_has_no_stream():
    assert hasattr(SoftmaxClassifier(), "partial_fit") and not hasattr(SoftmaxClassifier(l1_ratio=0.5), "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as caught:
        SoftmaxClassifier(l1_ratio=0.5).partial_fit([[0.0], [1.0]], [0, 1], [0, 1])
    assert "set l1_ratio=0" in str(caught.value.__cause__)


def test_later_calls_keep_to_the_first():
    X, y = drawn(100)
    model = SoftmaxClassifier().partial_fit(X, y, [0, 1, 2])
    model.partial_fit(X, y, [2, 1, 0])
    before = model.coef_
    with pytest.raises(ValueError, match="are not those of the first call"):
        model.partial_fit(X, y, [0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"y holds .*9"):
        model.partial_fit(X, np.full(100, 9))
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)
    np.testing.assert_array_equal(model.coef_, before)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_rows_sorted_by_class_are_warned_of_once(loss, table):
    X, y = drawn(600)
    order = np.argsort(y, kind="stable")
    model, told = SoftmaxClassifier(loss=loss), []
    for rows in np.array_split(order, 12):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(X[rows], np.eye(3)[y[rows]] if table else y[rows], [0, 1, 2])
        told += [str(warning.message) for warning in caught if "sorted by class" in str(warning.message)]
    assert len(told) == 1 and "sorted by class: 0, frequent before" in told[0] and "shuffle" in told[0]


def test_small_batches_of_other_classes_are_noticed_together():
    X = np.array([[8, 9], [20, 22], [80, 189], [76, 89], [345, 0]], float)
    y = np.arange(1, 6)
    model = SoftmaxClassifier(C=100.0)
    for _ in range(20):
        model.partial_fit(X[:2], y[:2], classes=y)
    with pytest.warns(UserWarning, match="sorted by class: 1, 2, frequent before, came no more"):
        for _ in range(20):
            model.partial_fit(X[2:], y[2:])


@pytest.mark.parametrize("size", [1, 10, 100])
@pytest.mark.parametrize("shares", [[0.98, 0.01, 0.01], [0.4, 0.3, 0.3]])
def test_rows_in_random_order_are_never_suspected(size, shares):
    rng = np.random.default_rng(0)
    for _ in range(20):
        order = ClassOrder(3)
        y = rng.choice(3, 20_000, p=shares)
        for first in range(0, 20_000, size):
            assert order.forgotten(y[first : first + size]) == []
