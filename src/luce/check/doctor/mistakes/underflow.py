"""Mistakes and limits where a probability rounds to 0: floors under it, and logarithms and quotients of it."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Mistake, Subject, at
from luce.derivation.quantities import Quantities
from luce.derivation.steps import gradient, loss, probabilities

__all__ = ["SUBJECT"]

SUBJECT = Subject()
limit = SUBJECT.limit

EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20)
"""What is added to a probability, or what it is clipped at, most often; others are read off the loss."""

LOG_P = "log_p = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))"


def floored(epsilon: float, clip: bool) -> Mistake:
    """Return the mistake of ``log(p + ε)``, or of ``log(max(p, ε))``."""

    def change(q: Quantities) -> None:
        q.p_of_log = np.maximum(q.p, epsilon) if clip else q.p + epsilon
        q.log_p = np.log(q.p_of_log)

    how = f"The probability is clipped at {epsilon:g}" if clip else f"{epsilon:g} is added to the probability"
    return Mistake(
        name=f"p clipped at {epsilon:g}" if clip else f"log(p + {epsilon:g})",
        said=f"{how} before the logarithm: the loss never exceeds {-np.log(epsilon):.3g}.",
        computed=f"ℓ = −log max(p_y, {epsilon:g})" if clip else f"ℓ = −log(p_y + {epsilon:g})",
        right="ℓ = m + log Σ exp(z − m) − z_y",
        fix=LOG_P,
        step=probabilities,
        change=change,
    )


SUBJECT += [floored(epsilon, clip) for epsilon in EPSILONS for clip in (False, True)]


@limit(name="logarithm of a softmax that underflowed", fix=LOG_P)
@at(step=probabilities, computed="ℓ = −log(softmax(z)_y)", right="ℓ = m + log Σ exp(z − m) − z_y")
def logarithm_of_a_softmax_that_underflowed(q: Quantities) -> None:
    """The logarithm is taken of the finished softmax: where p rounds to 0 the loss is infinite."""
    q.log_p = np.log(q.p)


@limit(name="0 · log 0 of a softmax that underflowed", fix=LOG_P)
@at(step=loss, computed="ℓ = −Σ t log(softmax(z))", right="ℓ = −Σ t (z − m − log Σ exp(z − m))")
def _0_log_0_of_a_softmax_that_underflowed(q: Quantities) -> None:
    """The target is multiplied by the logarithm of the finished softmax: where p rounds to 0 in another class, 0 ·
    (−∞) is NaN.
    """
    q.losses = q.losses + (0 * np.log(q.p)).sum(axis=1)


@limit(name="division by a probability that underflowed", fix="grad = p - t, which divides by nothing")
@at(step=gradient, computed="(−t / p) · p …", right="p − t")
def division_by_a_probability_that_underflowed(q: Quantities) -> None:
    """The gradient divides by p, which rounds to 0 for a class far below the largest: 0 / 0."""
    q.dl_du = q.dl_du + 0 * q.t / q.p


@limit(name="division by the target's probability where it underflowed", fix="grad = p - t, which divides by nothing")
@at(step=gradient, computed="(−1 / p_y) · p_y …", right="p − t")
def division_by_the_targets_probability_where_it_underflowed(q: Quantities) -> None:
    """The gradient divides by the target's p, which rounds to 0 where its logit is far below the largest."""
    q.dl_du = q.dl_du + np.where(q.t > 0, 0 * q.t / q.p, 0)
