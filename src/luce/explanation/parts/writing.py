"""How the parts write formulas: sums and rows over the classes, elided where there are many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sized

from luce.explanation.shown import Slot, n

__all__ = ["cells", "elided", "matrix", "row", "summed"]

MOST = 6  # entries that are written out


def elided(count: int, most: int = MOST, keep: Collection[int] = ()) -> list[int | None]:
    """Return the places that are written out, None for a gap between them; `keep` names some that always are."""
    if count <= most:
        return list(range(count))
    kept = {*keep, count - 1}
    others = [place for place in range(count) if place not in kept][: max(0, most - 1 - len(kept))]
    found: list[int | None] = []
    for place in sorted({*kept, *others}):
        if place and (not found or found[-1] != place - 1):
            found.append(None)
        found.append(place)
    return found


def summed(count: int, each: Callable[[int], str], sign: str = " + ", *, keep: Collection[int] = ()) -> str:
    """Return the terms of a sum, those that are left out as dots."""
    return sign.join(r"\dots" if place is None else each(place) for place in elided(count, keep=keep))


def row(count: int, each: Callable[[int], str], keep: Collection[int] = ()) -> str:
    """Return a vector, in parentheses."""
    entries = ",\\; ".join(r"\dots" if place is None else each(place) for place in elided(count, keep=keep))
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
