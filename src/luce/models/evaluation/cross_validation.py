"""The folds of a cross-validation, and the one walk over them that every judgement of this package takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.parallel import Parallel, delayed

from luce.models.inputs.kinds import Array, Features

__all__ = ["Fold", "LabelledRows", "judge_folds", "splits", "stratified_folds"]

Result = TypeVar("Result")


class Fold(NamedTuple):
    """One fold: its number from 1 to `of`, the rows to learn from and the rows that are held out."""

    number: int
    of: int
    train: Array
    test: Array


class LabelledRows(NamedTuple):
    """Rows with their labels, and with weights if there are any; `classes` are all that occur, also in other rows."""

    X: Features
    y: Array
    weights: Array | None
    classes: Array

    def take(self, rows: Array) -> LabelledRows:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return LabelledRows(self.X[rows], self.y[rows], weights, self.classes)


def splits(
    cv: object, X: object, y: Array, *, classifier: bool = True, weights: Array | None = None, **routed: object
) -> list[Fold]:
    """Return the folds of a splitter, without the rows of weight 0.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) or None
        In scikit-learn's terms; train and test are row numbers or masks.
    X, y : array or sparse matrix, array
    classifier : bool
        Whether y holds labels, by which an int's folds are stratified.
    weights : (N,) array, optional
        A row of weight 0 counts as absent.
    **routed
        Passed to the splitter, groups for instance.
    """
    rows = np.arange(len(y))
    counted = np.ones(len(y), bool) if weights is None else weights > 0
    pairs = [
        (_where(counted, rows[train]), _where(counted, rows[test]))
        for train, test in check_cv(cv, y, classifier=classifier).split(X, y, **routed)
    ]
    return _numbered(pairs)


def stratified_folds(codes: Array, tested: Array, n_folds: int, seed: int) -> list[Fold]:
    """Return shuffled folds that hold out each of the `tested` rows once, and learn from all others.

    A class with fewer rows than folds is spread over as many folds as it has rows.

    Parameters
    ----------
    codes : (N,) array of int
        Class of each row.
    tested : (n,) array of int
        Rows to hold out in turn.
    n_folds, seed : int

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.cross_validation import stratified_folds
    >>> folds = stratified_folds(np.array([0, 0, 0, 1, 1, 2]), np.arange(5), 2, seed=0)
    >>> [len(fold.test) for fold in folds], [5 in fold.train for fold in folds]
    ([3, 2], [True, True])
    """
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        held = [tested[test] for _, test in splitter.split(tested, codes[tested])]
    return _numbered([(np.setdiff1d(np.arange(len(codes)), rows), rows) for rows in held])


def judge_folds(
    judges: Sequence[Callable[[Fold], Result]],
    folds: Sequence[Fold],
    *,
    n_jobs: int | None = None,
    each: Callable[[int, int], None] | None = None,
) -> list[list[Result]]:
    """Show every fold to every judge, and return the judges' results fold by fold.

    Parameters
    ----------
    judges : sequence of callable
        Each takes a `Fold`; with several processes it must be possible to pickle them.
    folds : sequence of Fold
    n_jobs : int or None
        Folds at a time, in processes; as in scikit-learn.
    each : callable, optional
        Called with the number of finished folds and of all folds, before each fold and at the end.
    """

    def tasks() -> Iterator[object]:
        for judge in judges:
            for fold in folds:
                if each is not None:
                    each(fold.number - 1, fold.of)
                yield delayed(judge)(fold)

    found = Parallel(n_jobs=n_jobs)(tasks())
    if each is not None:
        each(len(folds), len(folds))
    return [found[k * len(folds) : (k + 1) * len(folds)] for k in range(len(judges))]


def _where(counted: Array, rows: Array) -> Array:
    """Return those of the rows that count."""
    return rows[counted[rows]]


def _numbered(pairs: Sequence[tuple[Array, Array]]) -> list[Fold]:
    """Return folds with their numbers."""
    return [Fold(number, len(pairs), train, test) for number, (train, test) in enumerate(pairs, 1)]
