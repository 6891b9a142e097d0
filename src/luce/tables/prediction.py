"""A model applied to a table or to batch after batch of one, with what there is to say about it at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from luce.tables.columns import converted, present
from luce.tables.model_file import Model
from luce.tables.preparation import levels_of, respelled, unseen

__all__ = ["Predictor"]

CELLS = 2_000_000  # of the features that are held at a time


class Predictor:
    """Predicts, and counts the rows that it was right about and the levels that training did not see.

    Parameters
    ----------
    model : Model
    source : str
        The table's name in errors.
    """

    def __init__(self, model: Model, source: str) -> None:
        self._model, self._source = model, source
        self._levels = levels_of(model.pipeline["prepare"])
        self._known, self._right = 0, 0
        self._unseen: Counter[str] = Counter()

    @property
    def texts(self) -> list[str]:
        """Columns to be read as text even if they look like numbers."""
        texts = [column.name for column in self._model.columns if column.kind == "text"]
        text_classes = self._model.target is not None and self._model.pipeline.classes_.dtype.kind == "U"
        return texts + [str(self._model.target)] * text_classes

    def predict(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the most probable class and the probability of each class for every row."""
        features = respelled(converted(table, self._model.columns, self._source), table, self._levels)
        self._unseen.update(unseen(features, self._levels))
        pipeline = self._model.pipeline
        slices = features.iter_slices(max(CELLS // len(pipeline["prepare"].get_feature_names_out()), 1))
        probabilities = np.concatenate([pipeline.predict_proba(part) for part in slices])
        predictions = _predictions(self._model.pipeline.classes_, probabilities)
        if self._model.target in table.columns:
            self._compare(table[self._model.target], predictions["prediction"])
        return predictions

    def remarks(self) -> list[str]:
        """Return a line for each column with unseen levels, and one for the accuracy where classes are known."""
        lines = [
            f"luce: warning: {self._source}: column {name!r}: {count:,} value{'s' if count > 1 else ''} that training "
            "never saw, taken as rare"
            for name, count in self._unseen.items()
        ]
        if self._known:
            share = self._right / self._known
            lines.append(f"accuracy on the {self._known:,} rows with a known {self._model.target!r}: {share:.1%}")
        return lines

    def _compare(self, target: pl.Series, found: pl.Series) -> None:
        there = present(target)
        common = pl.Float64 if found.dtype.is_integer() else pl.String
        right = target.filter(there).cast(common, strict=False).eq_missing(found.filter(there).cast(common))
        self._known += len(right)
        self._right += int(right.sum())


def _predictions(classes: Any, probabilities: Any) -> pl.DataFrame:
    labels = [str(label).lower() if isinstance(label, bool) else str(label) for label in classes.tolist()]
    best = pl.Series("prediction", classes[probabilities.argmax(axis=1)])
    columns = [pl.Series(f"probability_{label}", probabilities[:, k]) for k, label in enumerate(labels)]
    return pl.DataFrame([best, *columns])
