"""`luce predict`: apply a model file to a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

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
    from luce.cli.model_file import load_model
    from luce.cli.prediction import Predictor
    from luce.cli.replacing import check_places
    from luce.cli.table import check_kind, read_table, write_table

    if output is not None:
        check_kind(output, written=True)
    check_places(read={"table": table, "model": model}, written={"predictions": output})
    predictor = Predictor(load_model(model), str(table))
    predictions = predictor.predict(read_table(table, as_text=predictor.texts))
    if output is not None:
        write_table(output, predictions)
    else:
        sys.stdout.buffer.write(predictions.write_csv().encode())
        sys.stdout.flush()
    for line in predictor.remarks():
        print(line, file=sys.stderr)
