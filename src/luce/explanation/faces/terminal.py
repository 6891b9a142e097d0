"""The derivation in a terminal: parts under their headings, formulas and numbers as text, values aligned."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from luce.explanation.faces.blocks import word
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
from luce.explanation.faces.text import as_block, as_line, statements

if TYPE_CHECKING:
    from luce.explanation.step import Curves, Note, Part, Step, Table
    from luce.explanation.steps import Steps

__all__ = ["plain_text", "rendered"]

WIDEST = 110  # columns; longer lines are hard to read
INDENT = 3
BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 40
GLUED = "\N{NO-BREAK SPACE}"


def plain_text(derivation: Steps, width: int | None = None) -> str:
    """Return the derivation as text without colours, as wide as the window or as so many columns."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(derivation, end="")
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def rendered(derivation: Steps, width: int) -> Iterator[RenderableType]:
    """Yield what Rich prints, one piece after the other, for a window of so many columns."""
    width = min(width, WIDEST)
    yield _prose(title_words(derivation), width, "bold")
    yield _prose(given_words(derivation), width, "")
    for remark in derivation.remarks:
        yield _prose(remark, width, "yellow", bullet="! ")
    for number, part in enumerate(derivation.parts, 1):
        yield from _part(derivation, part, number, width)
    if words := left_out_words(derivation):
        yield Text()
        yield _prose(words, width, "dim")


def _part(derivation: Steps, part: Part, number: int, width: int) -> Iterator[RenderableType]:
    """Yield the heading of a part and its steps."""
    yield Text()
    heading = f"── {number}  {part.title} "
    yield Text(heading + "─" * (width - len(heading)), style="bold cyan")
    yield _prose(part.lead, width, "")
    for step in part.steps:
        yield Text()
        yield from _step(derivation, step, width)


def _step(derivation: Steps, step: Step, width: int) -> Iterator[RenderableType]:
    """Yield what there is of a step."""
    yield _heading(step, width)
    yield from _formula(step.formula, width, "cyan")
    for numbers in filter(None, (step.numbers, value_numbers(derivation, step))):
        yield from _formula(numbers, width, "", apart=True)
    follows = f" (From {', '.join(step.follows)}.)" if step.follows else ""
    yield _prose(step.why + follows, width, "dim italic", INDENT)
    for note in step.notes:
        yield from _note(step, note, width)
    for table in tables_shown(step):
        yield Text()
        yield _prose(table.caption, width, "italic", INDENT)
        yield Padding(_table(derivation, table), (0, 0, 0, INDENT), expand=False)
    for curves in step.curves:
        yield from _curves(derivation, curves, width)


def _heading(step: Step, width: int) -> Text:
    """Return the line with title and symbol at its left, shape and rule at its right."""
    left = Text.assemble((step.title, "bold"), "  ", (as_line(step.symbol), "bold green"))
    facts = " · ".join(filter(None, (size_words(step), step.rule)))
    space = width - left.cell_len - len(facts)
    gap = " " * space if space > 1 else "\n" + " " * INDENT
    return Text.assemble(left, gap, (facts, "dim"))


def _formula(latex: str, width: int, style: str, *, apart: bool = False) -> Iterator[RenderableType]:
    """Yield a formula, the statements in it on lines of their own where they are to be apart or are too long."""
    room = width - INDENT
    blocks = [as_block(latex)] if not apart else []
    if not blocks or blocks[0].width > room:
        blocks = [as_block(statement) for statement in statements(latex)]
        blocks = [
            block if block.width <= room else word(_wrapped(as_line(statement), room))
            for block, statement in zip(blocks, statements(latex), strict=True)
        ]
    for block in blocks:
        yield Padding(Text(block.text, style=style, no_wrap=True), (0, 0, 0, INDENT), expand=False)


def _wrapped(line: str, room: int) -> str:
    """Return a formula in lines that begin with an operator, each below what follows the first one."""
    if len(line) <= room:
        return line
    glued = line.replace(" ", GLUED)
    for sign in "=≈+−":
        glued = glued.replace(f"{GLUED}{sign}{GLUED}", f" {sign}{GLUED}")
    glued = glued.replace(f",{GLUED}", ", ").replace(f";{GLUED}", "; ")
    first = min((place for sign in "=≈≤←" if (place := line.find(f" {sign} ")) >= 0), default=1) + 1
    lines = textwrap.wrap(glued, room, subsequent_indent=" " * min(first, 16), break_on_hyphens=False)
    return "\n".join(lines).replace(GLUED, " ")


def _prose(text: str, width: int, style: str, indent: int = 0, bullet: str = "") -> RenderableType:
    """Return sentences, wrapped."""
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent + bullet,
        subsequent_indent=" " * (indent + len(bullet)),
        break_on_hyphens=False,
    )
    return Text("\n".join(lines), style=style)


def _note(step: Step, note: Note, width: int) -> Iterator[RenderableType]:
    """Yield a remark of a step and its formula."""
    yield _prose(note.text, width, "", INDENT, "• ")
    if note.formula:
        for line in _formula(step.fill(note.formula), width - 2, "cyan"):
            yield Padding(line, (0, 0, 0, 2), expand=False)


def _table(derivation: Steps, table: Table) -> Grid:
    """Return a table, its numbers at the right."""
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    lines = [[cell(derivation, content).text for content in line] for line in table.rows]
    for column, head in enumerate(table.head):
        numeric = is_number(table, column)
        words = (line[column] if numeric else max(line[column].split(), key=len, default="") for line in lines)
        least = max(map(len, words), default=1)
        grid.add_column(Text(head), justify="right" if numeric else "left", min_width=least, overflow="fold")
    for line in lines:
        grid.add_row(*map(Text, line))
    return grid


def _curves(derivation: Steps, curves: Curves, width: int) -> Iterator[RenderableType]:
    """Yield curves as rows of bars, each between its smallest and its largest value."""
    yield _prose(curves.caption, width, "italic", INDENT)
    grid = Grid.grid(padding=(0, 2))
    for label, name in curves.lines.items():
        found = [float(x) for x in derivation.values[name].ravel()]
        taken = found[:: -(-len(found) // MOST_BARS)] if found else []
        low, high = min(taken, default=0.0), max(taken, default=0.0)
        grid.add_row(Text(label), Text(_bars(taken, low, high), style="green"), Text(f"{low:.3g} … {high:.3g}"))
    ends = [float(x) for x in derivation.values[curves.x].ravel()]
    if ends:
        grid.add_row(Text(curves.x_label, style="dim"), Text(f"{ends[0]:g} … {ends[-1]:g}", style="dim"), Text())
    yield Padding(grid, (0, 0, 0, INDENT), expand=False)


def _bars(values: list[float], low: float, high: float) -> str:
    """Return a bar for each value; what is no number is left blank."""
    span = (high - low) or 1.0
    places = [None if math.isnan(x) else int(min(max((x - low) / span, 0), 1) * (len(BARS) - 1)) for x in values]
    return "".join(" " if place is None else BARS[place] for place in places)
