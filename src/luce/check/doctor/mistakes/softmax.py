"""Mistakes in the softmax: another axis, another function, the shift before exp, and what is summed."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Mistake, Subject, at
from luce.derivation.quantities import Array, Quantities
from luce.derivation.steps import exponentials, loss, probabilities, shift

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake

LANES = (4, 8, 16, 32, 64, 128)
"""Multiples to which rows are padded."""


def softmax(u: Array) -> Array:
    """Return ``exp(u) / Σ exp(u)`` of each row."""
    e = np.exp(u - u.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def normalise_along(q: Quantities, axis: int | None) -> None:
    """Take the maximum, unless another shift was made, and the sum of the exponentials along another axis."""
    if q.m is q.row_maximum:
        q.m = q.u.max(axis=axis, keepdims=True)
    q.axis = axis
    q.e = np.exp(q.u - q.m)
    q.S = q.e.sum(axis=axis, keepdims=True)


def previous(m: Array) -> Array:
    """Return the row's maximum of the row before; the first row keeps its own."""
    return np.concatenate([m[:1], m[:-1]])


@mistake(name="softmax applied twice", fix="remove one softmax: the loss takes logits")
@at(step=probabilities, computed="p = softmax(softmax(z))", right="p = softmax(z)")
def softmax_applied_twice(q: Quantities) -> None:
    """Probabilities were passed where logits belong: the softmax is taken of a softmax."""
    q.p = softmax(q.p)
    q.log_p = np.log(q.p)


@mistake(name="softmax over the batch axis", fix="softmax(z, axis=-1), keepdims=True")
@at(step=exponentials, computed="p = softmax(z, axis=0)", right="p = softmax(z, axis=1)")
def softmax_over_the_batch_axis(q: Quantities) -> None:
    """The softmax runs down the columns: probabilities of a class sum to 1 over the rows."""
    normalise_along(q, 0)


@mistake(name="softmax over the whole array", fix="sum with axis=1, keepdims=True")
@at(step=exponentials, computed="p = exp(z) / exp(z).sum()", right="p = exp(z) / exp(z).sum(axis=1)")
def softmax_over_the_whole_array(q: Quantities) -> None:
    """The exponentials are divided by the sum over all rows."""
    normalise_along(q, None)


@mistake(name="sigmoid instead of softmax", fix="use the softmax, or a binary loss for independent labels")
@at(step=probabilities, computed="p = 1 / (1 + exp(−z))", right="p = exp(z) / Σ exp(z)")
def sigmoid_instead_of_softmax(q: Quantities) -> None:
    """Each logit passes through a sigmoid of its own; the rows do not sum to 1."""
    q.p = 1 / (1 + np.exp(-q.u))
    q.log_p = -np.logaddexp(0, -q.u)


@mistake(name="sigmoid with the binary loss", fix="use the softmax's cross-entropy for classes that exclude each other")
@at(step=loss, computed="ℓ = −Σ t log σ(z) + (1 − t) log(1 − σ(z))", right="ℓ = −Σ t log softmax(z)")
def sigmoid_with_the_binary_loss(q: Quantities) -> None:
    """The loss is the binary cross-entropy of each class's own sigmoid."""
    q.p = 1 / (1 + np.exp(-q.u))
    q.losses = (q.t * np.logaddexp(0, -q.u) + (1 - q.t) * np.logaddexp(0, q.u)).sum(axis=1)


@mistake(name="no shift", fix="z = z - z.max(axis=1, keepdims=True) before exp")
@at(step=shift, computed="exp(z)", right="exp(z − max z)")
def no_shift(q: Quantities) -> None:
    """exp is taken of the logits as they are: it overflows at 710 in float64, at 89 in float32, and is 0 for a whole
    row below −745.
    """
    q.m = 0 * q.row_maximum


@mistake(name="shift by the maximum of the whole array", fix="z.max(axis=1, keepdims=True)")
@at(step=shift, computed="exp(z − z.max())", right="exp(zᵢ − max zᵢ)")
def shift_by_the_maximum_of_the_whole_array(q: Quantities) -> None:
    """The largest logit of all rows is subtracted: rows far below it underflow to 0 / 0."""
    q.m = q.u.max() + 0 * q.row_maximum


@mistake(name="shift by a maximum that never falls", fix="set the maximum to −inf at the start of each row")
@at(step=shift, computed="m ← max(m, max zᵢ)", right="m = max zᵢ")
def shift_by_a_maximum_that_never_falls(q: Quantities) -> None:
    """The maximum is kept from one row to the next: a row far below an earlier one underflows to 0 / 0."""
    q.m = np.maximum.accumulate(q.u.max(axis=1, keepdims=True))


