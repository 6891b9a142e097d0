"""Mistakes in the gradient at the logits."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Array, Quantities, one_hot
from luce.derivation.steps import divisor, gradient

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake

RIGHT = "∂ℓ/∂z = p − t"


def jacobian_times(p: Array, vector: Array) -> Array:
    """Return the Jacobian of the softmax times a vector, row by row."""
    return np.asarray(p * (vector - (p * vector).sum(axis=1, keepdims=True)))


def own_entries(q: Quantities) -> Array:
    """Return 1 at the entries of the target and 0 elsewhere."""
    return np.asarray((q.t != 0) * 1.0)


def is_row(q: Quantities, row: int) -> Array:
    """Return a column that is true in one row."""
    return np.asarray(np.arange(len(q.p)) == row)[:, None]


@mistake(name="gradient at the probabilities", fix="grad = p - t")
@at(step=gradient, computed="−t / p", right=RIGHT)
def gradient_at_the_probabilities(q: Quantities) -> None:
    """This is the derivative by the probabilities; the softmax's own derivative is missing."""
    q.dl_du = -q.t / q.p_of_log


@mistake(name="gradient at the log-probabilities", fix="grad = p - t")
@at(step=gradient, computed="−t", right=RIGHT)
def gradient_at_the_log_probabilities(q: Quantities) -> None:
    """This is the derivative by the log-probabilities; the log-softmax's own derivative is missing."""
    q.dl_du = -q.t


@mistake(name="diagonal of the softmax's derivative only", fix="add the off-diagonal part −p_i p_j: grad = p - t")
@at(step=gradient, computed="−t (1 − p)", right=RIGHT)
def diagonal_of_the_softmax_derivative_only(q: Quantities) -> None:
    """Only ∂p_y/∂z_y = p_y (1 − p_y) is used; the other logits change p_y too."""
    q.dl_du = -q.t * (1 - q.p)


@mistake(name="off-diagonal sign", fix="J = np.diag(p) - np.outer(p, p)")
@at(step=gradient, computed="−p_j for j ≠ y", right="+p_j for j ≠ y")
def off_diagonal_sign(q: Quantities) -> None:
    """The off-diagonal part of the softmax's derivative is −p_i p_j; its minus is missing."""
    q.dl_du = -q.t * (1 - q.p) - (q.t.sum(axis=1, keepdims=True) - q.t) * q.p


@mistake(name="target not subtracted", fix="grad[np.arange(N), y] -= 1")
@at(step=gradient, computed="p", right=RIGHT)
def target_not_subtracted(q: Quantities) -> None:
    """The gradient is the softmax alone."""
    q.dl_du = q.alpha * q.p


@mistake(name="target added", fix="grad = p - t")
@at(step=gradient, computed="p + t", right=RIGHT)
def target_added(q: Quantities) -> None:
    """The target is added, not subtracted."""
    q.dl_du = q.alpha * q.p + q.t


@mistake(name="softmax's derivative applied twice", fix="grad = p - t, without another softmax backward")
@at(step=gradient, computed="J (p − t)", right=RIGHT)
def softmax_derivative_applied_twice(q: Quantities) -> None:
    """p − t already contains the softmax's derivative; it was multiplied by the Jacobian again."""
    q.dl_du = jacobian_times(q.p, q.dl_du)


@mistake(name="extra factor p (1 − p)", fix="remove the factor p * (1 - p)")
@at(step=gradient, computed="(p − t) p (1 − p)", right=RIGHT)
def extra_factor_p_1_minus_p(q: Quantities) -> None:
    """p − t already contains the softmax's derivative; it was multiplied by σ′ = p (1 − p) again."""
    q.dl_du = q.p * (1 - q.p) * q.dl_du


@mistake(
    name="the derivative of a squared error through the softmax", fix="grad = p - t, and the cross-entropy as the loss"
)
@at(step=gradient, computed="2 J (p − t)", right=RIGHT)
def the_derivative_of_a_squared_error_through_the_softmax(q: Quantities) -> None:
    """This is the gradient of Σ (p − t)²."""
    q.dl_du = 2 * jacobian_times(q.p, q.p - q.t)


@mistake(name="the derivative of a squared error with σ′", fix="grad = p - t")
@at(step=gradient, computed="2 (p − t) p (1 − p)", right=RIGHT)
def the_derivative_of_a_squared_error_with_sigma_prime(q: Quantities) -> None:
    """This is the gradient of a squared error with the sigmoid's derivative."""
    q.dl_du = 2 * q.p * (1 - q.p) * q.dl_du


