"""Mistakes where the rows' losses and gradients become the value and its gradient."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Quantities
from luce.derivation.steps import divisor, reduction

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake

MEAN = "L = Σ ℓᵢ / N"
RIGHT = "∂ℓ/∂z = p − t"


@mistake(name="the first row's upstream gradient for all rows", fix="multiply each row by its own upstream gradient")
@at(step=divisor, computed="g₀ (p − t)", right="gᵢ (p − t)")
def the_first_rows_upstream_gradient_for_all_rows(q: Quantities) -> None:
    """Every row is scaled by the gradient that comes from above for the first row."""
    if isinstance(q.upstream, np.ndarray) and q.upstream.ndim:
        q.upstream = q.upstream[:1]


@mistake(name="upstream gradient ignored", fix="multiply by grad_output")
@at(step=divisor, computed="p − t", right="g (p − t)")
def upstream_gradient_ignored(q: Quantities) -> None:
    """The gradient that comes from above is not multiplied in."""
    q.upstream = None


@mistake(name="integer division of the gradient", fix="/ instead of //")
@at(step=reduction, computed="(p − t) // N", right="(p − t) / N")
def integer_division_of_the_gradient(q: Quantities) -> None:
    """The gradient is divided with //, which rounds down."""
    q.G = np.floor(q.G)


@mistake(name="gradient stored as integers", fix="np.zeros(z.shape), of floats: not zeros_like of the labels")
@at(step=reduction, computed="int(p − t)", right=RIGHT)
def gradient_stored_as_integers(q: Quantities) -> None:
    """The gradient is written into an array of integers, which cuts its decimals."""
    q.G = np.trunc(q.G)


@mistake(name="the rows' gradients added up", fix="do not reduce over the rows: the gradient has the logits' shape")
@at(step=reduction, computed="Σᵢ (pᵢ − tᵢ) / N, of shape (V,)", right="(p − t) / N, of shape (N, V)")
def the_rows_gradients_added_up(q: Quantities) -> None:
    """One gradient is returned for all rows: the sum, or the mean, runs over the batch."""
    if not q.has("x"):
        q.G = q.G.sum(axis=0)


@mistake(name="integer division of the loss", fix="/ instead of //")
@at(step=reduction, computed="L = Σ ℓᵢ // N", right=MEAN)
def integer_division_of_the_loss(q: Quantities) -> None:
    """The loss is divided with //, which rounds down."""
    q.L = np.floor(q.L)


@mistake(name="the exponential of the loss", fix="return the loss, not its exponential")
@at(step=reduction, computed="exp(L)", right="L")
def the_exponential_of_the_loss(q: Quantities) -> None:
    """What is returned is the perplexity."""
    q.L = np.exp(q.L)


@mistake(name="only the last row's loss", fix="loss += ..., not loss = ...")
@at(step=reduction, computed="L = ℓ_N / N", right=MEAN)
def only_the_last_rows_loss(q: Quantities) -> None:
    """The loss is set in the loop, not added up."""
    if q.reduction != "none":
        q.L = q.R[-1] * q.losses[-1] / q.D_loss