@mistake(name="shift by max(0, ·)", fix="start the maximum at −inf or at the first logit")
@at(step=shift, computed="m = max(0, max zᵢ)", right="m = max zᵢ")
def shift_by_max_0(q: Quantities) -> None:
    """The maximum starts from 0, not from −inf: rows far below 0 underflow to 0 / 0."""
    q.m = np.maximum(q.u.max(axis=1, keepdims=True), 0)


@mistake(name="shift by the mean", fix="z.max(axis=1, keepdims=True)")
@at(step=shift, computed="exp(z − mean z)", right="exp(z − max z)")
def shift_by_the_mean(q: Quantities) -> None:
    """The mean is subtracted, not the maximum: a row with a wide spread still overflows."""
    q.m = q.u.mean(axis=1, keepdims=True)


@mistake(name="shift by the minimum", fix="z.max(axis=1, keepdims=True)")
@at(step=shift, computed="exp(z − min z)", right="exp(z − max z)")
def shift_by_the_minimum(q: Quantities) -> None:
    """The minimum is subtracted, not the maximum: a row with a wide spread overflows."""
    q.m = q.u.min(axis=1, keepdims=True)


@mistake(name="shift by the maximum of the column", fix="z.max(axis=1, keepdims=True)")
@at(step=shift, computed="exp(z − z.max(axis=0))", right="exp(z − z.max(axis=1))")
def shift_by_the_maximum_of_the_column(q: Quantities) -> None:
    """Each class has its own maximum subtracted, which changes the probabilities."""
    q.m = np.broadcast_to(q.u.max(axis=0), q.u.shape)


@mistake(name="the column's maximum in the exponentials only", fix="z.max(axis=1, keepdims=True)")
@at(step=exponentials, computed="exp(z − z.max(axis=0))", right="exp(z − z.max(axis=1))")
def the_columns_maximum_in_the_exponentials_only(q: Quantities) -> None:
    """Each class has its own maximum subtracted before exp, and not where the logit itself is used."""
    q.e = np.exp(q.u - q.u.max(axis=0))
    q.S = q.e.sum(axis=1, keepdims=True)


@mistake(name="the previous row's maximum", fix="compute the maximum inside the loop over rows, before it is used")
@at(step=exponentials, computed="log p = z − m_{i−1} − log Σ exp(z − mᵢ)", right="log p = z − mᵢ − log Σ exp(z − mᵢ)")
def the_previous_rows_maximum(q: Quantities) -> None:
    """The maximum of the row before is subtracted in one place and the row's own in another."""
    q.S = q.S * np.exp(previous(q.m) - q.m)


@mistake(name="the previous row's maximum in the loss", fix="compute the maximum inside the loop over rows")
@at(step=probabilities, computed="ℓ = m_{i−1} + log Σ exp(z − mᵢ) − z_y", right="ℓ = mᵢ + log Σ exp(z − mᵢ) − z_y")
def the_previous_rows_maximum_in_the_loss(q: Quantities) -> None:
    """The loss adds back the maximum of the row before."""
    q.log_p = q.log_p + q.m - previous(q.m)


@mistake(name="the first row's maximum in the loss", fix="use each row's own maximum")
@at(step=probabilities, computed="ℓ = m₁ + log Σ exp(z − mᵢ) − z_y", right="ℓ = mᵢ + log Σ exp(z − mᵢ) − z_y")
def the_first_rows_maximum_in_the_loss(q: Quantities) -> None:
    """The loss adds back the maximum of the first row."""
    q.log_p = q.log_p + q.m - q.m[0]


@mistake(name="maximum not added back", fix="add the maximum, or subtract it from z_y too")
@at(step=probabilities, computed="ℓ = log Σ exp(z − m) − z_y", right="ℓ = m + log Σ exp(z − m) − z_y")
def maximum_not_added_back(q: Quantities) -> None:
    """The log-sum-exp is that of the shifted logits; the maximum is not added back."""
    q.log_p = q.log_p + q.m


@mistake(name="maximum added instead of subtracted", fix="subtract the maximum in both")
@at(step=probabilities, computed="log p = z + m − log Σ exp(z − m)", right="log p = z − m − log Σ exp(z − m)")
def maximum_added_instead_of_subtracted(q: Quantities) -> None:
    """The maximum is added to the logits and subtracted in the log-sum-exp, or the other way round."""
    q.log_p = q.log_p + 2 * q.m


@mistake(name="running sum not rescaled", fix="multiply the sum by exp(m_old − m_new) when the maximum grows")
@at(step=exponentials, computed="S ← S + exp(z_j − m_j)", right="S ← S·exp(m_old − m_new) + exp(z_j − m_new)")
def running_sum_not_rescaled(q: Quantities) -> None:
    """The maximum is found while summing; what was summed before it grew is not rescaled."""
    q.S = np.exp(q.u - np.maximum.accumulate(q.u, axis=1)).sum(axis=1, keepdims=True)


