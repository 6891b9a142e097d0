"""`luce check`: what is wrong with a gradient written by hand, and which line to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from luce.cli.check_options import (
    Classes,
    Conformance,
    Descent,
    Fix,
    Framework,
    Function,
    Html,
    IgnoreIndex,
    Json,
    LabelSmoothing,
    Layout,
    Markdown,
    Only,
    Reduction,
    SampleWeight,
    Target,
    Task,
    Temperature,
    Timeout,
    Weight,
)
from luce.tables.failure import Failure

__all__ = ["check"]

PATIENCE = 2.0
"""Seconds after which a line says that it is still at work."""


def check(
    functions: Function,
    task: Task = None,
    framework: Framework = None,
    target: Target = None,
    layout: Layout = None,
    classes: Classes = None,
    reduction: Reduction = None,
    label_smoothing: LabelSmoothing = None,
    temperature: Temperature = None,
    ignore_index: IgnoreIndex = None,
    weight: Weight = None,
    sample_weight: SampleWeight = None,
    descent: Descent = False,
    timeout: Timeout = 60.0,
    fix: Fix = False,
    json: Json = False,
    html: Html = None,
    conformance: Conformance = False,
    only: Only = None,
    markdown: Markdown = None,
) -> None:
    """Check a softmax cross-entropy and its gradient, and say which mistake was made.

    The function takes logits and target and returns the loss, the gradient or
    both; or (x, W, b, y) and returns loss, dW, db, dx; or is a softmax, its
    Jacobian or its vector-Jacobian product. NumPy, PyTorch, JAX or lists.

    --fix writes a change into the file if the function was run with it and was
    right, and says what it wrote.

    The exit code is 0 if it is right, 1 if it is wrong, 2 if it can't be run.
    """
    said: dict[str, object] = {"task": task, "framework": framework, "target": target, "layout": layout}
    said |= {"classes": classes, "reduction": reduction, "label_smoothing": label_smoothing}
    said |= {"temperature": temperature, "ignore_index": ignore_index, "descent": descent or None}
    said |= {"weight": _numbers("--weight", weight), "sample_weight": _numbers("--sample-weight", sample_weight)}
    options = {option: value for option, value in said.items() if value is not None}
    raise typer.Exit(_check(functions, options, timeout=timeout, json=json, html=html, fix=fix))


def _check(
    functions: list[str], options: dict[str, object], *, timeout: float, json: bool, html: Path | None, fix: bool
) -> int:
    """Check one function in a process of its own, print the report and return the exit code."""
    from luce.check.doctor.by_name import check_by_name
    from luce.check.doctor.fix import write_fix
    from luce.cli.progress import Progress
    from luce.tables.output_files import check_places, check_writable, failing

    target, file = _named(functions)
    place, _, name = target.rpartition(":")
    if fix and not place.endswith(".py"):
        raise Failure(f"--fix writes into a FILE.py:FUNCTION, got {functions[0]!r}")
    check_places(read={"file": file}, written={"page": html})
    before = None
    if file is not None and fix:
        check_writable(file)
        before = file.read_bytes()
    try:
        with Progress(after=PATIENCE) as progress:
            progress.say(f"checking {name or place}")
            found = check_by_name(target, timeout=timeout, options=options)
    except ValueError as error:
        raise Failure(str(error)) from error
    text, page, code = found.pop("text"), found.pop("html"), found.pop("exit_code")
    if html is not None:
        _write_page(html, found, text, page)
    if file is not None and before is not None:
        with failing(file):
            found["fix"] = write_fix(file, before, found)
        code = 0 if found["fix"]["written"] else code
    if json:
        from json import dumps

        typer.echo(dumps(found, ensure_ascii=False, indent=2))
    else:
        from rich.console import Console
        from rich.text import Text

        Console(soft_wrap=True).print(Text.from_ansi(text))
        if "fix" in found:
            typer.echo(_fix_in_words(file, found["fix"]))
    return int(code)


def _named(functions: list[str]) -> tuple[str, Path | None]:
    """Return where the one function is, PLACE:NAME or PLACE: without a name, and its file if it has one."""
    from luce.check.calling.resolve import FILES

    if len(functions) > 1:
        raise Failure(f"one FILE.py:FUNCTION at a time, got {len(functions)}")
    target = f"{functions[0]}:" if functions[0].endswith(FILES) else functions[0]
    place, _, name = target.rpartition(":")
    if not place or not (name or place.endswith(FILES)):
        raise Failure(f"FILE.py or FILE.py:FUNCTION is needed, or module:function, got {functions[0]!r}")
    file = Path(place) if place.endswith(FILES) else None
    if file is not None and not file.is_file():
        raise Failure(f"{file}: no such file")
    return target, file


def _write_page(html: Path, found: dict[str, Any], text: str, page: str) -> None:
    """Write the report's page; where there is a derivation to part from, with it."""
    from rich.text import Text

    from luce.explanation.checked import page_beside
    from luce.tables.output_files import replacing

    beside = page_beside(found, lambda console: console.print(Text.from_ansi(text)))
    with replacing(html) as written:
        written.write((beside or page).encode())


def _fix_in_words(file: Path | None, fix: dict[str, Any]) -> str:
    """Return what was written, or why nothing was."""
    if not fix["written"]:
        return f"\nnothing written: {fix['reason']}"
    return f"\nwritten: {file}; as it was: {fix['backup']}\n{fix['diff']}"


def _numbers(option: str, text: str | None) -> list[float] | None:
    """Return numbers with commas between them."""
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError as error:
        raise Failure(f"{option} takes numbers with commas between them, got {text!r}") from error
