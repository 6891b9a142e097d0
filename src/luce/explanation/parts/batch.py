"""The batch: what the losses of rows are divided by, and the same rows under each framework's convention."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import elided, summed
from luce.explanation.quantities import Exact, Number, Values, quantity
from luce.explanation.shown import Slot, n
from luce.explanation.step import Part, Step, Table

__all__ = ["part"]


@quantity
def losses(v: Values) -> Exact:
    """The losses of all rows, before weights of rows, of shape (B,)."""
    q = v.derived
    return np.where(q.counts, q.losses, mp.zero)


@quantity
def row_weights(v: Values) -> Exact:
    """The weights of all rows, 0 where a row is ignored, of shape (B,)."""
    return v.derived.R * mp.one


@quantity
def shares(v: Values) -> Exact:
    """What each row counts in the divisor of a mean, of shape (B,)."""
    q = v.derived
    return q.R * (q.w[q.y] if q.hard else 1) * mp.one


@quantity
def divisor(v: Values) -> Exact:
    """What the sum of the losses is divided by, D."""
    return v.derived.D * mp.one


@quantity
def value(v: Values) -> Exact:
    """The value of the loss: a number, or of shape (B,) without a reduction."""
    q = v.derived
    weighted = np.where(q.R == 0, mp.zero, q.R * q.losses)
    if q.reduction == "none":
        return weighted
    return _ratio(weighted.sum(), v["divisor"].item()) if q.reduction == "mean" else weighted.sum()


@quantity
def batch_gradient(v: Values) -> Exact:
    """The derivative of the value in the scores of all rows, of shape (B, T)."""
    q = v.derived
    counts = np.asarray(q.R != 0)[:, None] & (q.u != -mp.inf)
    found = np.where(counts, q.R[:, None] * q.dl_du * q.du_dz, mp.zero)
    divisor = q.D if q.reduction == "mean" else mp.one
    return found / divisor if divisor else found


def _ratio(total: Number, divisor: Number) -> Number:
    """Return a mean; NaN where there is nothing to average."""
    return total / divisor if divisor else mp.nan


def _convention(v: Values, kind: str) -> Number:
    """Return the value by a convention: what each counts in the mean."""
    q = v.derived
    weighted = np.where(q.R == 0, mp.zero, q.R * q.losses).sum()
    counted = np.asarray(q.counts, dtype=object).sum() * mp.one
    divisors = {
        "weights": v["shares"].sum(),
        "rows": mp.mpf(len(q.counts)),
        "counted": counted,
        "row weights": v["row_weights"].sum(),
        "sum": mp.one,
    }
    return _ratio(weighted, divisors[kind])


@quantity
def conventions(v: Values) -> Exact:
    """The value by each convention of :data:`CONVENTIONS`, in their order."""
    return [_convention(v, kind) for _, kind, _ in CONVENTIONS]


# framework, what it divides by, in words. Sources: the documentation of each function.
CONVENTIONS = (
    ("PyTorch, F.cross_entropy", "weights", "Σ w_y over the rows that are not ignored"),
    ("TensorFlow / Keras, CategoricalCrossentropy", "rows", "the number of rows, whatever their weights"),
    ("JAX / optax, …with_integer_labels(…).mean()", "rows", "the number of rows; the mean is the user's own"),
    ("scikit-learn, log_loss", "row weights", "Σ r, the sum of the sample weights"),
    ("Chainer, softmax_cross_entropy", "counted", "the number of rows that are not ignored"),
    ("a sum", "sum", "1"),
)


def part(case: Case, v: Values) -> Part | None:
    """Return the part about the batch."""
    lead = (
        "The losses of rows become one number. What they are divided by is a convention, and with weights or ignored rows "
        "the conventions differ."
    )
    return Part("batch", "The batch", lead, (_losses(case, v), _value(case, v), _gradient(case)))


def _losses(case: Case, v: Values) -> Step:
    rows = len(case.scores)
    table = Table(
        caption="The rows.",
        head=("row", "loss", "weight", "counts as"),
        rows=tuple(
            ("…", "…", "…", "…")
            if b is None
            else (str(b), Slot("losses", (b,)), Slot("row_weights", (b,)), Slot("shares", (b,)))
            for b in elided(rows, 12)
        ),
    )
    return Step(
        name="losses",
        title="The losses of the rows",
        symbol=r"\ell_b",
        formula=r"\ell_b, \quad b = 0, \dots, B - 1",
        template=r"\ell \eq \left(" + summed(rows, lambda b: n("losses", b), ",\\; ") + r"\right)",
        follows=("loss",),
        why="Each row has a loss of its own; no row sees another.",
        axes=("B",),
        tables=(table,),
    )


def _value(case: Case, v: Values) -> Step:
    rows, reduction = len(case.scores), v.derived.reduction
    summands = summed(rows, lambda b: rf"{n('row_weights', b)} \cdot {n('losses', b)}")
    formula, template, code = {
        "mean": (
            r"L = \frac{\sum_b r_b\, \ell_b}{D}, \quad D = \sum_b r_b\, w_{y_b}"
            if v.derived.hard
            else r"L = \frac{\sum_b r_b\, \ell_b}{D}, \quad D = \sum_b r_b",
            rf"L \eq \frac{{{summands}}}{{{n('divisor')}}} \eq {n('value')}",
            "value = (row_weights * losses).sum() / divisor",
        ),
        "sum": (
            r"L = \sum_b r_b\, \ell_b",
            rf"L \eq {summands} \eq {n('value')}",
            "value = (row_weights * losses).sum()",
        ),
        "none": (r"L_b = r_b\, \ell_b", rf"L_0 \eq {n('value', 0)}", "value = row_weights * losses"),
    }[reduction]
    table = Table(
        caption="The same rows under each framework's convention.",
        head=("", "value", "divided by"),
        rows=tuple((name, Slot("conventions", (k,)), words) for k, (name, _, words) in enumerate(CONVENTIONS)),
    )
    return Step(
        name="value",
        title={"mean": "The mean", "sum": "The sum", "none": "No reduction"}[reduction],
        symbol="L",
        formula=formula,
        template=template,
        follows=("losses",),
        rule="weighted mean" if reduction == "mean" else "sum" if reduction == "sum" else "definition",
        why={
            "mean": "The divisor counts what was counted: rows by their weights and by the weight of their class.",
            "sum": "A sum grows with the batch, and so does its gradient.",
            "none": "The losses stay apart.",
        }[reduction],
        axes=("B",) if reduction == "none" else (),
        code=code,
        tables=(table,),
    )


def _gradient(case: Case) -> Step:
    return Step(
        name="batch_gradient",
        title="The gradient of the value",
        symbol=r"\frac{\partial L}{\partial z}",
        formula=r"\frac{\partial L}{\partial z_{bi}} = \frac{r_b}{D} \frac{\partial \ell_b}{\partial z_{bi}}",
        template=rf"\frac{{\partial L}}{{\partial z_{{{case.row},0}}}} \eq {n('batch_gradient', case.row, 0)}",
        follows=("gradient", "value"),
        rule="derivative of a sum",
        why="Each row's gradient is scaled as its loss is; forgetting the divisor makes it too large by a factor of B.",
        axes=("B", "T"),
    )
