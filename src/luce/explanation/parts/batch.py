"""The batch: what the losses of rows are divided by, and the same rows under each framework's convention."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import elided, summed
from luce.explanation.quantities import Number, Numbers, Values, quantity
from luce.explanation.shown import Slot, n
from luce.explanation.step import Part, Step, Table

__all__ = ["part"]


@quantity
def losses(v: Values) -> Numbers:
    """The losses of all rows, before weights of rows, of shape (B,)."""
    q = v.derived
    return np.where(q.counts, np.where(v.case.broken_rows, mp.nan, q.losses), mp.zero)


@quantity
def row_weights(v: Values) -> Numbers:
    """The weights of all rows, 0 where a row is ignored, of shape (B,)."""
    return v.derived.R * mp.one


@quantity
def shares(v: Values) -> Numbers:
    """What each row counts in the divisor of a mean, of shape (B,)."""
    q = v.derived
    return q.R * (q.w[q.y] if q.hard else 1) * mp.one


@quantity
def divisor(v: Values) -> Numbers:
    """What the sum of the losses is divided by, D."""
    return v.derived.D * mp.one


@quantity
def value(v: Values) -> Numbers:
    """The value of the loss: a number, or of shape (B,) without a reduction."""
    q = v.derived
    weighted = np.where(q.R == 0, mp.zero, q.R * v["losses"])
    if q.reduction == "none":
        return weighted
    if q.reduction == "mean" and not q.D and v.case.given.options.get("on_empty") == "zero":
        return mp.zero
    return _ratio(weighted.sum(), v["divisor"].item()) if q.reduction == "mean" else weighted.sum()


@quantity
def batch_gradient(v: Values) -> Numbers:
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
    weighted = np.where(q.R == 0, mp.zero, q.R * v["losses"]).sum()
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
def conventions(v: Values) -> Numbers:
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
        "The losses of rows become one number. What they are divided by is a convention, and with weights or ignored "
        "rows "
        "the conventions differ."
    )
    return Part("batch", "The batch", lead, (_losses(case, v), _value(case, v), _gradient(case, v)))


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
        code=_losses_code(case, v),
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
            _value_code(v),
        ),
        "sum": (
            r"L = \sum_b r_b\, \ell_b",
            rf"L \eq {summands} \eq {n('value')}",
            _value_code(v),
        ),
        "none": (r"L_b = r_b\, \ell_b", rf"L_0 \eq {n('value', 0)}", _value_code(v)),
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


def _gradient(case: Case, v: Values) -> Step:
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
        code=_gradient_code(case, v),
    )


def _losses_code(case: Case, v: Values) -> str:
    """Return the lines of NumPy that compute the losses of all rows; of one row there is the loss already."""
    weighted = "sample_weight" if "sample_weight" in case.given.options else "np.ones(len(losses))"
    if not case.batch:
        return f"losses = np.array([loss])\nrow_weights = counts * {weighted}\n{_divisor_code(case, v)}"
    zeta = " + z_loss * batch_lse**2" if case.says("z_loss") else ""
    lines = [
        *_scores_code(case),
        "batch_shift = batch_scaled.max(axis=1)",
        "batch_shifted = batch_scaled - batch_shift[:, None]",
        "batch_total = np.exp(batch_shifted).sum(axis=1)",
        "batch_log_p = batch_shifted - np.log(batch_total)[:, None]",
        *(["batch_lse = batch_shift + np.log(batch_total)"] if case.says("z_loss") else []),
        "batch_t = batch_target",
        *(
            [f"batch_t = (1 - label_smoothing) * batch_t + label_smoothing / {case.n_classes}"]
            if case.says("label_smoothing")
            else []
        ),
        *(["batch_t = class_weights * batch_t"] if case.says("weight") else []),
        f"losses = -np.where(batch_t == 0, 0, batch_t * batch_log_p).sum(axis=1){zeta}",
        *(["losses = np.where(np.isnan(batch_total), np.nan, losses)"] if case.broken_rows.any() else []),
        "losses = np.where(counts, losses, 0)",
        f"row_weights = counts * {weighted}",
        _divisor_code(case, v),
    ]
    return "\n".join(lines)


def _scores_code(case: Case) -> list[str]:
    """Return the lines that compute what the softmax of all rows is taken of."""
    over = " / temperature" if case.says("temperature") else ""
    scaled = f"batch_scores{over}"
    if case.says("softcap"):
        scaled = f"np.where(batch_scores == -np.inf, batch_scores, softcap * np.tanh(batch_scores / softcap){over})"
    slope = "1 - np.tanh(batch_scores / softcap) ** 2" if case.says("softcap") else "np.ones_like(batch_scores)"
    return [
        *(["batch_scores = batch_input @ weights.T + bias"] if case.given.layer is not None else []),
        f"batch_scaled = {scaled}",
        *([f"batch_slope = ({slope}){over}"] if case.scaled else []),
    ]


def _divisor_code(case: Case, v: Values) -> str:
    """Return the line that computes what a mean divides by."""
    if v.derived.normalizer is not None and v.derived.reduction == "mean":
        return "divisor = normalizer"
    if v.derived.reduction != "mean":
        return "divisor = 1.0"
    of_class = " * class_weights[labels]" if v.derived.hard and case.says("weight") else ""
    return f"divisor = (row_weights{of_class}).sum()"


def _value_code(v: Values) -> str:
    """Return the line that computes the value; rows without weight count for nothing, whatever their loss."""
    weightless = any(r == 0 for r in v.derived.R)
    weighted = "np.where(row_weights == 0, 0, row_weights * losses)" if weightless else "row_weights * losses"
    if v.derived.reduction == "none":
        return f"value = {weighted}"
    if v.derived.reduction == "mean" and not v.derived.D and v.case.given.options.get("on_empty") == "zero":
        return "value = 0.0"
    total = f"{weighted}.sum()" if weightless else f"({weighted}).sum()"
    return f"value = {total} / divisor" if v.derived.reduction == "mean" else f"value = {total}"


def _gradient_code(case: Case, v: Values) -> str:
    """Return the lines that compute the gradient of the value in all scores."""
    empty = not any(r != 0 for r in v.derived.R)
    if empty:  # nothing counts, so nothing is pulled
        return f"batch_gradient = np.zeros({(len(case.scores), case.n_classes)})"
    if not case.batch:
        return "batch_gradient = row_weights[:, None] * gradient / divisor"
    inner = "batch_t.sum(axis=1, keepdims=True) * batch_p - batch_t"
    if case.says("z_loss"):
        inner += " + 2 * z_loss * batch_lse[:, None] * batch_p"
    slope = " * batch_slope" if case.scaled else ""
    return "\n".join(
        (
            "batch_p = np.exp(batch_log_p)",
            f"batch_gradient = row_weights[:, None] * ({inner}){slope} / divisor",
            "batch_gradient = np.where((row_weights == 0)[:, None] | (batch_scores == -np.inf), 0, batch_gradient)",
        )
    )
