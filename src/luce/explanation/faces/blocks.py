"""Blocks of text: lines of one width that stand beside each other, as numbers and matrices do in a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

__all__ = ["Block", "beside", "cases", "matrix", "word"]


class Block(NamedTuple):
    """Lines of one width, and which of them is level with the text around."""

    lines: tuple[str, ...]
    level: int = 0

    @property
    def width(self) -> int:
        """The width of the lines."""
        return cell_len(self.lines[0])

    @property
    def text(self) -> str:
        """The lines without the spaces at their ends."""
        return "\n".join(line.rstrip() for line in self.lines)


def word(text: str) -> Block:
    """Return a block of one line."""
    return Block((text,))


def beside(blocks: Iterable[Block]) -> Block:
    """Return blocks side by side, their levels on one line."""
    found = list(blocks) or [word("")]
    above = max(block.level for block in found)
    below = max(len(block.lines) - block.level for block in found)
    lines = [""] * (above + below)
    for block in found:
        first = above - block.level
        for place in range(above + below):
            inside = first <= place < first + len(block.lines)
            lines[place] += block.lines[place - first] if inside else " " * block.width
    return Block(tuple(lines), above)


def matrix(rows: Sequence[Sequence[str]]) -> Block:
    """Return a matrix in large parentheses, each column aligned at its decimal points.

    Examples
    --------
    >>> print(matrix([["0.25", "−1"], ["10", "…"]]).text)
    ⎛ 0.25  −1⎞
    ⎝10      …⎠
    """
    lines = _columns(rows)
    return _bracketed(lines, "⎛⎜⎝", "⎞⎟⎠") if len(lines) > 1 else word(f"({lines[0].strip()})")


def cases(rows: Sequence[Sequence[str]]) -> Block:
    """Return the cases of a definition behind a large brace."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return _bracketed(lines, "⎧⎪⎩", "   ")


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines of text."""
    columns = [_aligned(column) for column in zip(*rows, strict=True)]
    return ["  ".join(cells) for cells in zip(*columns, strict=True)]


def _aligned(cells: Sequence[str]) -> list[str]:
    """Return cells of one width, numbers aligned at the decimal point."""
    parts = [cell.partition(".") if cell[:1] in "−0123456789" else (cell, "", "") for cell in cells]
    before = max(len(whole) for whole, _, _ in parts)
    after = max(len(point + rest) for _, point, rest in parts)
    return [
        (whole.rjust(before) + (point + rest).ljust(after)) if cell not in ("…", "⋮") else cell.rjust(before + after)
        for cell, (whole, point, rest) in zip(cells, parts, strict=True)
    ]


def _bracketed(lines: Sequence[str], left: str, right: str) -> Block:
    """Return lines between brackets of their height: the signs are those of the first, the middle and the last line."""
    last = len(lines) - 1
    signs = [0 if at == 0 else 2 if at == last else 1 for at in range(len(lines))]
    drawn = tuple(left[sign] + line + right[sign] for sign, line in zip(signs, lines, strict=True))
    return Block(tuple(line.ljust(len(drawn[0])) for line in drawn), last // 2)
