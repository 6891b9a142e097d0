"""Other losses on the same scores: their values, their derivatives, and why the squared error stalls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.looked_at import has_target, label, written_out
from luce.explanation.parts.writing import cells
from luce.explanation.quantities import Exact, Number, Numbers, Values, quantity
from luce.explanation.shown import Slot, n, pn
from luce.explanation.step import Curves, Note, Part, Step, Table

__all__ = ["LOSSES", "part"]

MARGINS = range(-40, 41)  # of the curves, in quarters
STALLING = (-2, -5, -10, -20)

Found = tuple[Number, list[Number]]
"""A loss and its derivative in the scores."""


def sigmoid(x: Number) -> Number:
    """Return 1 / (1 + exp(−x))."""
    return 1 / (1 + mp.exp(-x)) if x >= 0 else mp.exp(x) / (1 + mp.exp(x))


def softplus(x: Number) -> Number:
    """Return log(1 + exp x)."""
    if mp.isinf(x):
        return mp.inf if x > 0 else mp.zero
    return max(x, mp.zero) + mp.log1p(mp.exp(-abs(x)))


def log_softmax(z: Sequence[Number]) -> list[Number]:
    """Return the logarithms of the softmax."""
    m = max(z)
    lse = mp.log(mp.fsum(mp.exp(x - m) for x in z))
    return [x - m - lse for x in z]


def _product(a: Number, b: Number) -> Number:
    """Return a · b, 0 where a is 0."""
    return a * b if a else mp.zero


def cross_entropy(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return −Σ t log p and p Σ t − t."""
    log_p, mass = log_softmax(z), mp.fsum(t)
    return -mp.fsum(map(_product, t, log_p)), [mass * mp.exp(x) - a for x, a in zip(log_p, t, strict=True)]


