r"""An upper bound on an objective above its minimum, from one point alone: a duality gap in closed form.

For any rows q_i in the simplex with Σ r_i q_i = Σ r_i t_i (so that the unpenalised intercepts drop out), Fenchel
duality gives a lower bound on the minimum of F (Rockafellar 1970, *Convex Analysis*, section 31). With h the entropy,
γ = (1/S) Σ r_i (q_i − t_i) x'_iᵀ, ρ and l the ridge and lasso of each weight,

.. math:: D(q) = \frac1S \sum_i r_i h(q_i) - \sum_{kj} \frac{(|\gamma_{kj}| - l_j)_+^2}{2 \rho_j}.

At q = p the first sum is L − ⟨∇L, A⟩, and F − D falls apart into terms that vanish at the minimum one by one, so that
nothing cancels: without an L1 part it is Σ (∂F/∂A_kj)² / 2ρ_j, which is the bound that strong convexity gives. Two
corrections keep it a bound at any point:

* where the intercepts' gradient v is not 0, q = (1 − s) p + s m with one distribution m for all rows and s as small as
  leaves m in the simplex; h is concave, so the entropy is at least the mixture of entropies, and the columns of x' are
  centred and of unit variance, so γ moves by at most s √(mean t_k) (Cauchy–Schwarz);
* where a weight has an L1 penalty alone and |γ| > l, q moves by τ towards t, which brings |γ| down to l.

Without any penalty there is no such bound.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from luce.models.inputs.kinds import Vector
from luce.models.linear.losses import Loss
from luce.models.linear.terms import Terms

__all__ = ["gap"]


class Evaluated(Protocol):
    """A place where value and gradient are known."""

    objective: Terms
    parameters: Vector
    value: float
    loss: float
    loss_gradient: Vector


def gap(point: Evaluated) -> float:
    """Return an upper bound on F(point) − min F, L1 part included; infinite where there is no penalty to give one."""
    objective, design = point.objective, point.objective.design
    features = design.n_features
    ridge, lasso = objective.ridge[:features], objective.lasso[:features]
    if not ((ridge > 0) | (lasso > 0))[design.unit > 0].all():
        return float("inf")
    weights = objective.spread(point.parameters)
    slopes = objective.spread(point.loss_gradient)
    A, gamma = weights[:, :features], slopes[:, :features]
    rest, reach = 0.0, np.zeros((len(A), 1))  # `reach` is how far off γ may be
    if design.fit_intercept:
        shares, v = objective.class_shares, objective.loss.completed(slopes[:, -1])  # `LogOdds` leaves the first out
        s, entropy = _mixture(v, shares, objective.loss)
        if not s < 1:
            return float("inf")
        rest = s * (point.loss - entropy) + (1 - s) * float(v @ weights[:, -1])
        gamma, reach = (1 - s) * gamma, s * np.sqrt(shares)[:, None]
    alone = (ridge == 0) & (lasso > 0)
    if alone.any():
        steepest = float(np.max((np.abs(gamma) + reach)[:, alone] / lasso[alone]))
        tau = max(0.0, 1 - 1 / steepest) if steepest > 0 else 0.0
        rest = tau * point.loss + (1 - tau) * rest
        gamma, reach = (1 - tau) * gamma, (1 - tau) * reach
    rest += float(np.sum(reach * np.abs(A)))
    # the rest is convex in γ, so it is largest at an end of the interval in which γ lies
    ends = (_slack(A, gamma + end, ridge, lasso) for end in (-reach, reach))
    bound = max(rest, 0.0) + float(np.sum(np.maximum(*ends)))
    return min(bound, point.value + float(objective.lasso @ np.abs(point.parameters)))  # the minimum is not below 0


def _slack(A: Vector, gamma: Vector, ridge: Vector, lasso: Vector) -> Vector:
    """Return l |A| + ½ ρ A² + γ A + (|γ| − l)₊² / 2ρ, each part of which is 0 at the minimum, without cancellation."""
    beyond = np.maximum(np.abs(gamma) - lasso, 0)
    sign = np.where(beyond > 0, np.sign(gamma), 0)
    halves = np.divide(0.5, ridge, out=np.zeros_like(ridge), where=ridge > 0)
    corner = lasso * np.abs(A) + np.where(beyond > 0, sign * lasso, gamma) * A
    return np.asarray(np.square(ridge * A + sign * beyond) * halves + np.maximum(corner, 0))


def _mixture(v: Vector, shares: Vector, loss: Loss) -> tuple[float, float]:
    """Return the least s that leaves m = shares − v (1 − s)/s at half of every share at least, and the entropy of m."""
    room = 0.5 * loss.room(shares)
    moved = np.abs(v)
    if not moved.any():
        return 0.0, 0.0
    if (room <= 0).any():
        return 1.0, 0.0
    s = float(np.max(moved / (room + moved)))
    m = shares - v * ((1 - s) / s)
    return s, loss.entropy(m)
