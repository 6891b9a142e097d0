"""The choice of the penalty by cross-validation."""

import pickle
from contextlib import nullcontext

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import luce
from luce.models.classifier_cv import SoftmaxClassifierCV

CS = [0.01, 1.0, 100.0]


@parametrize_with_checks([SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=2), SoftmaxClassifierCV(Cs=[0.01, 0.1, 1.0], cv=3)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_scores_are_those_of_cross_validation_by_hand():
    X, y = load_wine(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    folds = StratifiedKFold(4, shuffle=True, random_state=1)
    model = SoftmaxClassifierCV(Cs=CS, cv=folds).fit(X, y, weight)
    assert model.scores_.shape == (1, 3, 4)
    for number, (train, test) in enumerate(folds.split(X, y)):
        for at, C in enumerate(CS):
            fitted = luce.SoftmaxClassifier(C=C).fit(X[train], y[train], weight[train])
            logs = fitted.predict_log_proba(X[test])[np.arange(len(test)), y[test]]
            assert model.scores_[0, at, number] == pytest.approx(np.average(logs, weights=weight[test]), abs=1e-4)
    assert CS[int(np.argmax(model.scores_[0].mean(axis=1)))] == model.C_
    np.testing.assert_allclose(model.coef_, luce.SoftmaxClassifier(C=model.C_).fit(X, y, weight).coef_)


def test_other_scorings_and_ratios():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = SoftmaxClassifierCV(Cs=CS, l1_ratios=[0, 0.5, 1], cv=3, scoring="accuracy").fit(X, y)
    assert model.scores_.shape == (3, 3, 3)
    for at, ratio in enumerate([0, 0.5, 1]):
        by_hand = cross_val_score(luce.SoftmaxClassifier(C=1.0, l1_ratio=ratio), X, y, cv=3)
        np.testing.assert_allclose(model.scores_[at, 1], by_hand, atol=0.02)
    assert model.best_score_ == model.scores_.mean(axis=2).max()


def test_the_rule_of_one_standard_error_takes_a_stronger_penalty():
    X, y = load_breast_cancer(return_X_y=True)
    best = SoftmaxClassifierCV(Cs=9, cv=5).fit(X, y)
    careful = SoftmaxClassifierCV(Cs=9, cv=5, rule="one standard error").fit(X, y)
    assert careful.C_ < best.C_
    error = best.scores_[0, best.Cs_.tolist().index(best.C_)].std(ddof=1) / np.sqrt(5)
    assert best.best_score_ - error <= careful.best_score_ < best.best_score_


def test_soft_labels_sparse_rows_and_several_labels():
    X, y = load_iris(return_X_y=True)
    soft = 0.9 * np.eye(3)[y] + 0.1 / 3
    for model in (
        SoftmaxClassifierCV(Cs=CS, cv=3).fit(csr_array(X), soft),
        SoftmaxClassifierCV(Cs=CS, cv=3, loss="sigmoid").fit(X, np.stack([y > 0, y > 1], axis=1).astype(int)),
    ):
        assert np.isfinite(model.scores_).all()
        assert (np.ptp(model.scores_, axis=1) > 0).all()
    logs = model.predict_log_proba(X)
    np.testing.assert_allclose(np.exp(logs), model.predict_proba(X))


def test_processes_give_the_same():
    X, y = load_iris(return_X_y=True)
    one, two = (SoftmaxClassifierCV(Cs=CS, cv=3, n_jobs=n).fit(X, y) for n in (None, 2))
    np.testing.assert_allclose(one.scores_, two.scores_, rtol=1e-9)


def test_groups_reach_the_splitter_by_routing():
    X, y = load_iris(return_X_y=True)
    groups = np.arange(150) % 7
    with config_context(enable_metadata_routing=True):
        model = SoftmaxClassifierCV(Cs=CS, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert model.scores_.shape == (1, 3, 3)
    with pytest.raises(ValueError, match="groups"):
        SoftmaxClassifierCV(Cs=CS, cv=GroupKFold(3)).fit(X, y, groups=groups)


def test_summary_report_and_copies_work_as_for_the_classifier():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=3, standard_errors=True).fit(X, y)
    assert model.summary().coefficient.shape == (3, 14)
    assert clone(model).get_params() == model.get_params()


def test_unfinished_fits_are_told():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning) as told:
        SoftmaxClassifierCV(Cs=CS, cv=3, max_iter=1).fit(X, y)
    assert any("9 of 9 fits to the folds" in str(warning.message) for warning in told)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"Cs": 0}, "Cs must be"),
        ({"Cs": [1.0, -1.0]}, "Cs must be"),
        ({"Cs": []}, "Cs must be"),
        ({"l1_ratios": [2.0]}, "l1_ratios must be"),
        ({"l1_ratios": []}, "l1_ratios must be"),
        ({"rule": "first"}, "rule must be"),
        ({"loss": "hinge"}, "loss must be"),
        ({"tol": -1}, "tol must be"),
    ],
)
def test_parameters_out_of_range(parameters, words):
    with pytest.raises(ValueError, match=words):
        SoftmaxClassifierCV(**parameters).fit(*load_iris(return_X_y=True))


