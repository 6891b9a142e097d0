"""Two classes: the softmax is the sigmoid of the difference, and odds do not depend on the other classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.looked_at import has_numbers, label, rival, written_out
from luce.explanation.quantities import Exact, Number, Numbers, Values, quantity
from luce.explanation.shown import Slot, n, pn
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["part"]


def softmax(u: Sequence[Number]) -> Exact:
    """Return the softmax of scores, NaN where all are −∞."""
    m = max(u)
    if m == -mp.inf:
        return np.array([mp.nan for _ in u], object)
    e = np.array([mp.exp(x - m) for x in u], object)
    return np.asarray(e / e.sum())


def _difference(a: Number, b: Number) -> Number:
    """Return a − b, NaN for two of −∞."""
    return mp.nan if mp.isinf(a) and mp.isinf(b) else a - b


def _pair(v: Values) -> tuple[int, int]:
    """Return the places of the target's class and its strongest rival."""
    other = rival(v)
    assert other is not None  # the part is of two classes or more
    return label(v), other


@quantity
def own_score(v: Values) -> Numbers:
    """What the softmax is taken of in the target's class, u_y."""
    return np.asarray(v["scaled"][_pair(v)[0]], object)


@quantity
def rival_score(v: Values) -> Numbers:
    """What the softmax is taken of in its rival, the class of the largest other score, u_r."""
    return np.asarray(v["scaled"][_pair(v)[1]], object)


@quantity
def score_difference(v: Values) -> Numbers:
    """The difference of the two, u_y − u_r."""
    return np.asarray(_difference(v["own_score"].item(), v["rival_score"].item()), object)


@quantity
def sigmoid_of_difference(v: Values) -> Numbers:
    """The probability of the target's class if it and its rival were all there is: 1 / (1 + exp(u_r − u_y))."""
    return np.asarray(softmax([v["own_score"].item(), v["rival_score"].item()])[0], object)


@quantity
def odds(v: Values) -> Numbers:
    """The odds of the target's class against each class, exp(u_y − u_j), of shape (T,); NaN between two of −∞."""
    own = v["own_score"].item()
    return np.array([mp.exp(_difference(own, x)) for x in v["scaled"]], object)


@quantity
def rival_odds(v: Values) -> Numbers:
    """The odds of the target's class against its rival, exp(u_y − u_r)."""
    return np.asarray(mp.exp(v["score_difference"].item()), object)


@quantity
def probabilities_without(v: Values) -> Numbers:
    """The probabilities when the rival is taken away, 0 in its place, of shape (T,)."""
    gone = _pair(v)[1]
    left = [-mp.inf if k == gone else x for k, x in enumerate(v["scaled"])]
    found = softmax(left)
    found[gone] = mp.zero
    return found


@quantity
def probabilities_with_twin(v: Values) -> Numbers:
    """The probabilities when a class with the rival's score is added at the end, of shape (T + 1,)."""
    return softmax([*v["scaled"], v["rival_score"].item()])


def part(case: Case, v: Values) -> Part | None:
    """Return the part about two classes and about odds, if there are two and they have scores."""
    if case.n_classes < 2 or not has_numbers(v):
        return None
    lead = (
        "Between two classes the softmax is the logistic sigmoid of the difference of their scores, and their odds "
        "are the same whatever other classes there are. That is an assumption, and it can be wrong."
    )
    return Part("two-classes", "Two classes, and odds", lead, (*_sigmoid(case, v), *_odds(case, v)))


def _sigmoid(case: Case, v: Values) -> Iterator[Step]:
    own, other = (case.classes[k] for k in _pair(v))
    yield Step(
        name="sigmoid_of_difference",
        title="Two classes alone",
        symbol=r"\sigma(\U_y - \U_r)",
        formula=r"\frac{e^{\U_y}}{e^{\U_y} + e^{\U_r}} = \frac{1}{1 + e^{-(\U_y - \U_r)}} = \sigma(\U_y - \U_r)",
        template=rf"\sigma({n('own_score')} - {pn('rival_score')}) \eq {n('sigmoid_of_difference')}",
        follows=("scaled", "probabilities"),
        rule="numerator and denominator divided by the same",
        why="A common factor cancels, and one difference is left: the score of one class may be fixed at 0.",
        code=f"sigmoid_of_difference = 1 / (1 + np.exp(scaled[{_pair(v)[1]}] - scaled[{label(v)}]))",
        notes=(
            Note(
                f"Here y is {own}, and r is {other}, the class of the largest other score. With two classes only, the "
                "cross-entropy of the softmax is the logistic loss of the difference.",
            ),
        ),
    )


