"""`luce fit`: from a table to a model file and a report of how good the model is."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luce.cli.failure import Failure

if TYPE_CHECKING:
    import polars as pl

__all__ = ["fit"]


def fit(
    table: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file with a header. Without it: Iris.", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COLUMN", help="The column that holds the classes.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="MODEL", help="Model file to write; by default TABLE's name with .luce."
        ),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="COLUMN", help="Leave a column out (repeatable).")
    ] = None,
    C: Annotated[float, typer.Option("--C", help="Inverse strength of the L2 penalty; inf for none.")] = 1.0,
    folds: Annotated[int, typer.Option("--folds", help="Folds of the cross-validation; 0 to skip it.")] = 5,
    max_iter: Annotated[int, typer.Option("--max-iter", min=1, help="Largest number of Newton iterations.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the folds' shuffling.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write the model and print nothing.")] = False,
) -> None:
    """Train a softmax classifier on a table, judge it on held-out rows, save it.

    Without a table it trains on Iris.

    Numbers are standardised, text is one-hot encoded, missing values are
    imputed and marked; the report says what was done with each column.
    """
    from luce.cli.columns import classes_of, converted, pipeline_for, plan, present
    from luce.cli.held_out import held_out
    from luce.cli.model_file import Model, save_model
    from luce.cli.progress import Progress
    from luce.cli.replacing import check_writable
    from luce.cli.report import Training, print_report
    from luce.models.classifier import SoftmaxClassifier

    if not C > 0:
        raise Failure(f"--C must be positive, got {C:g}")
    if folds < 0 or folds == 1:
        raise Failure(f"--folds must be 0 or at least 2, got {folds}")
    source = str(table or "iris (built in)")
    place = output or Path(f"{table.stem if table else 'iris'}.luce")
    check_writable(place)
    if table is not None and place.resolve() == table.resolve():
        raise Failure(f"{place}: the model would overwrite the table")
    with Progress(quiet) as progress:
        progress.say(f"reading {source}")
        data, target = _read(table, target)
        rows = len(data)
        data = data.filter(present(data[target]))
        unknown = sorted(set(drop or ()) - set(data.columns))
        if unknown:
            raise Failure(f"{source}: no column {unknown[0]!r} to drop")
        classes = classes_of(data[target], source)
        columns = plan(data, target, drop or ())
        if not any(column.used for column in columns):
            raise Failure(f"{source}: no column left to learn from")
        features = converted(data, columns, source)
        pipeline = pipeline_for(columns, len(features), SoftmaxClassifier(C=C, max_iter=max_iter))
        begin = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pipeline.fit(features, classes, classify__callback=progress.iteration)
        seconds = time.perf_counter() - begin
        notes = [str(warning.message) for warning in caught if warning.category.__name__ == "ConvergenceWarning"]
        judged = None
        if folds and not quiet:
            judged = held_out(pipeline, features, classes, folds, seed, progress.fold)
    save_model(place, Model(target, columns, pipeline))
    if not quiet:
        training = Training(source, len(features), rows - len(features), target, columns, pipeline[-1], seconds, notes)
        print_report(training, judged, folds, place)


def _read(path: Path | None, target: str | None) -> tuple[pl.DataFrame, str]:
    """Return the table and the name of its target."""
    if path is None:
        return _iris(target)
    from luce.cli.table import read_table

    data = read_table(path)
    names = ", ".join(repr(name) for name in data.columns[:8]) + (", …" if data.width > 8 else "")
    if target is None:
        raise Failure(f"{path}: say which column holds the classes, --target COLUMN; there are {names}")
    numeric = all(name.lstrip("-").replace(".", "", 1).isdigit() for name in data.columns)
    if target not in data.columns:
        hint = "; its first row looks like data, it should hold the names" if numeric else ""
        raise Failure(f"{path}: no column {target!r}; there are {names}{hint}")
    if numeric and any("." in name for name in data.columns):
        raise Failure(f"{path}: the first row looks like data ({names}), it should hold the columns' names")
    return data, target


def _iris(target: str | None) -> tuple[pl.DataFrame, str]:
    import polars as pl
    from sklearn.datasets import load_iris

    if target not in (None, "species"):
        raise Failure("--target goes with a table; without one, Iris is used, whose target is 'species'")
    iris = load_iris()
    data = pl.DataFrame(iris.data, schema=list(iris.feature_names))
    return data.with_columns(species=pl.Series(iris.target_names[iris.target].tolist())), "species"
