"""Options of every command that reads a table."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AllRows", "Comment", "Decimal", "Encoding", "Separator", "SkipFooter", "SkipLines"]

GROUP = "Text files"

Encoding = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="Other than UTF-8: cp1252, utf-16-le, …", rich_help_panel=GROUP),
]
Separator = Annotated[
    str | None,
    typer.Option("--separator", metavar="SIGN", help="Between fields; found out.", rich_help_panel=GROUP),
]
Comment = Annotated[
    str | None,
    typer.Option("--comment", metavar="SIGN", help="Leave out lines that begin with it.", rich_help_panel=GROUP),
]
SkipLines = Annotated[
    int,
    typer.Option("--skip-lines", metavar="N", help="Lines above the header to leave out.", rich_help_panel=GROUP),
]
SkipFooter = Annotated[
    int,
    typer.Option("--skip-footer", metavar="N", help="Lines below the table to leave out.", rich_help_panel=GROUP),
]
AllRows = Annotated[
    bool,
    typer.Option("--all-rows", help="Leave out no row as units or totals.", rich_help_panel=GROUP),
]
Decimal = Annotated[
    str | None,
    typer.Option("--decimal", metavar=".|,", help="The decimal sign; found out.", rich_help_panel=GROUP),
]
