"""Curves as figures of the page: each line has a colour and a dash of its own, and a name beside the figure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from luce.explanation.shown import shown
from luce.pages.svg import figure, gridline, label

if TYPE_CHECKING:
    from luce.explanation.steps import Steps

__all__ = ["drawn_curves"]

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 44
DASHES = ("", "8 4", "2 4", "12 4 2 4", "5 2", "1 3", "16 4")
MOST_TICKS = 5


def drawn_curves(curves: dict[str, Any], derivation: Steps) -> dict[str, Any]:
    """Return a figure of curves with its caption, the names of its quantities and those of its lines.

    Parameters
    ----------
    curves : dict
        The fields of :class:`luce.explanation.step.Curves`; its lines as pairs of a name and a quantity.
    derivation : Steps
    """
    x = [float(a) for a in derivation.values[curves["x"]]]
    lines = {name: [float(a) for a in derivation.values[quantity]] for name, quantity in curves["lines"]}
    finite = [a for line in lines.values() for a in line if math.isfinite(a)] or [0.0, 1.0]
    low, high = min(*finite, 0.0), max(finite)
    high = high if high > low else low + 1
    parts = list(_axes(x, low, high, curves["x_label"], curves["y_label"]))
    for k, line in enumerate(lines.values()):
        parts.append(
            _line(k, [(_across(a, x), _up(b, low, high)) for a, b in zip(x, line, strict=True) if math.isfinite(b)])
        )
    named = f"{curves['caption']} Lines: {', '.join(lines)}."
    return {
        "caption": curves["caption"],
        "quantities": " ".join(quantity for _, quantity in curves["lines"]),
        "figure": figure(escape(named), WIDTH, HEIGHT, parts),
        "lines": [(name, Markup(_key(k))) for k, name in enumerate(lines)],
    }


def _across(a: float, x: list[float]) -> float:
    width = max(x) - min(x) or 1.0
    return LEFT + (a - min(x)) / width * (WIDTH - LEFT - RIGHT)


def _up(b: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (b - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _axes(x: list[float], low: float, high: float, x_label: str, y_label: str) -> Iterator[str]:
    """Yield the grid with its numbers, and what the axes are."""
    for b in _ticks(low, high):
        yield gridline(LEFT, _up(b, low, high), WIDTH - RIGHT, _up(b, low, high))
        yield label(LEFT - 8, _up(b, low, high) + 4, shown(b).text, "end")
    for a in _ticks(min(x), max(x)):
        yield label(_across(a, x), HEIGHT - BOTTOM + 18, shown(a).text, "middle")
    yield label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, str(escape(x_label)), "middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<g transform="rotate(-90 14 {middle:g})">{label(14, middle, str(escape(y_label)), "middle")}</g>'


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two."""
    if not high > low:
        return [low]
    rough = (high - low) / MOST_TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _line(k: int, points: list[tuple[float, float]]) -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f'<polyline class="line hue{k % len(DASHES)}" stroke-dasharray="{DASHES[k % len(DASHES)]}" points="{path}"/>'


def _key(k: int) -> str:
    """Return a short piece of a line, for the list of their names."""
    dash = DASHES[k % len(DASHES)]
    return (
        '<svg class="key" width="34" height="10" aria-hidden="true">'
        f'<line class="line hue{k % len(DASHES)}" stroke-dasharray="{dash}" x1="0" x2="34" y1="5" y2="5"/></svg>'
    )
