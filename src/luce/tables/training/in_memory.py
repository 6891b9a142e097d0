"""Training on a table that fits in memory, and the judgement by cross-validation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from luce.models.classifier_cv import SoftmaxClassifierCV
from luce.models.evaluation.held_out import cross_validated
from luce.tables.columns import converted, plan
from luce.tables.failure import Failure
from luce.tables.preparation import preparation
from luce.tables.roles import Roles
from luce.tables.training.choice import choice_of
from luce.tables.training.progress import Progress
from luce.tables.training.record import Training

__all__ = ["scales_of", "train"]


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
    data = table[numbers - 1]
    if targeted.any() and not len(data):
        raise roles.weightless()
    weights = roles.weights_of(data)
    target = roles.targets_of(data, numbers)
    columns = plan(data, roles.apart, roles.drop, numbers)
    if not any(column.used for column in columns):
        raise Failure(f"{roles.source}: no column left to learn from")
    features = converted(data, columns, roles.source)
    prepare = preparation(columns, len(data))
    choosing = None if chooser is None else Pipeline([("prepare", prepare), ("classify", chooser)])
    pipeline = Pipeline([("prepare", prepare), ("classify", classifier)])
    chosen = None
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if choosing is not None:
                progress.say("choosing C and l1_ratio")
                chosen = choice_of(clone(choosing).fit(features, target, classify__sample_weight=weights)[-1])
                found = {"C": chosen.C, "l1_ratio": chosen.l1_ratio}
                classifier.set_params(**found)
                parameters = {**parameters, **found}
            pipeline.fit(features, target, classify__sample_weight=weights, classify__callback=progress.iteration)
        except ValueError as error:
            raise Failure(f"{roles.source}: {error}") from error
    seconds = time.perf_counter() - begin
    notes = [str(warning.message) for warning in caught if issubclass(warning.category, ConvergenceWarning)]
    named = {"weights_name": "classify__sample_weight"}
    judged = None
    if folds:
        judged = cross_validated(choosing or pipeline, features, target, weights, folds, seed, progress.fold, **named)
    if folds and judged is None:
        notes.append("Every class has a single row: none can be both learnt and held out.")
    fitted = pipeline[-1]
    soft = isinstance(target, pl.DataFrame)
    at = np.arange(0) if judged is None else judged.rows
    return Training(
        roles,
        columns,
        pipeline,
        target.to_numpy().sum(axis=0) if soft else np.unique(target, return_counts=True)[1],
        len(data),
        int((~targeted).sum()),
        int((targeted & ~counting).sum()),
        seconds,
        parameters,
        fitted.loss_curve_,
        fitted.grad_norm_curve_,
        scales_of(pipeline["prepare"], features, columns),
        judged,
        data[at],
        numbers[at],
        choice=chosen,
        notes=notes,
    )


def scales_of(prepared: Any, features: pl.DataFrame, columns: Any) -> Any:
    """Return the features' standard deviations, None where all are standardised."""
    if not any(column.used and column.kind == "text" for column in columns):
        return None
    return prepared.transform(features).std(axis=0)
