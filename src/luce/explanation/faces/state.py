"""The numbers that the page's script starts from, as text in many digits, and what of them the reader can edit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from luce.explanation.case import Case
from luce.explanation.parts.batch import CONVENTIONS

__all__ = ["Editing", "editing", "state", "written"]

MOST_WEIGHTS, MOST_WEIGHTS_EDITED = 5000, 60  # of a layer that the page knows, and that can be edited
MOST_BATCH = 2000  # scores of a batch that the page knows


class Editing(NamedTuple):
    """What can be edited.

    Attributes
    ----------
    options : bool
        Anything at all: target, temperature, smoothing and class weights.
    scores : bool
        The logits; those of a layer follow from it.
    layer : bool
        The input, the weights and the bias of a layer.
    target : bool
        The target; an ignored row has none.
    knows_layer, knows_batch : bool
        Whether the page has the numbers of the layer and of the other rows, so that what is computed from them follows.
    """

    options: bool
    scores: bool
    layer: bool
    target: bool
    knows_layer: bool
    knows_batch: bool


def editing(case: Case) -> Editing:
    """Return what can be edited on the page of a case."""
    rows = len(case.scores)
    has_layer = case.given.layer is not None
    entries = case.n_classes * case.n_features
    return Editing(
        options=rows > 0,
        scores=rows > 0 and not has_layer,
        layer=has_layer and rows > 0 and entries <= MOST_WEIGHTS_EDITED,
        target=rows > 0 and (case.of_class is not None or np.ndim(case.given.target) == 2),
        knows_layer=has_layer and entries <= MOST_WEIGHTS,
        knows_batch=case.scores.size <= MOST_BATCH,
    )


def state(case: Case, edited: Editing) -> dict[str, Any]:
    """Return the state that the page starts with: the names are those of the script's function `quantities`."""
    if not len(case.scores):
        return {"scores": [], "rows": []}
    options, rows = case.given.options, range(len(case.scores)) if edited.knows_batch else [case.row]
    given = options.get
    row_weights = given("sample_weight")
    layer = case.given.layer if edited.knows_layer else None
    return {
        "scores": _texts(case.scores[case.row]),
        "layer": None
        if layer is None
        else {"x": _texts(layer[0][case.row]), "W": _texts(layer[1]), "b": _texts(layer[2])},
        "target": _target(case, case.row),
        "temperature": written(given("temperature", 1.0)),
        "smoothing": written(given("label_smoothing", 0.0)),
        "weights": _texts(np.ones(case.n_classes) if given("weight") is None else np.asarray(given("weight"))),
        "shift": "",
        "softcap": None if given("softcap") is None else written(given("softcap")),
        "zLoss": written(given("z_loss", 0.0)),
        "hard": np.ndim(case.given.target) == 1,
        "row": list(rows).index(case.row),
        "rows": [
            {
                "scores": [] if b == case.row or layer is not None else _texts(case.scores[b]),
                "input": [] if b == case.row or layer is None else _texts(layer[0][b]),
                "target": None if b == case.row else _target(case, b),
            }
            for b in rows
        ],
        "rowWeights": ["1" if row_weights is None else written(row_weights[b]) for b in rows],
        "reduction": given("reduction", "mean"),
        "normalizer": None if given("normalizer") is None else written(given("normalizer")),
        "onEmpty": given("on_empty", "nan"),
        "conventions": [kind for _, kind, _ in CONVENTIONS],
        "knowsBatch": edited.knows_batch,
        "edits": {name: getattr(edited, name) for name in ("options", "scores", "layer", "target")},
    }


def written(value: Any) -> str:
    """Return a number in its shortest decimal form."""
    number = float(value)
    if np.isnan(number):
        return "NaN"
    if np.isinf(number):
        return "∞" if number > 0 else "-∞"
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return str(value) if isinstance(value, np.floating) else repr(number)


def _texts(values: Any) -> Any:
    array = np.asarray(values)
    return [_texts(line) for line in array] if array.ndim > 1 else [written(x) for x in array]


def _target(case: Case, row: int) -> dict[str, Any] | None:
    """Return the target of a row: a class, shares of the classes, or None where the row is ignored."""
    if np.ndim(case.given.target) == 2:
        return {"shares": _texts(case.given.target[row])}
    return {"class": int(case.given.target[row])} if case.given.counted[row] else None
