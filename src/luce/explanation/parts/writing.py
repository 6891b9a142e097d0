"""How the parts write formulas: sums and rows over the classes, elided where there are many."""

from __future__ import annotations

from collections.abc import Callable, Sized

from luce.explanation.shown import Slot, n

__all__ = ["cells", "elided", "matrix", "row", "summed"]

MOST = 6  # entries that are written out


def elided(count: int, most: int = MOST) -> list[int | None]:
    """Return the places that are written out, None for those that are left out."""
    if count <= most:
        return list(range(count))
    return [*range(most - 2), None, count - 1]


def summed(count: int, each: Callable[[int], str], sign: str = " + ") -> str:
    """Return the terms of a sum over the classes, the middle ones as dots."""
    return sign.join(r"\dots" if place is None else each(place) for place in elided(count))


def row(count: int, each: Callable[[int], str]) -> str:
    """Return a vector over the classes, in parentheses."""
    entries = ",\\; ".join(r"\dots" if place is None else each(place) for place in elided(count))
    return rf"\left({entries}\right)"


def matrix(quantity: str, rows: int, columns: int) -> str:
    """Return a matrix of places of numbers."""
    lines = []
    for i in elided(rows):
        cells = (
            (r"\vdots" if i is None else r"\dots") if None in (i, j) else n(quantity, i, j)  # type: ignore[arg-type]
            for j in elided(columns)
        )
        lines.append(" & ".join(cells))
    return r"\begin{pmatrix}" + r" \\ ".join(lines) + r"\end{pmatrix}"


def cells(heading: str, quantity: str, columns: Sized, *row: int) -> tuple[str | Slot, ...]:
    """Return a row of a table: its heading, and the places of a quantity's row, one for each column."""
    return (heading, *(Slot(quantity, (*row, column)) for column in range(len(columns))))