def test_the_choice_agrees_with_scikit_learns_on_the_same_grid():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    ours = SoftmaxClassifierCV(Cs=CS, cv=3, scoring="neg_log_loss", tol=1e-9).fit(X, y)
    exact = {"tol": 1e-9, "max_iter": 9999}
    theirs = [cross_val_score(LogisticRegression(C=C, **exact), X, y, cv=3, scoring="neg_log_loss") for C in CS]
    np.testing.assert_allclose(ours.scores_[0].mean(axis=1), np.mean(theirs, axis=1), atol=1e-5)


def test_a_refit_forgets_the_statistics_of_the_fit_before():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=3, standard_errors=True).fit(X, y)
    model.set_params(standard_errors=False).fit(X, y)
    with pytest.raises(ValueError, match="standard_errors=True"):
        model.summary()


def test_rows_of_weight_zero_count_as_absent():
    X, y = load_iris(return_X_y=True)
    weight = (y != 1).astype(float)
    there = np.flatnonzero(weight)
    folds = [(np.setdiff1d(np.arange(150), test), test) for test in (np.arange(0, 150, 2), np.arange(50, 100))]
    model = SoftmaxClassifierCV(Cs=CS, cv=folds).fit(X, y, weight)
    assert model.classes_.tolist() == [0, 2] and model.scores_.shape == (1, 3, 1)  # the second fold has no weight
    folds = [tuple(np.searchsorted(there, np.intersect1d(part, there)) for part in folds[0])]
    without = SoftmaxClassifierCV(Cs=CS, cv=folds).fit(X[there], y[there])
    np.testing.assert_allclose(model.scores_, without.scores_)


def test_balanced_weights_where_a_fold_lacks_a_class():
    X, y = load_iris(return_X_y=True)
    X, y = np.vstack([X, X[:1] + 3]), np.append(y, 3)
    for target in (y, np.eye(4)[y]):
        folds = [(np.arange(150), np.arange(145, 151)), (np.arange(1, 151), np.arange(5))]
        model = SoftmaxClassifierCV(Cs=[1.0], cv=folds, class_weight="balanced", scoring="accuracy")
        if target.ndim == 2:
            model.set_params(scoring=None)
        with nullcontext() if target.ndim == 2 else pytest.warns(UserWarning, match=r"lack classes .*fold 1: \[3\]"):
            assert np.isfinite(model.fit(X, target).scores_).all()


def test_scores_that_are_no_numbers_are_not_chosen():
    X, y = load_iris(return_X_y=True)

    def scoring(model, X, y):
        return np.nan if abs(model.coef_).max() > 1 else abs(model.coef_).max()

    assert SoftmaxClassifierCV(Cs=CS, cv=3, scoring=scoring).fit(X, y, np.ones(150)).C_ == 0.01
    with pytest.raises(ValueError, match="NaN"):
        SoftmaxClassifierCV(Cs=CS, cv=3, scoring=lambda model, X, y: np.nan).fit(X, y)


def test_a_judgement_needs_a_row_of_positive_weight():
    X, y = load_iris(return_X_y=True)
    folds = [(np.arange(0, 150, 2), np.arange(1, 150, 2))]
    with pytest.raises(ValueError, match="cv: no fold has a held-out row of positive weight"):
        SoftmaxClassifierCV(Cs=CS, cv=folds).fit(X, y, (np.arange(150) % 2 == 0).astype(float))


def test_pickles_of_an_earlier_place_load():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxClassifierCV(Cs=2, cv=2).fit(X, y)
    old = pickle.dumps(model, protocol=0).replace(b"luce.models.classifier_cv", b"luce.models.selection")
    assert b"luce.models.selection" in old
    np.testing.assert_array_equal(pickle.loads(old).predict_proba(X), model.predict_proba(X))
