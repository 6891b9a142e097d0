"""The record of a training run, and the facts made of it that every report shows: terminal, page and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.models.evaluation.held_out import HeldOutPredictions
from luce.report import facts
from luce.report.builder import class_names, facts_of, held_out_of
from luce.report.facts import Column, Data, Facts
from luce.report.held_out import HeldOut
from luce.tables.conversion import shown
from luce.tables.labels import alike
from luce.tables.model import Model
from luce.tables.preparation import Preparation
from luce.tables.roles import Roles
from luce.tables.text.table import Survey
from luce.tables.training.choice import Choice

__all__ = ["Training", "training_facts", "with_survey"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Training:
    """The record of a training run: the table's parts, the fitted model, how training went, the rows that were judged.

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
    judged: HeldOutPredictions | None
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
    same = [] if training.roles.soft else alike(class_names(training.classifier))
    words = () if training.roles.soft else found.spellings.get(training.roles.target, ())
    return replace(training, columns=columns, remarks=[*found.notes, *aside, *same], missing_labels=words)


def training_facts(training: Training) -> Facts:
    """Return the facts that the reports show."""
    classifier, roles = training.classifier, training.roles
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
            training.remarks,
        ),
        model=_model(training),
        feature_names=training.preparation.names,
        scales=training.scales,
        held_out=_held_out(training),
    )


def _model(training: Training) -> facts.Model:
    classifier, streamed = training.classifier, training.streamed
    return facts.Model(
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
    rows = {series.name: _Texts(series) for series in training.table}
    loss, weights = training.classifier.loss, training.roles.weights
    return held_out_of(training.judged, loss, training.numbers, rows, weights or "")


class _Texts(Sequence[str]):
    """The values of a column as text, made when they are asked for: of most rows nobody asks."""

    def __init__(self, values: pl.Series) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, at: Any) -> Any:
        text = shown(self.values[int(at) : int(at) + 1])[0]
        return "" if text is None else text
