"""The options of `luce check`: what would be found out otherwise, what a function has built in, and the output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from luce.tables.failure import Failure

__all__ = [
    *(
        "Classes",
        "Conformance",
        "Descent",
        "Fix",
        "Framework",
        "Function",
        "Html",
        "IgnoreIndex",
        "Json",
        "LabelSmoothing",
    ),
    *("Layout", "Markdown", "Only", "Reduction", "SampleWeight", "Target", "Task", "Temperature", "Timeout", "Weight"),
]


def _moved(value: object) -> None:
    """Say where the conformance suite is run."""
    if value:
        options = "[--only CHECK] [--markdown FILE.md]"
        raise Failure(f"the conformance suite is a command of its own: luce conform TARGET… {options}")


Function: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="FILE.py[:FUNCTION]", help="The function to check, or module:function.", show_default=False),
]
Task: TypeAlias = Annotated[
    Literal["loss", "layer", "softmax", "vjp"] | None,
    typer.Option("--task", help="What it computes, if not found out."),
]
Framework: TypeAlias = Annotated[
    Literal["numpy", "torch", "jax", "list"] | None,
    typer.Option("--framework", help="What it takes, if not found out."),
]
Target: TypeAlias = Annotated[
    Literal["index", "one-hot", "column"] | None,
    typer.Option("--target", help="The form of its target, if not found out; column: indices of shape (N, 1)."),
]
Layout: TypeAlias = Annotated[
    Literal["rows", "columns"] | None,
    typer.Option("--layout", help="Whether an example is a row or a column, if not found out."),
]
Classes: TypeAlias = Annotated[
    int | None, typer.Option("--classes", metavar="V", min=2, help="The number of classes it has built in.")
]
Reduction: TypeAlias = Annotated[
    Literal["mean", "sum", "none"] | None, typer.Option("--reduction", help="What it does with the rows' losses.")
]
LabelSmoothing: TypeAlias = Annotated[
    float | None, typer.Option("--label-smoothing", metavar="ε", help="The label smoothing it has built in.")
]
Temperature: TypeAlias = Annotated[
    float | None, typer.Option("--temperature", metavar="T", help="The temperature it has built in.")
]
IgnoreIndex: TypeAlias = Annotated[
    int | None, typer.Option("--ignore-index", metavar="INDEX", help="The label of rows that it ignores.")
]
Weight: TypeAlias = Annotated[
    str | None, typer.Option("--weight", metavar="W,W,…", help="The class weights it has built in.")
]
SampleWeight: TypeAlias = Annotated[
    str | None, typer.Option("--sample-weight", metavar="R,R,…", help="The rows' weights it has built in.")
]
Descent: TypeAlias = Annotated[bool | None, typer.Option("--descent", help="It returns minus the gradient on purpose.")]
Timeout: TypeAlias = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop a function that hangs.")
]
Fix: TypeAlias = Annotated[
    bool, typer.Option("--fix", help="Write the changes that were tried into the file; FILE.py.bak keeps it as it was.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]
Html: TypeAlias = Annotated[
    Path | None, typer.Option("--html", metavar="FILE.html", help="Write the report as a page, too.")
]
Conformance: TypeAlias = Annotated[bool, typer.Option("--conformance", hidden=True, is_eager=True, callback=_moved)]
Only: TypeAlias = Annotated[list[str] | None, typer.Option("--only", hidden=True, is_eager=True, callback=_moved)]
Markdown: TypeAlias = Annotated[Path | None, typer.Option("--markdown", hidden=True, is_eager=True, callback=_moved)]
