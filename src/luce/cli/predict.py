"""`luce predict`: apply a model file to a table."""

from __future__ import annotations

import sys
from functools import partial
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
    stream: Annotated[
        bool, typer.Option("--stream", help="Read and write batch by batch, for tables larger than memory.")
    ] = False,
) -> None:
    """Write the most probable class of each row and the probability of every class.

    Columns are found by name, others are ignored. If the table holds the
    target too, the accuracy is printed to standard error.
    """
    from luce.cli.progress import Progress
    from luce.tables.batches import Batches
    from luce.tables.model_file import load_model
    from luce.tables.output_files import check_places
    from luce.tables.prediction import Predictor
    from luce.tables.reading import check_kind, read_table
    from luce.tables.writing import write_tables

    if output is not None:
        check_kind(output, written=True)
    check_places(read={"table": table, "model": model}, written={"predictions": output})
    predictor = Predictor(load_model(model), str(table))
    with Progress() as progress:
        if stream:
            tables = Batches(table).read(as_text=predictor.texts, each=partial(progress.batch, "predicting"))
        else:
            tables = iter([read_table(table, as_text=predictor.texts)])
        write_tables(output, map(predictor.predict, tables))
    for line in predictor.remarks():
        print(line, file=sys.stderr)
