"""The one place where the facts of a training run are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from luce.models.evaluation.held_out import HeldOutPredictions, calibrated, gain_over_shares
from luce.models.evaluation.score import Score
from luce.models.inputs.kinds import Array
from luce.models.summary import Summary
from luce.report.facts import Coefficients, Data, Facts, Model
from luce.report.held_out import HeldOut

__all__ = ["FittedClassifier", "class_names", "facts_of", "held_out_of"]


class FittedClassifier(Protocol):
    """The attributes of a fitted linear classifier that the facts are made of."""

    loss: str
    classes_: Array
    intercept_: Array

    def dense_coef(self) -> Array:
        """Return the coefficients (K, D), a single row for two classes."""

    def summary(self) -> Summary:
        """Return the coefficients with their uncertainty, where there are standard errors."""


def facts_of(
    classifier: FittedClassifier,
    *,
    title: str,
    data: Data,
    model: Model,
    feature_names: Sequence[str],
    scales: Array | None,
    held_out: HeldOut | None,
) -> Facts:
    """Return the facts about a fitted classifier, with a warning where it is no better than the class shares.

    Parameters
    ----------
    classifier : FittedClassifier
        Coefficients and their uncertainty are taken from it.
    title : str
    data : Data
    model : Model
    feature_names : (D,) sequence of str
    scales : (D,) array or None
        As `Coefficients` has them.
    held_out : HeldOut or None
        From `held_out_of`; None where nothing was judged.
    """
    errors = getattr(classifier, "standard_errors_", None)
    notes = [] if held_out is None or held_out.gain is None else _no_better(held_out.gain)
    return Facts(
        title=title,
        data=data,
        model=replace(model, notes=[*model.notes, *notes]),
        coefficients=Coefficients(
            feature_names,
            classifier.dense_coef(),
            classifier.intercept_,
            None if errors is None else errors[:, :-1],
            scales,
        ),
        held_out=held_out,
        summary=None if errors is None else classifier.summary(),
    )


def held_out_of(
    predictions: HeldOutPredictions,
    loss: str,
    row_numbers: Array,
    rows: Mapping[str, Sequence[str]] | None,
    weighted_by: str = "",
) -> HeldOut:
    """Return the facts about rows that were held out, calibrated out of fold for the softmax loss.

    Parameters
    ----------
    predictions : HeldOutPredictions
    loss : {"softmax", "sigmoid"}
        The classifier's.
    row_numbers : (n,) array of int
        Where the rows are in the table, as the reader counts.
    rows : mapping of str to (n,) sequence of str, or None
        Their values as text, a column each.
    weighted_by : str
        The column of the rows' weights.
    """
    after, temperature = calibrated(predictions) if loss == "softmax" else (None, None)
    return HeldOut(
        method=predictions.method + (f", weighted by {weighted_by!r}" if weighted_by else ""),
        true=predictions.true,
        probabilities=np.exp(predictions.log_probabilities.astype(np.float64)),
        baseline=predictions.baseline,
        row_numbers=row_numbers,
        calibrated=after,
        temperature=temperature,
        rows=rows,
        weights=predictions.weights,
        gain=gain_over_shares(predictions),
    )


def class_names(classifier: FittedClassifier) -> list[str]:
    """Return the labels as text, in the order of the codes."""
    return [str(label) for label in classifier.classes_.tolist()]


def _no_better(gain: Score) -> list[str]:
    """Return a warning if the model is no better than the shares of the classes."""
    if gain.value > 2 * gain.error:
        return []
    return [
        "No better than the class shares alone: on held-out rows the log loss is lower by "
        f"{gain.value:.4f} ± {gain.error:.4f}."
    ]
