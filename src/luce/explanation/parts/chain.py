"""The chain rule twice: as a product of Jacobians and path by path, to α p − t; and the route over the log-sum-exp."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import elided, row, summed
from luce.explanation.quantities import Numbers, Values, quantity
from luce.explanation.shown import Slot, n, pn
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["part"]


@quantity
def paths(v: Values) -> Numbers:
    """What each way from a score to the loss adds, of shape (T, T): row j, by way of p_k in column k."""
    t, p, classes = v["target"], v["probabilities"], v.case.n_classes
    return np.array([[-t[k] * ((j == k) - p[j]) for k in range(classes)] for j in range(classes)], object)


@quantity
def loss_gradient(v: Values) -> Numbers:
    """The derivative of the loss in u, of shape (T,); 0 for a class that can't happen."""
    if v.case.ignored:
        return np.full(v.case.n_classes, mp.zero, object)
    found, u = v.derived.dl_du[v.case.row], v["scaled"]
    return np.array([mp.zero if x == -mp.inf else g for x, g in zip(u, found, strict=True)], object)


@quantity
def gradient(v: Values) -> Numbers:
    """The derivative of the loss in the scores, of shape (T,)."""
    return v["loss_gradient"] * v["slope"]


def part(case: Case, v: Values) -> Part:
    """Return the part about the chain rule."""
    lead = (
        "A score moves every probability, and the loss sees the probabilities: the chain rule adds up all the ways. "
        "Nearly "
        "everything cancels, and what is left is the shortest formula of all: p − t."
    )
    return Part("chain-rule", "The chain rule", lead, (_paths(case), _gradient(case)))


NOTES_ON_PATHS = (
    Note(
        "As matrices: the row of T numbers times the T×T Jacobian is again a row of T numbers.",
        r"\left(\frac{\partial \ell}{\partial p}\right)_{1 \times T} J_{T \times T} = "
        r"\left(\frac{\partial \ell}{\partial \U}\right)_{1 \times T}",
    ),
    Note(
        "What is left of the sum: the diagonal gives −t, everything else gives p times the mass of the target.",
        r"\sum_k -t_k (\delta_{kj} - p_j) = -t_j + p_j \sum_k t_k = \alpha\, p_j - t_j",
    ),
)
"""The same as matrices, and what cancels."""


def _paths(case: Case) -> Step:
    classes = case.n_classes
    places = elided(classes, keep=case.told)
    rows = tuple(
        ("…",) * (len(places) + 2)
        if j is None
        else (
            f"{case.classes[j]}",
            *("…" if k is None else Slot("paths", (j, k)) for k in places),
            Slot("loss_gradient", (j,)),
        )
        for j in places
    )
    names = tuple("…" if k is None else f"by p of {case.classes[k]}" for k in places)
    return Step(
        name="paths",
        title="Path by path",
        symbol=r"\frac{\partial \ell}{\partial p_k} J_{kj}",
        formula=r"\frac{\partial \ell}{\partial \U_j} = \sum_k \frac{\partial \ell}{\partial p_k} \frac{\partial p_k}"
        r"{\partial \U_j} = \sum_k \left(-\frac{t_k}{p_k}\right) p_k (\delta_{kj} - p_j)",
        template=r"\frac{\partial \ell}{\partial \U_0} \eq "
        + summed(classes, lambda k: pn("paths", 0, k), keep=case.told)
        + rf" \eq {n('loss_gradient', 0)}",
        follows=("loss_by_probabilities", "jacobian"),
        rule="chain rule",
        why="Every way from a score to the loss leads through one probability, and the p_k in the denominator "
        "cancels with "
        "that of the Jacobian: it is never divided by.",
        axes=("T", "T"),
        code="paths = -target * (np.eye(len(target)) - probabilities[:, None])",
        notes=NOTES_ON_PATHS,
        tables=(
            Table(
                caption="Each way from a score (row) by a probability (column) to the loss, and their sum.",
                head=("score of", *names, "sum"),
                rows=rows,
            ),
        ),
    )


def _gradient(case: Case) -> Step:
    classes = case.n_classes
    zeta = case.says("z_loss") and not case.ignored
    pull = r"(\alpha + 2 \zeta\, \mathrm{lse})" if zeta else r"\alpha"
    scaled = case.says("temperature") or case.says("softcap")
    outer = r"\frac{\partial \U_i}{\partial z_i} " if scaled else ""
    inner = rf"{pull}\, p_i - t_i"
    extra = rf" + 2 \cdot {n('z_loss')} \cdot {pn('log_sum_exp')} \cdot {pn('probabilities', 0)}" if zeta else ""
    numbers = rf"{n('mass')} \cdot {pn('probabilities', 0)} - {n('target', 0)}{extra}"
    return Step(
        name="gradient",
        title="The gradient",
        symbol=r"\frac{\partial \ell}{\partial z}",
        formula=rf"\frac{{\partial \ell}}{{\partial z_i}} = {outer}" + (rf"\left({inner}\right)" if outer else inner),
        template=r"\frac{\partial \ell}{\partial z_0} \eq "
        + (rf"{n('slope', 0)} \cdot ({numbers})" if outer else numbers)
        + rf" \eq {n('gradient', 0)}, \quad \frac{{\partial \ell}}{{\partial z}} \eq "
        + row(classes, lambda k: n("gradient", k), case.told),
        follows=("mass", "probabilities", "target", "paths"),
        rule="chain rule",
        why="What the model says minus what is true: the classes that got too much are pushed down, the others up.",
        axes=("T",),
        code=_code(case),
        notes=(
            Note(
                "The other route takes the logarithm first. The loss is α times the log-sum-exp minus the scores of "
                "the "
                "target, and the derivative of the log-sum-exp is p: no quotient and no path, and the same numbers.",
                r"\ell = \alpha\, \mathrm{lse}(\U) - \sum_i t_i \U_i, \qquad "
                r"\frac{\partial\, \mathrm{lse}}{\partial \U_i} = "
                r"p_i",
            ),
            Note(
                "The gradient sums to 0 where nothing but differences of scores counts.",
                r"\sum_i (\alpha\, p_i - t_i) = \alpha - \alpha = 0",
            ),
        ),
    )


def _code(case: Case) -> str:
    """Return the lines of NumPy that compute the gradient."""
    inner = "mass * probabilities - target"
    if case.ignored:
        inner = "np.zeros_like(scores)"
    elif case.says("z_loss"):
        inner += " + 2 * z_loss * (shift + np.log(total)) * probabilities"
    if case.impossible:
        inner = f"np.where(scores == -np.inf, 0, {inner})"
    if case.scaled:
        return f"loss_gradient = {inner}\ngradient = slope * loss_gradient"
    return f"gradient = {inner}"
