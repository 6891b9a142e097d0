"""Rows that the model did not learn from, with what was predicted for them and every measure of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from luce.models.evaluation import metrics
from luce.models.evaluation.metrics import Bins, Outcomes, PerClass, Scores
from luce.models.evaluation.score import Score
from luce.models.inputs.kinds import Array
from luce.report.shapes import check_range, check_shape

__all__ = ["Confusion", "HeldOut", "Reliability"]


class Confusion(NamedTuple):
    """Rows of one class that were given another: both codes, the rows' mass, and its share of the true class."""

    true: int
    predicted: int
    mass: float
    share: float


class Reliability(NamedTuple):
    """For each outcome 1 if predicted rightly, else 0, and the probability it was predicted with; both also in bins."""

    right: Array
    confidence: Array
    bins: Bins


@dataclass(frozen=True)
class HeldOut:
    """Predictions of rows that the model did not learn from; every measure is computed once, when it is first read.

    Parameters
    ----------
    method : str
        How the rows were held out, for instance "5-fold stratified cross-validation".
    true : (n,) array of int, or (n, K) array
        Code of each row's class, or the share of every class in it.
    probabilities : (n, K) array
        The probabilities of the model.
    baseline : (n, K) or (K,) array
        The shares of the classes among the rows learnt from, as probabilities.
    row_numbers : (n,) array of int
        Where each of these rows is in the table.
    calibrated : (n, K) array, optional
        The probabilities at `temperature`.
    temperature : float, optional
        The number by which the logits were divided.
    rows : mapping of str to (n,) sequence of str, optional
        The values of these rows as text, a column each.
    weights : (n,) array, optional
        Positive weights of the rows.
    gain : Score, optional
        How much lower the log loss is than the baseline's, paired by row.

    Raises
    ------
    ValueError
        For arrays whose shapes do not fit, shares outside [0, 1], codes that are no class, weights that are not
        positive.
    """

    method: str
    true: Array
    probabilities: Array
    baseline: Array
    row_numbers: Array
    calibrated: Array | None = None
    temperature: float | None = None
    rows: Mapping[str, Sequence[str]] | None = None
    weights: Array | None = None
    gain: Score | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.probabilities)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"probabilities must be (rows, classes) with at least one of each, got shape {shape}")
        check_shape("true", self.true, shape if np.ndim(self.true) == 2 else shape[:1])
        if self.weights is not None:
            check_shape("weights", self.weights, shape[:1])
            if not np.min(self.weights) > 0:
                raise ValueError(f"weights must be positive, got {np.min(self.weights):g}")
        check_shape("row_numbers", self.row_numbers, shape[:1])
        if np.shape(self.baseline) != shape[1:]:
            check_shape("baseline", self.baseline, shape)
        for name in "probabilities", "calibrated", "baseline":
            if getattr(self, name) is not None:
                check_range(name, getattr(self, name))
        if np.ndim(self.true) == 2:
            check_range("shares", self.true)
        elif np.min(self.true) < 0 or np.max(self.true) >= shape[1]:
            raise ValueError(f"true must be in [0, {shape[1]}), got {np.min(self.true)} to {np.max(self.true)}")
        if (self.calibrated is None) != (self.temperature is None):
            raise ValueError("calibrated and temperature go together, got one of them")
        if self.calibrated is not None:
            check_shape("calibrated", self.calibrated, shape)
        for name, values in (self.rows or {}).items():
            check_shape(f"rows[{name!r}]", values, shape[:1])

    @cached_property
    def stages(self) -> dict[str, Array]:
        """The probabilities that are measured, (n, K) each: "model", "calibrated" where there is one, "baseline"."""
        found = {"model": self.probabilities, "calibrated": self.calibrated}
        given = {name: np.asarray(p, np.float64) for name, p in found.items() if p is not None}
        return {**given, "baseline": np.broadcast_to(self.baseline, np.shape(self.probabilities))}

    @cached_property
    def outcomes(self) -> Outcomes:
        """The truth about the rows, as classes with a mass."""
        return metrics.outcomes(np.asarray(self.true), self.weights)

    @cached_property
    def predicted(self) -> Array:
        """The likeliest class of each outcome, (m,)."""
        return self.outcomes.of(self.stages["model"].argmax(axis=1))

    @cached_property
    def total(self) -> float:
        """Sum of the rows' weights."""
        return float(self.outcomes.mass.sum())

    @cached_property
    def wrong(self) -> float:
        """Mass of the outcomes that were given another class than their own."""
        return float(self.outcomes.mass[self.predicted != self.outcomes.true].sum())

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """The measures of each stage, by its name."""
        return {name: metrics.scores(self.true, p, self.weights) for name, p in self.stages.items()}

    @cached_property
    def by_class(self) -> PerClass:
        """The measures of each class against all others."""
        return metrics.per_class(self.true, self.probabilities, self.weights)

    @cached_property
    def confusion_matrix(self) -> Array:
        """Mass of each true class (rows) that was given each class (columns), (K, K)."""
        return metrics.confusion_matrix(self.predicted, self.outcomes, np.shape(self.probabilities)[1])

    @cached_property
    def confusions(self) -> list[Confusion]:
        """Pairs of different classes, the most frequent first."""
        truth, wrong = self.outcomes, self.predicted != self.outcomes.true
        pairs, at = np.unique(np.stack([truth.true[wrong], self.predicted[wrong]]), axis=1, return_inverse=True)
        mass = np.bincount(at, truth.mass[wrong])
        totals = np.bincount(truth.true, truth.mass)
        order = np.argsort(-mass, kind="stable")
        return [
            Confusion(int(true), int(given), float(mass[i]), float(mass[i] / totals[true]))
            for i, (true, given) in zip(order, pairs.T[order], strict=True)
        ]

    @cached_property
    def losses(self) -> Array:
        """The model's cross-entropy of each row, (n,)."""
        return metrics.losses_of_rows(np.asarray(self.true), self.stages["model"])

    @cached_property
    def hardest(self) -> Array:
        """Places of the rows, (n,), the largest loss first."""
        return np.argsort(-self.losses, kind="stable")

    @cached_property
    def reliability(self) -> dict[str, Reliability]:
        """The share of right predictions against their confidence, for each stage but the baseline."""
        found = {}
        for name, p in self.stages.items():
            if name != "baseline":
                truth, given = self.outcomes, self.outcomes.of(p)
                right, confidence = (given.argmax(axis=1) == truth.true).astype(np.float64), given.max(axis=1)
                found[name] = Reliability(right, confidence, metrics.confidence_bins(right, confidence, truth.mass))
        return found
