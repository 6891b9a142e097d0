"""`luce fit`: from a table to a model file and a report of how good the model is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from luce.cli.table_options import GROUP, AllRows, Comment, Decimal, Encoding, Separator, SkipFooter, SkipLines

__all__ = ["fit"]


def fit(
    table: Annotated[
        Path | None,
        typer.Argument(
            help="CSV or Parquet file with a header; - for standard input. Without it: Iris.", show_default=False
        ),
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
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="COLUMN", help="Use a column that looks like an index (repeatable)."),
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
    C: Annotated[
        list[float] | None,
        typer.Option("--C", help="Inverse strength of the penalty, 1 by default; inf for none (repeatable: --cv)."),
    ] = None,
    l1_ratio: Annotated[
        list[float] | None,
        typer.Option("--l1-ratio", help="The L1 norm's share in the penalty, 0 (L2 alone) to 1 (repeatable: --cv)."),
    ] = None,
    cv: Annotated[
        bool, typer.Option("--cv", help="Choose --C, and --l1-ratio of several, by cross-validation.")
    ] = False,
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
    missing: Annotated[
        list[str] | None,
        typer.Option(
            "--missing",
            metavar="TEXT",
            help="What counts as missing, in place of NA, NULL, ? … (repeatable); none: nothing but empty fields.",
            rich_help_panel=GROUP,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="COLUMN", help="Read as text (repeatable).", rich_help_panel=GROUP),
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option("--number", metavar="COLUMN", help="Read as numbers (repeatable).", rich_help_panel=GROUP),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option("--dates", metavar="day-first|month-first", help="How to read 01/02/2024.", rich_help_panel=GROUP),
    ] = None,
    decimal: Decimal = None,
    all_rows: AllRows = False,
    encoding: Encoding = None,
    separator: Separator = None,
    comment: Comment = None,
    skip_lines: SkipLines = 0,
    skip_footer: SkipFooter = 0,
) -> None:
    """Train a softmax classifier on a table, judge it on held-out rows, save it.

    Without a table it trains on Iris.

    Numbers are standardised, text is one-hot encoded, missing values are
    imputed and marked; the report says what was done with each column.
    """
    import polars as pl

    from luce.cli.options import check_options, check_reading
    from luce.cli.progress import Progress
    from luce.cli.reports.publish import publish
    from luce.models.classifier import SoftmaxClassifier
    from luce.tables.batches import Batches
    from luce.tables.files import stem_of
    from luce.tables.model_file import save_model
    from luce.tables.output_files import check_places
    from luce.tables.roles import roles
    from luce.tables.source import iris
    from luce.tables.text.options import FormOptions, ReadingOptions
    from luce.tables.training.choice import chooser
    from luce.tables.training.in_memory import train
    from luce.tables.training.record import with_survey
    from luce.tables.training.streamed import train_stream

    check_options(
        C=C,
        l1_ratio=l1_ratio,
        cv=cv,
        model=model,
        standard_errors=standard_errors,
        folds=folds,
        stream=stream,
        share=share,
        table=table,
        target=target,
        soft_target=soft_target,
        output=output,
    )
    form = FormOptions(encoding, separator, comment, skip_lines, skip_footer)
    options = ReadingOptions(missing, text or (), number or (), dates, decimal)
    check_reading(table, form, options, all_rows=all_rows)
    if report is not None:
        import luce.report.page  # noqa: F401  what it needs is asked for before the work
    if table is None:
        target = "species"
    place = output or Path(f"{stem_of(table) if table else 'iris'}.luce")
    check_places(read={"table": table}, written={"model": place, "report": report})
    Cs, l1_ratios = C or [1.0], l1_ratio or [0.0]
    parameters: dict[str, Any] = {"C": Cs[0], "l1_ratio": l1_ratios[0], "loss": model, "max_iter": max_iter}
    classifier = SoftmaxClassifier(**parameters, standard_errors=standard_errors)
    with Progress(quiet) as progress:
        progress.say(f"reading {table or 'Iris'}")
        data = None if table is None else Batches(table, form)
        frame = iris() if data is None else pl.DataFrame()
        parts = roles(
            (frame if data is None else data).columns,
            "iris (built in)" if data is None else data.name,
            target=target,
            soft_target=soft_target,
            weights=weights,
            drop=drop or (),
            keep=keep or (),
            from_text=data is not None and data.from_text,
        )
        if data is not None:
            each = partial(progress.batch, "reading")
            data.survey(options, parts.wishes, keep=not stream, all_rows=all_rows, each=each)
        if data is not None and stream:
            held = 0.1 if share is None else share
            training = train_stream(data, parts, classifier, parameters, share=held, seed=seed, progress=progress)
        else:
            training = train(
                frame if data is None else data.whole(),
                parts,
                classifier,
                parameters,
                chooser=chooser(C, l1_ratios, classifier, seed, soft=bool(parts.soft)) if cv else None,
                folds=0 if quiet and not (json or report) else 5 if folds is None else folds,
                seed=seed,
                progress=progress,
            )
    training = training if data is None else with_survey(training, data.found)
    save_model(place, training.model())
    publish(training, model=place, page=report, json=json, quiet=quiet)
