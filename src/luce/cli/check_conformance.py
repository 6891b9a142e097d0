"""What `luce check --conformance TARGET…` does: the suite on each target, as cards or one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from luce.check.scorecard import Comparison
from luce.check.suite import CHECKS, conformance
from luce.cli.failure import Failure

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
        "module:function", "FILE.py:function" or the name of an adapter.
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
        For a target that cannot be imported, and for a check that there is not.

    Examples
    --------
    >>> check_conformance(["luce:cross_entropy"], only=["loss"])  # doctest: +ELLIPSIS
    luce:cross_entropy...
       check  eps...
    ✓  loss   ...
    1 passed, 0 failed, 0 not supported ...
    0
    """
    console = Console(highlight=False)
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise Failure(f"no check {unknown[0]!r}; there are {', '.join(CHECKS)}")
    cards = []
    for target in targets:
        try:
            with console.status(target):
                card = conformance(target, framework, only=only or None)
        except (ImportError, ValueError) as error:
            raise Failure(f"{target}: {error}") from error
        cards.append(card)
        if not json:
            console.print(card)
    comparison = Comparison(cards)
    if json:
        print(comparison.to_json())
    elif len(cards) > 1:
        console.print(comparison)
    if markdown is not None:
        markdown.write_text(comparison.to_markdown() + "\n", encoding="utf-8")
    return int(any(not card.passed for card in cards))
