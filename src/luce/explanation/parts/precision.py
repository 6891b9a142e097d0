"""Precision: the usual formulas and the exact one in four formats, beside the truth in many digits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.looked_at import has_target, label
from luce.explanation.parts.shift import FORMATS
from luce.explanation.parts.writing import cells
from luce.explanation.quantities import Exact, Number, Values, quantity
from luce.explanation.rounding import Rounded
from luce.explanation.shown import Slot, n
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["ROUTES", "part"]


class Row(NamedTuple):
    """A row in a format: its scores u and its target t, rounded to it, and the place of the target's class."""

    f: Rounded
    u: list[Number]
    t: list[Number]
    own: int

    def loss(self, log_p: list[Number]) -> Number:
        """Return −Σ t log p; a class without mass adds nothing."""
        terms = (self.f.times(t, x) for t, x in zip(self.t, log_p, strict=True) if t)
        return -self.f.total(terms)

    def gradient(self, p: Number) -> Number:
        """Return α p − t in the target's class."""
        return self.f.add(self.f.times(self.f.total(self.t), p), -self.t[self.own])

    def shifted(self) -> list[Number]:
        """Return u − max u."""
        m = max(self.u)
        return [self.f.add(x, -m) for x in self.u]


def softmax_without_shift(row: Row) -> tuple[Number, Number]:
    """Take p = exp u / Σ exp u, then log p, and α p − t."""
    return _by_probabilities(row, row.u)


def softmax_then_log(row: Row) -> tuple[Number, Number]:
    """Take p = exp(u − m) / Σ exp(u − m), then log p, and α p − t."""
    return _by_probabilities(row, row.shifted())


def _by_probabilities(row: Row, u: list[Number]) -> tuple[Number, Number]:
    f, e = row.f, [row.f.exp(x) for x in u]
    S = f.total(e)
    p = [f.over(x, S) for x in e]
    return row.loss([f.log(x) for x in p]), row.gradient(p[row.own])


def log_softmax(row: Row) -> tuple[Number, Number]:
    """Take log p = (u − m) − log Σ exp(u − m), and α exp(log p) − t."""
    f, u = row.f, row.shifted()
    lse = f.log(f.total(f.exp(x) for x in u))
    log_p = [f.add(x, -lse) for x in u]
    return row.loss(log_p), row.gradient(f.exp(log_p[row.own]))


def log1p_of_the_others(row: Row) -> tuple[Number, Number]:
    """Take log p = (u − m) − log1p(Σ of all but the largest), and (α − t) e / S − t (Σ of the others) / S."""
    f, own, u = row.f, row.own, row.shifted()
    e, largest = [f.exp(x) for x in u], max(range(len(u)), key=lambda k: row.u[k])
    besides = f.total(x for k, x in enumerate(e) if k != largest)
    lse, S = f.log1p(besides), f.add(1, besides)
    others = f.total(x for k, x in enumerate(e) if k != own)
    mass = f.total(t for k, t in enumerate(row.t) if k != own)
    taken = f.times(row.t[own], f.over(others, S))
    return row.loss([f.add(x, -lse) for x in u]), f.add(f.times(mass, f.over(e[own], S)), -taken)


# Name, and the formulas of the loss and of the gradient in the target's class.
ROUTES = (
    ("softmax without shift, then log", softmax_without_shift),
    ("shifted softmax, then log", softmax_then_log),
    ("log-softmax", log_softmax),
    ("log1p of the others (Luce)", log1p_of_the_others),
)


def _row(v: Values, f: Rounded) -> Row:
    return Row(f, [f.round(x) for x in v["scaled"]], [f.round(x) for x in v["target"]], label(v))


def _formats() -> list[Rounded]:
    return [Rounded(*limits) for limits in FORMATS.values()]


@quantity
def in_formats(v: Values) -> Exact:
    """Loss and gradient in the target's class (2) by each of :data:`ROUTES` (4) in each format (4)."""
    rows = [_row(v, f) for f in _formats()]
    each = [[route(row) if _finite(row) else (mp.nan, mp.nan) for row in rows] for _, route in ROUTES]
    return np.moveaxis(np.array(each, object), -1, 0)


def _finite(row: Row) -> bool:
    """Return whether the scores are within the format."""
    return bool(mp.isfinite(max(row.u)))


def _truth(row: Row) -> tuple[Number, Number]:
    """Return the loss and the gradient in the target's class of the rounded row, in many digits."""
    if not _finite(row):
        return mp.nan, mp.nan
    m, own = max(row.u), row.own
    e = [mp.exp(x - m) for x in row.u]
    S = mp.fsum(e)
    loss = mp.fsum(t * (m + mp.log(S) - x) for t, x in zip(row.t, row.u, strict=True) if t)
    others = mp.fsum(x for k, x in enumerate(e) if k != own)
    mass = mp.fsum(t for k, t in enumerate(row.t) if k != own)
    return loss, (mass * e[own] - row.t[own] * others) / S


def _digits(found: Exact, truth: Exact) -> Exact:
    """Return the right decimal digits of each number, at most those that its format has."""
    most = [math.floor(bits * math.log10(2)) for bits, _, _ in FORMATS.values()]
    return np.array(
        [[_right(x, *column) for x, *column in zip(row, truth, most, strict=True)] for row in found], object
    )


def _right(x: Number, truth: Number, most: int) -> Number:
    if mp.isnan(x) or mp.isnan(truth):
        return mp.zero
    if x == truth:
        return mp.mpf(most)
    if truth == 0 or mp.isinf(truth) or mp.isinf(x):
        return mp.zero
    return max(mp.zero, min(mp.mpf(most), mp.floor(-mp.log10(abs((x - truth) / truth)))))


