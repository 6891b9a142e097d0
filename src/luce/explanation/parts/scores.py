"""The scores: given, or a linear layer's; and what the softmax is taken of under a softcap and a temperature."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from luce.explanation.case import Case
from luce.explanation.parts.features import features_table
from luce.explanation.parts.writing import row, summed
from luce.explanation.quantities import Numbers, Values, exact, quantity
from luce.explanation.shown import n, pn
from luce.explanation.step import Note, Part, Step

__all__ = ["part"]


@quantity
def input(v: Values) -> Numbers:
    """The input of the layer, x, of shape (N,)."""
    return v.derived.x[v.case.row]


@quantity
def weights(v: Values) -> Numbers:
    """The weights of the layer, W, of shape (T, N)."""
    return v.derived.W


@quantity
def bias(v: Values) -> Numbers:
    """The bias of the layer, b, of shape (T,)."""
    return v.derived.b


@quantity
def contributions(v: Values) -> Numbers:
    """What each feature adds to each class's score, W x entry by entry, of shape (T, N)."""
    return v["weights"] * v["input"]


@quantity
def scores(v: Values) -> Numbers:
    """The scores, z, of shape (T,)."""
    return exact(v.case.scores[v.case.row]) if v.case.broken else v.derived.z[v.case.row]


@quantity
def scaled(v: Values) -> Numbers:
    """What the softmax is taken of, u, of shape (T,): the scores under softcap and temperature."""
    return v.derived.u[v.case.row]


@quantity
def slope(v: Values) -> Numbers:
    """The slope of u in z, of shape (T,)."""
    found = v.derived.du_dz
    return found[v.case.row] if isinstance(found, np.ndarray) else np.full(v.case.n_classes, found, object)


@quantity
def temperature(v: Values) -> Numbers:
    """The temperature, T."""
    return v.derived.temperature


@quantity
def softcap(v: Values) -> Numbers:
    """The softcap, c."""
    return v.derived.softcap


def part(case: Case, v: Values) -> Part:
    """Return the part about the scores."""
    lead = (
        "A linear layer gives each class a score: the sum of what each feature adds, and a bias. The scores may be any "
        "numbers; only the differences between them will count."
        if case.given.layer is not None
        else "Each class has a score, any number at all: a logit. Only the differences between the scores will count."
    )
    return Part("scores", "Scores", lead, (*_layer(case), *_scaled(case)))


def _layer(case: Case) -> Iterator[Step]:
    classes, features = case.n_classes, case.n_features
    if case.given.layer is None:
        yield Step(
            name="scores",
            title="The scores",
            symbol="z",
            formula=r"z = (z_0, \dots, z_{T-1})",
            template=r"z \eq " + row(classes, lambda k: n("scores", k), case.told),
            rule="given",
            why="They are what was given.",
            axes=("T",),
        )
        return
    added = features_table(
        case, "contributions", "What each feature adds to each class's score.", ("bias", "bias"), ("score", "scores")
    )
    first = summed(features, lambda j: f"{pn('weights', 0, j)} \\cdot {pn('input', j)}")
    yield Step(
        name="scores",
        title="The scores of a linear layer",
        symbol="z",
        formula=r"z_t = \sum_{n} W_{tn} x_n + b_t, \quad z = W x + b",
        template=rf"z_0 \eq {first} + {pn('bias', 0)} \eq {n('scores', 0)}",
        rule="matrix times vector",
        why="Each class weighs the features by a row of W of its own.",
        axes=("T",),
        code="scores = weights @ input + bias",
        notes=(
            Note(
                "As a vector of parameters, W is laid out row by row: with entries counted from 0, the entry (t, n) "
                "stands in column t·N + n.",
            ),
        ),
        tables=() if added is None else (added,),
    )


def _scaled(case: Case) -> Iterator[Step]:
    cap = case.says("softcap")
    capped = r"c \tanh(z_i / c)" if cap else "z_i"
    under = r"\,/\,\tau" if case.says("temperature") or not cap else ""
    template = row(case.n_classes, lambda k: n("scaled", k), case.told)
    yield Step(
        name="scaled",
        title="Softcap and temperature" if cap else "The temperature",
        symbol="u",
        formula=f"u_i = {capped}{under}",
        template=rf"u \eq {template}",
        follows=("scores",),
        why=(
            "The softcap keeps every score within ±c, and the temperature divides all differences between scores."
            if cap
            else "The temperature τ divides all differences between scores: below 1 it sharpens, above 1 it flattens."
        ),
        axes=("T",),
        code=_code(case),
        option="softcap" if cap else "temperature",
        instead="scores",
    )


def _code(case: Case) -> str:
    """Return the lines of NumPy that compute what the softmax is taken of, and its slope in the scores."""
    over = " / temperature" if case.says("temperature") else ""
    if not case.says("softcap"):
        return "scaled = scores / temperature\nslope = np.full_like(scores, 1 / temperature)"
    capped = f"softcap * np.tanh(scores / softcap){over}"
    if case.impossible:
        capped = f"np.where(scores == -np.inf, scores, {capped})"
    slope = "1 - np.tanh(scores / softcap) ** 2"
    return f"scaled = {capped}\nslope = {f'({slope}){over}' if over else slope}"
