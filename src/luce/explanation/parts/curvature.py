"""The second derivative: the covariance of the one-hot class, its eigenvalues, and where nothing changes."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import elided, matrix
from luce.explanation.quantities import Numbers, Values, quantity
from luce.explanation.shown import Slot
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["part"]

MOST_CLASSES = 24  # whose eigenvalues are computed


@quantity
def hessian(v: Values) -> Numbers:
    """The second derivative of the loss in the scores, of shape (T, T)."""
    q, p, slope = v.derived, v["probabilities"], v["slope"]
    zeta = mp.zero if v.case.ignored else q.zeta
    pull = v["mass"] + 2 * zeta * (v["log_sum_exp"] if zeta else 0)
    inner = pull * v["jacobian"] + 2 * zeta * np.outer(p, p)
    found = slope[:, None] * inner * slope
    if q.softcap is not None:  # the softcap bends by itself
        z, cap = v["scores"], q.softcap
        bend = [mp.zero if mp.isinf(x) else -2 * mp.tanh(x / cap) * mp.sech(x / cap) ** 2 for x in z]
        found = found + np.diag(v["loss_gradient"] * np.array(bend, object) / (cap * q.temperature))
    return found


@quantity
def eigenvalues(v: Values) -> Numbers:
    """The eigenvalues of the second derivative in increasing order, of shape (T,)."""
    found = v["hessian"]
    if not all(mp.isfinite(x) for x in found.ravel()):
        return np.full(len(found), mp.nan, object)
    values = list(mp.eigsy(mp.matrix(found.tolist()), eigvals_only=True))
    largest = max(abs(v["mass"].item()), *map(abs, values))  # p (1 − p) was cancelled from as much
    return [mp.zero if abs(x) <= largest * mp.mpf(10) ** (10 - mp.dps) else x for x in values]


NOTES = (
    Note(
        "As a covariance, of the one-hot vector Y of a class that is drawn from p. The softmax is an "
        "exponential "
        "family, whose log-sum-exp gives the mean by its first and the covariance by its second derivative.",
        r"\operatorname{Cov}(Y) = \operatorname{E}[Y Y^\top] - \operatorname{E}[Y] \operatorname{E}[Y]^\top = "
        r"\operatorname{diag}(p) - p\, p^\top",
    ),
    Note(
        "No eigenvalue is negative, and none exceeds α/2. One is 0: along (1, …, 1) all scores move "
        "together, and "
        "nothing changes.",
        r"\left(\operatorname{diag}(p) - p\, p^\top\right) \mathbf{1} = p - p \cdot 1 = 0",
    ),
)
"""What the second derivative is, and along which direction it vanishes."""


def part(case: Case, v: Values) -> Part:
    """Return the part about the second derivative."""
    lead = (
        "The derivative of the gradient tells how fast it changes. For the softmax it is a covariance: that of the "
        "one-hot "
        "vector of a class drawn with the probabilities p. So the loss is convex in the scores."
    )
    classes = case.n_classes
    general = r"\frac{\partial^2 \ell}{\partial z_i\, \partial z_j} = \alpha\, p_i (\delta_{ij} - p_j)"
    if {"temperature", "softcap", "z_loss"} & {*case.options}:
        general = (
            r"H = D \left[ A \left(\operatorname{diag}(p) - p\, p^\top\right) + 2 \zeta\, p\, p^\top \right] D "
            r"+ \operatorname{diag}\!\left(\frac{\partial \ell}{\partial u} \frac{\partial^2 u}{\partial z^2}\right), "
            r"\quad D = \operatorname{diag}\!\left(\frac{\partial u}{\partial z}\right), \quad A = \alpha + 2 \zeta\, "
            r"\mathrm{lse}"
        )
    small = classes <= MOST_CLASSES
    tables = (
        Table(
            caption="The eigenvalues of the second derivative.",
            head=("eigenvalue", "value"),
            rows=tuple(("…", "…") if k is None else (f"{k}", Slot("eigenvalues", (k,))) for k in elided(classes)),
        ),
    )
    step = Step(
        name="hessian",
        title="The second derivative",
        symbol="H",
        formula=general,
        template=rf"H \eq {matrix('hessian', classes, classes)}",
        follows=("gradient", "jacobian"),
        rule="derivative of the gradient",
        why="α p − t changes only with p, so its derivative is α times the Jacobian of the softmax.",
        axes=("T", "T"),
        code=_code(case),
        notes=NOTES,
        tables=tables if small else (),
    )
    return Part("curvature", "The second derivative", lead, (step,))


def _code(case: Case) -> str:
    """Return the lines of NumPy that compute the second derivative."""
    if not {"temperature", "softcap", "z_loss"} & {*case.options}:
        return "hessian = mass * jacobian"
    zeta = case.says("z_loss") and not case.ignored
    pull = "(mass + 2 * z_loss * (shift + np.log(total)))" if zeta else "mass"
    inner = f"{pull} * jacobian" + (" + 2 * z_loss * np.outer(probabilities, probabilities)" if zeta else "")
    if not (case.says("temperature") or case.says("softcap")):
        return f"hessian = {inner}"
    lines = [f"hessian = slope[:, None] * ({inner}) * slope"]
    if case.says("softcap"):
        over = " / temperature" if case.says("temperature") else ""
        lines += [
            f"bend = -2 * np.tanh(scores / softcap) / np.cosh(scores / softcap) ** 2 / softcap{over}",
            "hessian += np.diag(loss_gradient * bend)",
        ]
    return "\n".join(lines)
