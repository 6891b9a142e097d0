"""The derivation in Markdown, its formulas in LaTeX between dollars as notebooks and code hosts show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from luce.explanation.faces.content import (
    cell,
    given_words,
    is_number,
    left_out_words,
    size_words,
    tables_shown,
    title_words,
    value_numbers,
)

if TYPE_CHECKING:
    from luce.explanation.step import Step, Table
    from luce.explanation.steps import Steps

__all__ = ["markdown"]

SPECIAL = re.compile(r"([\\`*_\[\]<>|$#~&])")


def markdown(derivation: Steps) -> str:
    """Return the derivation as a Markdown document."""
    return "\n".join(_lines(derivation)).rstrip() + "\n"


def _lines(derivation: Steps) -> Iterator[str]:
    yield from (f"# {_plain(title_words(derivation))}", "", f"{_plain(given_words(derivation))}.", "")
    for remark in derivation.remarks:
        yield from (f"> {_plain(remark)}", "")
    for number, part in enumerate(derivation.parts, 1):
        yield from (f"## {number}. {_plain(part.title)}", "", _plain(part.lead), "")
        for step in part.steps:
            yield from _step(derivation, step)
    if words := left_out_words(derivation):
        yield _plain(words)


def _step(derivation: Steps, step: Step) -> Iterator[str]:
    """Yield the lines of a step."""
    yield from (f"### {_plain(step.title)}, ${step.symbol}$", "")
    for formula in (step.formula, step.numbers, value_numbers(derivation, step)):
        yield from _formula(formula)
    facts = "; ".join(
        filter(None, (size_words(step), step.rule, f"from {', '.join(step.follows)}" if step.follows else ""))
    )
    yield from (f"{_plain(step.why)} *({_plain(facts)})*", "")
    for note in step.notes:
        yield from (_plain(note.text), "")
        yield from _formula(step.fill(note.formula))
    for table in tables_shown(step):
        yield from (f"*{_plain(table.caption)}*", "", *_table(derivation, table), "")
    for curves in step.curves:
        yield from (f"*{_plain(curves.caption)}*", "")


def _formula(latex: str) -> Iterator[str]:
    """Yield a formula on lines of its own."""
    if latex:
        yield from ("$$", latex, "$$", "")


def _table(derivation: Steps, table: Table) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(map(_plain, table.head))} |"
    yield f"|{'|'.join(' ---: ' if is_number(table, k) else ' --- ' for k in range(len(table.head)))}|"
    for line in table.rows:
        yield f"| {' | '.join(_plain(cell(derivation, content).text) for content in line)} |"


def _plain(text: str) -> str:
    """Return text whose signs mean nothing to Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
