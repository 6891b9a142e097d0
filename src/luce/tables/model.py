"""A trained model of a table: columns to features, features to scores, scores to probabilities of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from luce.models.inputs.kinds import Array
from luce.models.probabilities import as_logits, probabilities
from luce.report.facts import Column
from luce.tables.labels import Labels
from luce.tables.preparation import Preparation

__all__ = ["Model"]


CELLS = 2_000_000  # of the features that are held at a time


@dataclass(frozen=True)
class Model:
    """All that prediction needs, and no more.

    Attributes
    ----------
    target : str or None
        The column of the classes; None for soft targets.
    classes : sequence of str
        Their labels, as the table spells them.
    columns : sequence of Column
        Those that are used.
    preparation : Preparation
    coef : (K, D) float64 array, (1, D) for two classes
    intercept : (K,) float64 array, (1,) for two classes
    loss : {"softmax", "sigmoid"}
    """

    target: str | None
    classes: Sequence[str]
    columns: Sequence[Column]
    preparation: Preparation
    coef: Array
    intercept: Array
    loss: str

    @cached_property
    def labels(self) -> Labels:
        """The classes, which tell other spellings of theirs."""
        return Labels(self.classes)

    def predict_proba(self, features: pl.DataFrame) -> Array:
        """Return the probability of each class, (rows, K), for columns as `converted` returns them."""
        sigmoids = self.loss == "sigmoid" and len(self.classes) > 2
        parts = []
        for part in features.iter_slices(max(CELLS // max(len(self.preparation), 1), 1)):
            scores = self.preparation.transform(part) @ self.coef.T + self.intercept
            parts.append(probabilities(as_logits(scores), sigmoids=sigmoids))
        return np.concatenate(parts)
