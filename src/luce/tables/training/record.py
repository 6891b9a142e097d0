"""What a training run leaves, and the facts that every report of it shows: terminal, page and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.models.held_out import HeldOut
from luce.models.reporting import held_out_facts, no_better
from luce.report import facts
from luce.report.facts import Column, Facts
from luce.tables.conversion import shown
from luce.tables.model import Model
from luce.tables.preparation import Preparation
from luce.tables.roles import Roles
from luce.tables.text.table import Survey
from luce.tables.training.choice import Choice

__all__ = ["Training", "facts_of", "with_survey"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Training:
    """What was trained on what.

    Attributes
    ----------
    roles : Roles
    columns : sequence of Column
    preparation : Preparation
    classifier : SoftmaxClassifier
        Fitted to what the preparation makes of the columns; its `classes_` are the labels as text.
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
    remarks : sequence of str
        On how the table was read.
    missing_labels : sequence of str
        Words in the target's column that count as no class.
    """

    roles: Roles
    columns: Sequence[Column]
    preparation: Preparation
    classifier: Any
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
    remarks: Sequence[str] = ()
    missing_labels: Sequence[str] = ()

    def model(self) -> Model:
        """Return what prediction needs of it."""
        return Model(
            None if self.roles.soft else self.roles.target,
            self.classifier.classes_.tolist(),
            [column for column in self.columns if column.used],
            self.preparation,
            np.asarray(self.classifier.coef_, np.float64),
            np.asarray(self.classifier.intercept_, np.float64),
            self.classifier.loss,
        )


def with_survey(training: Training, found: Survey) -> Training:
    """Return the training with what its table's survey found: the columns' readings, and the remarks."""
    columns = [
        column._replace(
            remarks=(*found.remarks.get(column.name, ()), *column.remarks),
            reading=found.readings[column.name].to_json() if column.name in found.readings else None,
        )
        for column in training.columns
    ]
    names = {column.name for column in columns}
    aside = [f"{name!r}: {remark}" for name, said in found.remarks.items() if name not in names for remark in said]
    words = () if training.roles.soft else found.spellings.get(training.roles.target, ())
    return replace(training, columns=columns, remarks=[*found.notes, *aside], missing_labels=words)


def facts_of(training: Training) -> Facts:
    """Return what the reports show."""
    classifier, roles = training.classifier, training.roles
    classes = classifier.classes_.tolist()
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
            training.remarks,
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
            training.preparation.names,
            classifier.coef_,
            classifier.intercept_,
            None if errors is None else errors[:, :-1],
            training.scales,
        ),
        held_out=judged,
    )


def _held_out(training: Training, judged: HeldOut) -> facts.HeldOut:
    weighted = f", weighted by {training.roles.weights!r}" if training.roles.weights else ""
    rows = {series.name: _Texts(series) for series in training.table}
    return held_out_facts(judged, training.classifier.loss, training.numbers, rows, weighted)


class _Texts(Sequence[str]):
    """The values of a column as text, made when they are asked for: of most rows nobody asks."""

    def __init__(self, values: pl.Series) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, at: Any) -> Any:
        text = shown(self.values[int(at) : int(at) + 1])[0]
        return "" if text is None else text
