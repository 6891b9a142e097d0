"""The Jacobian of the softmax by the quotient rule, and the forms that people write it in."""

from __future__ import annotations

import numpy as np

from luce.explanation.case import Case
from luce.explanation.parts.writing import matrix
from luce.explanation.quantities import Numbers, Values, quantity
from luce.explanation.shown import n, pn
from luce.explanation.step import Note, Part, Step

__all__ = ["part"]


@quantity
def jacobian(v: Values) -> Numbers:
    """The Jacobian of the softmax, J, of shape (T, T)."""
    return v.derived.J[v.case.row]


@quantity
def jacobian_row_sums(v: Values) -> Numbers:
    """The sums of the rows of the Jacobian, of shape (T,); all are 0."""
    p = v["probabilities"]
    return np.array([p[i] * (1 - p.sum()) for i in range(len(p))], dtype=object)


NOTES = (
    Note(
        "The quotient rule, with the derivative of the sum being the exponential of j:",
        r"\frac{\partial p_i}{\partial \U_j} = "
        r"\frac{\frac{\partial e_i}{\partial \U_j} S - e_i \frac{\partial S}{\partial \U_j}}{S^2}",
    ),
    Note(
        "For i = j the numerator's own derivative is there:",
        r"\frac{\partial p_i}{\partial \U_i} = \frac{e_i S - e_i e_i}{S^2} = \frac{e_i}{S} \cdot "
        r"\frac{S - e_i}{S} = "
        r"p_i (1 - p_i)",
    ),
    Note(
        "For i ≠ j it is 0:",
        r"\frac{\partial p_i}{\partial \U_j} = \frac{0 - e_i e_j}{S^2} = -\frac{e_i}{S} \cdot \frac{e_j}{S} "
        r"= -p_i p_j",
    ),
    Note(
        "Four ways of writing one matrix: two cases, the Kronecker delta, and as matrices.",
        r"\begin{cases} p_i (1 - p_i) & i = j \\ -p_i p_j & i \ne j \end{cases} \;=\; p_i (\delta_{ij} - "
        r"p_j) \;=\; "
        r"\delta_{ij}\, p_i - p_i p_j \;=\; \left( \operatorname{diag}(p) - p\, p^\top \right)_{ij}",
    ),
    Note(
        "Rows sum to 0, because a shift of all scores changes nothing; columns sum to 0, because the "
        "probabilities "
        "always sum to 1. The matrix is symmetric, so rows and columns may be confused here without harm. "
        "Elsewhere "
        "they may not: this page writes the outputs as rows (numerator layout).",
        r"\sum_j J_{ij} = p_i \left(1 - \sum_j p_j\right) = 0",
    ),
    Note(
        "A Jacobian is the derivative of a vector. The gradient belongs to a single number: to the loss, "
        "which comes "
        "next. What code calls “the derivative of softmax” and writes as p (1 − p) is the diagonal alone."
    ),
)
"""How the quotient rule is applied, the forms that the matrix is written in, and what its sums are."""


def part(case: Case, v: Values) -> Part:
    """Return the part about the Jacobian."""
    classes = case.n_classes
    lead = (
        "Every probability depends on every score, so there is no single derivative of the softmax: there is a T×T "
        "matrix "
        "of them, its Jacobian. Row i tells how the probability of class i changes with each score."
    )
    other = min(1, classes - 1)
    cases = rf"J_{{00}} \eq {pn('probabilities', 0)} \cdot (1 - {pn('probabilities', 0)}) \eq {n('jacobian', 0, 0)}"
    if other:
        cases += (
            rf", \quad J_{{01}} \eq -{pn('probabilities', 0)} \cdot {pn('probabilities', 1)} \eq {n('jacobian', 0, 1)}"
        )
    step = Step(
        name="jacobian",
        title="The Jacobian of the softmax",
        symbol="J",
        formula=r"J_{ij} = \frac{\partial p_i}{\partial \U_j} = p_i (\delta_{ij} - p_j)",
        template=rf"{cases}, \quad J \eq {matrix('jacobian', classes, classes)}",
        follows=("probabilities",),
        rule="quotient rule",
        why="p is a quotient whose numerator depends on its own score alone, and whose denominator depends on all of "
        "them.",
        axes=("T", "T"),
        code="jacobian = np.diag(probabilities) - np.outer(probabilities, probabilities)",
        notes=NOTES,
    )
    return Part("jacobian", "The Jacobian of the softmax", lead, (step,))
