"""What a notebook shows of a derivation: the classes with their numbers, the loss, and the names of the steps."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from luce.explanation.parts.writing import elided
from luce.explanation.shown import Slot

if TYPE_CHECKING:
    from luce.explanation.steps import Steps

__all__ = ["summary"]

MOST_CLASSES = 12
COLUMNS = {"scores": "score", "probabilities": "probability", "target": "target", "gradient": "gradient"}


def summary(derivation: Steps) -> str:
    """Return a table of the classes and the loss as HTML.

    Parameters
    ----------
    derivation : Steps
    """
    case = derivation.case
    if not len(case.scores):
        return "<p>An explanation of no rows.</p>"
    lines = []
    for k in elided(case.n_classes, MOST_CLASSES):
        cells = ["…"] * len(COLUMNS) if k is None else [derivation.shown(Slot(name, (k,))).text for name in COLUMNS]
        name = "…" if k is None else escape(case.classes[k])
        mark = " ←" if k is not None and k == case.of_class else ""
        lines.append(f"<tr><th>{name}{mark}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{word}</th>" for word in ("class", *COLUMNS.values()))
    loss = derivation.shown(Slot("loss")).text
    steps = ", ".join(f"<code>{step.name}</code>" for step in derivation)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f"<p>loss {loss}{f', row {case.row}' if case.batch else ''}</p>"
        f"<details><summary>{len(derivation)} steps</summary><p>{steps}</p></details>"
        "<p><code>to_html(path)</code> writes the interactive page.</p>"
    )