def squared_error_of_softmax(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return Σ (p − t)² and 2 J (p − t)."""
    p = [mp.exp(x) for x in log_softmax(z)]
    miss = [a - b for a, b in zip(p, t, strict=True)]
    mean = mp.fsum(a * b for a, b in zip(p, miss, strict=True))
    return mp.fsum(x * x for x in miss), [2 * a * (x - mean) for a, x in zip(p, miss, strict=True)]


def squared_error_of_sigmoid(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return Σ (s − t)² and 2 (s − t) s (1 − s), with a sigmoid s for each class."""
    pairs = [(sigmoid(x), sigmoid(-x), a) for x, a in zip(z, t, strict=True)]
    return mp.fsum((s - a) ** 2 for s, _, a in pairs), [2 * (s - a) * s * r for s, r, a in pairs]


def sigmoid_cross_entropy(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return Σ −t log s − (1 − t) log(1 − s) and s − t, with a sigmoid s for each class."""
    terms = (_product(a, softplus(-x)) + _product(1 - a, softplus(x)) for x, a in zip(z, t, strict=True))
    return mp.fsum(terms), [sigmoid(x) - a for x, a in zip(z, t, strict=True)]


def hinge_one_vs_rest(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return Σ max(0, 1 − s z), s = 1 for the target's class and −1 for the others, and −s where it is above 0."""
    signed = [(1 if k == y else -1, x) for k, x in enumerate(z)]
    return mp.fsum(max(0, 1 - s * x) for s, x in signed), [-mp.mpf(s) if s * x < 1 else mp.zero for s, x in signed]


def hinge_crammer_singer(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return max(0, 1 − m), m the margin, and where it is above 0 −1 in the target's class and 1 in its rival."""
    place, found = _rival(z, y), [mp.zero] * len(z)
    short = 1 - _margin(z, y)
    if place is not None and short > 0:
        found[y], found[place] = -mp.one, mp.one
        return short, found
    return mp.zero, found


def zero_one(z: Sequence[Number], t: Sequence[Number], y: int) -> Found:
    """Return 1 unless the target's class is above all others, and 0: it is flat wherever it has a derivative."""
    return mp.zero if _margin(z, y) > 0 else mp.one, [mp.zero] * len(z)


def _rival(z: Sequence[Number], y: int) -> int | None:
    """Return the place of the largest score but y's, the first of several."""
    others = [k for k in range(len(z)) if k != y]
    return max(others, key=lambda k: (z[k], -k)) if others else None


def _margin(z: Sequence[Number], y: int) -> Number:
    """Return the score of y less the largest other; ∞ without others, 0 between two of −∞."""
    place = _rival(z, y)
    if place is None:
        return mp.inf
    return mp.zero if z[y] == z[place] else z[y] - z[place]


class Other(NamedTuple):
    """A loss: its name, the formulas of value and derivative in words, and the function that gives both."""

    name: str
    formula: str
    derivative: str
    of: Callable[[Sequence[Number], Sequence[Number], int], Found]


LOSSES = {
    "cross_entropy": Other("softmax cross-entropy", "−Σ t log p", "p − t", cross_entropy),
    "squared_softmax": Other("squared error after softmax", "Σ (p − t)²", "2 J (p − t)", squared_error_of_softmax),
    "squared_sigmoid": Other(
        "squared error after sigmoid", "Σ (σ − t)²", "2 (σ − t) σ (1 − σ)", squared_error_of_sigmoid
    ),
    "sigmoid": Other("sigmoid cross-entropy", "−Σ t log σ + (1 − t) log(1 − σ)", "σ − t", sigmoid_cross_entropy),
    "hinge_one_vs_rest": Other("hinge, one-vs-rest", "Σ max(0, 1 − s z)", "−s where s z < 1", hinge_one_vs_rest),
    "hinge_crammer_singer": Other("hinge, Crammer–Singer", "max(0, 1 − m)", "∓1 where m < 1", hinge_crammer_singer),
    "zero_one": Other("zero-one", "1 where m ≤ 0", "0", zero_one),
}
"""The losses by the name of their curve."""


def _unit_target(v: Values) -> list[Number]:
    """Return the target as it was given, scaled to the sum 1."""
    t = v["target_given"]
    return list(t / t.sum())


@quantity
def other_losses(v: Values) -> Numbers:
    """The values of :data:`LOSSES` in their order, of shape (7,); without options, the target scaled to the sum 1."""
    z, t, y = list(v["scores"]), _unit_target(v), label(v)
    return np.array([loss.of(z, t, y)[0] for loss in LOSSES.values()], object)


@quantity
def other_gradients(v: Values) -> Numbers:
    """Their derivatives in the scores, of shape (7, T); 0 at a corner."""
    z, t, y = list(v["scores"]), _unit_target(v), label(v)
    return np.array([loss.of(z, t, y)[1] for loss in LOSSES.values()], object)


@quantity
def margins(v: Values) -> Numbers:
    """The margins of the curves, from −10 to 10 in steps of a quarter, of shape (81,)."""
    return np.array([mp.mpf(k) / 4 for k in MARGINS], object)


def _at_margins(loss: Callable[[Sequence[Number], Sequence[Number], int], Found], m: Exact) -> Exact:
    """Return a loss of the scores (m/2, −m/2) with target 0 and its derivative in m, of shape (2, margins)."""
    found = [loss((x / 2, -x / 2), (mp.one, mp.zero), 0) for x in m]
    return np.array([[value for value, _ in found], [(g[0] - g[1]) / 2 for _, g in found]], object)


@quantity
def margin_curves(v: Values) -> Numbers:
    """Value and derivative in the margin m (2) of :data:`LOSSES` (7) at scores (m/2, −m/2), over :func:`margins`."""
    each = [_at_margins(loss.of, v["margins"]) for loss in LOSSES.values()]
    return np.stack(each, axis=1)


def _curve(prefix: str, which: int, place: int, name: str) -> None:
    """Enter a curve as a quantity of its own."""

    def curve(v: Values) -> Exact:
        return np.asarray(v["margin_curves"][which, place])

    curve.__name__ = f"{prefix}_{name}"
    quantity(curve)


for _place, _name in enumerate(LOSSES):
    _curve("curve", 0, _place, _name)
    _curve("slope", 1, _place, _name)


@quantity
def stalling(v: Values) -> Numbers:
    """At the margins −2, −5, −10, −20 of two classes: p, p (1 − p), and two losses' derivatives; of shape (4, 4)."""
    m = np.array([mp.mpf(k) for k in STALLING], object)
    p = [sigmoid(x) for x in m]
    factor = [a * sigmoid(-x) for a, x in zip(p, m, strict=True)]
    steepness = [_at_margins(loss, m)[1] for loss in (cross_entropy, squared_error_of_softmax)]
    return np.array([p, factor, *steepness], object).T


@quantity
def saturation(v: Values) -> Numbers:
    """The factor p (1 − p) of the target's class, without options."""
    return np.asarray(v["own_probability"] * v["complement"])


@quantity
def complement(v: Values) -> Numbers:
    """The probability of all classes but the target's, 1 − p, without options."""
    log_p = log_softmax(list(v["scores"]))
    return np.asarray(mp.fsum(mp.exp(x) for k, x in enumerate(log_p) if k != label(v)), object)


@quantity
def own_probability(v: Values) -> Numbers:
    """The probability of the target's class, without options."""
    return np.asarray(mp.exp(log_softmax(list(v["scores"]))[label(v)]), object)


def part(case: Case, v: Values) -> Part | None:
    """Return the part about other losses, if the row has a target."""
    if not has_target(v):
        return None
    lead = (
        "The cross-entropy is one way to say how wrong scores are. Others differ in what they do far from the border: "
        "how hard they pull where the model is surely wrong, and whether they ever let go where it is right."
    )
    return Part("other-losses", "Other losses", lead, (_values(case, v), _gradients(case, v)))


def _code(v: Values, own: str) -> str:
    """Return lines of NumPy: what all losses are made of, and a step's own."""
    return f"""
y, t = {label(v)}, target_given / target_given.sum()
log_p = scores - scores.max()
log_p = log_p - np.log(np.exp(log_p).sum())
p, sigmoid = np.exp(log_p), 1 / (1 + np.exp(-scores))
sign = np.where(np.arange(len(scores)) == y, 1, -1)
others = np.where(sign == 1, -np.inf, scores)
margin = 0.0 if scores[y] == others.max() else scores[y] - others.max()
{own.strip()}
""".strip()


LOSSES_CODE = """
bits = np.where(t > 0, t * np.logaddexp(0, -scores), 0) + np.where(t < 1, (1 - t) * np.logaddexp(0, scores), 0)
other_losses = np.array([
    -np.sum(np.where(t > 0, t * log_p, 0)),
    np.sum((p - t) ** 2),
    np.sum((sigmoid - t) ** 2),
    np.sum(bits),
    np.sum(np.maximum(0, 1 - sign * scores)),
    max(0, 1 - margin),
    margin <= 0,
])
"""
GRADIENTS_CODE = """
chosen = np.zeros(len(scores))
if margin < 1:
    chosen[y], chosen[others.argmax()] = -1, 1
other_gradients = np.array([
    p - t,
    2 * p * (p - t - np.sum(p * (p - t))),
    2 * (sigmoid - t) * sigmoid * (1 - sigmoid),
    sigmoid - t,
    np.where(sign * scores < 1, -sign, 0),
    chosen,
    np.zeros(len(scores)),
])
"""


def _values(case: Case, v: Values) -> Step:
    used = " Options are left out here: temperature, smoothing, weights and the like." if case.options else ""
    soft = "" if case.of_class is not None else " Hinge and zero-one take the class with most of the target's mass."
    return Step(
        name="other_losses",
        title="The losses",
        symbol=r"\ell_{\text{other}}",
        formula=r"\ell_{\text{squared}} = \sum_i (p_i - t_i)^2",
        template=rf"\ell_{{\text{{squared}}}} \eq {n('other_losses', 1)}",
        follows=("scores", "target_given"),
        why="All are 0, or near it, where the target's score is far above the others; none is the same elsewhere.",
        axes=("L",),
        code=_code(v, LOSSES_CODE),
        notes=(
            Note(
                "σ is the sigmoid, 1 / (1 + exp(−z)), of each class by itself; s is 1 for the target's class and −1 "
                "for the others; m is the margin, the score of the target's class less the largest other: zero-one "
                "counts a "
                f"tie as wrong.{soft}{used}"
            ),
        ),
        tables=(
            Table(
                caption="The losses of the row.",
                head=("loss", "formula", "value"),
                rows=tuple(
                    (loss.name, loss.formula, Slot("other_losses", (k,))) for k, loss in enumerate(LOSSES.values())
                ),
            ),
        ),
        curves=(
            Curves(
                caption="The losses of two classes with the scores m/2 and −m/2, by the margin m.",
                x="margins",
                x_label="margin",
                y_label="loss",
                lines={loss.name: f"curve_{key}" for key, loss in LOSSES.items()},
            ),
        ),
    )


NOTES = (
    Note(
        "Where the model is surely wrong, p is near 0 and so is p (1 − p): the worst rows get the smallest "
        "push, and descent on the squared error stalls. The cross-entropy pushes them with p − 1, nearly −1."
    ),
    Note(
        "The hinge losses push with the same force until the margin is 1, and then not at all. Zero-one is "
        "what one would like to minimise, but its derivative is 0: there is nothing to follow. At a corner, "
        "0 is taken."
    ),
)
"""Where the losses push, and where they do not."""


def _gradients(case: Case, v: Values) -> Step:
    shown = written_out(case, 5)
    rows: list[tuple[str | Slot, ...]] = [
        (loss.name, loss.derivative, *(Slot("other_gradients", (k, c)) for c in shown))
        for k, loss in enumerate(LOSSES.values())
    ]
    stall = Table(
        caption="Two classes, the surer the model is of the wrong one: the derivatives in the margin.",
        head=("margin", "p", "p (1 − p)", "cross-entropy", "squared error"),
        rows=tuple(cells(str(m).replace("-", "−"), "stalling", "1234", k) for k, m in enumerate(STALLING)),
    )
    return Step(
        name="other_gradients",
        title="Their derivatives",
        symbol=r"\frac{\partial \ell_{\text{other}}}{\partial z}",
        formula=r"\frac{\partial}{\partial z_i} \sum_k (p_k - t_k)^2 = "
        r"2\, p_i \left( (p_i - t_i) - \sum_k p_k (p_k - t_k) \right)",
        template=rf"p_y (1 - p_y) \eq {pn('own_probability')} \cdot {pn('complement')} \eq {n('saturation')}",
        follows=("other_losses", "jacobian"),
        rule="chain rule",
        why="A squared error is multiplied by the softmax's own slope, p (1 − p); the logarithm's 1/p cancels it.",
        axes=("L", "T"),
        code=_code(v, GRADIENTS_CODE),
        notes=NOTES,
        tables=(
            Table(
                caption="The derivatives in the scores.",
                head=("loss", "formula", *(case.classes[c] for c in shown)),
                rows=tuple(rows),
            ),
            stall,
        ),
        curves=(
            Curves(
                caption="The derivatives in the margin m.",
                x="margins",
                x_label="margin",
                y_label="derivative",
                lines={loss.name: f"slope_{key}" for key, loss in LOSSES.items()},
            ),
        ),
    )
