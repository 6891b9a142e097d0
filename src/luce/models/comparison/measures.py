"""The measures of a comparison: their values for a model, how each is headed, which is the best, how it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from luce.models.evaluation.score import Score

__all__ = ["MEASURES", "Measure", "Row"]


class Measure(NamedTuple):
    """The look of a measure: its heading, the best of several, what a value is multiplied by, its digits."""

    heading: str
    best: Callable[[list[float]], float]
    unit: float = 1
    digits: int = 4

    def shown(self, value: float) -> str:
        """Return a value as text, a dash for NaN."""
        return "–" if np.isnan(value) else f"{self.unit * value:.{self.digits}f}"


MEASURES = {
    "accuracy": Measure("accuracy", max),
    "log_loss": Measure("log loss", min),
    "reciprocal_rank": Measure("reciprocal rank", max),
    "auc": Measure("macro AUC", max),
    "f1": Measure("macro F1", max),
    "fit_time": Measure("fit time, ms", min, 1e3, 1),
}


class Row(NamedTuple):
    """The measures of one model, in the order of `MEASURES`."""

    model: str
    accuracy: Score
    log_loss: Score
    reciprocal_rank: Score
    auc: Score
    f1: Score
    fit_time: Score
