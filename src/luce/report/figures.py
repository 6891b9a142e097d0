"""The figures of a training run's page: the descent, reliability, coefficients with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from markupsafe import Markup

from luce.models.inputs.kinds import Array
from luce.pages.svg import figure, gridline, label, mark
from luce.report.held_out import Reliability

__all__ = ["descent", "interval", "reliability"]

Share = TypeVar("Share", float, Array)

WIDTH, LEFT, RIGHT = 420, 46, 10
MOST_POINTS = 400  # of a curve: more can't be told apart
MARKED = 40  # points up to which each has a dot
HISTOGRAM_BINS = 20


def descent(values: Array, name: str) -> Markup:
    """Draw a value per iteration on a logarithmic axis; nothing where no value is positive and finite."""
    values = np.asarray(values, np.float64)
    steps = np.flatnonzero(np.isfinite(values) & (values > 0))
    if not len(steps):
        return Markup("")
    last = max(len(values) - 1, 1)
    if len(steps) > MOST_POINTS:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, MOST_POINTS).round().astype(int))]
    logs = np.log10(values[steps])
    low, high = math.floor(logs.min()), math.ceil(logs.max())
    high = max(high, low + 1)
    top, height = 12, 210
    x = LEFT + steps / last * (WIDTH - LEFT - RIGHT)
    y = top + (high - logs) / (high - low) * height
    stride = math.ceil((high - low) / 7)
    parts = []
    for decade in range(low, high + 1, stride):
        at = top + (high - decade) / (high - low) * height
        power = f'10<tspan dy="-5" font-size="9">{_minus(decade)}</tspan>'
        parts.append(gridline(LEFT, at, WIDTH - RIGHT, at) + label(LEFT - 8, at + 4, power, "end"))
    for step in _steps(last):
        at = LEFT + step / last * (WIDTH - LEFT - RIGHT)
        parts.append(gridline(at, top, at, top + height) + label(at, top + height + 18, f"{step:,}", "middle"))
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, top + height + 36, "iteration", "middle"))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    parts.append(f'<polyline class="line" points="{points}"/>')
    marked = range(len(steps)) if len(steps) <= MARKED else (len(steps) - 1,)
    for i in marked:
        told = f"iteration {steps[i]}: {values[steps[i]]:.3g}"
        parts.append(f'<circle class="dot" cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="3"><title>{told}</title></circle>')
    return figure(f"{name} per iteration, logarithmic axis", WIDTH, top + height + 42, parts)


def reliability(found: Reliability, lowest: float, name: str) -> Markup:
    """Draw how often each bin of rows was right against how sure it was, and how sure right and wrong rows were.

    Both axes begin at the same round share, `lowest` or below.
    """
    side, top, strip = WIDTH - LEFT - RIGHT, 26, 46
    step = 0.25 if lowest < 0.5 else 0.1
    start = max(math.floor(min(lowest, 0.9) / step) * step, 0.0)
    ticks = np.arange(start, 1 + step / 2, step)
    base = top + 270

    def across(share: Share) -> Share:
        return LEFT + (share - start) / (1 - start) * side

    def up(share: Share) -> Share:
        return base - (share - start) / (1 - start) * (base - top)

    parts = [f'<text x="{LEFT}" y="12">share of the bin predicted right</text>']
    for tick in ticks:
        parts.append(gridline(LEFT, up(tick), WIDTH - RIGHT, up(tick)))
        parts.append(gridline(across(tick), top, across(tick), base))
        parts.append(label(LEFT - 8, up(tick) + 4, f"{tick:.0%}", "end"))
        parts.append(label(across(tick), base + 18, f"{tick:.0%}", "middle"))
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, base + 36, "probability of the predicted class", "middle"))
    parts.append(f'<line class="ideal" x1="{LEFT}" y1="{base}" x2="{across(1):.1f}" y2="{top}"/>')
    for sure, accuracy, lower, upper, rows in zip(*found.bins, strict=True):
        at = across(sure)
        told = f"{rows:,} rows at {sure:.1%} on average: {accuracy:.1%} right (95% interval {lower:.1%} to {upper:.1%})"
        parts.append(
            f'<g><title>{told}</title><line class="whisker" x1="{at:.1f}" x2="{at:.1f}" y1="{up(lower):.1f}" '
            f'y2="{up(upper):.1f}"/><circle class="dot" cx="{at:.1f}" cy="{up(accuracy):.1f}" r="4"/></g>'
        )
    edges = np.linspace(start, 1, HISTOGRAM_BINS + 1)
    floor = base + 44
    for kind, chosen in (("right", found.right > 0), ("wrong", found.right == 0)):
        floor += strip + 20
        counts, _ = np.histogram(np.minimum(found.confidence[chosen], 1), edges)
        parts.append(label(LEFT, floor - strip - 4, f"{counts.sum():,} {kind}", "start"))
        for i in np.flatnonzero(counts):
            tall = max(counts[i] / counts.max() * strip, 1.5)
            told = f"{edges[i]:.1%} to {edges[i + 1]:.1%} sure: {counts[i]:,} {kind}"
            parts.append(
                f'<rect class="{kind}" x="{across(edges[i]) + 1:.1f}" y="{floor - tall:.1f}" '
                f'width="{side / HISTOGRAM_BINS - 2:.1f}" height="{tall:.1f}"><title>{told}</title></rect>'
            )
        parts.append(gridline(LEFT, floor, WIDTH - RIGHT, floor))
    return figure(name, WIDTH, floor + 4, parts)


def interval(value: float, half: float | None, limit: float) -> Markup:
    """Draw a number on an axis from -limit to limit with its interval, or with a stem from 0 where there is none.

    The dot is hollow where the interval holds 0.
    """

    def at(number: float) -> str:
        return f"{50 + 47 * min(max(number / limit, -1.06), 1.06):.2f}%"

    begin, end = ("50%", at(value)) if half is None else (at(value - half), at(value + half))
    kind = "dot open" if half is not None and abs(value) <= half else "dot"
    content = (
        '<line class="zero" x1="50%" x2="50%" y1="0" y2="18"/>'
        f'<line class="whisker" x1="{begin}" x2="{end}" y1="9" y2="9"/>'
        f'<circle class="{kind}" cx="{at(value)}" cy="9" r="4"/>'
    )
    return mark("interval", 18, content)


def _steps(last: int) -> Iterable[int]:
    """Return at most 8 round iteration numbers from 0 to `last`."""
    unit = next(step for step in (m * 10**e for e in range(12) for m in (1, 2, 5)) if last / step <= 7)
    return range(0, last + 1, unit)


def _minus(number: int) -> str:
    """Return a whole number as text with a true minus sign."""
    return f"{number}".replace("-", "\N{MINUS SIGN}")
