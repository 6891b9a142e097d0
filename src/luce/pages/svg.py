"""The elements of inline SVG that figures are made of; they take their colours from the page.

A figure with axes has a viewBox and scales with its place. A mark that stands in a row of a table has none: its lengths
are percentages, so that it fills its cell and its strokes keep their width. No text of the user ever enters either.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

__all__ = ["bar", "figure", "gridline", "label", "mark"]


def bar(share: float, kind: str = "") -> Markup:
    """Draw a share of 1 as a bar on the full width of its cell; `kind` is the class of its colour."""
    return mark("bar", 8, f'<rect class="{kind}" width="{100 * max(share, 0):.2f}%" height="8" rx="2"/>')


def mark(name: str, height: int, content: str) -> Markup:
    """Return a mark in a row of a table, as wide as its cell."""
    return Markup(f'<svg class="{name}" width="100%" height="{height}" aria-hidden="true">{content}</svg>')


def figure(label: str, width: float, height: float, parts: Iterable[str]) -> Markup:
    """Return a figure that scales with its place; `label` says what it shows to those who can't see it."""
    return Markup(
        f'<svg class="figure" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


def gridline(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line of the grid."""
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def label(x: float, y: float, content: str, anchor: str) -> str:
    """Return text at a place, which is its "start", "middle" or "end"."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>'
