"""A table of text: aligned for a terminal, or as HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Cell", "TextTable"]


class Cell(NamedTuple):
    """Text of a cell, and whether it is marked: by a star in text, bold in HTML."""

    text: str
    marked: bool = False


@dataclass(frozen=True)
class TextTable:
    r"""A heading and rows of cells.

    Parameters
    ----------
    head : sequence of str
        Headings of the columns.
    rows : sequence of sequence of Cell
        As many cells each as there are headings.
    labels : int
        How many of the first columns name the row: they are flush left, all others flush right.
    marks : bool
        Whether cells may be marked, which takes a place behind each of those that name no row.

    Examples
    --------
    >>> from luce.printing.table import Cell, TextTable
    >>> rows = [[Cell("mine"), Cell("0.5", marked=True)], [Cell("yours"), Cell("12.0")]]
    >>> print("\n".join(TextTable(["", "loss"], rows, marks=True).lines()))
            loss
    mine    0.5*
    yours  12.0
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    labels: int = 1
    marks: bool = False

    def lines(self, *, rule: bool = False) -> list[str]:
        """Return the lines of the table, with a rule below the heading if asked for."""
        table = [[Cell(text) for text in self.head], *self.rows]
        texts = [[self._text(cell, column) for column, cell in enumerate(row)] for row in table]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        lines = [
            "  ".join(
                text.ljust(width) if column < self.labels else text.rjust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in texts
        ]
        return [lines[0], "-" * max(map(len, lines)), *lines[1:]] if rule else lines

    def html(self, caption: str = "") -> str:
        """Return the table as an HTML element; every text is escaped."""
        head = "".join(f"<th>{html.escape(text)}</th>" for text in self.head)
        body = "".join(f"<tr>{''.join(map(self._element, row, range(len(row))))}</tr>" for row in self.rows)
        told = f"<caption>{html.escape(caption, quote=False)}</caption>" if caption else ""
        return f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _text(self, cell: Cell, column: int) -> str:
        return cell.text + " *"[cell.marked] if self.marks and column >= self.labels else cell.text

    def _element(self, cell: Cell, column: int) -> str:
        tag, text = "th" if column < self.labels else "td", html.escape(cell.text)
        return f"<{tag}><b>{text}</b></{tag}>" if cell.marked else f"<{tag}>{text}</{tag}>"
