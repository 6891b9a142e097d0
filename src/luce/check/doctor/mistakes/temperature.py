"""Mistakes with the temperature."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.check.doctor.mistakes.softmax import softmax
from luce.derivation.quantities import Quantities
from luce.derivation.steps import gradient, probabilities, scores

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake


@mistake(name="1/T left out of the gradient", fix="divide the gradient by T")
@at(step=scores, computed="p − t", right="(p − t) / T")
def slope_left_out_of_the_gradient(q: Quantities) -> None:
    """The softmax is taken of z / T, but the chain rule's 1/T is missing."""
    q.du_dz = 1.0


@mistake(name="1/T twice in the gradient", fix="divide by T once")
@at(step=scores, computed="(p − t) / T²", right="(p − t) / T")
def slope_twice_in_the_gradient(q: Quantities) -> None:
    """The gradient is divided by T in two places."""
    q.du_dz = q.temperature**-2


@mistake(name="multiplied by the temperature", fix="z / T")
@at(step=scores, computed="softmax(z·T)", right="softmax(z / T)")
def multiplied_by_the_temperature(q: Quantities) -> None:
    """The logits are multiplied by T, not divided."""
    q.u, q.du_dz = q.z * q.temperature, q.temperature


@mistake(name="temperature ignored", fix="z = z / T before the softmax")
@at(step=scores, computed="softmax(z)", right="softmax(z / T)")
def temperature_ignored(q: Quantities) -> None:
    """The temperature has no effect."""
    q.u, q.du_dz = q.z, 1.0


@mistake(name="temperature on the log-sum-exp only", fix="divide the target's logit by T too")
@at(step=probabilities, computed="ℓ = lse(z / T) − z_y", right="ℓ = lse(z / T) − z_y / T")
def temperature_on_the_log_sum_exp_only(q: Quantities) -> None:
    """The log-sum-exp is of z / T; the target's own logit is not divided."""
    q.log_p = q.log_p - q.u + q.z


@mistake(name="temperature on the target's logit only", fix="take the log-sum-exp of z / T")
@at(step=probabilities, computed="ℓ = lse(z) − z_y / T", right="ℓ = lse(z / T) − z_y / T")
def temperature_on_the_targets_logit_only(q: Quantities) -> None:
    """The target's own logit is divided by T; the log-sum-exp is of z."""
    if q.temperature != 1:
        q.log_p = q.u - np.log(np.exp(q.z).sum(axis=1, keepdims=True))


@mistake(name="temperature in the loss only", fix="use the same p in the loss and in the gradient")
@at(step=gradient, computed="softmax(z) − t", right="(softmax(z / T) − t) / T")
def temperature_in_the_loss_only(q: Quantities) -> None:
    """The gradient's softmax is taken of z, without the temperature."""
    q.dl_du, q.du_dz = q.alpha * softmax(q.z) - q.t, 1.0