def _odds(case: Case, v: Values) -> Iterator[Step]:
    own, other = (case.classes[k] for k in _pair(v))
    yield Step(
        name="odds",
        title="The odds",
        symbol=r"\frac{p_y}{p_j}",
        formula=r"\frac{p_i}{p_j} = \frac{e^{\U_i} / S}{e^{\U_j} / S} = e^{\U_i - \U_j}",
        template=rf"\frac{{p_y}}{{p_r}} \eq e^{{{n('own_score')} - {pn('rival_score')}}} \eq {n('rival_odds')}",
        follows=("probabilities",),
        rule="the sum cancels",
        why="The other classes enter a probability by the sum S alone, and both probabilities are divided by it.",
        axes=("T",),
        code=f"odds = np.exp(scaled[{label(v)}] - scaled)",
        notes=(
            Note(
                "This is Luce's choice axiom (R. D. Luce, Individual Choice Behavior, 1959): the odds of two "
                "alternatives do not depend on which others are offered. Where no probability is 0, every rule that "
                "keeps to it is the softmax of some scores.",
            ),
        ),
    )
    if case.n_classes > 2:
        yield _without(case, v, own, other)
    yield _with_twin(case, v, other)


def _with_twin(case: Case, v: Values, other: str) -> Step:
    """Return what becomes of the probabilities when the rival gets a twin."""
    code = f"""
twin = np.append(scaled, scaled[{_pair(v)[1]}])
twin = np.exp(twin - twin.max())
probabilities_with_twin = twin / twin.sum()
"""
    return Step(
        name="probabilities_with_twin",
        title="With a twin of the rival",
        symbol=r"p^{+r}",
        formula=r"p_y^{+r} = \frac{e^{\U_y}}{\sum_k e^{\U_k} + e^{\U_r}} = \frac{p_y}{1 + p_r}",
        template=rf"p^{{+r}}_{{\text{{twin}}}} \eq {n('probabilities_with_twin', case.n_classes)}",
        follows=("odds",),
        rule="one more term in the sum",
        why="The twin takes from every class in proportion, though it should share with the one that it is like.",
        axes=("T+1",),
        code=code.strip(),
        notes=(
            Note(
                f"Add a class that is {other} over again. One would expect the two to halve its probability and "
                "nothing else to change; but all the others fall, so that their odds stay."
            ),
            Note(
                "Half of the travellers take the car and half the red bus. Paint every second bus blue, and the "
                "softmax gives a third to each (G. Debreu 1960; as buses, D. McFadden 1974): where alternatives are "
                "alike, it takes too much from the others."
            ),
        ),
        tables=(
            Table(
                caption=f"The probabilities as they are, and with a twin of {other}.",
                head=("class", "p", "with the twin"),
                rows=(
                    *(
                        (case.classes[k], Slot("probabilities", (k,)), Slot("probabilities_with_twin", (k,)))
                        for k in written_out(case)
                    ),
                    (f"twin of {other}", "–", Slot("probabilities_with_twin", (case.n_classes,))),
                ),
            ),
        ),
    )


def _without(case: Case, v: Values, own: str, other: str) -> Step:
    code = f"""
left = np.delete(scaled, {_pair(v)[1]})
left = np.exp(left - left.max())
probabilities_without = np.insert(left / left.sum(), {_pair(v)[1]}, 0)
"""
    return Step(
        name="probabilities_without",
        title="Without the rival",
        symbol=r"p^{-r}",
        formula=r"p_i^{-r} = \frac{e^{\U_i}}{\sum_{k \ne r} e^{\U_k}} = \frac{p_i}{1 - p_r}, \quad "
        r"\frac{p_i^{-r}}{p_j^{-r}} = e^{\U_i - \U_j}",
        follows=("odds",),
        rule="one term less in the sum",
        why="What the class leaves is shared out in proportion, so that all odds among the others stay.",
        axes=("T",),
        code=code.strip(),
        tables=(
            Table(
                caption=f"The probabilities without {other}, and the odds of {own} against each, which do not change.",
                head=("class", "p", f"without {other}", f"odds of {own}"),
                rows=tuple(
                    (
                        case.classes[k],
                        Slot("probabilities", (k,)),
                        Slot("probabilities_without", (k,)),
                        Slot("odds", (k,)),
                    )
                    for k in written_out(case)
                ),
            ),
        ),
    )
