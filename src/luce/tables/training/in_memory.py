"""Training on a table that fits in memory, and the judgement by cross-validation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from luce.models.design import as_matrix
from luce.models.held_out import held_out
from luce.models.selection import SoftmaxClassifierCV
from luce.tables.columns import plan
from luce.tables.conversion import converted
from luce.tables.failure import Failure
from luce.tables.memory import check_memory
from luce.tables.preparation import Preparation, learn_preparation, rare
from luce.tables.roles import Roles
from luce.tables.training.choice import choice_of
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
    targeted, counting = roles.counting(table)
    numbers = np.flatnonzero(counting) + 1
    data = table if counting.all() else table[numbers - 1]
    if targeted.any() and not len(data):
        raise roles.weightless()
    weights = roles.weights_of(data)
    if roles.soft:
        target: Any = roles.shares_of(data, numbers)
        classes, codes = target.columns, target.to_numpy().argmax(axis=1)
    else:
        labels, codes = roles.classes_of(data)
        classes, target = labels.names, codes
    columns = plan(
        data, roles.source, apart=roles.apart, drop=roles.drop, keep=roles.keep, classes=codes, numbers=numbers
    )
    if not any(column.used for column in columns):
        raise Failure(f"{roles.source}: no column left to learn from")
    features = converted(data, columns, roles.source)
    least = rare(len(data))
    preparation = learn_preparation(features, least)
    check_memory(preparation, len(data), roles.source)
    begin = time.perf_counter()
    X = preparation.transform(features, sparse=preparation.is_sparse(len(data)))
    chosen = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if chooser is not None:
                progress.say("choosing C and l1_ratio")
                chosen = choice_of(clone(chooser).fit(X, target, weights))
                found = {"C": chosen.C, "l1_ratio": chosen.l1_ratio}
                classifier.set_params(**found)
                parameters = {**parameters, **found}
            classifier.fit(X, target, weights, callback=progress.iteration)
        except ValueError as error:
            raise Failure(f"{roles.source}: {error}") from error
    classifier.classes_ = np.array(classes)
    seconds = time.perf_counter() - begin
    scales = scales_of(preparation, X)
    del X
    notes = notes_of(caught)
    judged = None
    if folds:
        estimator = PreparedClassifier(classifier if chooser is None else chooser, least)
        judged = held_out(estimator, features, target, weights, folds, seed, progress.fold)
    if folds and judged is None:
        notes.append("Every class has a single row: none can be both learnt and held out.")
    at = np.arange(0) if judged is None else judged.rows
    return Training(
        roles,
        columns,
        preparation,
        classifier,
        target.to_numpy().sum(axis=0) if roles.soft else np.bincount(codes),
        len(data),
        int((~targeted).sum()),
        int((targeted & ~counting).sum()),
        seconds,
        parameters,
        classifier.loss_curve_,
        classifier.grad_norm_curve_,
        scales,
        judged,
        data if len(at) == len(data) else data[at],
        numbers[at],
        choice=chosen,
        notes=notes,
    )


def notes_of(caught: Sequence[warnings.WarningMessage], before: str = "") -> list[str]:
    """Return the texts of warnings that are about the model, `before` in front of each."""
    return [before + str(warning.message) for warning in caught if issubclass(warning.category, ConvergenceWarning)]


def scales_of(preparation: Preparation, X: Any) -> Any:
    """Return the features' standard deviations, None where all are standardised."""
    if not preparation.levels:
        return None
    rows = X.shape[0]
    return as_matrix(X).moments(np.full(rows, 1 / rows), True)[1]
