"""Preparation and classifier as one estimator, so that both are learnt anew in every fold of a cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from sklearn.base import clone

from luce.models.inputs.kinds import Array
from luce.tables.preparation import learn_preparation

__all__ = ["PreparedClassifier"]


class PreparedClassifier:
    """A classifier that takes converted columns.

    Parameters
    ----------
    classifier : estimator
        Cloned by `fit`.
    least : int
        Rows from which on a level counts as frequent.
    """

    def __init__(self, classifier: Any, least: int) -> None:
        self.classifier, self.least = classifier, least

    def __sklearn_clone__(self) -> PreparedClassifier:
        return PreparedClassifier(clone(self.classifier), self.least)

    def fit(self, features: pl.DataFrame, target: Any, sample_weight: Array | None = None) -> PreparedClassifier:
        """Learn the preparation, then the classifier on what it makes of the columns."""
        self.preparation = learn_preparation(features, self.least)
        self.classifier.fit(self._transformed(features), target, sample_weight)
        return self

    def predict_log_proba(self, features: pl.DataFrame) -> Array:
        """Return the logarithms of the classes' probabilities."""
        return np.asarray(self.classifier.predict_log_proba(self._transformed(features)))

    def _transformed(self, features: pl.DataFrame) -> Any:
        return self.preparation.transform(features, sparse=self.preparation.is_sparse(len(features)))
