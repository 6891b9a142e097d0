r"""Formulas as MathML, which browsers draw by themselves: the places of numbers and the symbols of quantities are kept.

Every place is an ``mrow`` with ``data-slot``, every ``\\eq`` an ``mo`` with ``data-eq``, and a symbol that stands for a
quantity has its name in ``data-q``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markupsafe import Markup

from luce.explanation.shown import SLOT, Shown, Slot, slot_at

__all__ = ["mathml"]

MARK = re.compile(r"@(\d+)@")
NAMED = re.compile(r"\\(?:operatorname|mathrm)\{(\w+)\}")
NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"

SYMBOLS = {
    "z": "scores",
    "u": "scaled",
    "m": "shift",
    "e": "exponentials",
    "S": "total",
    "p": "probabilities",
    "J": "jacobian",
    "t": "target",
    "α": "mass",
    "ℓ": "loss",
    "H": "hessian",
    "L": "value",
    "W": "weights",
    "x": "input",
    "ε": "label_smoothing",
    "τ": "temperature",
    "w": "class_weights",
}
"""The quantities that the symbols in formulas stand for."""

SCRIPTS = {"msub": 1, "msup": 1, "msubsup": 2, "munder": 1, "mover": 1, "munderover": 2}


def mathml(template: str, show: Callable[[Slot], Shown] | None = None) -> Markup:
    """Return a formula or a template with its numbers as MathML.

    Parameters
    ----------
    template : str
        LaTeX, with places for numbers as :mod:`luce.explanation.shown` writes them.
    show : callable, optional
        Gives the number that stands in a place.
    """
    places: list[re.Match[str] | None] = []

    def mark(found: re.Match[str]) -> str:
        places.append(found if found[0] != r"\eq" else None)
        return rf"\text{{@{len(places) - 1}@}}"

    marked = re.sub(rf"{SLOT.pattern}|\\eq(?![a-z])", mark, template)
    root = _tree(marked)
    _name_symbols(root)
    numbers = [None if found is None or show is None else show(slot_at(found[2])) for found in places]
    for element in list(root.iter(f"{NAMESPACE}mtext")):
        if (found := MARK.fullmatch(element.text or "")) is None:
            continue
        k = int(found[1])
        place, number = places[k], numbers[k]
        if place is None or number is None:
            element.tag, element.text = f"{NAMESPACE}mo", _relation(numbers[k + 1 :], places[k + 1 :])
            element.set("data-eq", "")
        else:
            _put(element, place, number)
    ElementTree.register_namespace("", NAMESPACE[1:-1])
    written = ElementTree.tostring(root, encoding="unicode")
    return Markup(written.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))


@lru_cache(maxsize=2048)
def _converted(latex: str) -> str:
    latex = NAMED.sub(r"\\text{@\1}", latex).replace(r"\!", "")  # a name of several letters is one identifier
    found = convert(latex, display="block").replace("<mi>&</mi>", "<mi>&amp;</mi>")
    return re.sub(r"<mtext>@([A-Za-z]\w*)</mtext>", r"<mi>\1</mi>", found)


def _tree(latex: str) -> ElementTree.Element:
    return ElementTree.fromstring(_converted(latex))


def _relation(numbers: list[Shown | None], places: list[re.Match[str] | None]) -> str:
    """Return = or ≈, which tells that a number before the next such sign was rounded."""
    for place, number in zip(places, numbers, strict=True):
        if place is None:
            break
        if number is not None and number.rounded:
            return "≈"
    return "="


def _put(element: ElementTree.Element, place: re.Match[str], number: Shown) -> None:
    """Make an element the place of a number."""
    several = bool(place[1]) and (number.latex.startswith("-") or " - " in number.latex)
    inner = _tree(f"({number.latex})" if several else number.latex)
    element.tag, element.text = f"{NAMESPACE}mrow", None
    element.set("data-slot", place[2])
    if place[1]:
        element.set("data-several", "")
    element.extend(list(inner[0]))


def _name_symbols(element: ElementTree.Element, *, script: bool = False) -> None:
    """Say of every symbol of a quantity, outside of indices and exponents, which it is."""
    kind = element.tag.removeprefix(NAMESPACE)
    based = kind in SCRIPTS
    if kind == "mi" and not script and (name := SYMBOLS.get(element.text or "")) and element.text != "e":
        element.set("data-q", name)
    if kind in ("msub", "msubsup") and not script and element[0].text == "e":  # alone it is Euler's number
        element[0].set("data-q", SYMBOLS["e"])
    for k, child in enumerate(element):
        _name_symbols(child, script=script or (based and k > 0 and kind != "msup"))
