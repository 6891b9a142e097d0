"""The page: every step with numbers that follow the reader's edits, in one file that opens offline."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.resources import files
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

from luce.explanation.faces.content import given_words, title_words
from luce.explanation.faces.curves import drawn_curves
from luce.explanation.faces.drawn import drawn_value
from luce.explanation.faces.mathml import mathml
from luce.explanation.faces.quiz import questions, right_numbers
from luce.explanation.faces.state import editing, state
from luce.explanation.faces.variants import Piece, Variants
from luce.explanation.parts.writing import elided
from luce.explanation.shown import Slot
from luce.explanation.step import Curves, Step, Table
from luce.pages.recording import recorded
from luce.pages.shell import rendered, write_whole

if TYPE_CHECKING:
    from rich.console import Console

    from luce.explanation.steps import Steps

__all__ = ["Verdict", "html", "write_page"]

SCRIPTS = ("numbers.js", "quantities.js", "comparisons.js", "state.js", "quiz.js", "page.js")
QUIZ = "Which mistake is this?"
MOST_EDITED = 40  # classes whose scores can be edited


class Verdict(NamedTuple):
    """What stands above the derivation and beside one of its steps: a function that was held against it.

    Attributes
    ----------
    show : callable
        Prints the verdict to the console that it is given.
    step : str
        The step where the function goes another way.
    words : str
        How it does.
    """

    show: Callable[[Console], None]
    step: str
    words: str


def html(derivation: Steps, verdict: Verdict | None = None) -> str:
    """Return the page as one HTML document that needs nothing else: no network, no font, and no script but its own.

    Parameters
    ----------
    derivation : Steps
    verdict : Verdict, optional
    """
    content = _content(derivation) | {"parted": verdict}
    if verdict is not None:
        stylesheet, code = recorded(verdict.show)
        content |= {"stylesheet": stylesheet, "code": code, "parted_at": derivation[verdict.step]}
    return rendered("explanation/faces/page.html", **content)


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
    shown_classes = elided(case.n_classes, MOST_EDITED, case.told)
    return {
        "title": title_words(derivation),
        "given": given_words(derivation),
        "sections": [
            *((f"part-{part.key}", part.title) for part in variants.fullest.parts),
            *([("quiz", QUIZ)] if questions(derivation) else []),
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
        "quiz": questions(derivation),
        "right": right_numbers(derivation),
        "text": lambda name, *index: slot_text(derivation, Slot(name, index)),
        "state": _json({**state(case, edited), "digits": derivation.digits, "said": variants.said}),
        "script": script,
        "allowed": Markup(allowed),
    }


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
        "value": _value(variants, step.name),
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


def _value(variants: Variants, name: str) -> dict[str, Any] | None:
    """Return a step's value with the options that were said, or with the first ones that have the step."""
    when, _ = variants.presence(name)
    return drawn_value(variants.by_mask[variants.said if variants.said in when else when[0]], name)
