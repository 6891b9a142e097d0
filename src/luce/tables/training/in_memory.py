"""Training on a table that fits in memory, and the judgement by cross-validation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from luce.models.classifier_cv import SoftmaxClassifierCV
from luce.models.evaluation.held_out import cross_validated
from luce.models.linear.design import as_matrix
from luce.report.facts import Column
from luce.tables.columns import plan
from luce.tables.conversion import converted
from luce.tables.failure import Failure
from luce.tables.memory import check_memory
from luce.tables.preparation import Preparation, learn_preparation, rare
from luce.tables.roles import Roles
from luce.tables.training.choice import Choice, choice_of
from luce.tables.training.prepared import PreparedClassifier
from luce.tables.training.progress import Progress
from luce.tables.training.record import Training

__all__ = ["notes_of", "scales_of", "train"]


def train(
    table: pl.DataFrame,
    roles: Roles,
    classifier: Any,
    parameters: Mapping[str, Any],
    *,
    chooser: SoftmaxClassifierCV | None = None,
    folds: int,
    seed: int,
    progress: Progress,
) -> Training:
    """Train on all rows that have a target and a weight; judge by cross-validation where `folds` is not 0.

    A `chooser` finds C and l1_ratio first; in the judgement it does so anew in every fold.

    Raises
    ------
    Failure
        If the targets are no classes or the weights no weights, no column is left to learn from, or the classifier
        refuses.
    """
    rows = _rows_of(table, roles)
    n, least = len(rows.data), rare(len(rows.data))
    preparation = learn_preparation(rows.features, least)
    check_memory(preparation, n, roles.source)
    begin = time.perf_counter()
    X = preparation.transform(rows.features, sparse=preparation.is_sparse(n))
    progress.say("training" if chooser is None else "choosing C and l1_ratio")
    try:
        chosen, notes = _fit(classifier, chooser, X, rows, progress)
    except ValueError as error:
        raise Failure(f"{roles.source}: {error}") from error
    if chosen is not None:
        parameters = {**parameters, "C": chosen.C, "l1_ratio": chosen.l1_ratio}
    classifier.classes_ = np.array(rows.classes)
    seconds, scales = time.perf_counter() - begin, scales_of(preparation, X)
    del X
    judged = None
    if folds:
        estimator = PreparedClassifier(classifier if chooser is None else chooser, least)
        judged = cross_validated(estimator, rows.features, rows.target, rows.weights, folds, seed, progress.fold)
        if judged is None:
            notes.append("Every class has a single row: none can be both learnt and held out.")
    at = np.arange(0) if judged is None else judged.rows
    return Training(
        roles,
        rows.columns,
        preparation,
        classifier,
        rows.counts,
        n,
        rows.without_target,
        rows.without_weight,
        seconds,
        parameters,
        classifier.loss_curve_,
        classifier.grad_norm_curve_,
        scales,
        judged,
        rows.data if len(at) == n else rows.data[at],
        rows.numbers[at],
        choice=chosen,
        notes=notes,
    )


class _Rows(NamedTuple):
    """The rows to learn from, and their numbers in the table; what is learnt of them; what becomes of the columns."""

    data: pl.DataFrame
    numbers: Any
    target: Any  # the place of each row's class among the classes, or the share of every class
    weights: Any
    classes: Sequence[str]
    counts: Any
    columns: Sequence[Column]
    features: pl.DataFrame
    without_target: int
    without_weight: int


def _rows_of(table: pl.DataFrame, roles: Roles) -> _Rows:
    targeted, counting = roles.counting(table)
    numbers = np.flatnonzero(counting) + 1
    data = table if counting.all() else table[numbers - 1]
    if targeted.any() and not len(data):
        raise roles.weightless()
    weights = roles.weights_of(data)
    if roles.soft:
        target: Any = roles.shares_of(data, numbers)
        classes, codes, counts = target.columns, target.to_numpy().argmax(axis=1), target.to_numpy().sum(axis=0)
    else:
        labels, codes = roles.classes_of(data)
        classes, target, counts = labels.names, codes, np.bincount(codes)
    columns = plan(
        data, roles.source, apart=roles.apart, drop=roles.drop, keep=roles.keep, classes=codes, numbers=numbers
    )
    features = converted(data, columns, roles.source)
    without = int((~targeted).sum()), int((targeted & ~counting).sum())
    return _Rows(data, numbers, target, weights, classes, counts, columns, features, *without)


def _fit(
    classifier: Any, chooser: SoftmaxClassifierCV | None, X: Any, rows: _Rows, progress: Progress
) -> tuple[Choice | None, list[str]]:
    """Fit the classifier, its penalty chosen first where there is a chooser; return the choice and what to note."""
    chosen = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if chooser is not None:
            chosen = choice_of(clone(chooser).fit(X, rows.target, rows.weights))
            classifier.set_params(C=chosen.C, l1_ratio=chosen.l1_ratio)
        classifier.fit(X, rows.target, rows.weights, callback=progress.iteration)
    return chosen, notes_of(caught)


def notes_of(caught: Sequence[warnings.WarningMessage], before: str = "") -> list[str]:
    """Return the texts of warnings that are about the model, `before` in front of each."""
    return [before + str(warning.message) for warning in caught if issubclass(warning.category, ConvergenceWarning)]


def scales_of(preparation: Preparation, X: Any) -> Any:
    """Return the features' standard deviations, None where all are standardised."""
    if not preparation.levels:
        return None
    rows = X.shape[0]
    return as_matrix(X).moments(np.full(rows, 1 / rows), True)[1]
