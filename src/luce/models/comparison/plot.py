"""The picture of a comparison: the measures with their errors, and the losses against the margin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np

from luce.models.comparison.built_in import BUILT_IN
from luce.models.comparison.margin_losses import Curve
from luce.models.comparison.measures import MEASURES, Row
from luce.models.inputs.kinds import Array
from luce.optional import needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecFromSubplotSpec, SubplotSpec

__all__ = ["draw"]


# of the built-in models in their order, then of the user's own
MODEL_COLOURS = (
    "#c2410c",
    "#2563a8",
    "#334155",
    "#3f7f73",
    "#b9892b",
    "#8b5cf6",
    "#be185d",
    "#4d7c0f",
    "#0891b2",
    "#78716c",
)
GREY = "#64748b"


def draw(rows: Sequence[Row], losses: Callable[[Array], Mapping[str, Curve]], caption: str, ax: Axes | None) -> Figure:
    """Draw the measures of each model, and beside them the losses against the margin, in the place of `ax`.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `ax` has no place in a grid.
    """
    pyplot = needed("matplotlib.pyplot", "Comparison.plot")
    figure, place = _place_in(pyplot, ax)
    own = [row.model for row in rows if row.model not in BUILT_IN]
    colours = {name: MODEL_COLOURS[index % len(MODEL_COLOURS)] for index, name in enumerate([*BUILT_IN, *own])}
    m = np.linspace(-3, 4, 701)
    curves = losses(m)
    halves = place.subgridspec(1, 2 if curves else 1, width_ratios=(1.7, 1) if curves else None)
    _draw_measures(figure, halves[0].subgridspec(2, 3), rows, colours, caption)
    if curves:
        _draw_curves(figure, halves[1].subgridspec(2, 1), m, curves, colours)
    return figure


def _place_in(pyplot: ModuleType, ax: Axes | None) -> tuple[Figure, SubplotSpec]:
    """Return the figure and the place of `ax`, which gives way; of a new figure where there is none."""
    if ax is None:
        figure: Figure = pyplot.figure(figsize=(11, 4.8), layout="constrained")
        return figure, figure.add_gridspec(1, 1)[0]
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax: expected axes of a grid, as plt.subplots makes them, got axes of a free place")
    ax.set_axis_off()
    return cast("Figure", ax.figure), place


def _draw_measures(
    figure: Figure, grid: GridSpecFromSubplotSpec, rows: Sequence[Row], colours: Mapping[str, str], caption: str
) -> None:
    """Draw one panel for each measure: a dot for each model, with its error."""
    first, names = None, [row.model for row in rows]
    for index, (field, measure) in enumerate(MEASURES.items()):
        panel = first = figure.add_subplot(grid[divmod(index, 3)], sharey=first)
        for place, row in enumerate(rows):
            value, error = getattr(row, field)
            if np.isfinite(value):
                x, half = measure.unit * value, measure.unit * np.nan_to_num(error)
                panel.errorbar(x, place, xerr=half, fmt="o", ms=5, lw=1.6, color=colours[row.model])
            else:
                sides = panel.get_yaxis_transform()
                panel.text(0.5, place, measure.shown(value), transform=sides, color=GREY, ha="center", va="center")
        panel.set_title(f"{measure.heading} {'↑' if measure.best is max else '↓'}", fontsize=9)
        panel.set_yticks(range(len(names)), names)
        for label, name in zip(panel.get_yticklabels(), names, strict=True):
            label.set_color(colours[name])
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.tick_params(labelsize=8, length=0, labelleft=index % 3 == 0)
        panel.locator_params(axis="x", nbins=3)
        _set_bare(panel)
        if index == 4:
            panel.set_xlabel(caption, fontsize=8, color=GREY)


def _draw_curves(
    figure: Figure, grid: GridSpecFromSubplotSpec, m: Array, curves: Mapping[str, Curve], colours: Mapping[str, str]
) -> None:
    """Draw the losses and their derivatives against the margin."""
    above = figure.add_subplot(grid[0])
    below = figure.add_subplot(grid[1], sharex=above)
    for name, curve in curves.items():
        colour, line, width = colours[name], BUILT_IN[name].line, 2 if name == "softmax" else 1.5
        above.plot(m, curve.loss, color=colour, ls=line, lw=width)
        below.plot(m, curve.gradient, color=colour, ls=line, lw=width, label=f"{name}: {BUILT_IN[name].formula}")
    for panel, title, limits in ((above, "loss", (-0.2, 5)), (below, "its derivative", (-4.2, 1.2))):
        panel.set_title(title, fontsize=9)
        panel.set_ylim(*limits)
        panel.set_xlim(m[0], m[-1])
        panel.axvline(0, color=GREY, lw=0.8, ls=":")
        panel.tick_params(labelsize=8, length=0)
        _set_bare(panel)
    above.tick_params(labelbottom=False)
    below.set_xlabel("margin m: score of the true class minus the best other", fontsize=8, color=GREY)
    below.legend(
        fontsize=7, loc="lower right", borderaxespad=0.2, handlelength=1.8, facecolor="w", edgecolor="w", framealpha=1
    )


def _set_bare(panel: Axes) -> None:
    panel.grid(color="#e2e8f0", lw=0.7)
    panel.set_axisbelow(True)
    panel.spines[:].set_visible(False)
