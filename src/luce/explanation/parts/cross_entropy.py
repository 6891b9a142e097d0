"""The target and the cross-entropy: what of −Σ t log p a one-hot target leaves, and entropy plus divergence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import row, summed
from luce.explanation.quantities import Exact, Numbers, Values, mapped, quantity
from luce.explanation.shown import n, pn
from luce.explanation.step import Note, Part, Step

__all__ = ["part"]


@quantity
def target_given(v: Values) -> Numbers:
    """The target as it was given, one-hot for a class, of shape (T,)."""
    return v.derived.arithmetic.array(_given(v)) * mp.one


def _given(v: Values) -> Numbers:
    case = v.case
    if case.of_class is None and np.ndim(case.given.target) == 1:  # an ignored row
        return np.zeros(case.n_classes)
    if case.of_class is None:
        return np.asarray(case.given.target[case.row])
    return np.eye(case.n_classes)[case.of_class]


@quantity
def smoothed(v: Values) -> Numbers:
    """The target after smoothing, of shape (T,)."""
    epsilon, t = v["label_smoothing"], v["target_given"]
    return t if v.case.ignored else (1 - epsilon) * t + epsilon / v.case.n_classes


@quantity
def label_smoothing(v: Values) -> Numbers:
    """The label smoothing, ε."""
    return v.derived.epsilon


@quantity
def class_weights(v: Values) -> Numbers:
    """The weights of the classes, w, of shape (T,)."""
    return v.derived.w * mp.one


@quantity
def target(v: Values) -> Numbers:
    """The target that the loss is taken with, t, of shape (T,)."""
    return v.derived.t[v.case.row] * mp.one


@quantity
def mass(v: Values) -> Numbers:
    """The mass of the target, α = Σ t."""
    return v.derived.alpha[v.case.row, 0]


@quantity
def log_probabilities(v: Values) -> Numbers:
    """The logarithms of the probabilities, of shape (T,)."""
    return v.derived.log_p[v.case.row]


@quantity
def loss_terms(v: Values) -> Numbers:
    """The terms of the loss, −t log p, of shape (T,)."""
    return -_times(v["target"], v["log_probabilities"])


@quantity
def loss(v: Values) -> Numbers:
    """The loss of the row, ℓ; 0 where it is ignored."""
    if v.case.ignored:
        return mp.zero
    return mp.nan if v.case.broken else v.derived.losses[v.case.row]


@quantity
def loss_by_probabilities(v: Values) -> Numbers:
    """The derivative of the loss in the probabilities, −t / p, of shape (T,)."""
    t, p = v["target"], v["probabilities"]
    return np.array([mp.zero if a == 0 else -a / b if b else -mp.inf for a, b in zip(t, p, strict=True)], object)


@quantity
def entropy(v: Values) -> Numbers:
    """The entropy of the target, −Σ t log t."""
    t = v["target"]
    return -_times(t, mapped(lambda x: mp.log(x) if x > 0 else mp.zero)(t)).sum()


@quantity
def divergence(v: Values) -> Numbers:
    """The Kullback–Leibler divergence, Σ t log (t / p)."""
    return v["loss_terms"].sum() - v["entropy"]


@quantity
def z_loss(v: Values) -> Numbers:
    """The weight of the squared log-sum-exp, ζ."""
    return v.derived.zeta


def _times(t: Exact, values: Exact) -> Exact:
    """Return the products of the target and values; 0 where the target is, whatever the value."""
    return np.array([mp.zero if a == 0 else a * b for a, b in zip(t, values, strict=True)], object)


def part(case: Case, v: Values) -> Part:
    """Return the part about the cross-entropy."""
    lead = (
        "The loss asks how surprised the model is by what happened: minus the logarithm of the probability that it "
        "gave to "
        "the truth. For a distribution it is the average surprise."
    )
    return Part(
        "cross-entropy",
        "The cross-entropy",
        lead,
        (*_target(case), *_options(case), *_loss(case), _by_probabilities(case)),
    )


def _target(case: Case) -> Iterator[Step]:
    """Yield the target as it was given."""
    classes = case.n_classes
    hard = case.of_class is not None
    yield Step(
        name="target_given",
        title="The target",
        symbol="y" if hard else "t",
        formula=r"t_i = \begin{cases} 1 & i = y \\ 0 & i \ne y \end{cases}" if hard else r"t = (t_0, \dots, t_{T-1})",
        template=r"t \eq " + row(classes, lambda k: n("target_given", k), case.told),
        rule="one-hot" if hard else "given",
        why=(
            "A class is the distribution that gives it everything: sparse and one-hot targets are the same target."
            if hard
            else "A distribution over the classes; its sum need not be 1."
        ),
        axes=("T",),
    )


def _options(case: Case) -> Iterator[Step]:
    """Yield what smoothing and class weights make of the target, and its mass."""
    classes = case.n_classes
    yield Step(
        name="smoothed",
        title="Label smoothing",
        symbol="t",
        formula=r"t \leftarrow (1 - \varepsilon)\, t + \frac{\varepsilon}{T}",
        template=rf"t_0 \eq (1 - {n('label_smoothing')}) \cdot {n('target_given', 0)} + \frac{{{n('label_smoothing')}}}"
        rf"{{{classes}}} \eq {n('smoothed', 0)}, \quad t \eq " + row(classes, lambda k: n("smoothed", k), case.told),
        follows=("target_given",),
        why="A share ε of the mass is spread evenly over all T classes, the target's own included.",
        axes=("T",),
        code="smoothed = target_given"
        if case.ignored
        else f"smoothed = (1 - label_smoothing) * target_given + label_smoothing / {classes}",
        option="label_smoothing",
        instead="target_given",
    )
    yield Step(
        name="target",
        title="Class weights",
        symbol="t",
        formula=r"t_i \leftarrow w_i\, t_i",
        template=rf"t_0 \eq {n('class_weights', 0)} \cdot {n('smoothed', 0)} \eq {n('target', 0)}, \quad t \eq "
        + row(classes, lambda k: n("target", k), case.told),
        follows=("smoothed",),
        why="The weights of the classes multiply the target, not the scores and not the gradient alone.",
        axes=("T",),
        code="target = class_weights * smoothed",
        option="weight",
        instead="smoothed",
    )
    yield Step(
        name="mass",
        title="The mass of the target",
        symbol=r"\alpha",
        formula=r"\alpha = \sum_i t_i",
        template=r"\alpha \eq " + summed(classes, lambda k: n("target", k), keep=case.told) + rf" \eq {n('mass')}",
        follows=("target",),
        why="It is 1 for a class and for a proper distribution; weights and sums other than 1 change it, and it is "
        "what "
        "p will be multiplied with.",
        code="mass = target.sum()",
    )


def _loss(case: Case) -> Iterator[Step]:
    """Yield the logarithms of the probabilities, and the loss."""
    classes = case.n_classes
    yield Step(
        name="log_probabilities",
        title="The logarithms of the probabilities",
        symbol=r"\log p",
        formula=r"\log p_i = (\U_i - m) - \log S",
        template=rf"\log p_0 \eq {n('shifted', 0)} - \log {n('total')} \eq {n('log_probabilities', 0)}, \quad \log p "
        rf"\eq " + row(classes, lambda k: n("log_probabilities", k), case.told),
        follows=("shifted", "total"),
        rule="logarithm of a quotient",
        why="Taken from the scores and not of p, it stays finite where p itself is too small to be stored.",
        axes=("T",),
        code="log_probabilities = shifted - np.log(total)",
    )
    zeta = r" + \zeta\, \mathrm{lse}^2" if case.says("z_loss") and not case.ignored else ""
    numbers = summed(classes, lambda k: f"{n('target', k)} \\cdot {pn('log_probabilities', k)}", keep=case.told)
    extra = rf" + {n('z_loss')} \cdot {pn('log_sum_exp')}^2" if zeta else ""
    only = case.of_class is not None and not {"label_smoothing", "weight"} & {*case.options}
    picked = " = -\\log p_y" if only and not zeta else ""
    terms = "target * log_probabilities"
    code = f"loss = -np.where(target == 0, 0, {terms}).sum()" if not case.broken else f"loss = -({terms}).sum()"
    yield Step(
        name="loss",
        title="The loss",
        symbol=r"\ell",
        formula=rf"\ell = -\sum_i t_i \log p_i{picked}{zeta}",
        template=rf"\ell \eq -\left({numbers}\right){extra} \eq {n('loss')}",
        follows=("target", "log_probabilities"),
        why="A one-hot target picks one term of the sum; a distribution averages over the classes.",
        code="loss = 0.0" if case.ignored else code + (" + z_loss * (shift + np.log(total)) ** 2" if zeta else ""),
        notes=(
            Note(
                "A class with no mass adds nothing, whatever its probability: 0 · log 0 is taken as 0.",
            ),
            Note(
                "The cross-entropy is the entropy of the target plus the divergence of p from it. The first does not "
                "depend "
                "on the scores, so minimising the loss minimises the divergence; for a class the entropy is 0.",
                rf"-\sum_i t_i \log t_i + \sum_i t_i \log \frac{{t_i}}{{p_i}} \eq {n('entropy')} + {pn('divergence')}",
            ),
        ),
    )


def _by_probabilities(case: Case) -> Step:
    """Return the derivative of the loss in the probabilities."""
    classes = case.n_classes
    return Step(
        name="loss_by_probabilities",
        title="The derivative in the probabilities",
        symbol=r"\frac{\partial \ell}{\partial p}",
        formula=r"\frac{\partial \ell}{\partial p_i} = -\frac{t_i}{p_i}",
        template=r"\frac{\partial \ell}{\partial p} \eq "
        + row(classes, lambda k: n("loss_by_probabilities", k), case.told),
        follows=("target", "probabilities"),
        rule="derivative of the logarithm",
        why="A row of T numbers, 0 for every class without mass. It is not yet the gradient in the scores.",
        axes=("1", "T"),
        code="loss_by_probabilities = np.divide(-target, probabilities, where=target != 0, out=0 * target)",
    )
