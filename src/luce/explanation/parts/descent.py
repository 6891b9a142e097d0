"""Descent: the first steps of gradient descent on the row, and the same steps with a mistake in the gradient."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from mpmath import mp

from luce.check.doctor.mistakes.entry import Mistake
from luce.check.doctor.mistakes.gradient import SUBJECT
from luce.derivation import STEPS, Given, Quantities
from luce.explanation.case import Case
from luce.explanation.parts.looked_at import has_target, label
from luce.explanation.quantities import MANY_DIGITS, Exact, Number, Numbers, Values, quantity
from luce.explanation.shown import Slot, n, pn
from luce.explanation.step import Curves, Note, Part, Step, Table

__all__ = ["MISTAKE", "part"]

MOST_STEPS = 10
MISTAKE: Mistake = next(mistake for mistake in SUBJECT if mistake.name == "target not subtracted")
"""The mistake in the gradient that is shown beside."""

_TO_THE_GRADIENT = STEPS[: 1 + [step.name for step in STEPS].index("gradient")]


def _row(case: Case, z: Exact) -> Given:
    """Return the row that is looked at, with other scores and without weights of rows."""
    given, row = case.given, slice(case.row, case.row + 1)
    options = {name: value for name, value in given.options.items() if name != "sample_weight"}
    return Given(logits=z[None], target=given.target[row], options=options, rowwise=True)


def _state(case: Case, z: Exact, mistakes: Iterable[Mistake] = ()) -> Quantities:
    """Return what the derivation of the row gives at some scores, up to the gradient, with mistakes made on the way."""
    q = Quantities(_row(case, z), MANY_DIGITS)
    for step in _TO_THE_GRADIENT:
        step.compute(q)
        for mistake in mistakes:
            if mistake.step is step:
                mistake.change(q)
    return q


def _path(v: Values, size: Number, mistakes: tuple[Mistake, ...] = ()) -> Exact:
    """Return the scores before each step and after the last one, of shape (11, T); impossible classes stay so."""
    z, found = v["scores"], []
    possible = np.array([x != -mp.inf for x in z])
    for _ in range(MOST_STEPS + 1):
        found.append(z)
        q = _state(v.case, z, mistakes)
        gradient = (q.dl_du * q.du_dz)[0]
        z = np.array([x - size * g if ok else x for x, g, ok in zip(z, gradient, possible, strict=True)], object)
    return np.array(found, object)


def _along(v: Values, path: Exact) -> Exact:
    """Return the loss and the probability of the target's class (2) along a path (11)."""
    states = [_state(v.case, z) for z in path]
    return np.array([[q.losses[0] for q in states], [q.p[0, label(v)] for q in states]], object)


@quantity
def steepest(v: Values) -> Numbers:
    """A bound of the second derivative in the scores, β.

    ((α + 2 ζ |lse|) / 2 + 2 ζ) / τ², and under a softcap c another (α + 2 ζ |lse|) · 4 / (3 √3 c τ), for its own bend.
    """
    tau, zeta, cap = v.derived.temperature, v["z_loss"].item(), v.derived.softcap
    pull = v["mass"].item() + 2 * zeta * abs(v["log_sum_exp"].item())
    bend = 0 if cap is None else pull * 4 / (3 * mp.sqrt(3) * cap * tau)
    return np.asarray((pull / 2 + 2 * zeta) / tau**2 + bend, object)


@quantity
def step_size(v: Values) -> Numbers:
    """The step size in the scores, η: 1, or 1 / :func:`steepest` where that is smaller."""
    return np.asarray(min(mp.one, 1 / v["steepest"].item()), object)


@quantity
def descent_steps(v: Values) -> Numbers:
    """The numbers of the steps, 0 to 10."""
    return np.array([mp.mpf(k) for k in range(MOST_STEPS + 1)], object)


@quantity
def descent(v: Values) -> Numbers:
    """The scores before each step of descent and after the last one, of shape (11, T)."""
    return _path(v, v["step_size"].item())


@quantity
def wrong_descent(v: Values) -> Numbers:
    """The same with the gradient of :data:`MISTAKE`, of shape (11, T)."""
    return _path(v, v["step_size"].item(), (MISTAKE,))


@quantity
def layer_factor(v: Values) -> Numbers:
    """What a step in weights and bias moves the scores by, relative to one in the scores: x · x + 1."""
    x = v["input"]
    return np.asarray((x * x).sum() + 1, object)