@quantity
def losses_in_formats(v: Values) -> Exact:
    """The loss by each of the four routes (row) in each format (column), of shape (4, 4)."""
    return np.asarray(v["in_formats"][0])


@quantity
def true_losses(v: Values) -> Exact:
    """The loss of the row once scores and target are rounded to each format, in many digits, of shape (4,)."""
    return np.array([_truth(_row(v, f))[0] for f in _formats()], object)


@quantity
def loss_digits(v: Values) -> Exact:
    """The right decimal digits of the loss by each route in each format, of shape (4, 4)."""
    return _digits(v["losses_in_formats"], v["true_losses"])


@quantity
def gradients_in_formats(v: Values) -> Exact:
    """The gradient in the target's class by each of the four routes (row) in each format (column), of shape (4, 4)."""
    return np.asarray(v["in_formats"][1])


@quantity
def true_gradients(v: Values) -> Exact:
    """The gradient in the target's class once scores and target are rounded to each format, of shape (4,)."""
    return np.array([_truth(_row(v, f))[1] for f in _formats()], object)


@quantity
def gradient_digits(v: Values) -> Exact:
    """The right decimal digits of that gradient by each route in each format, of shape (4, 4)."""
    return _digits(v["gradients_in_formats"], v["true_gradients"])


@quantity
def lost_margins(v: Values) -> Exact:
    """The margin of two classes from which on 1 + exp(−margin) is rounded to 1, for each format: bits · log 2."""
    return np.array([bits * mp.log(2) for bits, _, _ in FORMATS.values()], object)


@quantity
def exact_margins(v: Values) -> Exact:
    """The margin from which on exp(−margin) is rounded to 0, for each format."""
    return -v["underflow_limits"]


def part(case: Case, v: Values) -> Part | None:
    """Return the part about precision, if the row has a loss to compute."""
    if not has_target(v):
        return None
    lead = (
        "Formulas that are equal on paper are not equal in a computer. Where the model is sure, p is so close to 1 "
        "that rounding makes it 1, and log p and p − 1 lose every digit; a sum over the other classes loses none."
    )
    return Part("precision", "Precision", lead, (_loss(case), _gradient(case)))


def _tables(kind: str, found: str, truth: str, digits: str) -> tuple[Table, Table]:
    """Return the table of values and that of their right digits."""
    values, right = (
        [cells(name, quantity, FORMATS, k) for k, (name, _) in enumerate(ROUTES)] for quantity in (found, digits)
    )
    most = [str(math.floor(bits * math.log10(2))) for bits, _, _ in FORMATS.values()]
    return (
        Table(
            caption=f"The {kind} by each formula, in each format.",
            head=("formula", *FORMATS),
            rows=(*values, cells("the truth, of the rounded scores", truth, FORMATS)),
        ),
        Table(
            caption=f"Right decimal digits of the {kind}.",
            head=("formula", *FORMATS),
            rows=(*right, ("what the format holds", *most)),
        ),
    )


def _loss(case: Case) -> Step:
    without = " The z-loss is left out here." if case.says("z_loss") else ""
    lost = Table(
        caption="Where all digits are lost, for two classes: from which margin, or from which size of a score.",
        head=(
            "format",
            "no shift: ∞ or NaN above",
            "log p and p − 1 are 0 from",
            "log of p: −∞ below",
            "log1p: 0 from",
        ),
        rows=tuple(
            (name, *(Slot(q, (k,)) for q in ("overflow_limits", "lost_margins", "underflow_limits", "exact_margins")))
            for k, name in enumerate(FORMATS)
        ),
    )
    return Step(
        name="losses_in_formats",
        title="The loss in four formats",
        symbol=r"\hat{\ell}",
        formula=r"-\log p_y = (m - \U_y) + \log\left(1 + \sum_{j \ne k} e^{\U_j - m}\right), \quad \U_k = m",
        template=rf"\ell \eq {n('true_losses', 3)}",
        follows=("loss",),
        rule="rounding",
        why="Each operation is rounded to the nearest number of its format: 1 + s becomes 1, log1p(s) stays s.",
        axes=("R", "F"),
        notes=(
            Note(
                "Scores and target are rounded to the format first, and so are those of the truth: what is judged is "
                f"the formula alone.{without}"
            ),
            Note(
                "With the shift nothing overflows, but log p is 0 as soon as the other classes' sum vanishes beside 1; "
                "in float32 that is a margin of about 17. On the other side, p itself is rounded to 0 where the "
                "target's score is far below the largest, and log p is −∞: the log-softmax mends that side alone."
            ),
            Note(
                "The exact form leaves the largest term out of the sum, so that nothing is added to 1. Luce does; rows "
                "of 16 bits it computes in float32 and rounds once, at the end."
            ),
        ),
        tables=(*_tables("loss", "losses_in_formats", "true_losses", "loss_digits"), lost),
    )


def _gradient(case: Case) -> Step:
    return Step(
        name="gradients_in_formats",
        title="The gradient in the target's class in four formats",
        symbol=r"\hat{g}_y",
        formula=r"\alpha\, p_y - t_y = (\alpha - t_y)\, p_y - t_y \frac{\sum_{j \ne y} e_j}{S}",
        template=rf"\alpha\, p_y - t_y \eq {n('true_gradients', 3)}",
        follows=("gradient",),
        rule="rounding",
        why="p − 1 is a difference of nearly equal numbers; the share of the others is a sum, and keeps its digits.",
        axes=("R", "F"),
        notes=(
            Note(
                "A gradient of 0 is worse than a small one: the row no longer counts. The entries of the other classes "
                "are products, and lose nothing."
            ),
        ),
        tables=_tables("gradient in the target's class", "gradients_in_formats", "true_gradients", "gradient_digits"),
    )
