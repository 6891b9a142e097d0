"""Mistakes in what loss and gradient are divided by, and other conventions, the commonest of all."""

from __future__ import annotations

from itertools import starmap

import numpy as np

from luce.check.doctor.mistakes.entry import Mistake, Subject, at
from luce.derivation.quantities import Quantities
from luce.derivation.steps import divide, divisor, reduction, scores

__all__ = ["SUBJECT"]

SUBJECT = Subject()
convention, mistake = SUBJECT.convention, SUBJECT.mistake

MEAN, PER_N = "L = Σ ℓᵢ / N", "∂L/∂z = (p − t) / N"
WEIGHTED = "L = Σ w[yᵢ] ℓᵢ / Σ w[yᵢ]"


def reduce_otherwise(q: Quantities, reduction: str, *, said: str) -> None:
    """Reduce in another way than was said."""
    if q.reduction == said and (q.reduction_said or reduction == "sum"):
        q.reduction = reduction
        divide(q)


def multiply_divisors(q: Quantities, factor: float) -> None:
    """Multiply what loss and gradient are divided by."""
    q.D_loss, q.D_gradient = q.D_loss * factor, q.D_gradient * factor


@convention(name="sum instead of mean", fix="if the mean is wanted, divide loss and gradient by N", unless="reduction")
@at(step=divisor, computed="L = Σ ℓᵢ", right=MEAN)
def sum_instead_of_mean(q: Quantities) -> None:
    """Loss and gradient are sums over the rows, not divided by N."""
    reduce_otherwise(q, "sum", said="mean")


@mistake(name="mean instead of sum", fix="do not divide by N")
@at(step=divisor, computed=MEAN, right="L = Σ ℓᵢ")
def mean_instead_of_sum(q: Quantities) -> None:
    """Loss and gradient are divided by N; reduction='sum' was said."""
    reduce_otherwise(q, "mean", said="sum")


def instead_of(given: str, wanted: str) -> Mistake:
    """Return the mistake of one reduction where another one was said."""
    words = {"none": "each row's own loss", "mean": "the mean", "sum": "the sum"}
    return Mistake(
        name=f"{words[given]} instead of {words[wanted]}",
        said=f"{words[given].capitalize()} is returned; reduction={wanted!r} was said.",
        computed=f"reduction={given!r}",
        right=f"reduction={wanted!r}",
        fix=f"reduce as reduction={wanted!r} does",
        step=divisor,
        change=lambda q: reduce_otherwise(q, given, said=wanted),
    )


SUBJECT += starmap(instead_of, (("none", "mean"), ("none", "sum"), ("mean", "none"), ("sum", "none")))


@convention(name="mean over all rows", fix="divide by the sum of the weights of the rows that count, as PyTorch does")
@at(step=divisor, computed="L = Σ wᵢ ℓᵢ / N", right="L = Σ wᵢ ℓᵢ / Σ wᵢ")
def mean_over_all_rows(q: Quantities) -> None:
    """The mean divides by the number of all rows, also where a weighted or an ignored row counts otherwise."""
    q.D_loss = q.D_gradient = q.N


@convention(name="mean over the rows not ignored", fix="divide by the sum of the weights w[yᵢ], as PyTorch does")
@at(step=divisor, computed="L = Σ w[yᵢ] ℓᵢ / N_valid", right=WEIGHTED)
def mean_over_the_rows_not_ignored(q: Quantities) -> None:
    """The mean divides by the number of rows that count, not by their weights' sum."""
    q.D_loss = q.D_gradient = q.counts.sum()


@convention(name="in bits", fix="use the natural logarithm, or multiply both by ln 2")
@at(step=reduction, computed="ℓ = −log₂ p_y", right="ℓ = −ln p_y")
def in_bits(q: Quantities) -> None:
    """Loss and gradient are those of the logarithm of base 2."""
    q.L, q.G = q.L / np.log(2), q.G / np.log(2)


@mistake(name="logarithm of base 10", fix="use the natural logarithm: np.log, not np.log10")
@at(step=reduction, computed="ℓ = −log₁₀ p_y", right="ℓ = −ln p_y")
def logarithm_of_base_10(q: Quantities) -> None:
    """Loss and gradient are those of the logarithm of base 10."""
    q.L, q.G = q.L / np.log(10), q.G / np.log(10)


@convention(name="gradient times T²", fix="divide the gradient by T²")
@at(step=scores, computed="T·(p − t)", right="(p − t) / T")
def gradient_times_T_squared(q: Quantities) -> None:
    """The gradient is multiplied by T², as distillation does."""
    q.du_dz = q.temperature


@convention(name="loss and gradient times T²", fix="divide both by T²")
@at(step=divisor, computed="T²·L", right="L")
def loss_and_gradient_times_T_squared(q: Quantities) -> None:
    """Loss and gradient are multiplied by T², as distillation does."""
    q.D_loss, q.D_gradient = q.D_loss / q.temperature**2, q.D_gradient / q.temperature**2


@mistake(name="divided by N twice", fix="remove one of the two divisions by N")
@at(step=divisor, computed="L = Σ ℓᵢ / N²", right=MEAN)
def divided_by_N_twice(q: Quantities) -> None:
    """Loss and gradient are divided by N in two places."""
    multiply_divisors(q, q.D)


@mistake(name="divided by V instead of N", fix="divide by z.shape[0], not z.shape[1]")
@at(step=divisor, computed="L = Σ ℓᵢ / V", right=MEAN)
def divided_by_V_instead_of_N(q: Quantities) -> None:
    """Loss and gradient are divided by the number of classes."""
    multiply_divisors(q, q.V / q.D)


