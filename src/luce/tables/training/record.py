"""What a training run leaves, and the facts that every report of it shows: terminal, page and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.models.evaluation.held_out import HeldOut
from luce.models.reporting import held_out_facts, no_better
from luce.report import facts
from luce.report.facts import Column, Facts
from luce.tables.preparation import feature_names
from luce.tables.roles import Roles
from luce.tables.training.choice import Choice

__all__ = ["Training", "facts_of"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Training:
    """What was trained on what.

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
    judged: HeldOut | None
    table: pl.DataFrame
    numbers: Array
    choice: Choice | None = None
    notes: Sequence[str] = ()
    streamed: bool = False


def facts_of(training: Training) -> Facts:
    """Return what the reports show."""
    classifier, roles = training.pipeline[-1], training.roles
    classes = [str(label) for label in classifier.classes_.tolist()]
    notes = list(training.notes)
    judged = training.judged and _held_out(training, training.judged)
    if training.judged is not None:
        notes += no_better(training.judged)
    errors = getattr(classifier, "standard_errors_", None)
    return Facts(
        title=f"{roles.shown} of {roles.source}",
        data=facts.Data(
            roles.source,
            roles.shown,
            classes,
            training.class_counts,
            training.rows,
            training.without_target + training.without_weight,
            training.columns,
        ),
        model=facts.Model(
            "softmax classifier" if classifier.loss == "softmax" else "sigmoid classifier, one class against the rest",
            training.parameters,
            classifier.solver_ + " on each batch" * training.streamed,
            training.seconds,
            len(training.curve) + 1 if training.streamed else len(training.curve) - 1,
            np.empty(0) if training.streamed else training.curve,
            training.gradients,
            None if training.streamed else classifier.gap_,
            notes,
        ),
        coefficients=facts.Coefficients(
            feature_names(training.pipeline["prepare"]),
            classifier.coef_,
            classifier.intercept_,
            None if errors is None else errors[:, :-1],
            training.scales,
        ),
        held_out=judged,
    )


def _held_out(training: Training, judged: HeldOut) -> facts.HeldOut:
    weighted = f", weighted by {training.roles.weights!r}" if training.roles.weights else ""
    rows = {series.name: _texts(series) for series in training.table}
    return held_out_facts(judged, training.pipeline[-1].loss, training.numbers, rows, weighted)


def _texts(series: pl.Series) -> Any:
    return series.cast(pl.String).fill_null("") if not series.dtype.is_nested() else [str(value) for value in series]
