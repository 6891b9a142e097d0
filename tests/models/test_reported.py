"""What users of linear classifiers reported elsewhere as silent or confusing, tried here."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold

import luce
from luce import SoftmaxClassifier, SoftmaxClassifierCV

X, Y = load_iris(return_X_y=True)
HOLED = np.where(X > 7, np.nan, X)  # the first hole is at [102, 0]
NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (HOLED, r"X: column 0 holds NaN, a missing value, in row 102 \(12 such values in all\)"),
        (HOLED.astype(np.float32), r"X: column 0 holds NaN, a missing value, in row 102"),
        (pd.DataFrame(HOLED, columns=NAMES), r"X: column 'a' holds NaN, a missing value, in row 102"),
        (pd.DataFrame(HOLED, columns=NAMES).convert_dtypes(), r"X: column 'a' holds NaN, a missing value, in row 102"),
        (
            pl.DataFrame({"a": X[:, 0], "b": [None, *X[1:, 1]]}),
            "X: column 'b' holds NaN, a missing value, in row 0",
        ),
        (sparse.csr_array(HOLED), r"X: column 0 holds NaN, a missing value, in row 102 \(12 such"),
        (sparse.csc_array(HOLED), r"X: column 0 holds NaN, a missing value, in row 1.. \(12 such"),
        (np.where(X > 7.5, np.inf, X), r"X: column 0 holds infinity in row 105 .*cap it"),
        (
            pd.DataFrame({"a": X[:, 0], "kind": ["x", "y", "z"] * 50}),
            "X: column 'kind' holds .x. in row 0.*OneHot",
        ),
        (pl.DataFrame({"a": X[:, 0], "kind": ["1", "y", "z"] * 50}), "X: column 'kind' holds 'y' in row 1"),
        (pd.DataFrame({"a": pd.Categorical(["x", "y", "z"] * 50)}), "X: column 'a' holds 'x' in row 0"),
        ([["u"], ["v"], ["w"]] * 50, "X: column 0 holds .*'u'.* in row 0"),
        (np.ma.array(X, mask=X > 7), r"X: 12 of 600 values are masked, the first at \[102, 0\]"),
        (pd.DataFrame(X, columns=list("aabc")), "X: the names of columns repeat: 'a' 2 times"),
        (pd.DataFrame({"t": [pd.NaT, *pd.date_range("2020", periods=149)]}), "X: column 't' holds NaT.* in row 0"),
        (np.array([["2020-01-01"]] * 149 + [["NaT"]], "M8[D]"), r"X: column 0 holds NaT, a missing time, in row 149"),
    ],
)
def test_a_value_that_no_row_may_have_is_named_with_its_place(table, words):
    good = np.asarray(table.shape if hasattr(table, "shape") else np.shape(table))
    for call in (
        lambda: SoftmaxClassifier().fit(table, Y),
        lambda: SoftmaxClassifier().partial_fit(table, Y, [0, 1, 2]),
        lambda: SoftmaxClassifierCV(Cs=2, cv=2).fit(table, Y),
        lambda: luce.softmax_path(table, Y, Cs=2),
        lambda: luce.compare(table, Y),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    if not hasattr(table, "columns"):
        model = SoftmaxClassifier().fit(np.arange(150.0)[:, None] * np.ones(good[1]), Y)
        with pytest.raises(ValueError, match=words):
            model.predict_proba(table)


def test_values_masked_nowhere_are_data():
    plain = SoftmaxClassifier().fit(X, Y)
    np.testing.assert_array_equal(SoftmaxClassifier().fit(np.ma.array(X, mask=False), Y).coef_, plain.coef_)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.full(150, 1e307), "sample_weight: the sum leaves the range of float64, the largest is 1e.307"),
        (np.full(150, 1e-320), "C: 1 times 1.4.*e-318, the sum of the row weights"),
        (["a"] * 150, "sample_weight: could not convert"),
        (np.full(150, np.nan), "sample_weight contains NaN"),
        (-np.ones(150), "[Nn]egative.*sample_weight"),
        (np.ones((150, 1)), "[Ss]ample.weight"),
        (np.ma.array(np.ones(150), mask=np.arange(150) == 4), r"sample_weight: 1 of 150 values are masked.*\[4\]"),
    ],
)
def test_weights_that_are_none(weight, words):
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier().fit(X, Y, weight)
    if "C:" not in words:
        with pytest.raises(ValueError, match=words):
            luce.compare(X, Y, sample_weight=weight)
        with pytest.raises(ValueError, match=words):
            SoftmaxClassifier().fit(X, Y).calibrate(X, Y, weight)


@pytest.mark.parametrize("factor", [1e-280, 1e280])
def test_weights_of_any_size_inside_the_range(factor):
    scaled = SoftmaxClassifier(C=1 / factor).fit(X, Y, np.full(150, factor))
    np.testing.assert_allclose(scaled.predict_proba(X), SoftmaxClassifier().fit(X, Y).predict_proba(X), atol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"fit_intercept": "no"}, "fit_intercept must be True or False, got 'no'"),
        ({"fit_intercept": None}, "fit_intercept must be True or False, got None"),
        ({"warm_start": "yes"}, "warm_start must be True or False"),
        ({"standard_errors": "yes"}, "standard_errors must be True or False"),
        ({"verbose": "yes"}, "verbose must be an integer"),
        ({"max_iter": True}, "max_iter must be an integer >= 1, got True"),
        ({"C": 1e-320}, r"C: 9.*e-321 times 150"),
        ({"class_weight": {0: np.inf}}, "class_weight: class weights must be positive, got {0: inf}"),
        ({"class_weight": {0: "a"}}, "class_weight: class weights must be positive, got {0: 'a'}"),
    ],
)
def test_parameters_of_another_type(parameters, words):
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifier(**parameters).fit(X, Y)


def test_several_labels_come_as_a_sparse_table_too():
    table = np.column_stack([Y > 0, Y > 1]).astype(int)
    dense = SoftmaxClassifier(loss="sigmoid").fit(X, table)
    np.testing.assert_array_equal(SoftmaxClassifier(loss="sigmoid").fit(X, sparse.csr_array(table)).coef_, dense.coef_)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score", "accuracy", None])
def test_folds_that_lack_classes_are_judged_and_said(scoring):
    with pytest.warns(UserWarning, match=r"cv: the training rows of 3 of 3 folds lack classes.*fold 1: \[0\].*shuffle"):
        model = SoftmaxClassifierCV(Cs=2, cv=KFold(3), scoring=scoring).fit(X, Y)
    assert np.isfinite(model.scores_).all()


def test_a_probability_score_knows_classes_that_a_fold_holds_none_of():
    rows = np.r_[0:100, 100:104]
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X[rows], Y[rows] > 0))
    kept = [(np.r_[train, [100, 101, 102, 103]], test[test < 100]) for train, test in folds]
    model = SoftmaxClassifierCV(Cs=3, cv=kept, scoring="neg_log_loss").fit(X[rows], Y[rows])
    own = SoftmaxClassifierCV(Cs=3, cv=kept).fit(X[rows], Y[rows])
    np.testing.assert_allclose(model.scores_, own.scores_, rtol=1e-6)


def test_a_score_that_fails_says_which_and_where():
    with pytest.raises(ValueError, match=r"scoring='roc_auc' fails on held-out rows with the classes \[0, 1, 2\] of"):
        SoftmaxClassifierCV(Cs=2, cv=3, scoring="roc_auc").fit(X, Y)


def test_a_score_takes_weights_as_training_does():
    model = SoftmaxClassifier().fit(X, Y)
    first = np.where(np.arange(len(Y)) == 0, 1.0, 0.0)
    for y in (Y, np.eye(3)[Y]):
        assert model.score(X, y, sample_weight=first) == float(model.predict(X[:1])[0] == Y[0])
        with pytest.raises(ValueError, match=r"sample_weight: 1 of \d+ values are masked"):
            model.score(X, y, sample_weight=np.ma.array(np.ones(len(Y)), mask=first == 1))
        with pytest.raises(NotFittedError):
            SoftmaxClassifier().score(X, y)
