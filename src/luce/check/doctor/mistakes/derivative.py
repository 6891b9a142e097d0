"""Mistakes in the derivative of the softmax itself: its Jacobian, and the Jacobian times a vector."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Quantities
from luce.derivation.steps import jacobian, product

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake

J, VJP = "J = diag p − p pᵀ", "p ⊙ (v − ⟨p, v⟩)"


@mistake(name="Jacobian's diagonal only", fix="add −p_i p_j off the diagonal")
@at(step=jacobian, computed="J = diag p (1 − p)", right=J)
def Jacobians_diagonal_only(q: Quantities) -> None:
    """Only the diagonal p (1 − p) is filled."""
    q.J = q.J * np.eye(q.V)


@mistake(name="Jacobian's off-diagonal sign", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="J_ij = +p_i p_j", right="J_ij = −p_i p_j")
def Jacobians_off_diagonal_sign(q: Quantities) -> None:
    """The off-diagonal entries are −p_i p_j; their minus is missing."""
    q.J = np.abs(q.J)


@mistake(name="Jacobian without p pᵀ", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="J = diag p", right=J)
def Jacobian_without_p_p_transposed(q: Quantities) -> None:
    """The outer product is missing."""
    q.J = q.p[:, :, None] * np.eye(q.V)


@mistake(name="Jacobian without its diagonal", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="J = −p pᵀ", right=J)
def Jacobian_without_its_diagonal(q: Quantities) -> None:
    """diag p is missing."""
    q.J = -q.p[:, :, None] * q.p[:, None, :]


@mistake(name="Jacobian with p pᵀ added", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="J = diag p + p pᵀ", right=J)
def Jacobian_with_p_p_transposed_added(q: Quantities) -> None:
    """The outer product is added, not subtracted."""
    q.J = q.p[:, :, None] * np.eye(q.V) + q.p[:, :, None] * q.p[:, None, :]


@mistake(name="Jacobian with the wrong sign", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="J = p pᵀ − diag p", right=J)
def Jacobian_with_the_wrong_sign(q: Quantities) -> None:
    """Every entry has the wrong sign."""
    q.J = -q.J


@mistake(name="Jacobian p_i (1 − p_j)", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="J_ij = p_i (1 − p_j)", right="J_ij = p_i (δ_ij − p_j)")
def Jacobian_p_i_1_minus_p_j(q: Quantities) -> None:
    """The diagonal's formula is used in every entry."""
    q.J = q.p[:, :, None] * (1 - q.p[:, None, :])


@mistake(name="Jacobian from the logits", fix="apply the softmax first")
@at(step=jacobian, computed="J = diag z − z zᵀ", right=J)
def Jacobian_from_the_logits(q: Quantities) -> None:
    """The logits stand where the probabilities belong."""
    q.J = q.u[:, :, None] * np.eye(q.V) - q.u[:, :, None] * q.u[:, None, :]


@mistake(name="p (1 − p) in place of the Jacobian", fix="np.diag(p) - np.outer(p, p)")
@at(step=jacobian, computed="p (1 − p)", right=J)
def p_1_minus_p_in_place_of_the_Jacobian(q: Quantities) -> None:
    """This is the diagonal of the softmax's derivative; every probability depends on every logit."""
    q.softmax = q.p * (1 - q.p)


@mistake(name="product with the diagonal only", fix="p * (v - (p * v).sum(axis=1, keepdims=True))")
@at(step=product, computed="p (1 − p) ⊙ v", right=VJP)
def product_with_the_diagonal_only(q: Quantities) -> None:
    """Only the diagonal p (1 − p) is used."""
    p, v = q.p, q.vector
    q.Jv = p * (1 - p) * v


@mistake(name="product without ⟨p, v⟩", fix="p * (v - (p * v).sum(axis=1, keepdims=True))")
@at(step=product, computed="p ⊙ v", right=VJP)
def product_without_inner_product(q: Quantities) -> None:
    """The sum over the row is missing."""
    p, v = q.p, q.vector
    q.Jv = p * v


@mistake(name="product without the factor p", fix="multiply by p")
@at(step=product, computed="v − ⟨p, v⟩", right=VJP)
def product_without_the_factor_p(q: Quantities) -> None:
    """The factor p in front is missing."""
    p, v = q.p, q.vector
    q.Jv = v - (p * v).sum(axis=1, keepdims=True)


@mistake(name="product with an unweighted sum", fix="(p * v).sum")
@at(step=product, computed="p ⊙ (v − Σ v)", right=VJP)
def product_with_an_unweighted_sum(q: Quantities) -> None:
    """The sum over the row is not weighted by p."""
    p, v = q.p, q.vector
    q.Jv = p * (v - v.sum(axis=1, keepdims=True))


@mistake(name="product with p times an unweighted sum", fix="(p * v).sum(axis=1, keepdims=True)")
@at(step=product, computed="p ⊙ (v − p Σ v)", right=VJP)
def product_with_p_times_an_unweighted_sum(q: Quantities) -> None:
    """The sum over the row is of v alone, and p is multiplied afterwards."""
    p, v = q.p, q.vector
    q.Jv = p * (v - p * v.sum(axis=1, keepdims=True))


@mistake(name="product with a sum over the batch", fix="sum with axis=1, keepdims=True")
@at(step=product, computed="p ⊙ (v − Σᵢ p v)", right=VJP)
def product_with_a_sum_over_the_batch(q: Quantities) -> None:
    """The sum runs down the columns."""
    p, v = q.p, q.vector
    q.Jv = p * (v - (p * v).sum(axis=0))


@mistake(name="product with a sum over everything", fix="sum with axis=1, keepdims=True")
@at(step=product, computed="p ⊙ (v − Σᵢⱼ p v)", right=VJP)
def product_with_a_sum_over_everything(q: Quantities) -> None:
    """The sum runs over all rows."""
    p, v = q.p, q.vector
    q.Jv = p * (v - (p * v).sum())


@mistake(name="product with the off-diagonal sign", fix="p * (v - (p * v).sum(axis=1, keepdims=True))")
@at(step=product, computed="+p_i p_j v_j", right="−p_i p_j v_j")
def product_with_the_off_diagonal_sign(q: Quantities) -> None:
    """The off-diagonal entries −p_i p_j have lost their minus."""
    p, v = q.p, q.vector
    q.Jv = p * (v * (1 - 2 * p) + (p * v).sum(axis=1, keepdims=True))


@mistake(name="product with the sum added", fix="v - ..., not v + ...")
@at(step=product, computed="p ⊙ (v + ⟨p, v⟩)", right=VJP)
def product_with_the_sum_added(q: Quantities) -> None:
    """The sum is added, not subtracted."""
    p, v = q.p, q.vector
    q.Jv = p * (v + (p * v).sum(axis=1, keepdims=True))


@mistake(name="product with the wrong sign", fix="v - ...")
@at(step=product, computed="p ⊙ (⟨p, v⟩ − v)", right=VJP)
def product_with_the_wrong_sign(q: Quantities) -> None:
    """Every entry has the wrong sign."""
    p, v = q.p, q.vector
    q.Jv = -p * (v - (p * v).sum(axis=1, keepdims=True))
