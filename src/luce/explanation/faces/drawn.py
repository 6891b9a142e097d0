"""Values as they are drawn on the page: a number, bars, or the cells of a matrix, without the middle of long ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luce.explanation.parts.writing import elided
from luce.explanation.shown import Slot

if TYPE_CHECKING:
    from luce.explanation.steps import Steps

__all__ = ["drawn_value"]

NAMED = {"1", "T", "N", "NT", "B"}  # axes whose entries have names
MOST_BARS, MOST_CELLS = 12, 8  # entries of a vector, rows and columns of a matrix that are drawn

Place = tuple[int, ...] | None
"""The place of an entry; None for those that are left out."""


def drawn_value(derivation: Steps, name: str) -> dict[str, Any] | None:
    """Return a step's value as a number, as bars or as the cells of a matrix; None where a table tells it better.

    Parameters
    ----------
    derivation : Steps
    name : str
        Of the step.
    """
    step = derivation[name]
    shape = step.shape
    if len(shape) > 2 or 0 in shape or (step.tables and not NAMED.issuperset(step.axes)):
        return None
    names = [_names(derivation, axis, size) for axis, size in zip(step.axes[-len(shape) :], shape, strict=False)]
    most = MOST_BARS if len(shape) == 1 else MOST_CELLS
    case = derivation.case
    places = [elided(size, most, case.told if size == case.n_classes else ()) for size in shape]
    lines: list[tuple[str, list[Place]]] = [("", [()])]
    if shape:
        lines = [(_heading(names[0], i), _line(i, places[1:])) for i in places[0]]
    values = step.value
    sizes = [abs(values[place]) for _, line in lines for place in line if place is not None]
    largest = max(filter(math.isfinite, sizes), default=0.0)

    def cell(place: Place) -> dict[str, Any] | None:
        if place is None:
            return None
        slot = Slot(name, place)
        return {"slot": slot.place, "text": derivation.shown(slot).text, "share": _share(values[place], largest)}

    return {
        "kind": ("number", "bars", "matrix")[len(shape)],
        "head": [_heading(names[1], j) for j in places[1]] if len(shape) == 2 else [],
        "signed": bool((values < 0).any()),
        "rows": [(heading, [cell(place) for place in line]) for heading, line in lines],
    }


def _line(i: int | None, columns: list[list[int | None]]) -> list[Place]:
    """Return the places of a line: of a vector one, of a matrix one for each column."""
    if not columns:
        return [None if i is None else (i,)]
    return [None if i is None or j is None else (i, j) for j in columns[0]]


def _heading(names: list[str], place: int | None) -> str:
    return "…" if place is None else names[place]


def _share(value: float, largest: float) -> str:
    """Return a number as a share of the largest, in thousandths."""
    return f"{value / largest:.3f}" if largest > 0 and abs(value) <= largest else "0"


def _names(derivation: Steps, axis: str, size: int) -> list[str]:
    """Return the headings along an axis."""
    case = derivation.case
    if axis == "T":
        return list(case.classes)
    if axis == "N":
        return list(case.features)
    if axis == "NT":
        return [f"W {k // case.n_features},{k % case.n_features}" for k in range(size)]
    return [str(k) for k in range(size)]
