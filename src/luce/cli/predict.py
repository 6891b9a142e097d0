"""`luce predict`: apply a model file to a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(help="Model file that `luce fit` wrote.")],
    table: Annotated[Path, typer.Argument(help="CSV or Parquet file with the model's columns, in any order.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="CSV or Parquet file; by default CSV to standard output."),
    ] = None,
) -> None:
    """Write the most probable class of each row and the probability of every class.

    Columns are found by name, others are ignored. If the table holds the
    target too, the accuracy is printed to standard error.
    """
    from luce.cli.columns import converted, present
    from luce.cli.model_file import load_model
    from luce.cli.replacing import check_writable
    from luce.cli.table import check_kind, read_table, write_table

    if output is not None:
        check_kind(output, written=True)
        check_writable(output)
    trained = load_model(model)
    texts = [column.name for column in trained.columns if column.kind == "text"]
    if trained.pipeline.classes_.dtype.kind == "U":
        texts.append(trained.target)
    data = read_table(table, as_text=texts)
    features = converted(data, trained.columns, str(table))
    probabilities = trained.pipeline.predict_proba(features)
    predictions = _predictions(trained.pipeline.classes_, probabilities)
    if output is not None:
        write_table(output, predictions)
    else:
        sys.stdout.buffer.write(predictions.write_csv().encode())
        sys.stdout.flush()
    if trained.target in data.columns:
        there = present(data[trained.target])
        true, found = data[trained.target].filter(there), predictions["prediction"].filter(there)
        common = pl.Float64 if found.dtype.is_integer() else pl.String
        right = true.cast(common, strict=False).eq_missing(found.cast(common))
        if len(right):
            share = right.sum() / len(right)
            print(f"accuracy on the {len(right):,} rows with a known {trained.target!r}: {share:.1%}", file=sys.stderr)


def _predictions(classes: Any, probabilities: Any) -> pl.DataFrame:
    labels = [str(label).lower() if isinstance(label, bool) else str(label) for label in classes.tolist()]
    best = pl.Series("prediction", classes[probabilities.argmax(axis=1)])
    columns = [pl.Series(f"probability_{label}", probabilities[:, k]) for k, label in enumerate(labels)]
    return pl.DataFrame([best, *columns])
