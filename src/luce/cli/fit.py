"""`luce fit`: from a table to a model file and a report of how good the model is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from luce.cli.failure import Failure

__all__ = ["fit"]


def fit(
    table: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file with a header. Without it: Iris.", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COLUMN", help="The column that holds the classes.")
    ] = None,
    soft_target: Annotated[
        str | None,
        typer.Option(
            "--soft-target",
            metavar="PREFIX",
            help="Instead: columns PREFIX… hold each class's probability, their names' rest the classes.",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="COLUMN", help="The column that holds the rows' weights.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="COLUMN", help="Leave a column out (repeatable).")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="MODEL", help="Model file to write; by default TABLE's name with .luce."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write the report as a page, too.")
    ] = None,
    C: Annotated[float, typer.Option("--C", help="Inverse strength of the penalty; inf for none.")] = 1.0,
    l1_ratio: Annotated[
        float, typer.Option("--l1-ratio", help="The L1 norm's share in the penalty; 0 is L2 alone, 1 is L1 alone.")
    ] = 0.0,
    model: Annotated[
        str, typer.Option("--model", metavar="softmax|sigmoid", help="sigmoid: each class against the rest.")
    ] = "softmax",
    stream: Annotated[
        bool, typer.Option("--stream", help="Learn batch by batch, for tables larger than memory.")
    ] = False,
    share: Annotated[
        float | None,
        typer.Option("--held-out", metavar="SHARE", help="With --stream: share of the rows to judge by; 0.1."),
    ] = None,
    standard_errors: Annotated[
        bool, typer.Option("--standard-errors", help="Coefficients with their standard errors.")
    ] = False,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Folds of the cross-validation; 5, and 0 to skip it.")
    ] = None,
    max_iter: Annotated[int, typer.Option("--max-iter", min=1, help="Largest number of iterations.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of what is drawn: the folds.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train a softmax classifier on a table, judge it on held-out rows, save it.

    Without a table it trains on Iris.

    Numbers are standardised, text is one-hot encoded, missing values are
    imputed and marked; the report says what was done with each column.
    """
    from luce.cli.batches import Batches
    from luce.cli.model_file import Model, save_model
    from luce.cli.progress import Progress
    from luce.cli.replacing import check_places
    from luce.cli.reporting import publish
    from luce.cli.roles import roles
    from luce.cli.source import table_to_learn
    from luce.cli.train import train
    from luce.cli.train_stream import train_stream
    from luce.models.classifier import SoftmaxClassifier

    if not C > 0:
        raise Failure(f"--C must be positive, got {C:g}")
    if not 0 <= l1_ratio <= 1:
        raise Failure(f"--l1-ratio must be in [0, 1], got {l1_ratio:g}")
    if folds is not None and (folds < 0 or folds == 1):
        raise Failure(f"--folds must be 0 or at least 2, got {folds}")
    if model not in ("softmax", "sigmoid"):
        raise Failure(f"--model must be softmax or sigmoid, got {model!r}")
    if standard_errors and l1_ratio:
        raise Failure("--standard-errors: a model with an L1 penalty has none; leave --l1-ratio out")
    if stream:
        asked = {"--folds": folds is not None, "--l1-ratio": l1_ratio > 0, "--standard-errors": standard_errors}
        for option in (option for option, given in asked.items() if given):
            raise Failure(f"{option} and --stream exclude each other: it needs all rows at once")
        if table is None:
            raise Failure("--stream needs a table")
    elif share is not None:
        raise Failure("--held-out goes with --stream; without it, rows are held out by --folds")
    if share is not None and not 0 <= share < 1:
        raise Failure(f"--held-out must be in [0, 1), got {share:g}")
    if table is None:
        if target not in (None, "species") or soft_target is not None:
            raise Failure("--target goes with a table; without one, Iris is used, whose target is 'species'")
        target = "species"
    source = str(table or "iris (built in)")
    place = output or Path(f"{table.stem if table else 'iris'}.luce")
    check_places(read={"table": table}, written={"model": place, "report": report})
    parameters: dict[str, Any] = {"C": C, "l1_ratio": l1_ratio, "loss": model, "max_iter": max_iter}
    with Progress(quiet) as progress:
        progress.say(f"reading {source}")
        data = Batches(table) if stream and table else table_to_learn(table)
        parts = roles(
            data.names if isinstance(data, Batches) else data.columns,
            source,
            target=target,
            soft_target=soft_target,
            weights=weights,
            drop=drop or (),
        )
        classifier = SoftmaxClassifier(**parameters, standard_errors=standard_errors)
        if isinstance(data, Batches):
            held = 0.1 if share is None else share
            training = train_stream(data, parts, classifier, parameters, share=held, seed=seed, progress=progress)
        else:
            folds = 0 if quiet and not (json or report) else 5 if folds is None else folds
            training = train(data, parts, classifier, parameters, folds=folds, seed=seed, progress=progress)
    save_model(place, Model(None if parts.soft else parts.target, training.columns, training.pipeline))
    publish(training, model=place, page=report, json=json, quiet=quiet)