@mistake(name="shift in the numerator only", fix="shift once, z = z - z.max(axis=1, keepdims=True), and use it in both")
@at(step=exponentials, computed="p = exp(z − m) / Σ exp(z)", right="p = exp(z − m) / Σ exp(z − m)")
def shift_in_the_numerator_only(q: Quantities) -> None:
    """The maximum is subtracted in the numerator; the sum is of exp(z) without it."""
    q.S = np.exp(q.u).sum(axis=q.axis, keepdims=True)


@mistake(
    name="shift in the denominator only", fix="shift once, z = z - z.max(axis=1, keepdims=True), and use it in both"
)
@at(step=exponentials, computed="p = exp(z) / Σ exp(z − m)", right="p = exp(z − m) / Σ exp(z − m)")
def shift_in_the_denominator_only(q: Quantities) -> None:
    """The maximum is subtracted in the sum; the numerator is exp(z) without it."""
    q.e, q.m = np.exp(q.u), 0 * q.row_maximum


@mistake(name="row sums without keepdims", fix="e.sum(axis=1, keepdims=True)")
@at(step=exponentials, computed="p_ij = e_ij / S_j", right="p_ij = e_ij / S_i")
def row_sums_without_keepdims(q: Quantities) -> None:
    """The sums of the rows are divided out along the classes: with another number of rows than of classes it does not
    run.
    """
    if len(q.z) == q.V:
        q.S = q.S.T


@mistake(name="row maxima without keepdims", fix="z.max(axis=1, keepdims=True)")
@at(step=shift, computed="z_ij − m_j", right="z_ij − m_i")
def row_maxima_without_keepdims(q: Quantities) -> None:
    """The maxima of the rows are subtracted along the classes: with another number of rows than of classes it does not
    run.
    """
    if len(q.z) == q.V:
        q.m = q.m.T


@mistake(name="the mean of the exponentials instead of their sum", fix="sum, not mean")
@at(step=exponentials, computed="p = e / mean(e)", right="p = e / Σ e")
def the_mean_of_the_exponentials_instead_of_their_sum(q: Quantities) -> None:
    """The exponentials are divided by their mean: the rows sum to V."""
    q.S = q.S / q.V


@mistake(name="powers of 2 instead of e", fix="np.exp, or multiply the logits by log₂ e first")
@at(step=exponentials, computed="2^z", right="e^z")
def powers_of_2_instead_of_e(q: Quantities) -> None:
    """The exponentials are powers of 2."""
    q.e = np.exp2(q.u - q.m)
    q.S = q.e.sum(axis=q.axis, keepdims=True)


@mistake(name="the sum leaves out the last class", fix="range(V), not range(V - 1)")
@at(step=exponentials, computed="Σ_{j<V−1} exp(z_j)", right="Σ_j exp(z_j)")
def the_sum_leaves_out_the_last_class(q: Quantities) -> None:
    """The loop over the classes ends one too early."""
    q.S = q.e[:, :-1].sum(axis=1, keepdims=True)


@mistake(name="the sum leaves out the first class", fix="range(V), not range(1, V)")
@at(step=exponentials, computed="Σ_{j>0} exp(z_j)", right="Σ_j exp(z_j)")
def the_sum_leaves_out_the_first_class(q: Quantities) -> None:
    """The loop over the classes begins one too late."""
    q.S = q.e[:, 1:].sum(axis=1, keepdims=True)


def padded_lanes(lanes: int) -> Mistake:
    """Return the mistake of summing the padding of rows: exponentials of 1 up to a multiple of `lanes`."""

    def change(q: Quantities) -> None:
        q.S = q.S + -q.V % lanes

    return Mistake(
        name=f"padded lanes counted (multiples of {lanes})",
        said=f"Rows are padded to a multiple of {lanes}; the padding's exp(0) = 1 is in the sum.",
        computed="S = Σ exp(z − m) + k",
        right="S = Σ exp(z − m)",
        fix="pad with −inf, or mask the lanes past the end of the row",
        step=exponentials,
        change=change,
    )


def padded_logits(lanes: int) -> Mistake:
    """Return the mistake of padding rows with logits of 0 up to a multiple of `lanes`."""

    def change(q: Quantities) -> None:
        q.S = q.S + -q.V % lanes * np.exp(-q.m)

    return Mistake(
        name=f"padded logits of 0 counted (multiples of {lanes})",
        said=f"Rows are padded with logits of 0 to a multiple of {lanes}, which take part in the softmax.",
        computed="S = Σ exp(z) + k·exp(0)",
        right="S = Σ exp(z)",
        fix="pad with −inf, not with 0",
        step=exponentials,
        change=change,
    )


SUBJECT += [padded(lanes) for lanes in LANES for padded in (padded_lanes, padded_logits)]
