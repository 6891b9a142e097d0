"""A model applied to a table or to batch after batch of one, with what there is to say about it at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import polars as pl

from luce.tables.batches import Batches
from luce.tables.conversion import converted
from luce.tables.failure import Failure
from luce.tables.labels import counted, spelled
from luce.tables.model import Model
from luce.tables.text.options import ReadingOptions
from luce.tables.text.reading import Reading

__all__ = ["Predictor", "read_as_trained"]

MOST_TOLD = 5  # unknown labels


class Predictor:
    """Predicts, and counts the rows that it was right about and the levels and labels that training did not see.

    Parameters
    ----------
    model : Model
    source : str
        The table's name in errors.
    """

    def __init__(self, model: Model, source: str) -> None:
        self._model, self._source = model, source
        self._typed = model.labels.typed()
        self._known, self._right = 0, 0
        self._unseen: Counter[str] = Counter()
        self._strange: Counter[str] = Counter()

    def predict(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return the most probable class and the probability of each class for every row."""
        preparation = self._model.preparation
        features = preparation.respelled(converted(table, self._model.columns, self._source), table)
        self._unseen.update(preparation.unseen(features))
        probabilities = self._model.predict_proba(features)
        best = probabilities.argmax(axis=1)
        if self._model.target in table.columns:
            self._compare(table[self._model.target], best)
        columns = [
            pl.Series(f"probability_{label}", probabilities[:, k]) for k, label in enumerate(self._model.classes)
        ]
        return pl.DataFrame([self._typed[best].alias("prediction"), *columns])

    def remarks(self) -> list[str]:
        """Return a line for each column with unseen levels, one for unknown labels, and one for the accuracy."""
        lines = [
            f"luce: warning: {self._source}: column {name!r}: {count:,} value{'s' if count > 1 else ''} that training "
            "never saw, taken as rare"
            for name, count in self._unseen.items()
        ]
        if self._strange:
            lines.append(self._strangers())
        if self._known:
            share = self._right / self._known
            rows = f"{self._known:,} rows" if self._known > 1 else "row"
            lines.append(f"accuracy on the {rows} with a known {self._model.target!r}: {share:.1%}")
        return lines

    def _compare(self, column: pl.Series, best: Any) -> None:
        try:
            target = spelled(column, self._source, from_text=False)
        except Failure:  # real numbers, lists: nothing that a class could equal
            target = pl.Series(column.name, [str(column.dtype)] * len(column)).set(column.is_null(), None)
        there = target.is_not_null().to_numpy()
        codes = self._model.labels.codes(target)
        self._known += int(there.sum())
        self._right += int((codes == best)[there].sum())
        self._strange.update(counted(target.filter(pl.Series(there & (codes < 0)))))

    def _strangers(self) -> str:
        shown = []
        for label, count in sorted(self._strange.items(), key=lambda item: (-item[1], item[0]))[:MOST_TOLD]:
            near = self._model.labels.nearest(label)
            shown.append(f"{label!r} ({count:,})" + ("" if near is None else f", near {near!r}"))
        more = len(self._strange) - len(shown)
        rows = sum(self._strange.values())
        return (
            f"luce: warning: {self._source}: column {self._model.target!r}: {rows:,} row{'s' if rows > 1 else ''} of "
            f"classes that the model does not know: {'; '.join(shown)}" + (f"; and {more:,} more" if more else "")
        )


def read_as_trained(data: Batches, model: Model, options: ReadingOptions, *, all_rows: bool) -> None:
    """See to it that a table's columns are read as those were that the model learnt from.

    Columns of which the model has no reading, since it learnt from Parquet, are read by what their own values tell.

    Parameters
    ----------
    data : Batches
    model : Model
    options : ReadingOptions
        Words that count as missing beside those of training, and a decimal sign other than that of training.
    all_rows : bool
        Whether no row is left out as units.
    """
    readings = {
        column.name: Reading.from_json(column.reading) for column in model.columns if column.reading is not None
    }
    if len(readings) < len(model.columns):
        wishes = {"text": "text", "number": "exact"}
        data.survey(
            options if data.from_text else ReadingOptions(),
            {column.name: wishes[column.kind] for column in model.columns if column.kind in wishes},
            all_rows=all_rows,
        )
    if model.target is not None:
        like = next(iter(readings.values()), Reading("text"))
        readings[model.target] = Reading("text", like.missing, like.missing_quoted)
    words = tuple(options.missing or ())
    data.assume(
        {
            name: replace(
                reading,
                missing=(*reading.missing, *words),
                decimal=options.decimal or reading.decimal,
                thousands="" if options.decimal and options.decimal != reading.decimal else reading.thousands,
            )
            for name, reading in readings.items()
        },
        all_rows=all_rows,
    )
