"""The options of `luce explain`: what is explained, the options of the loss, and where the derivation goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    *("Bias", "ClassNames", "Code", "Digits", "FeatureNames", "Given", "Html", "IgnoreIndex", "Input", "Json"),
    *("LabelSmoothing", "Latex", "Markdown", "Missing", "Normalizer", "OnEmpty", "Part", "Reduction", "Row"),
    *("SampleWeight", "Softcap", "Tail", "Target", "Temperature", "Weight", "Weights", "ZLoss"),
]

LOSS, LAYER, OUTPUT = "The loss", "A linear layer", "Output"

Given: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LOGIT… | TABLE | MODEL TABLE]",
        help="Scores of the classes; or a table whose columns they are; or a model file of `luce fit` and a table.",
        show_default=False,
    ),
]
Target: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="TARGET",
        help="A class, counted from 0; a distribution: 0.7,0.2,0.1; a few classes: 2:0.7,0:0.3; of several rows with "
        "semicolons between them. With a table its column; with a model a class instead of the row's own.",
    ),
]
Row: TypeAlias = Annotated[
    int | None,
    typer.Option("--row", metavar="N", help="The row that is looked at, from 1; that of the largest loss by default."),
]
ClassNames: TypeAlias = Annotated[
    str | None, typer.Option("--class-names", metavar="A,B,…", help="What the classes are called.")
]
Input: TypeAlias = Annotated[
    str | None,
    typer.Option("--x", metavar="1,2", help="The input; rows with semicolons between them.", rich_help_panel=LAYER),
]
Weights: TypeAlias = Annotated[
    str | None,
    typer.Option("--W", metavar='"1,0;0,1"', help="The weights, a row for each class.", rich_help_panel=LAYER),
]
Bias: TypeAlias = Annotated[
    str | None, typer.Option("--b", metavar="0,0", help="The bias; 0 by default.", rich_help_panel=LAYER)
]
FeatureNames: TypeAlias = Annotated[
    str | None,
    typer.Option("--feature-names", metavar="A,B,…", help="What the features are called.", rich_help_panel=LAYER),
]
Temperature: TypeAlias = Annotated[
    float | None, typer.Option("--temperature", help="Divides the scores.", rich_help_panel=LOSS)
]
Softcap: TypeAlias = Annotated[
    float | None, typer.Option("--softcap", help="Keeps the scores within ±this.", rich_help_panel=LOSS)
]
LabelSmoothing: TypeAlias = Annotated[
    float | None, typer.Option("--label-smoothing", help="Share that is spread evenly.", rich_help_panel=LOSS)
]
Weight: TypeAlias = Annotated[
    str | None,
    typer.Option("--weight", metavar="1,2,3", help="Weights of the classes.", rich_help_panel=LOSS),
]
ZLoss: TypeAlias = Annotated[
    float | None, typer.Option("--z-loss", help="Weight of the squared log-sum-exp.", rich_help_panel=LOSS)
]
SampleWeight: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--sample-weight",
        metavar="1,1,2|COLUMN",
        help="Weights of the rows; with a table their column.",
        rich_help_panel=LOSS,
    ),
]
IgnoreIndex: TypeAlias = Annotated[
    int | None, typer.Option("--ignore-index", help="Class of rows that do not count.", rich_help_panel=LOSS)
]
Reduction: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--reduction", metavar="mean|sum|none", help="What becomes of the rows' losses.", rich_help_panel=LOSS
    ),
]
Normalizer: TypeAlias = Annotated[
    float | None, typer.Option("--normalizer", help="What a mean divides by instead.", rich_help_panel=LOSS)
]
OnEmpty: TypeAlias = Annotated[
    str | None,
    typer.Option("--on-empty", metavar="nan|zero|raise", help="The mean of nothing.", rich_help_panel=LOSS),
]
Tail: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tail", metavar="uniform", help="Spread what a few classes lack to 1 over the others.", rich_help_panel=LOSS
    ),
]
Missing: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--missing", metavar="TEXT", help="What counts as missing (repeatable).", rich_help_panel="Text files"
    ),
]
Html: TypeAlias = Annotated[
    Path | None,
    typer.Option("--html", metavar="PAGE", help="Write the page on which all numbers move.", rich_help_panel=OUTPUT),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print every step as JSON.", rich_help_panel=OUTPUT)]
Markdown: TypeAlias = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", help="Write Markdown; - for the terminal.", rich_help_panel=OUTPUT),
]
Latex: TypeAlias = Annotated[
    Path | None,
    typer.Option("--latex", metavar="FILE", help="Write a LaTeX document; - likewise.", rich_help_panel=OUTPUT),
]
Code: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--code",
        metavar="FILE",
        help="Write a script of NumPy that recomputes and checks every number; - likewise.",
        rich_help_panel=OUTPUT,
    ),
]
Part: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--part", metavar="NAME", help="Show this part alone (repeatable).", rich_help_panel=OUTPUT),
]
Digits: TypeAlias = Annotated[
    int, typer.Option("--digits", help="Significant digits that are shown.", rich_help_panel=OUTPUT)
]
