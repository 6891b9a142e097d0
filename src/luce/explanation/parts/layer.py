"""The layer below the scores: its sparse Jacobian, and the gradient in the weights without any."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.features import features_table
from luce.explanation.parts.writing import matrix
from luce.explanation.quantities import Numbers, Values, quantity
from luce.explanation.shown import Slot, n, pn
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["part"]

STRONGEST = 8  # weights that are named with their pull
LARGE = 4096, 128256  # features and classes of the last layer of a large language model


@quantity
def layer_jacobian(v: Values) -> Numbers:
    """The Jacobian of the scores in the weights, of shape (T, N·T): x in row t at the columns of class t."""
    return np.kron(np.eye(v.case.n_classes, dtype=int), v["input"]) * mp.one


@quantity
def weight_jacobian(v: Values) -> Numbers:
    """The Jacobian of the probabilities in the weights, of shape (T, N·T)."""
    return np.kron(v["jacobian"] * v["slope"], v["input"][None, :])


@quantity
def weight_gradient(v: Values) -> Numbers:
    """The gradient of the loss in the weights, of shape (T, N)."""
    return np.outer(v["gradient"], v["input"])


@quantity
def bias_gradient(v: Values) -> Numbers:
    """The gradient of the loss in the bias, of shape (T,)."""
    return v["gradient"]


@quantity
def input_gradient(v: Values) -> Numbers:
    """The gradient of the loss in the input, of shape (N,)."""
    return v["gradient"] @ v["weights"]


def part(case: Case, v: Values) -> Part | None:
    """Return the part about the layer, if there is one."""
    if case.given.layer is None:
        return None
    lead = (
        "The weights move the scores, the scores move the loss. The Jacobian of the scores in the weights is nearly "
        "all zeros, and no program should ever build it: the gradient is the outer product of p − t and the input."
    )
    steps = (_scores(case), _probabilities(case), _gradient(case, v), *_others(case))
    return Part("layer", "The layer", lead, steps)


def _scores(case: Case) -> Step:
    classes, features = case.n_classes, case.n_features
    return Step(
        name="layer_jacobian",
        title="The Jacobian of the scores in the weights",
        symbol=r"D_W z",
        formula=r"\frac{\partial z_i}{\partial W_{tn}} = \delta_{it}\, x_n",
        template=rf"D_W z \eq {matrix('layer_jacobian', classes, classes * features)}",
        follows=("scores",),
        why="A row of W moves one score alone: of T·NT entries only NT are not 0.",
        axes=("T", "NT"),
        code="layer_jacobian = np.kron(np.eye(len(scores)), input)",
    )


def _probabilities(case: Case) -> Step:
    classes, features = case.n_classes, case.n_features
    return Step(
        name="weight_jacobian",
        title="The Jacobian of the probabilities in the weights",
        symbol=r"D_W p",
        formula=r"\frac{\partial p_t}{\partial W_{ij}} = p_t (\delta_{ti} - p_i)\, x_j",
        template=rf"\frac{{\partial p_0}}{{\partial W_{{00}}}} \eq {pn('jacobian', 0, 0)} \cdot {pn('input', 0)} \eq "
        rf"{n('weight_jacobian', 0, 0)}, \quad D_W p \eq {matrix('weight_jacobian', classes, classes * features)}",
        follows=("jacobian", "layer_jacobian"),
        rule="chain rule",
        why="The T×T Jacobian of the softmax times the T×NT Jacobian of the scores.",
        axes=("T", "NT"),
        code="weight_jacobian = jacobian @ layer_jacobian"
        if not {"temperature", "softcap"} & {*case.options}
        else "weight_jacobian = (jacobian * slope) @ layer_jacobian",
    )


def _gradient(case: Case, v: Values) -> Step:
    classes, features = case.n_classes, case.n_features
    pulls = features_table(
        case, "weight_gradient", "The gradient in each weight; descent pulls the weight the other way."
    )
    return Step(
        name="weight_gradient",
        title="The gradient in the weights",
        symbol=r"\frac{\partial \ell}{\partial W}",
        formula=r"\frac{\partial \ell}{\partial W_{tn}} = \frac{\partial \ell}{\partial z_t}\, x_n, \quad "
        r"\frac{\partial \ell}{\partial W} = \frac{\partial \ell}{\partial z} \otimes x",
        template=rf"\frac{{\partial \ell}}{{\partial W_{{00}}}} \eq {pn('gradient', 0)} \cdot {pn('input', 0)} \eq "
        rf"{n('weight_gradient', 0, 0)}, \quad \frac{{\partial \ell}}{{\partial W}} \eq "
        rf"{matrix('weight_gradient', classes, features)}",
        follows=("gradient", "scores"),
        rule="chain rule",
        why="A weight is pulled by how wrong its class's probability is, times how large its feature was.",
        axes=("T", "N"),
        code="weight_gradient = np.outer(gradient, input)",
        notes=(
            Note(
                "The ledger of shapes: a row times two Jacobians is a row of NT numbers, the gradient laid out row "
                "by row.",
                r"\underbrace{\frac{\partial \ell}{\partial p}}_{1 \times T} \; \underbrace{J}_{T \times T} \; "
                r"\underbrace{D_W z}_{T \times NT} = \underbrace{\frac{\partial \ell}{\partial W}}_{1 \times NT}",
            ),
        ),
        tables=(*(() if pulls is None else (pulls,)), *_strongest(case, v), _ledger(classes, features)),
    )


def _strongest(case: Case, v: Values) -> Iterator[Table]:
    """Yield the table of the weights that the row pulls hardest, and which way."""
    found = np.outer(v["gradient"].astype(np.float64), v["input"].astype(np.float64))
    places = [divmod(int(k), case.n_features) for k in np.argsort(-np.abs(found), axis=None, kind="stable")[:STRONGEST]]
    rows: list[tuple[str | Slot, ...]] = [
        (case.classes[t], case.features[k], Slot("weight_gradient", (t, k)), "up" if found[t, k] < 0 else "down")
        for t, k in places
        if found[t, k]
    ]
    if rows and np.isfinite(found).all():
        yield Table(
            caption="The weights that are pulled hardest, and which way descent moves them.",
            head=("class", "feature", "gradient", "pulled"),
            rows=tuple(rows),
        )


def _ledger(classes: int, features: int) -> Table:
    """Return what both ways cost, here and at the last layer of a large language model."""
    sizes = ((classes, features), (LARGE[1], LARGE[0]))
    shown = [f"{n} features, {t} classes" for t, n in sizes]
    entries = {
        "∂ℓ/∂p, 1×T": [t for t, _ in sizes],
        "J, T×T": [t * t for t, _ in sizes],
        "D_W z, T×NT": [t * t * n for t, n in sizes],
        "the product, 1×NT": [t * n for t, n in sizes],
        "without Jacobians: p − t and x": [t + n for t, n in sizes],
    }
    rows = tuple((what, *(_bytes(4 * count) for count in counts)) for what, counts in entries.items())
    return Table(caption="Memory in float32 by either way.", head=("", *shown), rows=rows)


def _bytes(count: int) -> str:
    """Return a size in the largest unit below it."""
    size, units = float(count), iter(("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))
    unit = next(units)
    while size >= 1024 and unit != "PiB":
        size, unit = size / 1024, next(units)
    return f"{size:.0f} {unit}" if size == int(size) or size >= 100 else f"{size:.1f} {unit}"


def _others(case: Case) -> tuple[Step, Step]:
    return (
        Step(
            name="bias_gradient",
            title="The gradient in the bias",
            symbol=r"\frac{\partial \ell}{\partial b}",
            formula=r"\frac{\partial \ell}{\partial b} = \frac{\partial \ell}{\partial z}",
            template=rf"\frac{{\partial \ell}}{{\partial b_0}} \eq {n('bias_gradient', 0)}",
            follows=("gradient",),
            rule="chain rule",
            why="A bias is added to its score as it is.",
            axes=("T",),
            code="bias_gradient = gradient",
        ),
        Step(
            name="input_gradient",
            title="The gradient in the input",
            symbol=r"\frac{\partial \ell}{\partial x}",
            formula=r"\frac{\partial \ell}{\partial x_n} = \sum_t \frac{\partial \ell}{\partial z_t} W_{tn}",
            template=rf"\frac{{\partial \ell}}{{\partial x_0}} \eq {n('input_gradient', 0)}",
            follows=("gradient", "scores"),
            rule="chain rule",
            why="This is what a layer below receives; it sums over the classes that the feature speaks to.",
            axes=("N",),
            code="input_gradient = gradient @ weights",
        ),
    )