@mistake(name="the derivative of p instead of log p", fix="grad = p - t")
@at(step=gradient, computed="p_y (p − t)", right=RIGHT)
def the_derivative_of_p_instead_of_log_p(q: Quantities) -> None:
    """This is the gradient of −p_y: the logarithm's 1 / p_y is missing."""
    q.dl_du = (q.t * q.p).sum(axis=1, keepdims=True) * q.p - q.t * q.p


@mistake(
    name="the derivative of the binary cross-entropy through the softmax", fix="dL/dp = -t / p; or at once grad = p - t"
)
@at(step=gradient, computed="J (p − t) / (p (1 − p))", right=RIGHT)
def the_derivative_of_the_binary_cross_entropy_through_the_softmax(q: Quantities) -> None:
    """The loss's derivative is that of the binary cross-entropy, (p − t) / (p (1 − p)), which belongs to a sigmoid."""
    q.dl_du = jacobian_times(q.p, (q.p - q.t) / (q.p * (1 - q.p)))


@mistake(name="the derivative of the binary cross-entropy", fix="grad = p - t")
@at(step=gradient, computed="(p − t) / (p (1 − p))", right=RIGHT)
def the_derivative_of_the_binary_cross_entropy(q: Quantities) -> None:
    """This is the derivative of a binary cross-entropy by its probability."""
    q.dl_du = (q.p - q.t) / (q.p * (1 - q.p))


@mistake(name="gradient multiplied by the loss", fix="start from 1, not from the loss")
@at(step=gradient, computed="ℓ (p − t)", right=RIGHT)
def gradient_multiplied_by_the_loss(q: Quantities) -> None:
    """Each row's gradient is multiplied by its loss; the gradient from above is 1, not the loss."""
    q.dl_du = q.losses[:, None] * q.dl_du


@mistake(name="probabilities stored as integers", fix="np.zeros(z.shape), of floats")
@at(step=gradient, computed="int(p) − t", right=RIGHT)
def probabilities_stored_as_integers(q: Quantities) -> None:
    """The probabilities are written into an array of integers, which makes them 0: zeros_like of the labels, or of
    integer logits.
    """
    q.dl_du = np.trunc(q.p) - q.t


@mistake(name="the softmax's derivative without the loss", fix="grad = p - t")
@at(step=gradient, computed="p (1 − p)", right=RIGHT)
def the_softmax_derivative_without_the_loss(q: Quantities) -> None:
    """This is p (1 − p), the diagonal of the softmax's derivative; the loss is not in it."""
    q.dl_du = q.p * (1 - q.p)


@mistake(name="logits in place of probabilities", fix="grad = softmax(z) - t")
@at(step=gradient, computed="z − t", right=RIGHT)
def logits_in_place_of_probabilities(q: Quantities) -> None:
    """The target is subtracted from the logits, not from their softmax."""
    q.dl_du = q.alpha * q.u - q.t


@mistake(name="log-probabilities in place of probabilities", fix="grad = np.exp(log_p) - t")
@at(step=gradient, computed="log p − t", right=RIGHT)
def log_probabilities_in_place_of_probabilities(q: Quantities) -> None:
    """The target is subtracted from log p."""
    q.dl_du = q.alpha * q.log_p - q.t


@mistake(name="exponentials not normalised", fix="divide by the sum first")
@at(step=gradient, computed="exp(z − m) − t", right=RIGHT)
def exponentials_not_normalised(q: Quantities) -> None:
    """The target is subtracted from exp(z − max z), before the division by the sum."""
    q.dl_du = q.alpha * q.e - q.t


@mistake(name="sign of the target's entry", fix="grad[np.arange(N), y] = p_y - 1")
@at(step=gradient, computed="1 − p_y at y", right="p_y − 1 at y")
def sign_of_the_targets_entry(q: Quantities) -> None:
    """The target's own entry has the wrong sign, or the absolute value is taken of all."""
    q.dl_du = q.dl_du * (1 - 2 * own_entries(q))


@mistake(name="target's entry left 0", fix="grad[np.arange(N), y] = p_y - 1")
@at(step=gradient, computed="0 at y", right="p_y − 1 at y")
def targets_entry_left_0(q: Quantities) -> None:
    """The target's own entry is 0."""
    q.dl_du = q.dl_du * (1 - own_entries(q))


@mistake(name="prediction minus target", fix="grad = p - t")
@at(step=gradient, computed="e_{argmax p} − t", right=RIGHT)
def prediction_minus_target(q: Quantities) -> None:
    """The perceptron's update: the predicted class stands for the probabilities."""
    q.dl_du = one_hot(q.p.argmax(axis=1), q.V) - q.t


@mistake(name="squared entries", fix="grad = p - t")
@at(step=gradient, computed="(p − t)²", right=RIGHT)
def squared_entries(q: Quantities) -> None:
    """Every entry is squared."""
    q.dl_du = q.dl_du**2


