"""The page: every step with numbers that follow the reader's edits, in one file that opens offline."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

from luce.explanation.faces.content import given_words, title_words
from luce.explanation.faces.curves import drawn_curves
from luce.explanation.faces.mathml import mathml
from luce.explanation.faces.state import editing, state
from luce.explanation.faces.variants import Piece, Variants
from luce.explanation.parts.writing import elided
from luce.explanation.shown import Slot
from luce.explanation.step import Curves, Step, Table
from luce.pages.shell import rendered, write_whole

if TYPE_CHECKING:
    from luce.explanation.steps import Steps

__all__ = ["html", "write_page"]

SCRIPTS = ("numbers.js", "quantities.js", "comparisons.js", "state.js", "page.js")
QUIZ = "Which mistake is this?"
NAMED = {"1", "T", "N", "NT", "B"}  # axes whose entries have names
MOST_BARS, MOST_CELLS = 12, 8  # entries of a vector, rows and columns of a matrix that are drawn
MOST_EDITED = 40  # classes whose scores can be edited


class Entry(NamedTuple):
    """An entry of a drawn value: its heading, and its place; None where entries are left out."""

    label: str
    slot: Slot | None


class Drawn(NamedTuple):
    """A step's value as it is drawn: a number, bars, or the cells of a matrix."""

    kind: str
    head: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]


def html(derivation: Steps) -> str:
    """Return the page as one HTML document that needs nothing else: no network, no font, and no script but its own.

    Parameters
    ----------
    derivation : Steps
    """
    return rendered("explanation/faces/page.html", **_content(derivation))


def write_page(derivation: Steps, path: str | PathLike[str]) -> None:
    """Write the page to a file, which is there whole or not at all.

    Raises
    ------
    OSError
        If it can't be written.
    """
    write_whole(path, html(derivation))


@lru_cache
def _script() -> tuple[Markup, str]:
    """Return the page's script, and its hash as the page's policy says it."""
    folder = files(__package__)
    source = (
        '"use strict";\n(() => {\n'
        + "\n".join(folder.joinpath(name).read_text("utf-8") for name in SCRIPTS)
        + "})();\n"
    )
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return Markup(source), f"'sha256-{digest}'"


def _content(derivation: Steps) -> dict[str, Any]:
    """Return what the template shows."""
    script, allowed = _script()
    edited = editing(derivation.case)
    variants = Variants(derivation, editable=edited.options)
    case = derivation.case
    shown_classes = elided(case.n_classes, MOST_EDITED)
    if case.of_class is not None and case.of_class not in shown_classes:
        shown_classes.insert(-1, case.of_class)
    return {
        "title": title_words(derivation),
        "given": given_words(derivation),
        "sections": [
            *((f"part-{part.key}", part.title) for part in variants.fullest.parts),
            *([("quiz", QUIZ)] if _quiz(derivation) else []),
        ],
        "parts": [
            {
                "key": part.key,
                "title": part.title,
                "lead": part.lead,
                "steps": [_step(variants, step) for step in part.steps],
            }
            for part in variants.fullest.parts
        ],
        "case": case,
        "edited": edited,
        "classes": shown_classes,
        "titles": {step.name: step.title for step in variants.fullest},
        "remarks": derivation.remarks,
        "quiz": _quiz(derivation),
        "right": _right(derivation),
        "text": lambda name, *index: slot_text(derivation, Slot(name, index)),
        "state": _json({**state(case, edited), "digits": derivation.digits, "said": variants.said}),
        "script": script,
        "allowed": Markup(allowed),
    }


def _quiz(derivation: Steps) -> list[dict[str, Any]]:
    """Return questions, one for each of the commonest mistakes: what it returns here, and what to say of it."""
    if not derivation.has("mistaken_gradients"):
        return []
    numbers, words, *_ = derivation["mistaken_gradients"].tables
    said = {line[0]: line for line in words.rows}
    return [
        {
            "name": name,
            "numbers": [
                (head, derivation.shown(cell).text)
                for head, cell in zip(numbers.head[3:], cells, strict=True)
                if isinstance(cell, Slot)
            ],
            "said": said[name][1],
            "fix": said[name][3],
        }
        for name, _, _, *cells in numbers.rows
        if name in said
    ]


def _right(derivation: Steps) -> list[tuple[str, str]]:
    """Return the right loss and gradient in the classes that the questions tell."""
    questions, case = _quiz(derivation), derivation.case
    if not questions:
        return []
    names = [head for head, _ in questions[0]["numbers"][1:]]
    value = Slot("value", (case.row,)) if derivation["value"].shape else Slot("value")
    places = [(name, Slot("batch_gradient", (case.row, case.classes.index(name)))) for name in names]
    return [(head, derivation.shown(slot).text) for head, slot in [("loss", value), *places]]