@mistake(name="divided by N·V", fix="sum over the classes first, then take the mean over the rows")
@at(step=divisor, computed="L = Σ ℓᵢ / (N·V)", right=MEAN)
def divided_by_N_V(q: Quantities) -> None:
    """Loss and gradient are means over all entries, not over the rows."""
    multiply_divisors(q, q.V)


@mistake(name="divided by N − 1", fix="divide by N")
@at(step=divisor, computed="L = Σ ℓᵢ / (N − 1)", right=MEAN)
def divided_by_N_minus_1(q: Quantities) -> None:
    """Loss and gradient are divided by N − 1."""
    multiply_divisors(q, (q.N - 1) / q.N)


@mistake(name="gradient not divided by N", fix="grad = (p − t) / N")
@at(step=divisor, computed="p − t", right=PER_N)
def gradient_not_divided_by_N(q: Quantities) -> None:
    """The loss is a mean over the rows; the gradient is left a sum."""
    q.D_gradient = q.D_gradient / q.D


@mistake(name="gradient divided by N twice", fix="remove one of the two divisions by N")
@at(step=divisor, computed="(p − t) / N²", right=PER_N)
def gradient_divided_by_N_twice(q: Quantities) -> None:
    """The gradient is divided by N in two places."""
    q.D_gradient = q.D_gradient * q.D


@mistake(name="gradient divided by V instead of N", fix="divide by z.shape[0], not z.shape[1]")
@at(step=divisor, computed="(p − t) / V", right=PER_N)
def gradient_divided_by_V_instead_of_N(q: Quantities) -> None:
    """The gradient is divided by the number of classes."""
    q.D_gradient = q.D_gradient * q.V / q.D


@mistake(name="gradient divided by N·V", fix="divide by z.shape[0], not by z.size")
@at(step=divisor, computed="(p − t) / (N·V)", right=PER_N)
def gradient_divided_by_N_V(q: Quantities) -> None:
    """The gradient is averaged over all entries, as with .mean() or z.size."""
    q.D_gradient = q.D_gradient * q.V


@mistake(name="gradient divided by N − 1", fix="divide by N")
@at(step=divisor, computed="(p − t) / (N − 1)", right=PER_N)
def gradient_divided_by_N_minus_1(q: Quantities) -> None:
    """The gradient is divided by N − 1."""
    q.D_gradient = q.D_gradient * (q.N - 1) / q.N


@mistake(name="gradient doubled", fix="remove the factor 2")
@at(step=divisor, computed="2(p − t) / N", right=PER_N)
def gradient_doubled(q: Quantities) -> None:
    """The gradient is twice the right one: the factor of a squared error, or of a sum taken twice."""
    q.D_gradient = q.D_gradient / 2


@mistake(name="gradient halved", fix="remove the factor ½")
@at(step=divisor, computed="(p − t) / (2N)", right=PER_N)
def gradient_halved(q: Quantities) -> None:
    """The gradient is half the right one."""
    q.D_gradient = q.D_gradient * 2


@mistake(name="gradient multiplied by N", fix="grad /= N, not grad *= N")
@at(step=divisor, computed="N·(p − t)", right=PER_N)
def gradient_multiplied_by_N(q: Quantities) -> None:
    """The gradient is multiplied by N where it has to be divided."""
    q.D_gradient = q.D_gradient / q.D**2


@mistake(name="loss not divided by N", fix="loss = losses.sum() / N")
@at(step=divisor, computed="L = Σ ℓᵢ", right=MEAN)
def loss_not_divided_by_N(q: Quantities) -> None:
    """The gradient is that of a mean over the rows; the loss is left a sum."""
    q.D_loss = q.D_loss / q.D


@mistake(name="loss divided by N twice", fix="remove one of the two divisions by N")
@at(step=divisor, computed="L = Σ ℓᵢ / N²", right=MEAN)
def loss_divided_by_N_twice(q: Quantities) -> None:
    """The loss is divided by N in two places."""
    q.D_loss = q.D_loss * q.D


@mistake(name="loss divided by V instead of N", fix="divide by z.shape[0], not z.shape[1]")
@at(step=divisor, computed="L = Σ ℓᵢ / V", right=MEAN)
def loss_divided_by_V_instead_of_N(q: Quantities) -> None:
    """The loss is divided by the number of classes."""
    q.D_loss = q.D_loss * q.V / q.D


@mistake(name="loss divided by N·V", fix="sum over the classes first: -(t * logp).sum(axis=1).mean()")
@at(step=divisor, computed="L = Σ ℓᵢ / (N·V)", right=MEAN)
def loss_divided_by_N_V(q: Quantities) -> None:
    """The loss is a mean over all entries, not over the rows: (t * log p).mean()."""
    q.D_loss = q.D_loss * q.V


@mistake(name="loss doubled", fix="remove the factor 2")
@at(step=divisor, computed="L = 2 Σ ℓᵢ / N", right=MEAN)
def loss_doubled(q: Quantities) -> None:
    """The loss is twice the right one."""
    q.D_loss = q.D_loss / 2


@mistake(name="loss halved", fix="remove the factor ½")
@at(step=divisor, computed="L = Σ ℓᵢ / (2N)", right=MEAN)
def loss_halved(q: Quantities) -> None:
    """The loss is half the right one."""
    q.D_loss = q.D_loss * 2
