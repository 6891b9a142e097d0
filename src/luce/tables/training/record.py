"""The record of a training run, and the facts made of it that every report shows: terminal, page and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.models.evaluation.held_out import HeldOutPredictions
from luce.report.builder import class_names, facts_of, held_out_of
from luce.report.facts import Column, Data, Facts, Model
from luce.report.held_out import HeldOut
from luce.tables.preparation import feature_names
from luce.tables.roles import Roles
from luce.tables.training.choice import Choice

__all__ = ["Training", "training_facts"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Training:
    """The record of a training run: the table's parts, the fitted model, how training went, the rows that were judged.

    Attributes
    ----------
    roles : Roles
    columns : sequence of Column
    pipeline : Pipeline
        Fitted.
    class_counts : (K,) array
        Rows of each class, or the sum of its shares.
    rows, without_target, without_weight : int
        Rows learnt from, and those left out.
    seconds : float
    parameters : mapping
        What was asked for, by name.
    curve, gradients : array
        Loss and gradient norm by iteration; for a stream each batch's loss before it is learnt, from the second on.
    scales : (D,) array or None
        Standard deviations of the features, where not all of them are standardised.
    judged : HeldOut or None
    table : polars.DataFrame
        The rows that were judged, as they were read, in the order of `judged`.
    numbers : (n,) array
        Their numbers in the table, from 1.
    choice : Choice or None
        How C and l1_ratio were chosen, where they were.
    notes : sequence of str
    streamed : bool
    """

    roles: Roles
    columns: Sequence[Column]
    pipeline: Any
    class_counts: Array
    rows: int
    without_target: int
    without_weight: int
    seconds: float
    parameters: Mapping[str, Any]
    curve: Array
    gradients: Array
    scales: Array | None
    judged: HeldOutPredictions | None
    table: pl.DataFrame
    numbers: Array
    choice: Choice | None = None
    notes: Sequence[str] = ()
    streamed: bool = False


def training_facts(training: Training) -> Facts:
    """Return the facts that the reports show."""
    classifier, roles = training.pipeline[-1], training.roles
    return facts_of(
        classifier,
        title=f"{roles.shown} of {roles.source}",
        data=Data(
            roles.source,
            roles.shown,
            class_names(classifier),
            training.class_counts,
            training.rows,
            training.without_target + training.without_weight,
            training.columns,
        ),
        model=_model(training),
        feature_names=feature_names(training.pipeline["prepare"]),
        scales=training.scales,
        held_out=_held_out(training),
    )


def _model(training: Training) -> Model:
    classifier, streamed = training.pipeline[-1], training.streamed
    return Model(
        "softmax classifier" if classifier.loss == "softmax" else "sigmoid classifier, one class against the rest",
        training.parameters,
        classifier.solver_ + " on each batch" * streamed,
        training.seconds,
        len(training.curve) + 1 if streamed else len(training.curve) - 1,
        np.empty(0) if streamed else training.curve,
        training.gradients,
        None if streamed else classifier.gap_,
        training.notes,
    )


def _held_out(training: Training) -> HeldOut | None:
    if training.judged is None:
        return None
    rows = {series.name: _texts(series) for series in training.table}
    loss, weights = training.pipeline[-1].loss, training.roles.weights
    return held_out_of(training.judged, loss, training.numbers, rows, weights or "")


def _texts(series: pl.Series) -> Any:
    return series.cast(pl.String).fill_null("") if not series.dtype.is_nested() else [str(value) for value in series]
