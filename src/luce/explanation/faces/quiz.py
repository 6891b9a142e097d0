"""The questions of the page's quiz: what the commonest mistakes return on these numbers, from a step's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luce.explanation.shown import Slot

if TYPE_CHECKING:
    from luce.explanation.steps import Steps

__all__ = ["questions", "right_numbers"]

STEP = "mistaken_gradients"


def questions(derivation: Steps) -> list[dict[str, Any]]:
    """Return a question for each mistake: its name, the numbers it returns, what is wrong and what to change.

    Parameters
    ----------
    derivation : Steps
        Without the step about mistakes there are none.
    """
    if not derivation.has(STEP):
        return []
    numbers, words, *_ = derivation[STEP].tables
    said = {line[0]: line for line in words.rows}
    right = [text for _, text in right_numbers(derivation)]
    found = [
        {
            "name": line[0],
            "numbers": [
                (head if head == "loss" else f"gradient of {head}", derivation.shown(cell).text)
                for head, cell in zip(numbers.head[3:], line[3:], strict=True)
                if isinstance(cell, Slot)
            ],
            "said": said[line[0]][1],
            "fix": said[line[0]][3],
        }
        for line in numbers.rows
        if line[0] in said
    ]
    return [one for one in found if [pair[1] for pair in one["numbers"]] != right]  # some show elsewhere


def right_numbers(derivation: Steps) -> list[tuple[str, str]]:
    """Return the right loss, and the right gradient in the classes that the questions tell.

    Parameters
    ----------
    derivation : Steps
    """
    if not derivation.has(STEP):
        return []
    case, cells = derivation.case, derivation[STEP].tables[0].rows[0][4:]
    places = [cell.index[1] for cell in cells if isinstance(cell, Slot)]
    value = Slot("value", (case.row,)) if derivation["value"].shape else Slot("value")
    slots = [
        ("loss", value),
        *((f"gradient of {case.classes[k]}", Slot("batch_gradient", (case.row, k))) for k in places),
    ]
    return [(head, derivation.shown(slot).text) for head, slot in slots]
