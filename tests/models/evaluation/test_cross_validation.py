"""The folds and the walk over them: each row held out once, absent rows absent, every judge sees every fold."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold

from luce.models.evaluation.cross_validation import Fold, LabelledRows, judge_folds, splits, stratified_folds

X, Y = np.arange(24.0)[:, None], np.arange(24) % 3


def test_they_are_the_splitters():
    for cv in (4, KFold(4), StratifiedKFold(4, shuffle=True, random_state=1)):
        theirs = list((StratifiedKFold(4) if cv == 4 else cv).split(X, Y))
        for fold, (train, test) in zip(splits(cv, X, Y), theirs, strict=True):
            np.testing.assert_array_equal(fold.train, train)
            np.testing.assert_array_equal(fold.test, test)


def test_masks_and_numbers_are_the_same():
    test = np.arange(24) < 6
    masks, numbers = splits([(~test, test)], X, Y), splits([(np.flatnonzero(~test), np.flatnonzero(test))], X, Y)
    np.testing.assert_array_equal(masks[0].train, numbers[0].train)
    np.testing.assert_array_equal(masks[0].test, np.arange(6))
    assert (masks[0].number, masks[0].of) == (1, 1)


def test_rows_of_weight_zero_are_absent():
    weights = (np.arange(24) % 2).astype(float)
    for fold, all_of_it in zip(splits(3, X, Y, weights=weights), splits(3, X, Y), strict=True):
        np.testing.assert_array_equal(fold.train, all_of_it.train[all_of_it.train % 2 == 1])
        np.testing.assert_array_equal(fold.test, all_of_it.test[all_of_it.test % 2 == 1])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(2, 4), st.integers(0, 9))
def test_stratified_folds_hold_out_each_tested_row_once(sizes, n_folds, seed):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    if max(sizes) < n_folds:
        return
    tested = np.flatnonzero(np.bincount(codes)[codes] > 1)
    folds = stratified_folds(codes, tested, n_folds, seed)
    assert len(folds) == n_folds and all(len(fold.test) for fold in folds)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in folds])), tested)
    for fold in folds:
        np.testing.assert_array_equal(np.sort(np.append(fold.train, fold.test)), np.arange(len(codes)))


def seen(factor, fold):
    return factor * fold.number, fold.test.tolist()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_judge_sees_every_fold(n_jobs):
    folds = splits(3, X, Y)
    found = judge_folds([partial(seen, 1), partial(seen, 10)], folds, n_jobs=n_jobs)
    assert [[number for number, _ in of_judge] for of_judge in found] == [[1, 2, 3], [10, 20, 30]]
    assert found[1][2][1] == folds[2].test.tolist()


def test_progress_is_told_before_each_fold_and_at_the_end():
    told = []
    judge_folds(
        [lambda fold: told.append(fold.number)], splits(3, X, Y), each=lambda *done: told.append(done), n_jobs=1
    )
    assert told == [(0, 3), 1, (1, 3), 2, (2, 3), 3, (3, 3)]


def test_no_fold_gives_no_result():
    assert judge_folds([len, len], []) == [[], []]


def test_rows_are_taken_with_their_labels_and_weights():
    rows = LabelledRows(X, Y, np.arange(24.0), np.arange(3)).take(np.array([5, 7]))
    assert rows.X.ravel().tolist() == [5, 7] and rows.y.tolist() == [2, 1] and rows.weights.tolist() == [5, 7]
    assert LabelledRows(X, Y, None, np.arange(3)).take(np.array([1])).weights is None
    assert Fold(1, 2, np.arange(2), np.arange(3)).of == 2
