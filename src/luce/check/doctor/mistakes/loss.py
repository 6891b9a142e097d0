"""Mistakes in the loss of a row."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Quantities
from luce.derivation.steps import loss

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake


@mistake(name="loss in bits, gradient not", fix="np.log, not np.log2")
@at(step=loss, computed="ℓ = −log₂ p_y", right="ℓ = −ln p_y")
def loss_in_bits_gradient_not(q: Quantities) -> None:
    """The loss is of base 2, the gradient of base e: they do not belong together."""
    q.losses = q.losses / np.log(2)


@mistake(name="loss of base 10, gradient of base e", fix="np.log, not np.log10")
@at(step=loss, computed="ℓ = −log₁₀ p_y", right="ℓ = −ln p_y")
def loss_of_base_10_gradient_of_base_e(q: Quantities) -> None:
    """The loss is of base 10, the gradient of base e."""
    q.losses = q.losses / np.log(10)


@mistake(name="logarithm left out", fix="take log_softmax, not softmax")
@at(step=loss, computed="ℓ = −p_y", right="ℓ = −log p_y")
def logarithm_left_out(q: Quantities) -> None:
    """The loss is minus the probability, as when probabilities are passed to a loss that takes log-probabilities."""
    q.losses = -(q.t * q.p).sum(axis=1)


@mistake(name="logits taken for log-probabilities", fix="apply log_softmax first")
@at(step=loss, computed="ℓ = −z_y", right="ℓ = lse − z_y")
def logits_taken_for_log_probabilities(q: Quantities) -> None:
    """The loss is minus the logit: the log-sum-exp is missing."""
    q.losses = -np.where(q.t == 0, 0, q.t * q.u).sum(axis=1)


@mistake(name="squared error in the loss", fix="use the cross-entropy")
@at(step=loss, computed="ℓ = Σ (p − t)²", right="ℓ = −log p_y")
def squared_error_in_the_loss(q: Quantities) -> None:
    """The loss is the squared error of the probabilities."""
    q.losses = ((q.p - q.t) ** 2).sum(axis=1)


@mistake(name="half the squared error in the loss", fix="use the cross-entropy")
@at(step=loss, computed="ℓ = ½ Σ (p − t)²", right="ℓ = −log p_y")
def half_the_squared_error_in_the_loss(q: Quantities) -> None:
    """The loss is half the squared error of the probabilities."""
    q.losses = ((q.p - q.t) ** 2).sum(axis=1) / 2


@mistake(name="binary cross-entropy of the softmax", fix="drop the second term")
@at(step=loss, computed="ℓ = −Σ t log p + (1 − t) log(1 − p)", right="ℓ = −Σ t log p")
def binary_cross_entropy_of_the_softmax(q: Quantities) -> None:
    """Each class adds a term log(1 − p), which belongs to a sigmoid."""
    q.losses = -(q.t * q.log_p + (1 - q.t) * np.log1p(-q.p)).sum(axis=1)


@mistake(name="entropy of the prediction", fix="multiply by the target")
@at(step=loss, computed="ℓ = −Σ p log p", right="ℓ = −Σ t log p")
def entropy_of_the_prediction(q: Quantities) -> None:
    """The probabilities are multiplied by their own logarithms; the target is not used."""
    q.losses = -(q.p * q.log_p).sum(axis=1)


@mistake(name="logarithm of 1 − p", fix="take the logarithm of p_y")
@at(step=loss, computed="ℓ = −log(1 − p_y)", right="ℓ = −log p_y")
def logarithm_of_1_minus_p(q: Quantities) -> None:
    """The logarithm is of 1 − p_y, not of p_y."""
    q.losses = -np.where(q.t == 0, 0, q.t * np.log1p(-q.p)).sum(axis=1)


@mistake(name="the largest probability instead of the target's", fix="p[np.arange(N), y]")
@at(step=loss, computed="ℓ = −log max p", right="ℓ = −log p_y")
def the_largest_probability_instead_of_the_targets(q: Quantities) -> None:
    """The loss uses the likeliest class, not the label."""
    q.losses = -q.log_p.max(axis=1)


@mistake(name="target's logit not subtracted", fix="subtract z_y")
@at(step=loss, computed="ℓ = lse", right="ℓ = lse − z_y")
def targets_logit_not_subtracted(q: Quantities) -> None:
    """The loss is the log-sum-exp alone."""
    q.losses = q.losses + (q.t * q.u).sum(axis=1)


@mistake(name="log-probabilities summed over all classes", fix="multiply by the one-hot target")
@at(step=loss, computed="ℓ = −Σ_j log p_j", right="ℓ = −Σ_j t_j log p_j")
def log_probabilities_summed_over_all_classes(q: Quantities) -> None:
    """The loss sums over the classes without the target."""
    q.losses = -q.log_p.sum(axis=1)


@mistake(name="loss with the wrong sign", fix="loss = -...")
@at(step=loss, computed="ℓ = log p_y", right="ℓ = −log p_y")
def loss_with_the_wrong_sign(q: Quantities) -> None:
    """The minus of −log p is missing."""
    q.losses = -q.losses
