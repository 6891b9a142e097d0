"""The derivation as plain data, for programs: everything that a step says, and its value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from luce._version import __version__
from luce.explanation.faces.content import given_words, title_words
from luce.printing.data import JSONObject, plain_data

if TYPE_CHECKING:
    from luce.explanation.step import Step
    from luce.explanation.steps import Steps

__all__ = ["as_data", "as_json"]


def as_data(derivation: Steps) -> JSONObject:
    """Return the derivation in mappings, lists, numbers and text; NaN and infinities are words."""
    case = derivation.case
    content = {
        "luce": __version__,
        "title": title_words(derivation),
        "given": given_words(derivation),
        "row": case.row,
        "classes": case.classes,
        "features": case.features,
        "options": {name: _option(value) for name, value in case.options.items()},
        "remarks": derivation.remarks,
        "left_out": derivation.left_out,
        "parts": [{"key": part.key, "title": part.title, "lead": part.lead} for part in derivation.parts],
        "steps": [_step(step) for step in derivation],
    }
    return cast(JSONObject, plain_data(content, str))


def as_json(derivation: Steps) -> str:
    """Return the same as text in JSON."""
    return json.dumps(as_data(derivation), allow_nan=False, ensure_ascii=False)


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "part": step.part,
        "title": step.title,
        "symbol": step.symbol,
        "formula": step.formula,
        "numbers": step.numbers,
        "value": step.value,
        "shape": step.shape,
        "axes": step.axes,
        "follows": step.follows,
        "rule": step.rule,
        "why": step.why,
        "code": step.code,
    }


def _option(value: Any) -> object:
    """Return an option as numbers, lists and text: arrays of any library are lists."""
    return np.asarray(value).tolist() if np.ndim(value) else value
