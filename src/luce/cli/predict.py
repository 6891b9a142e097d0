"""`luce predict`: apply a model file to a table."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from luce.cli.table_options import GROUP, AllRows, Comment, Decimal, Encoding, Separator, SkipFooter, SkipLines

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(help="Model file that `luce fit` wrote.")],
    table: Annotated[
        Path, typer.Argument(help="CSV or Parquet file with the model's columns, in any order; - for standard input.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="CSV or Parquet file; by default CSV to standard output."),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read and write batch by batch, for tables larger than memory.")
    ] = False,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            "--missing",
            metavar="TEXT",
            help="What counts as missing beside what did in training (repeatable).",
            rich_help_panel=GROUP,
        ),
    ] = None,
    decimal: Decimal = None,
    all_rows: AllRows = False,
    encoding: Encoding = None,
    separator: Separator = None,
    comment: Comment = None,
    skip_lines: SkipLines = 0,
    skip_footer: SkipFooter = 0,
) -> None:
    """Write the most probable class of each row and the probability of every class.

    Columns are found by name, others are ignored. If the table holds the
    target too, the accuracy is printed to standard error.
    """
    from luce.cli.progress import Progress
    from luce.tables.batches import Batches
    from luce.tables.files import check_kind
    from luce.tables.model_file import load_model
    from luce.tables.output_files import check_places
    from luce.tables.prediction import Predictor, read_as_trained
    from luce.tables.text.options import FormOptions, ReadingOptions
    from luce.tables.writing import write_tables

    if output is not None:
        check_kind(output, written=True)
    check_places(read={"table": table, "model": model}, written={"predictions": output})
    form = FormOptions(encoding, separator, comment, skip_lines, skip_footer)
    options = ReadingOptions(missing, decimal=decimal)
    trained = load_model(model)
    with Progress() as progress:
        data = Batches(table, form)
        predictor = Predictor(trained, data.name)
        read_as_trained(data, trained, options, all_rows=all_rows)
        tables = data.read(each=partial(progress.batch, "predicting")) if stream else iter([data.whole()])
        write_tables(output, map(predictor.predict, tables))
    for line in [*data.remarks(), *predictor.remarks()]:
        print(line, file=sys.stderr)