@quantity
def layer_step_size(v: Values) -> Numbers:
    """The step size in weights and bias, 1, or 1 / (:func:`steepest` · :func:`layer_factor`) where that is smaller."""
    return np.asarray(min(mp.one, 1 / (v["steepest"].item() * v["layer_factor"].item())), object)


@quantity
def layer_descent(v: Values) -> Numbers:
    """The scores along the descent in weights and bias, of shape (11, T)."""
    return _path(v, v["layer_step_size"].item() * v["layer_factor"].item())


def _curves(path: str) -> None:
    """Enter loss and probability along a path as quantities of their own."""

    def along(v: Values) -> Exact:
        return _along(v, v[path])

    def losses(v: Values) -> Exact:
        return np.asarray(v[f"{path}_along"][0])

    def probabilities(v: Values) -> Exact:
        return np.asarray(v[f"{path}_along"][1])

    for compute, key in ((along, "along"), (losses, "losses"), (probabilities, "probabilities")):
        compute.__name__ = f"{path}_{key}"
        quantity(compute)


for _path_name in ("descent", "wrong_descent", "layer_descent"):
    _curves(_path_name)


def part(case: Case, v: Values) -> Part | None:
    """Return the part about descent, if the row has a target and a finite loss."""
    if not has_target(v) or not mp.isfinite(v["loss"].item()):
        return None
    lead = (
        "Take the scores and go against the gradient, a step at a time: the probability of the truth rises, the "
        "gradient shrinks with the error, and the steps become small by themselves. With a wrong gradient the loss "
        "tells."
    )
    return Part("descent", "Descent", lead, tuple(_steps(case, v)))


def _steps(case: Case, v: Values) -> list[Step]:
    found = [_descent(case, v), _wrong(case)]
    return [*found, _layer(case)] if case.given.layer is not None else found


def _code(case: Case, path: str) -> str:
    """Return lines of NumPy: a function for a path of descent, and the path."""
    tau, zeta = ("temperature" if case.says("temperature") else "1"), ("z_loss" if case.says("z_loss") else "0")
    capped = case.says("softcap")
    scaled = f"softcap * np.tanh(z / softcap) / {tau}" if capped else f"z / {tau}"
    slope = f"(1 - np.tanh(z / softcap) ** 2) / {tau}" if capped else f"1 / {tau}"
    bend = f" + pull * 4 / (3 * np.sqrt(3) * softcap * {tau})" if capped else ""
    return f"""
pull = mass + 2 * {zeta} * abs(shift + np.log(total))
steepest = (pull / 2 + 2 * {zeta}) / {tau} ** 2{bend}


def right(p, lse):
    return (mass + 2 * {zeta} * lse) * p - target


def descended(size, slope_by_u):
    path = [scores]
    for _ in range({MOST_STEPS}):
        z = path[-1]
        u = {scaled}
        e = np.exp(u - u.max())
        g = {slope} * slope_by_u(e / e.sum(), u.max() + np.log(e.sum()))
        path.append(np.where(np.isneginf(z), z, z - size * g))
    return np.array(path)


{path}
""".strip()


PATHS = {
    "descent": "descent = descended(min(1, 1 / steepest), right)",
    "wrong_descent": "wrong_descent = descended(min(1, 1 / steepest), lambda p, lse: mass * p)",
    "layer_descent": """
factor = input @ input + 1
layer_descent = descended(min(1, 1 / (steepest * factor)) * factor, right)
""".strip(),
}
"""The lines of NumPy for a path."""


def _table(caption: str, columns: dict[str, str]) -> Table:
    """Return a table of quantities along the steps."""
    return Table(
        caption=caption,
        head=("step", *columns),
        rows=tuple((str(k), *(Slot(q, (k,)) for q in columns.values())) for k in range(MOST_STEPS + 1)),
    )


def _lines(caption: str, lines: dict[str, str]) -> Curves:
    """Return curves over the steps."""
    return Curves(caption=caption, x="descent_steps", x_label="step", y_label="loss", lines=lines)


