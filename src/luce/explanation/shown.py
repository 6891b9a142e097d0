r"""Numbers as they are shown: the exact value rounded to some digits, and whether digits were cut.

A formula with the reader's numbers put in is a template: ``\slot{probabilities,0}`` stands for an entry of a quantity,
``\slot*{…}`` for one in parentheses where it is negative or 1 less something, and ``\eq`` for ``=``, or ``\approx``
where a number after it was rounded. The faces fill templates by :func:`filled`; the page keeps its places, so that they
follow the reader's edits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

from mpmath import mp

from luce.explanation.quantities import Number, Values

__all__ = ["SCORE", "SLOT", "Shown", "Slot", "entry", "filled", "n", "pn", "shown", "slot_at"]

SCORE = r"\U"
"""What the softmax is taken of, in templates and formulas: z, or u under softcap and temperature."""

LARGEST_POWER = 9999  # of ten, that is written as one
UNSURE = 10  # of the digits that are computed, the last ones

SLOT = re.compile(r"\\slot(\*?)\{([^}]*)\}")


class Slot(NamedTuple):
    """A place for an entry of a quantity, in a table for instance."""

    quantity: str
    index: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        """The place as templates write it."""
        return ",".join(map(str, (self.quantity, *self.index)))


class Shown(NamedTuple):
    """A number in LaTeX and as text, and whether digits were cut."""

    latex: str
    text: str
    rounded: bool


def n(quantity: str, *index: int) -> str:
    """Return the place of an entry of a quantity in a template."""
    return rf"\slot{{{Slot(quantity, index).place}}}"


def pn(quantity: str, *index: int) -> str:
    """Return the same, in parentheses where the number is negative or 1 less something."""
    return rf"\slot*{{{Slot(quantity, index).place}}}"


def entry(values: Values, slot: Slot) -> Number:
    """Return the number that stands in a place."""
    found = values[slot.quantity]
    return found[slot.index] if slot.index else found.item()


def shown(x: Number, digits: int = 4) -> Shown:
    """Return a number rounded to so many significant digits; what is not 0 or 1 never reads as 0 or 1.

    Examples
    --------
    >>> shown(mp.mpf(1) / 3), shown(mp.mpf("0.1"))
    (Shown(latex='0.3333', text='0.3333', rounded=True), Shown(latex='0.1', text='0.1', rounded=False))
    """
    if mp.isnan(x):
        return Shown(r"\mathrm{NaN}", "NaN", False)
    if mp.isinf(x):
        return Shown(r"\infty", "∞", False) if x > 0 else Shown(r"-\infty", "−∞", False)
    x = mp.mpf(x)
    certain = max(mp.dps - UNSURE, digits + 2)  # 0.12345, and not the nearest binary number
    whole, _, power = mp.nstr(x, certain, min_fixed=1, max_fixed=0).partition("e")
    mantissa = Context(prec=digits, rounding=ROUND_HALF_UP).create_decimal(whole)
    exponent = int(power or 0) + (mantissa.adjusted() if x else 0)
    if abs(exponent) > LARGEST_POWER:
        beyond = shown(mp.mpf(exponent), digits)
        return Shown(rf"10^{{{beyond.latex}}}", f"10^({beyond.text})", True)
    cut = mantissa != Decimal(whole)
    if cut and abs(mantissa).normalize() == Decimal(1).scaleb(mantissa.adjusted()) and exponent == 0 and abs(x) < 1:
        return _below_one(x)
    written = f"{mantissa.scaleb(-mantissa.adjusted()):f}"
    if not cut and "." in written:
        written = written.rstrip("0").rstrip(".")
    if x != 0 and not -4 <= exponent < 6:
        return Shown(rf"{written}\times 10^{{{exponent}}}", f"{written}e{exponent}".replace("-", "−"), cut)
    text = _fixed(written, exponent)
    return Shown(text, text.replace("-", "−"), cut)


def _below_one(x: Number) -> Shown:
    """Return a number that would be rounded to 1 or −1 by what is missing."""
    rest = shown(1 - abs(x), 2)
    if x < 0:
        return Shown(f"-(1 - {rest.latex})", f"−(1 − {rest.text})", True)
    return Shown(f"1 - {rest.latex}", f"1 − {rest.text}", True)


def _fixed(written: str, exponent: int) -> str:
    """Return a decimal number times a power of ten without the power."""
    sign = "-" if written.startswith("-") else ""
    whole, _, rest = written.lstrip("-").partition(".")
    figures, point = whole + rest, len(whole) + exponent
    if point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    figures = figures.ljust(point, "0")
    return sign + figures[:point] + (f".{figures[point:]}" if figures[point:] else "")


def filled(template: str, show: Callable[[Slot], Shown]) -> str:
    r"""Return a template with its numbers, and its ``\eq`` as ``=`` or ``\approx``.

    Parameters
    ----------
    template : str
    show : callable
        Gives the number that stands in a place.
    """
    segments = template.split(r"\eq")
    parts = [_segment(segments[0], show)[0]]
    for segment in segments[1:]:
        text, rounded = _segment(segment, show)
        parts.append((r"\approx" if rounded else "=") + text)
    return "".join(parts)


def slot_at(place: str) -> Slot:
    """Return the place that a template writes so."""
    name, *index = place.split(",")
    return Slot(name, tuple(map(int, index)))


def _segment(template: str, show: Callable[[Slot], Shown]) -> tuple[str, bool]:
    """Return a part of a template with its numbers, and whether one of them was rounded."""
    rounded = False

    def put(found: re.Match[str]) -> str:
        nonlocal rounded
        number = show(slot_at(found[2]))
        rounded |= number.rounded
        several = number.latex.startswith("-") or " - " in number.latex
        return f"({number.latex})" if found[1] and several else number.latex

    return SLOT.sub(put, template), rounded
