"""`luce check`: what is wrong with a gradient written by hand, and which line to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["check"]


def check(
    functions: Annotated[
        list[str], typer.Argument(metavar="FILE.py:FUNCTION", help="The function to check.", show_default=False)
    ],
    conformance: Annotated[
        bool,
        typer.Option(
            "--conformance",
            help="Run the whole suite on module:function, FILE.py:FUNCTION or an adapter's name; several make a table.",
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="CHECK", help="With --conformance: this check alone; may be repeated."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE.md", help="With --conformance: write the table, too.")
    ] = None,
    task: Annotated[
        Literal["loss", "layer", "softmax", "vjp"] | None,
        typer.Option("--task", help="What it computes, if not found out."),
    ] = None,
    framework: Annotated[
        Literal["numpy", "torch", "jax", "list"] | None,
        typer.Option("--framework", help="What it takes, if not found out."),
    ] = None,
    target: Annotated[
        Literal["index", "one-hot", "column"] | None,
        typer.Option("--target", help="The form of its target, if not found out; column: indices of shape (N, 1)."),
    ] = None,
    layout: Annotated[
        Literal["rows", "columns"] | None,
        typer.Option("--layout", help="Whether an example is a row or a column, if not found out."),
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", metavar="V", min=2, help="The number of classes it has built in.")
    ] = None,
    reduction: Annotated[
        Literal["mean", "sum", "none"] | None, typer.Option("--reduction", help="What it does with the rows' losses.")
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option("--label-smoothing", metavar="ε", help="The label smoothing it has built in.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", metavar="T", help="The temperature it has built in.")
    ] = None,
    ignore_index: Annotated[
        int | None, typer.Option("--ignore-index", metavar="INDEX", help="The label of rows that it ignores.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option("--weight", metavar="W,W,…", help="The class weights it has built in.")
    ] = None,
    sample_weight: Annotated[
        str | None, typer.Option("--sample-weight", metavar="R,R,…", help="The rows' weights it has built in.")
    ] = None,
    descent: Annotated[bool, typer.Option("--descent", help="It returns minus the gradient on purpose.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop a function that hangs.")
    ] = 60.0,
    json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE.html", help="Write the report as a page, too.")
    ] = None,
) -> None:
    """Check a softmax cross-entropy and its gradient, and say which mistake was made.

    The function takes logits and target and returns the loss, the gradient or
    both; or (x, W, b, y) and returns loss, dW, db, dx; or is a softmax, its
    Jacobian or its vector-Jacobian product. NumPy, PyTorch, JAX or lists.

    The exit code is 0 if it is right, 1 if it is wrong, 2 if it can't be run.
    """
    from luce.check.doctor.isolation import check_file
    from luce.tables.failure import Failure
    from luce.tables.output_files import check_places, replacing

    if conformance:
        from luce.cli.check_conformance import check_conformance

        raise typer.Exit(
            check_conformance(functions, framework=framework, only=only or (), json=json, markdown=markdown)
        )
    if only or markdown:
        raise Failure(f"{'--only' if only else '--markdown'} goes with --conformance")
    if len(functions) > 1:
        raise Failure(f"one FILE.py:FUNCTION at a time without --conformance, got {len(functions)}")
    function = functions[0]
    name, colon, wanted = function.rpartition(":")
    if not colon or not name or not wanted:
        raise Failure(f"FILE.py:FUNCTION is needed, got {function!r}")
    path = Path(name)
    if not path.is_file():
        raise Failure(f"{path}: no such file")
    check_places(read={"file": path}, written={"page": html})
    said = {
        "task": task,
        "framework": framework,
        "target": target,
        "reduction": reduction,
        "label_smoothing": label_smoothing,
        "temperature": temperature,
        "ignore_index": ignore_index,
        "layout": layout,
        "classes": classes,
        "weight": _numbers("--weight", weight),
        "sample_weight": _numbers("--sample-weight", sample_weight),
    }
    options = {key: value for key, value in said.items() if value is not None} | ({"descent": True} if descent else {})
    found = check_file(path, wanted, timeout=timeout, options=options)
    text, page, code = found.pop("text"), found.pop("html"), found.pop("exit_code")
    if html is not None:
        with replacing(html) as file:
            file.write(page.encode())
    if json:
        from json import dumps

        typer.echo(dumps(found, ensure_ascii=False, indent=2))
    else:
        from rich.console import Console
        from rich.text import Text

        Console(soft_wrap=True).print(Text.from_ansi(text))
    raise typer.Exit(code)


def _numbers(option: str, text: str | None) -> list[float] | None:
    """Numbers with commas between them."""
    from luce.tables.failure import Failure

    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError as error:
        raise Failure(f"{option} takes numbers with commas between them, got {text!r}") from error