def _descent(case: Case, v: Values) -> Step:
    weighted = " The weight of the row is left out." if case.says("sample_weight") else ""
    return Step(
        name="descent",
        title="Descent on the scores",
        symbol=r"z^{(k)}",
        formula=r"z^{(k+1)} = z^{(k)} - \eta\, \frac{\partial \ell}{\partial z}\left(z^{(k)}\right), \quad \eta = "
        r"\min\left(1, \frac{1}{\beta}\right)",
        template=rf"z^{{(1)}}_0 \eq {n('scores', 0)} - {n('step_size')} \cdot {pn('gradient', 0)} \eq "
        rf"{n('descent', 1, 0)}, \quad \ell: {n('descent_losses', 0)} \to {n('descent_losses', 1)} \to \dots \to "
        rf"{n('descent_losses', MOST_STEPS)}",
        follows=("gradient", "hessian"),
        rule="gradient descent",
        why="Against the gradient the loss falls fastest; a step of at most 1/β, β a bound of the curvature, is safe.",
        axes=("K", "T"),
        code=_code(case, PATHS["descent"]),
        notes=(
            Note(
                "For a class the curvature is at most 1/2, and a step of 1 is safe. It is made smaller only where a "
                "low "
                f"temperature, a mass above 2, a softcap or a z-loss asks for it.{weighted}",
            ),
        ),
        tables=(
            _table(
                f"The first steps: the loss, and the probability of {case.classes[label(v)]}.",
                {"loss": "descent_losses", "p": "descent_probabilities"},
            ),
        ),
    )


def _wrong(case: Case) -> Step:
    return Step(
        name="wrong_descent",
        title=f"The same with a mistake: {MISTAKE.name}",
        symbol=r"\tilde{z}^{(k)}",
        formula=r"\tilde{z}^{(k+1)} = \tilde{z}^{(k)} - \eta\, \tilde{g}\left(\tilde{z}^{(k)}\right)",
        template=rf"\ell: {n('wrong_descent_losses', 0)} \to {n('wrong_descent_losses', 1)} \to \dots \to "
        rf"{n('wrong_descent_losses', MOST_STEPS)}",
        follows=("descent",),
        rule="gradient descent",
        why=f"The steps follow {MISTAKE.computed} in place of p − t.",
        axes=("K", "T"),
        code=_code(case, PATHS["wrong_descent"]),
        notes=(
            Note(
                f"{MISTAKE.said} It pushes every class down, the likely ones most, so that all become alike, and "
                f"the loss "
                "goes to that of equal probabilities. Other mistakes are milder: the loss still falls, only more "
                "slowly or to a wrong place, and only a comparison of gradients finds them.",
            ),
        ),
        tables=(
            _table(
                "The same steps, with the right gradient and with the wrong one.",
                {
                    "loss": "descent_losses",
                    "p": "descent_probabilities",
                    "loss, wrong gradient": "wrong_descent_losses",
                    "p, wrong gradient": "wrong_descent_probabilities",
                },
            ),
        ),
        curves=(
            _lines("The loss by steps.", {"right gradient": "descent_losses", MISTAKE.name: "wrong_descent_losses"}),
        ),
    )


def _layer(case: Case) -> Step:
    return Step(
        name="layer_descent",
        title="Descent on the weights",
        symbol=r"z^{(k)}",
        formula=r"W \leftarrow W - \eta\, g\, x^\top, \; b \leftarrow b - \eta\, g \quad\Rightarrow\quad "
        r"z \leftarrow z - \eta\, (x^\top x + 1)\, g",
        template=rf"\eta \eq {n('layer_step_size')}, \quad x^\top x + 1 \eq {n('layer_factor')}, \quad \ell: "
        rf"{n('layer_descent_losses', 0)} \to {n('layer_descent_losses', 1)} \to \dots \to "
        rf"{n('layer_descent_losses', MOST_STEPS)}",
        follows=("descent", "weight_gradient", "bias_gradient"),
        rule="gradient descent",
        why="For one row a step in the weights is a step in its scores, x · x + 1 times as long: large inputs ask for "
        "small steps.",
        axes=("K", "T"),
        code=_code(case, PATHS["layer_descent"]),
        tables=(
            _table(
                "The first steps in weights and bias.",
                {"loss": "layer_descent_losses", "p": "layer_descent_probabilities"},
            ),
        ),
        curves=(
            _lines(
                "The loss by steps.",
                {"on the scores": "descent_losses", "on weights and bias": "layer_descent_losses"},
            ),
        ),
    )
