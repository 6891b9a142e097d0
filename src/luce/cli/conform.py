"""`luce conform`: which promises of the contract an implementation keeps, as a card, or several as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["conform", "conform_all"]


def conform(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="module:function, FILE.py:FUNCTION or an adapter's name; several make a table.",
            show_default=False,
        ),
    ],
    framework: Annotated[
        str | None, typer.Option("--framework", help="numpy, torch or jax, if not found out.", show_default=False)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="This check alone; may be repeated.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop an implementation that hangs.")
    ] = 1800.0,
    json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE.md", help="Write the table, too.")
    ] = None,
) -> None:
    """Try the contract's options, edges, derivatives and accuracy on implementations.

    The exit code is 0 if nothing failed, 1 if something did, 2 if there was
    nothing to try.
    """
    raise typer.Exit(
        conform_all(targets, framework=framework, only=only or (), timeout=timeout, json=json, markdown=markdown)
    )


def conform_all(
    targets: Sequence[str],
    *,
    framework: str | None = None,
    only: Sequence[str] = (),
    timeout: float = 1800.0,
    json: bool = False,
    markdown: Path | None = None,
) -> int:
    """Run the conformance suite on each target in a process of its own and print what it finds.

    Parameters
    ----------
    targets : sequence of str
        "module:function", "FILE.py:function" or the name of an adapter; several make one table.
    framework : {"numpy", "torch", "jax"}, optional
        As for `conformance`.
    only : sequence of str
        The checks to run; all by default.
    timeout : float
        Seconds after which a target is stopped.
    json : bool
        Print JSON alone.
    markdown : Path, optional
        A file for the table.

    Returns
    -------
    int
        The exit code: 0, or 1 where something failed.

    Raises
    ------
    Failure
        For a target that cannot be imported or called, or does not come to an end, and for a check that there is not.

    Examples
    --------
    >>> conform_all(["luce:cross_entropy"], only=["loss"])  # doctest: +ELLIPSIS
    luce:cross_entropy...
       check  eps...
    ✓  loss   ...
    1 passed, 0 failed, 0 not supported ...
    0
    """
    from rich.console import Console

    from luce.check.conformance_suite.by_name import CannotConform, conformance_by_name
    from luce.check.conformance_suite.scorecard import Comparison
    from luce.tables.failure import Failure
    from luce.tables.output_files import check_places, replacing

    check_places(read={}, written={"table": markdown})
    console = Console(highlight=False)
    cards = []
    for target in targets:
        try:
            with console.status(target):
                cards.append(conformance_by_name(target, framework, only=only, timeout=timeout))
        except CannotConform as error:
            words = str(error)
            raise Failure(words if target.partition(":")[0] in words else f"{target}: {words}") from error
    comparison = Comparison(cards)
    if json:
        print(comparison.to_json())
    else:
        console.print(comparison if len(cards) > 1 else cards[0])
    if markdown is not None:
        with replacing(markdown) as file:
            file.write((comparison.to_markdown() + "\n").encode())
    return int(any(not card.passed for card in cards))
