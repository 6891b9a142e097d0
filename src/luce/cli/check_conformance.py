"""What `luce check --conformance TARGET…` does: the suite on each target, as cards or one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from luce.check.conformance_suite.scorecard import Comparison
from luce.check.conformance_suite.suite import conformance
from luce.tables.failure import Failure
from luce.tables.output_files import check_places, replacing

__all__ = ["check_conformance"]


def check_conformance(
    targets: Sequence[str],
    *,
    framework: str | None = None,
    only: Sequence[str] = (),
    json: bool = False,
    markdown: Path | None = None,
) -> int:
    """Run the conformance suite and print what it finds; return the exit code, 0 or 1 where something failed.

    Parameters
    ----------
    targets : sequence of str
        "module:function", "FILE.py:function" or the name of an adapter; several make one table.
    framework : {"numpy", "torch", "jax"}, optional
        As for `conformance`.
    only : sequence of str
        The checks to run; all by default.
    json : bool
        Print JSON alone.
    markdown : Path, optional
        A file for the table.

    Raises
    ------
    Failure
        For a target that cannot be imported or called, and for a check that there is not.

    Examples
    --------
    >>> check_conformance(["luce:cross_entropy"], only=["loss"])  # doctest: +ELLIPSIS
    luce:cross_entropy...
       check  eps...
    ✓  loss   ...
    1 passed, 0 failed, 0 not supported ...
    0
    """
    check_places(read={}, written={"table": markdown})
    console = Console(highlight=False)
    cards = []
    for target in targets:
        try:
            with console.status(target):
                card = conformance(target, framework, only=only or None)
        except (ImportError, ValueError) as error:
            words = str(error)
            raise Failure(words if target.partition(":")[0] in words else f"{target}: {words}") from error
        cards.append(card)
    comparison = Comparison(cards)
    if json:
        print(comparison.to_json())
    else:
        console.print(comparison if len(cards) > 1 else cards[0])
    if markdown is not None:
        with replacing(markdown) as file:
            file.write((comparison.to_markdown() + "\n").encode())
    return int(any(not card.passed for card in cards))
