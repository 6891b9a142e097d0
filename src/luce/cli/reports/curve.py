"""A small line plot for the terminal, two by four dots to a character."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["curve"]

# the bits of a Braille character's dots, by row and column (Unicode 15, block U+2800)
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def curve(values: Sequence[float], *, width: int, height: int, plain: bool = False) -> list[str]:
    r"""Draw values against their number, with the largest and smallest value at the axis.

    Parameters
    ----------
    values : sequence of float
        At least two finite numbers.
    width, height : int
        Size of the drawing area in characters, axis and labels not counted.
    plain : bool
        Use ASCII characters only.

    Returns
    -------
    list of str
        ``height + 2`` lines.

    Examples
    --------
    >>> from luce.cli.reports.curve import curve
    >>> lines = curve([3.0, 1.0, 0.0], width=8, height=2, plain=True)
    >>> print("\n".join("." + line for line in lines))
    .     3.000 |***
    .         0 |   *****
    .           +--------
    .            0      2
    """
    points = np.asarray(values, float)
    low, high = points.min(), points.max()
    across, down = (1, 1) if plain else (2, 4)
    columns, rows = width * across, height * down
    heights = np.interp(np.linspace(0, len(points) - 1, columns), np.arange(len(points)), points)
    levels = np.rint((high - heights) / ((high - low) or 1.0) * (rows - 1)).astype(int)
    cells = np.zeros((height, width), int)
    for x in range(columns):
        before = levels[max(x - 1, 0)]
        first, last = sorted((levels[x], before))
        span = range(first, last + 1) if levels[x] == first else range(first + (x > 0 and first != last), last + 1)
        for y in (levels[x],) if plain else span:
            cells[y // down, x // across] |= 1 if plain else DOTS[y % down][x % across]
    wall, corner, floor = ("|", "+", "-") if plain else ("┤", "└", "─")
    side = "|" if plain else "│"
    labels = {0: _label(high), height - 1: _label(low)}
    lines = []
    for row in range(height):
        drawn = "".join(("*" if plain else chr(0x2800 + cell)) if cell else " " for cell in cells[row])
        lines.append(f"{labels.get(row, ''):>10} {wall if row in labels else side}{drawn}".rstrip())
    last = str(len(points) - 1)
    lines.append(" " * 11 + corner + floor * width)
    lines.append(" " * 12 + "0" + last.rjust(width - 1))
    return lines


def _label(value: float) -> str:
    return "0" if value == 0 else f"{value:.3f}" if 0.1 <= abs(value) < 1e5 else f"{value:.3g}"
