"""`luce explain`: the derivation of the loss and its derivatives, with the reader's own numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from luce.cli.explain_options import (
    Bias,
    ClassNames,
    Code,
    Digits,
    FeatureNames,
    Given,
    Html,
    IgnoreIndex,
    Input,
    Json,
    LabelSmoothing,
    Latex,
    Markdown,
    Missing,
    Normalizer,
    OnEmpty,
    Part,
    Reduction,
    Row,
    SampleWeight,
    Softcap,
    Tail,
    Target,
    Temperature,
    Weight,
    Weights,
    ZLoss,
)
from luce.cli.table_options import Comment, Decimal, Encoding, Separator, SkipFooter, SkipLines
from luce.tables.failure import Failure

if TYPE_CHECKING:
    from luce.cli.explained import Look, Typed
    from luce.explanation.derivation import Derivation
    from luce.tables.text.options import FormOptions, ReadingOptions

__all__ = ["explain"]

OPTIONS = (
    "temperature",
    "softcap",
    "label_smoothing",
    "weight",
    "z_loss",
    "sample_weight",
    "ignore_index",
    "reduction",
)
ARGUMENTS = {name: f"--{name.replace('_', '-')}" for name in (*OPTIONS, "normalizer", "on_empty", "tail", "target")}
ARGUMENTS |= {"x": "--x", "W": "--W", "b": "--b", "digits": "--digits", "row": "--row", "logits": "LOGIT"}
ARGUMENTS |= {"class_names": "--class-names", "feature_names": "--feature-names"}


def explain(
    given: Given = None,
    target: Target = None,
    row: Row = None,
    class_names: ClassNames = None,
    x: Input = None,
    W: Weights = None,
    b: Bias = None,
    feature_names: FeatureNames = None,
    temperature: Temperature = None,
    softcap: Softcap = None,
    label_smoothing: LabelSmoothing = None,
    weight: Weight = None,
    z_loss: ZLoss = None,
    sample_weight: SampleWeight = None,
    ignore_index: IgnoreIndex = None,
    reduction: Reduction = None,
    normalizer: Normalizer = None,
    on_empty: OnEmpty = None,
    tail: Tail = None,
    part: Part = None,
    digits: Digits = 4,
    html: Html = None,
    json: Json = False,
    markdown: Markdown = None,
    latex: Latex = None,
    code: Code = None,
    missing: Missing = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    separator: Separator = None,
    comment: Comment = None,
    skip_lines: SkipLines = 0,
    skip_footer: SkipFooter = 0,
) -> None:
    """Derive the softmax cross-entropy and its gradient, step by step, with your own numbers.

    luce explain 2 1 0.1 --target 0

    luce explain --x 1,2 --W "1,0;0,1;1,1" --target 2

    luce explain batch.csv --target y --row 3

    luce explain MODEL TABLE --row 7
    """
    from luce.cli.explained import Look, Typed
    from luce.tables.output_files import check_places
    from luce.tables.text.options import FormOptions, ReadingOptions

    said: dict[str, Any] = {"temperature": temperature, "softcap": softcap, "label_smoothing": label_smoothing}
    said |= {"weight": weight, "z_loss": z_loss, "sample_weight": sample_weight, "ignore_index": ignore_index}
    said |= {"reduction": reduction, "normalizer": normalizer, "on_empty": on_empty, "tail": tail}
    options = {name: value for name, value in said.items() if value is not None}
    words, files = _sorted(given or [])
    written = {"page": html, "Markdown": markdown, "LaTeX": latex, "script": code}
    check_places(
        read=dict(zip(("table", "model"), reversed(files), strict=False)),
        written={name: path for name, path in written.items() if path != Path("-")},
    )
    form = FormOptions(encoding, separator, comment, skip_lines, skip_footer)
    reading, typed = ReadingOptions(missing, decimal=decimal), Typed(x, W, b, class_names, feature_names)
    found = _derivation(words, files, typed, target, options, Look(row, digits), (form, reading))
    chosen = _chosen(found, part or [])
    _publish(chosen, {name: path for name, path in written.items() if path is not None}, json=json)
    if not (given or x or W or any(written.values()) or json):
        typer.echo("\nYour own numbers: luce explain 2 1 0.1 --target 0; a page to move them on: --html page.html")


def _sorted(given: list[str]) -> tuple[list[str], list[Path]]:
    """Return the numbers and the files among the words that were given."""
    from luce.cli.numbers import is_number

    for word in given:
        if word in ARGUMENTS.values():
            raise Failure(f"{word} stands behind --, where there are numbers and files alone; options go before it")
        if word.startswith("-") and word != "-" and not is_number(word):
            raise Failure(f"no such option: {word} (luce explain --help lists them)")
    words = [word for word in given if is_number(word)]
    files = [Path(word) for word in given if not is_number(word)]
    if words and files:
        wrong = f"{str(files[0])!r} is none" if not files[0].exists() else f"{str(files[0])!r} is a file"
        raise Failure(f"scores are numbers, {wrong}")
    if len(files) > 2:
        raise Failure(f"a table, or a model and a table, are needed; got {len(files)} files")
    return words, files


def _derivation(
    words: list[str],
    files: list[Path],
    typed: Typed,
    target: str | None,
    options: dict[str, Any],
    look: Look,
    forms: tuple[FormOptions, ReadingOptions],
) -> Derivation:
    """Return the derivation of what was given; what it objects to is one line that names the option."""
    from luce.cli.explained import of_model, of_numbers, of_table
    from luce.cli.numbers import numbers
    from luce.tables.text.options import FormOptions, ReadingOptions

    if "weight" in options:
        options = options | {"weight": numbers("--weight", options["weight"])}
    if files and any(part is not None for part in typed):
        raise Failure("--x, --W, --b and names exclude files: a table has names, and a model has a layer")
    if not files and forms != (FormOptions(), ReadingOptions()):
        raise Failure("options of text files go with a table")
    try:
        if len(files) == 2:
            return of_model(files[0], files[1], target, options, look, forms)
        if files:
            if files[0].suffix == ".luce":
                raise Failure(f"{files[0]} is a model, and a table is needed, too: luce explain {files[0]} TABLE")
            return of_table(files[0], target, options, look, forms)
        return of_numbers(words, typed, target, options, look)
    except (TypeError, ValueError, IndexError) as error:
        raise Failure(_in_options(str(error))) from error


def _in_options(message: str) -> str:
    """Return what the library says of an argument, said of the option that it stands for."""
    import re

    name = re.match(r"\w*", message)
    known = name is not None and name[0] in ARGUMENTS
    return f"{ARGUMENTS[name[0]]}{message[name.end() :]}" if known and name is not None else message


def _chosen(derivation: Derivation, parts: list[str]) -> Derivation:
    """Return the derivation with the parts that were asked for."""
    try:
        return derivation.only(*parts) if parts else derivation
    except KeyError as error:
        raise Failure(f"--part: {error.args[0]}") from error


def _publish(derivation: Derivation, written: dict[str, Path], *, json: bool) -> None:
    """Write the files that were asked for, and print the derivation where none is or JSON is."""
    from luce.tables.output_files import failing, replacing

    texts = {"Markdown": derivation.to_markdown, "LaTeX": derivation.to_latex, "script": derivation.to_code}
    for name, path in written.items():
        if name == "page":
            with failing(path):
                derivation.to_html(path)
        elif path == Path("-"):
            typer.echo(texts[name](), nl=False)
            continue
        else:
            with replacing(path) as file:
                file.write(texts[name]().encode())
        typer.echo(f"Saved to {path}", err=True)
    if json:
        typer.echo(derivation.to_json())
    elif not written:
        from rich.console import Console

        Console(highlight=False).print(derivation, end="")
