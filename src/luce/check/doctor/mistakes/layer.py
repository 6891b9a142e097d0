"""Mistakes in the gradients of a linear layer, and in its logits."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Array, Quantities
from luce.derivation.steps import layer, scores

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake

DW, DB, DX = "dW = Gᵀ x", "db = Gᵀ 1", "dx = G W"


def square(W: Array) -> bool:
    """Return whether there are as many features as classes, so that a transposed matrix goes unnoticed."""
    return len(W) == len(W.T)


@mistake(name="dW transposed", fix="dW must have the shape of W")
@at(step=layer, computed="dW = xᵀ G", right=DW)
def dW_transposed(q: Quantities) -> None:
    """The weight's gradient is transposed; with as many features as classes nobody notices."""
    q.dW = q.dW.T


@mistake(name="dW from the probabilities", fix="use G = (p - t) / N")
@at(step=layer, computed="dW = pᵀ x", right=DW)
def dW_from_the_probabilities(q: Quantities) -> None:
    """The weight's gradient is made from p, not from p − t."""
    q.dW = q.p.T @ q.x / q.D_gradient


@mistake(name="dW from the targets", fix="use G = (p - t) / N")
@at(step=layer, computed="dW = −tᵀ x", right=DW)
def dW_from_the_targets(q: Quantities) -> None:
    """The weight's gradient is made from the targets alone."""
    q.dW = -q.t.T @ q.x / q.D_gradient


@mistake(name="dW from the logits instead of the input", fix="use the x that went into the layer")
@at(step=layer, computed="dW = Gᵀ z", right=DW)
def dW_from_the_logits_instead_of_the_input(q: Quantities) -> None:
    """The weight's gradient is made from the layer's output, not from its input."""
    if square(q.W):
        q.dW = q.G.T @ q.z


@mistake(name="dW from the input of the next row", fix="pair each row's gradient with its own input")
@at(step=layer, computed="dW = Σ Gᵢ xᵢ₊₁", right=DW)
def dW_from_the_input_of_the_next_row(q: Quantities) -> None:
    """Gradient and input of different rows are paired."""
    q.dW = q.G.T @ np.roll(q.x, -1, axis=0)


@mistake(name="dW from the absolute input", fix="use x itself")
@at(step=layer, computed="dW = Gᵀ |x|", right=DW)
def dW_from_the_absolute_input(q: Quantities) -> None:
    """The input's sign is lost."""
    q.dW = q.G.T @ np.abs(q.x)


@mistake(name="dW from a rectified input", fix="use the x that went into the layer")
@at(step=layer, computed="dW = Gᵀ max(x, 0)", right=DW)
def dW_from_a_rectified_input(q: Quantities) -> None:
    """The weight's gradient is made from max(x, 0), which did not go into this layer."""
    q.dW = q.G.T @ np.maximum(q.x, 0)


@mistake(name="dW not divided by N", fix="divide by N")
@at(step=layer, computed="dW = N·Gᵀ x", right=DW)
def dW_not_divided_by_N(q: Quantities) -> None:
    """The weight's gradient is N times too large."""
    q.dW = q.dW * q.N


@mistake(name="dW divided by N twice", fix="divide by N once")
@at(step=layer, computed="dW = Gᵀ x / N", right=DW)
def dW_divided_by_N_twice(q: Quantities) -> None:
    """G already contains 1/N; dW is divided by N again."""
    q.dW = q.dW / q.N


@mistake(name="dW from the last row only", fix="dW += ..., not dW = ...")
@at(step=layer, computed="dW = G_N x_Nᵀ", right=DW)
def dW_from_the_last_row_only(q: Quantities) -> None:
    """The weight's gradient is set in the loop, not added up."""
    q.dW = np.outer(q.G[-1], q.x[-1])


@mistake(name="dW with the wrong sign", fix="remove the minus")
@at(step=layer, computed="dW = −Gᵀ x", right=DW)
def dW_with_the_wrong_sign(q: Quantities) -> None:
    """The weight's gradient has the wrong sign, the others not."""
    q.dW = -q.dW


@mistake(name="bias gradient not summed", fix="db = G.sum(axis=0)")
@at(step=layer, computed="db = G", right=DB)
def bias_gradient_not_summed(q: Quantities) -> None:
    """The bias is shared by all rows; its gradient is a sum over them, which is missing."""
    q.db = q.G


@mistake(name="bias gradient averaged", fix="G.sum(axis=0), not G.mean(axis=0)")
@at(step=layer, computed="db = mean of G", right=DB)
def bias_gradient_averaged(q: Quantities) -> None:
    """G already contains 1/N; the mean over the rows divides by it again."""
    q.db = q.db / q.N


@mistake(name="bias gradient zero", fix="db = G.sum(axis=0)")
@at(step=layer, computed="db = 0", right=DB)
def bias_gradient_zero(q: Quantities) -> None:
    """The bias's gradient is missing."""
    q.db = 0 * q.db


