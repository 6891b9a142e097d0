r"""Numbers as they are shown: the exact value rounded to some digits, and whether digits were cut.

A formula with the reader's numbers put in is a template: ``\slot{probabilities,0}`` stands for an entry of a quantity,
``\slot*{…}`` for one in parentheses where it is negative, and ``\eq`` for ``=``, or ``\approx`` where a number after it
was rounded. The faces fill templates by :func:`filled`; the page keeps its places, so that they follow the reader's edits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from mpmath import mp

from luce.explanation.quantities import Number, Values

__all__ = ["SCORE", "SLOT", "Shown", "Slot", "entry", "filled", "n", "pn", "shown", "slot_at"]

SCORE = r"\U"
"""What the softmax is taken of, in templates and formulas: z, or u under softcap and temperature."""

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
    """Return the same, in parentheses where the number is negative."""
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
    if isinstance(x, int):
        return Shown(str(x), str(x).replace("-", "−"), False)
    if mp.isnan(x):
        return Shown(r"\mathrm{NaN}", "NaN", False)
    if mp.isinf(x):
        return Shown(r"\infty", "∞", False) if x > 0 else Shown(r"-\infty", "−∞", False)
    rounded = mp.mpf(mp.nstr(x, digits, min_fixed=-mp.inf, max_fixed=mp.inf))
    cut = abs(x - rounded) > abs(x) * mp.mpf(10) ** (-mp.dps // 2)
    if cut and abs(rounded) == 1 and abs(x) < 1:
        rest = shown(1 - abs(x), 2)
        sign = "-" if x < 0 else ""
        inner = f"1 - {rest.latex}", f"1 − {rest.text}"
        return Shown(f"{sign}({inner[0]})" if sign else inner[0], f"−({inner[1]})" if sign else inner[1], True)
    if rounded != 0 and not mp.mpf("1e-4") <= abs(rounded) < mp.mpf("1e6"):
        mantissa, _, exponent = mp.nstr(rounded, digits, min_fixed=1, max_fixed=0, strip_zeros=not cut).partition("e")
        power = int(exponent or 0)
        latex = rf"{mantissa}\times 10^{{{power}}}"
        return Shown(latex, f"{mantissa}e{power}".replace("-", "−"), bool(cut))
    text = mp.nstr(rounded, digits, min_fixed=-mp.inf, max_fixed=mp.inf, strip_zeros=not cut)
    text = text[:-2] if text.endswith(".0") else text.removesuffix(".")
    return Shown(text, text.replace("-", "−"), bool(cut))


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
        negative = number.latex.startswith("-")
        return f"({number.latex})" if found[1] and negative else number.latex

    return SLOT.sub(put, template), rounded
