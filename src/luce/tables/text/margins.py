"""Rows that are none: units or descriptions below the header, totals below the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from luce.tables.text.deciding import Decision
from luce.tables.text.evidence import TOTAL, Evidence
from luce.tables.text.missing import Missing, Source, cleaned
from luce.tables.text.reading import Reading, typed

__all__ = ["Margins", "leading", "margins"]

MOST = 3
UNIT = re.compile(
    r"^[\[({<].*[\])}>]$|^(?:[kcmµnM]?(?:m|g|s|V|A|W|Pa|Hz|J|mol|l|L)[²³]?(?:/\w+)?|%|°[CF]|K|h|min|bar|[$€£¥])$"
)


class Margins(NamedTuple):
    """How many rows at the top and at the bottom of a table are none, and what the report says about them."""

    top: int = 0
    bottom: int = 0
    remarks: Sequence[str] = ()


def margins(
    head: pl.DataFrame,
    tail: pl.DataFrame,
    rows: int,
    seen: Mapping[str, Evidence],
    decided: Callable[[Mapping[str, Evidence]], Mapping[str, Decision]],
    source: Source,
) -> Margins:
    """Return which rows are units, and which are totals.

    Parameters
    ----------
    head, tail : polars.DataFrame
        The cells of the first and last few rows.
    rows : int
    seen : mapping
        The evidence of each column.
    decided : callable
        Gives the decisions that follow from evidence.
    source : Source
    """
    most = min(MOST, rows - 2)
    if most < 1:
        return Margins()
    remarks = []
    first = head.head(most)
    top = 0
    if not any(of.clear and first[name][0] is not None for name, of in seen.items()):  # else the first row holds data
        decisions = decided({name: of.without(first[name], source) for name, of in seen.items()})
        top = leading(first, {name: made.reading for name, made in decisions.items()}, source)
    if top:
        which = "row 1 holds" if top == 1 else f"rows 1 to {top} hold"
        remarks.append(f"{which} no data but units or descriptions ({_shown(head, 0, source)}): left out (--all-rows)")
    bottom = _totals(tail.tail(most), seen, source) if rows - top > most else 0
    if bottom:
        which = f"row {rows}" if bottom == 1 else f"rows {rows - bottom + 1} to {rows}"
        what = _shown(tail, len(tail) - bottom, source)
        verb = "sums" if bottom == 1 else "sum"
        remarks.append(f"{which} {verb} up the table ({what}): left out (--all-rows)")
    return Margins(top, bottom, remarks)


def leading(head: pl.DataFrame, readings: Mapping[str, Reading], source: Source) -> int:
    """Return how many of the first rows hold words in every column of numbers or dates, as units do.

    Where there is a single such column, the word must look like a unit.
    """
    measured = [
        name
        for name, reading in readings.items()
        if reading.kind in ("number", "date", "time", "duration") and name in head.columns  # a model's may be absent
    ]
    there, odd = [0] * len(head), [0] * len(head)
    alike = [True] * len(head)
    for name in measured:
        found = typed(head[name], readings[name], source)
        strange = found.odd if found.odd is not None else pl.repeat(False, len(head), eager=True)
        for row, (value, is_odd) in enumerate(zip(found.values.to_list(), strange.to_list(), strict=True)):
            there[row] += value is not None
            odd[row] += bool(is_odd)
            if is_odd and found.text is not None:
                alike[row] &= bool(UNIT.match(str(found.text[row])))
    count = 0
    while count < len(head) and not there[count] and (odd[count] > 1 or (odd[count] and alike[count])):
        count += 1
    return count


def _totals(tail: pl.DataFrame, seen: Mapping[str, Evidence], source: Source) -> int:
    """Return how many of the last rows begin with a word for a total that begins no other row."""
    edge = [name for name in tail.columns if seen[name].edge]
    texts = {name: cleaned(tail[name], Missing(), source) for name in edge}
    named = {name: texts[name].str.contains(TOTAL).fill_null(False) for name in edge}
    count = 0
    for row in range(len(tail) - 1, -1, -1):
        first = next((name for name in edge if texts[name][row] is not None), None)
        if first is None or not named[first][row] or seen[first].totals != named[first].sum():
            break
        count += 1
    return count


def _shown(table: pl.DataFrame, row: int, source: Source) -> str:
    """Return the beginning of a row."""
    cells = [cleaned(column[row : row + 1], Missing(), source)[0] for column in table.iter_columns()]
    found = [str(cell) for cell in cells if cell is not None]
    text = ", ".join(repr(cell if len(cell) <= 16 else cell[:15] + "…") for cell in found[:3])
    return text + (", …" if len(found) > 3 else "")
