"""Exponentials, their sum, and the probabilities."""

from __future__ import annotations

from luce.explanation.case import Case
from luce.explanation.parts.writing import row, summed
from luce.explanation.quantities import Numbers, Values, quantity
from luce.explanation.shown import n
from luce.explanation.step import Note, Part, Step

__all__ = ["part"]


@quantity
def exponentials(v: Values) -> Numbers:
    """The shifted exponentials, e, of shape (T,)."""
    return v.derived.e[v.case.row]


@quantity
def total(v: Values) -> Numbers:
    """Their sum, S."""
    return v.derived.S[v.case.row, 0]


@quantity
def probabilities(v: Values) -> Numbers:
    """The probabilities, p, of shape (T,)."""
    return v.derived.p[v.case.row]


@quantity
def log_sum_exp(v: Values) -> Numbers:
    """The log-sum-exp, m + log S."""
    return v["shift"] + v.derived.arithmetic.log(v["total"])


NOTES = (
    Note(
        "Every probability is positive, and they sum to 1. Mathematically none is ever 0 (a score of −∞ "
        "apart); "
        "floating point may round it to 0."
    ),
    Note(
        "Divide the scores by a temperature: towards 0 everything goes to the largest score, the maximum "
        "made "
        "hard; towards ∞ all classes become alike. The softmax is a soft arg max.",
        r"\lim_{\tau \to 0} p = \text{one-hot of the maximum}, \quad \lim_{\tau \to \infty} p_i = "
        r"\frac{1}{T}",
    ),
)
"""What holds of the probabilities, and what the temperature does to them."""


def part(case: Case, v: Values) -> Part:
    """Return the part about the softmax."""
    classes = case.n_classes
    terms = summed(classes, lambda k: n("exponentials", k), keep=case.told)
    lead = (
        "The exponential makes every score positive, and the division makes them sum to 1. A difference of scores "
        "becomes a ratio of probabilities."
    )
    steps = (
        Step(
            name="exponentials",
            title="The exponentials",
            symbol="e",
            formula=r"e_i = \exp(\U_i - m)",
            template=rf"e_0 \eq e^{{{n('shifted', 0)}}} \eq {n('exponentials', 0)}, \quad e \eq "
            + row(classes, lambda k: n("exponentials", k), case.told),
            follows=("shifted",),
            why="exp is positive and turns differences into ratios.",
            axes=("T",),
            code="exponentials = np.exp(shifted)",
        ),
        Step(
            name="total",
            title="Their sum",
            symbol="S",
            formula=r"S = \sum_k e_k",
            template=rf"S \eq {terms} \eq {n('total')}",
            follows=("exponentials",),
            why="It is what makes the probabilities sum to 1; with the shift it lies between 1 and T.",
            code="total = exponentials.sum()",
        ),
        Step(
            name="probabilities",
            title="The probabilities",
            symbol="p",
            formula=r"p_i = \frac{e_i}{S} = \frac{\exp \U_i}{\sum_k \exp \U_k}",
            template=rf"p_0 \eq \frac{{{n('exponentials', 0)}}}{{{n('total')}}} \eq {n('probabilities', 0)}, \quad p "
            rf"\eq " + row(classes, lambda k: n("probabilities", k), case.told),
            follows=("exponentials", "total"),
            why="Each class has its share of the sum.",
            axes=("T",),
            code="probabilities = exponentials / total",
            notes=NOTES,
        ),
    )
    return Part("softmax", "The softmax", lead, steps)
