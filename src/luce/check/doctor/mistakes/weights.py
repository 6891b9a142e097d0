"""Mistakes with the weights of classes and of rows."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Quantities
from luce.derivation.steps import divisor, gradient, loss, weighting

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake


@mistake(name="class weights squared", fix="multiply by the weights once")
@at(step=weighting, computed="w² ⊙ t", right="w ⊙ t")
def class_weights_squared(q: Quantities) -> None:
    """The class weights are multiplied in twice."""
    q.t = q.w * q.t


@mistake(name="class weights of the prediction", fix="w[y]")
@at(step=weighting, computed="w[argmax z]", right="w[y]")
def class_weights_of_the_prediction(q: Quantities) -> None:
    """A row is weighted by the class predicted, not by its label."""
    q.t = q.t / q.w * q.w[q.z.argmax(axis=1)][:, None]


@mistake(name="class weights by the row's position", fix="w[y]")
@at(step=weighting, computed="w[i]", right="w[yᵢ]")
def class_weights_by_the_rows_position(q: Quantities) -> None:
    """The weights are taken by the row's number, not by its label."""
    q.t = q.t / q.w * np.resize(q.w, len(q.t))[:, None]


@mistake(name="class weights ignored", fix="multiply by w[y]")
@at(step=weighting, computed="ℓ = −log p_y", right="ℓ = −w_y log p_y")
def class_weights_ignored(q: Quantities) -> None:
    """The class weights have no effect on the losses."""
    q.t = q.t / q.w


@mistake(name="weighted mean divided by the sum over the classes", fix="divide by w[y].sum(), not w.sum()")
@at(step=divisor, computed="Σ w[yᵢ] ℓᵢ / Σ_c w_c", right="Σ w[yᵢ] ℓᵢ / Σᵢ w[yᵢ]")
def weighted_mean_divided_by_the_sum_over_the_classes(q: Quantities) -> None:
    """The weighted sum is divided by Σ_c w_c, one term a class, not by one term a row."""
    q.D_loss = q.D_gradient = q.w.sum()


@mistake(name="class weights in the loss only", fix="multiply each row of the gradient by w[y]")
@at(step=gradient, computed="p − t", right="w_y (p − t)")
def class_weights_in_the_loss_only(q: Quantities) -> None:
    """The gradient is not weighted."""
    q.dl_du = q.dl_du / q.alpha


@mistake(name="class weights in the gradient only", fix="multiply each row's loss by w[y]")
@at(step=loss, computed="−log p_y", right="−w_y log p_y")
def class_weights_in_the_gradient_only(q: Quantities) -> None:
    """The loss is not weighted."""
    q.losses = q.losses / q.t.sum(axis=1)


@mistake(
    name="weights left out of the gradient",
    fix="multiply each row of the gradient by its weight, and divide by the weights' sum",
)
@at(step=divisor, computed="(p − t) / N", right="wᵢ (p − t) / Σ wᵢ")
def weights_left_out_of_the_gradient(q: Quantities) -> None:
    """The gradient is that of the mean without weights."""
    q.dl_du, q.D_gradient = q.dl_du / q.alpha / q.r[:, None], q.counts.sum() if q.reduction == "mean" else 1.0


@mistake(name="weights left out of the loss", fix="multiply each loss by its weight, and divide by the weights' sum")
@at(step=divisor, computed="Σ ℓᵢ / N", right="Σ wᵢ ℓᵢ / Σ wᵢ")
def weights_left_out_of_the_loss(q: Quantities) -> None:
    """The loss is the mean without weights."""
    q.losses, q.D_loss = q.losses / q.t.sum(axis=1) / q.r, q.counts.sum() if q.reduction == "mean" else 1.0


@mistake(name="class weights on the target's entry only", fix="multiply the whole row by w[y]")
@at(step=gradient, computed="p − w ⊙ t", right="w_y (p − t)")
def class_weights_on_the_targets_entry_only(q: Quantities) -> None:
    """Only the subtracted target is weighted, not the whole row."""
    q.dl_du = q.dl_du - (q.alpha - 1) * q.p


@mistake(name="class weights by column", fix="w[y][:, None] * (p - t)")
@at(step=gradient, computed="w ⊙ (p − t)", right="w_y (p − t)")
def class_weights_by_column(q: Quantities) -> None:
    """Each column of the gradient is multiplied by its own class's weight."""
    q.dl_du = q.dl_du / q.alpha * q.w


@mistake(name="sample weights ignored", fix="multiply by the sample weights")
@at(step=divisor, computed="Σ ℓᵢ / N", right="Σ rᵢ ℓᵢ / Σ rᵢ")
def sample_weights_ignored(q: Quantities) -> None:
    """The sample weights have no effect."""
    q.R, ratio = q.counts * 1.0, q.counts.sum() / q.R.sum()
    q.D_loss, q.D_gradient = q.D_loss * ratio, q.D_gradient * ratio


@mistake(name="sample weights in the loss only", fix="multiply each row of the gradient by its weight")
@at(step=gradient, computed="(p − t) / Σ r", right="rᵢ (p − t) / Σ r")
def sample_weights_in_the_loss_only(q: Quantities) -> None:
    """The gradient's rows are not multiplied by their weights."""
    q.dl_du = q.dl_du / q.r[:, None]


@mistake(name="sample weights in the gradient only", fix="multiply each loss by its weight")
@at(step=loss, computed="Σ ℓᵢ / Σ r", right="Σ rᵢ ℓᵢ / Σ r")
def sample_weights_in_the_gradient_only(q: Quantities) -> None:
    """The losses are not multiplied by their weights."""
    q.losses = q.losses / q.r