def _json(value: object) -> Markup:
    """Return JSON that can stand in a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))


def slot_text(derivation: Steps, slot: Slot) -> Markup:
    """Return a number as text in its place."""
    return Markup('<span data-slot="{}">{}</span>').format(slot.place, derivation.shown(slot).text)


def _step(variants: Variants, step: Step) -> dict[str, Any]:
    """Return a step with all its pieces, each with the options that it is for."""
    when, shown = variants.presence(step.name)

    def pieces(
        of: Callable[[Step], Iterable[Any]], drawn: Callable[[Piece], Any] = lambda piece: piece.content
    ) -> list[dict[str, Any]]:
        found = [piece for piece in variants.pieces(step.name, of) if piece.content]
        return [
            {
                "content": drawn(piece),
                "when": "" if piece.when == when else " ".join(map(str, piece.when)),
                "shown": piece.shown or not shown,
                "static": piece.static,
            }
            for piece in found
        ]

    def formula(latex: str, derivation: Steps) -> Markup:
        return mathml(latex, derivation.shown) if latex else Markup("")

    return {
        "name": step.name,
        "when": "" if len(when) == len(variants.by_mask) else " ".join(map(str, when)),
        "shown": shown,
        "static": False,
        "rule": step.rule,
        "axes": " × ".join(step.axes),
        "titles": pieces(lambda s: (s.title,)),
        "symbols": pieces(lambda s: (s.symbol,), lambda piece: formula(piece.content, piece.derivation)),
        "formulas": pieces(lambda s: (s.formula,), lambda piece: formula(piece.content, piece.derivation)),
        "numbers": pieces(lambda s: (s.template,), lambda piece: formula(piece.content, piece.derivation)),
        "whys": pieces(lambda s: (s.why,)),
        "follows": pieces(lambda s: (s.follows,)),
        "codes": pieces(lambda s: (s.code,)),
        "notes": pieces(
            lambda s: s.notes,
            lambda piece: {"text": piece.content.text, "formula": formula(piece.content.formula, piece.derivation)},
        ),
        "tables": pieces(lambda s: s.tables, lambda piece: _table(piece.content, piece.derivation)),
        "curves": pieces(
            lambda s: map(_hashed, s.curves), lambda piece: drawn_curves(dict(piece.content), piece.derivation)
        ),
        "value": _drawn(variants, step),
    }


def _hashed(curves: Curves) -> tuple[tuple[str, Any], ...]:
    return tuple((name, tuple(x.items()) if isinstance(x, dict) else x) for name, x in vars(curves).items())


def _table(table: Table, derivation: Steps) -> dict[str, Any]:
    """Return a table with its numbers."""
    return {
        "caption": table.caption,
        "folded": table.most == 0,
        "head": table.head,
        "rows": [
            [
                (slot_text(derivation, cell) if isinstance(cell, Slot) else escape(cell), isinstance(cell, str))
                for cell in line
            ]
            for line in table.rows
        ],
    }


def _drawn(variants: Variants, step: Step) -> dict[str, Any] | None:
    """Return a step's value as a number, as bars or as the cells of a matrix."""
    derivation = next(d for d in variants.by_mask.values() if d.has(step.name))
    if variants.by_mask[variants.said].has(step.name):
        derivation = variants.by_mask[variants.said]
    shape = derivation[step.name].shape
    named = NAMED if step.tables else {*NAMED, *step.axes}  # numbers without names are better told by a table
    if len(shape) > 2 or 0 in shape or not named.issuperset(step.axes):
        return None
    names = [_names(derivation, axis, size) for axis, size in zip(step.axes[-len(shape) :], shape, strict=False)]
    if not shape:
        rows: Iterator[list[tuple[int, ...] | None]] = iter([[()]])
        labels, head = [""], tuple[str, ...]()
    elif len(shape) == 1:
        places = elided(shape[0], MOST_BARS)
        rows = iter([None if k is None else (k,)] for k in places)
        labels, head = ["…" if k is None else names[0][k] for k in places], ()
    else:
        lines, columns = elided(shape[0], MOST_CELLS), elided(shape[1], MOST_CELLS)
        rows = iter([None if i is None or j is None else (i, j) for j in columns] for i in lines)
        labels = ["…" if i is None else names[0][i] for i in lines]
        head = tuple("…" if j is None else names[1][j] for j in columns)
    lines_of_places = list(rows)
    values = derivation[step.name].value
    sizes = [abs(values[place]) for line in lines_of_places for place in line if place is not None]
    largest = max((size for size in sizes if size < float("inf")), default=0.0)
    return {
        "kind": ("number", "bars", "matrix")[len(shape)],
        "head": head,
        "signed": bool((values < 0).any()),
        "rows": [
            (label, [None if place is None else _cell(derivation, Slot(step.name, place), largest) for place in line])
            for label, line in zip(labels, lines_of_places, strict=True)
        ],
    }


def _cell(derivation: Steps, slot: Slot, largest: float) -> dict[str, Any]:
    value = derivation[slot.quantity].value[slot.index]
    return {"slot": slot.place, "text": derivation.shown(slot).text, "share": share(value, largest)}


def share(value: float, largest: float) -> str:
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