@mistake(name="mass of the target taken for 1", fix="grad = t.sum(axis=1, keepdims=True) * p - t")
@at(step=gradient, computed="p − t", right="(Σ t) p − t")
def mass_of_the_target_taken_for_1(q: Quantities) -> None:
    """The target does not sum to 1 here, but p is not multiplied by its sum."""
    q.dl_du = q.p - q.t


@mistake(name="1 subtracted in the columns of all labels", fix="grad[np.arange(N), y] -= 1")
@at(step=gradient, computed="p[:, y] − 1", right="p[i, yᵢ] − 1")
def one_subtracted_in_the_columns_of_all_labels(q: Quantities) -> None:
    """grad[:, y] -= 1 subtracts in every row, at every label of the batch."""
    q.dl_du = q.p - q.t.any(axis=0)


@mistake(name="1 subtracted once for each label in every row", fix="grad[np.arange(N), y] -= 1")
@at(step=gradient, computed="p − Σᵢ e_{yᵢ}", right="pᵢ − e_{yᵢ}")
def one_subtracted_once_for_each_label_in_every_row(q: Quantities) -> None:
    """Every row has 1 subtracted for the label of every row."""
    q.dl_du = q.p - q.t.sum(axis=0)


@mistake(name="1 subtracted in the first row only", fix="grad[np.arange(N), y] -= 1")
@at(step=gradient, computed="p[0, y] − 1", right="p[i, yᵢ] − 1")
def one_subtracted_in_the_first_row_only(q: Quantities) -> None:
    """grad[0, y] -= 1 hits the first row, at every label of the batch."""
    q.dl_du = q.p - q.t.any(axis=0) * is_row(q, 0)


@mistake(name="only the first row's target subtracted", fix="grad[np.arange(N), y] -= 1")
@at(step=gradient, computed="p[0, y₀] − 1", right="p[i, yᵢ] − 1")
def only_the_first_rows_target_subtracted(q: Quantities) -> None:
    """The target is subtracted in the first row only."""
    q.dl_du = q.p - q.t * is_row(q, 0)


@mistake(name="only the last row's target subtracted", fix="indent the line into the loop")
@at(step=gradient, computed="p[N−1, y] − 1", right="p[i, yᵢ] − 1")
def only_the_last_rows_target_subtracted(q: Quantities) -> None:
    """The target is subtracted in the last row only: the line stands after the loop."""
    q.dl_du = q.p - q.t * is_row(q, len(q.p) - 1)


@mistake(name="1 subtracted from whole rows", fix="grad[np.arange(N), y] -= 1")
@at(step=gradient, computed="p[y, :] − 1", right="p[i, yᵢ] − 1")
def one_subtracted_from_whole_rows(q: Quantities) -> None:
    """grad[y] -= 1 picks rows by the labels, and subtracts from all their classes."""
    q.dl_du = q.p - np.isin(np.arange(len(q.p)), q.t.argmax(axis=1))[:, None]


@mistake(name="sign flipped", fix="grad = p - t")
@at(step=divisor, computed="t − p", right=RIGHT)
def sign_flipped(q: Quantities) -> None:
    """This is minus the gradient: a step along it goes down, a step against it goes up. If it is the direction of
    descent on purpose, say descent=True.
    """
    q.dl_du = -q.dl_du


@mistake(name="the mean gradient in every row", fix="do not average over the batch axis")
@at(step=divisor, computed="mean over rows of (p − t)", right="a row of its own for each")
def the_mean_gradient_in_every_row(q: Quantities) -> None:
    """The gradient is averaged over the rows before it is returned."""
    q.dl_du = np.broadcast_to(q.dl_du.mean(axis=0), q.dl_du.shape)


@mistake(name="only the last row's gradient", fix="create the array before the loop")
@at(step=divisor, computed="0 in all rows but the last", right="p − t in every row")
def only_the_last_rows_gradient(q: Quantities) -> None:
    """The gradient is made anew in every pass of the loop; the last row survives."""
    q.dl_du = q.dl_du * is_row(q, len(q.p) - 1)


@mistake(name="only the first row's gradient", fix="return after the loop")
@at(step=divisor, computed="0 in all rows but the first", right="p − t in every row")
def only_the_first_rows_gradient(q: Quantities) -> None:
    """The function returns, or stops, after the first row."""
    q.dl_du = q.dl_du * is_row(q, 0)


@mistake(name="gradient zero", fix="use / and floating point; do not detach")
@at(step=divisor, computed="0", right=RIGHT)
def gradient_zero(q: Quantities) -> None:
    """The gradient is 0 everywhere: integer division (1 // N), an array of integers, or a detached result."""
    q.dl_du = 0 * q.dl_du