@mistake(name="bias gradient summed over everything", fix="G.sum(axis=0)")
@at(step=layer, computed="db = Σᵢⱼ G", right=DB)
def bias_gradient_summed_over_everything(q: Quantities) -> None:
    """The sum runs over the classes too, so that every entry is 0 but for rounding."""
    q.db = np.full(q.V, q.G.sum())


@mistake(name="bias gradient summed over the classes", fix="G.sum(axis=0)")
@at(step=layer, computed="db = G 1", right=DB)
def bias_gradient_summed_over_the_classes(q: Quantities) -> None:
    """The sum runs over the classes, not over the rows."""
    q.db = q.G.sum(axis=1)


@mistake(name="bias gradient not divided by N", fix="divide by N")
@at(step=layer, computed="db = N·Gᵀ 1", right=DB)
def bias_gradient_not_divided_by_N(q: Quantities) -> None:
    """The bias's gradient is N times too large: the sum is repeated."""
    q.db = q.db * q.N


@mistake(name="bias gradient from the first row only", fix="G.sum(axis=0)")
@at(step=layer, computed="db = G₁", right=DB)
def bias_gradient_from_the_first_row_only(q: Quantities) -> None:
    """Only the first row's gradient is used."""
    q.db = q.G[0]


@mistake(name="bias gradient from the last row only", fix="db += ..., not db = ...")
@at(step=layer, computed="db = G_N", right=DB)
def bias_gradient_from_the_last_row_only(q: Quantities) -> None:
    """The bias's gradient is set in the loop, not added up."""
    q.db = q.G[-1]


@mistake(name="bias gradient doubled", fix="add it once")
@at(step=layer, computed="db = 2 Gᵀ 1", right=DB)
def bias_gradient_doubled(q: Quantities) -> None:
    """The bias's sum is added twice."""
    q.db = 2 * q.db


@mistake(name="bias gradient with the wrong sign", fix="remove the minus")
@at(step=layer, computed="db = −Gᵀ 1", right=DB)
def bias_gradient_with_the_wrong_sign(q: Quantities) -> None:
    """The bias's gradient has the wrong sign, the others not."""
    q.db = -q.db


@mistake(name="dx with Wᵀ", fix="multiply by W in the other orientation")
@at(step=layer, computed="dx = G Wᵀ", right=DX)
def dx_with_W_transposed(q: Quantities) -> None:
    """The input's gradient is multiplied by the transposed weight; with as many features as classes nobody notices."""
    if square(q.W):
        q.dx = q.G @ q.W.T


@mistake(name="dx not divided by N", fix="divide by N")
@at(step=layer, computed="dx = N·G W", right=DX)
def dx_not_divided_by_N(q: Quantities) -> None:
    """The input's gradient is N times too large."""
    q.dx = q.dx * q.N


@mistake(name="dx divided by N twice", fix="divide by N once")
@at(step=layer, computed="dx = G W / N", right=DX)
def dx_divided_by_N_twice(q: Quantities) -> None:
    """G already contains 1/N; dx is divided by N again."""
    q.dx = q.dx / q.N


@mistake(name="dx multiplied by the input", fix="remove the factor x")
@at(step=layer, computed="dx = (G W) ⊙ x", right=DX)
def dx_multiplied_by_the_input(q: Quantities) -> None:
    """The input's gradient is multiplied by the input."""
    q.dx = q.dx * q.x


@mistake(name="dx from a rectified input", fix="leave it to the layer before")
@at(step=layer, computed="dx = (G W) ⊙ [x > 0]", right=DX)
def dx_from_a_rectified_input(q: Quantities) -> None:
    """The derivative of a rectifier is multiplied in, which is not part of this layer."""
    q.dx = q.dx * (q.x > 0)


@mistake(name="dx with the wrong sign", fix="remove the minus")
@at(step=layer, computed="dx = −G W", right=DX)
def dx_with_the_wrong_sign(q: Quantities) -> None:
    """The input's gradient has the wrong sign, the others not."""
    q.dx = -q.dx


@mistake(name="dx zero", fix="dx = G @ W")
@at(step=layer, computed="dx = 0", right=DX)
def dx_zero(q: Quantities) -> None:
    """The input's gradient is missing."""
    q.dx = 0 * q.dx


@mistake(name="bias left out of the logits", fix="add the bias")
@at(step=scores, computed="z = x Wᵀ", right="z = x Wᵀ + b")
def bias_left_out_of_the_logits(q: Quantities) -> None:
    """The logits are x Wᵀ without the bias."""
    if q.has("x"):
        q.z = q.u = q.x @ q.W.T


@mistake(name="W transposed in the logits", fix="transpose W")
@at(step=scores, computed="z = x W + b", right="z = x Wᵀ + b")
def W_transposed_in_the_logits(q: Quantities) -> None:
    """The logits use the transposed weight; with as many features as classes nobody notices."""
    if q.has("x") and q.W.shape[0] == q.W.shape[1]:
        q.z = q.u = q.x @ q.W + q.b
