"""The steps of the derivation, from what a loss is given to everything that it and its derivatives may return.

Each step computes one quantity from those before it, by the usual formula, in float64 as people's code does, or in the
arithmetic that is given. How right the result is in float64, is judged by the oracle of :mod:`luce.check.truth` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np

from luce.derivation.arithmetic import FLOAT64, Arithmetic
from luce.derivation.quantities import Array, Given, Quantities, legend

__all__ = [
    *("OUTPUTS", "STEPS", "Step", "derive", "derived", "divide", "outputs"),
    *("scores", "smoothing", "weighting", "mass", "shift", "exponentials", "probabilities"),
    *("loss", "gradient", "divisor", "reduction", "layer", "jacobian", "product"),
]

OUTPUTS = {
    "loss": "L",
    "gradient": "G",
    "dW": "dW",
    "db": "db",
    "dx": "dx",
    "softmax": "softmax",
    "jacobian": "J",
    "vjp": "Jv",
}
"""What a function may return, by the name that people give it, and the attribute that holds it."""


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the derivation: the name, the symbol and the formula of what it computes.

    Attributes
    ----------
    name : str
    symbol, formula : str
        What its quantity is called in formulas, and the formula.
    leaves : tuple of str
        The attributes of :class:`~luce.derivation.Quantities` that it sets, the step's own quantity first.
    compute : callable
        Sets them.
    needs : str
        The attribute without which there is nothing to do: ``"x"`` for a layer, ``"vector"`` for a product.
    """

    name: str
    symbol: str
    formula: str
    leaves: tuple[str, ...]
    compute: Callable[[Quantities], None]
    needs: str = ""

    @property
    def shape(self) -> str:
        """The shape of the step's own quantity, in the sizes of the legend."""
        return legend()[self.leaves[0]].shape

    def applies(self, q: Quantities) -> bool:
        """Return whether what the step needs was given."""
        return not self.needs or q.has(self.needs)

    def value(self, q: Quantities) -> Array:
        """Return the step's own quantity, once it has been computed."""
        return np.asarray(getattr(q, self.leaves[0]))


def _step(symbol: str, formula: str, leaves: str, needs: str = "") -> Callable[[Callable[[Quantities], None]], Step]:
    """Make the decorated function a step of its name."""
    return lambda compute: Step(compute.__name__, symbol, formula, tuple(leaves.split()), compute, needs)


@_step("u", "z = x Wᵀ + b, or as given; u = z / T, or c tanh(z / c) / T", "u z du_dz")
def scores(q: Quantities) -> None:
    """Compute the logits of a layer, cap logits softly, and divide them by the temperature."""
    if q.has("x"):
        q.z = q.x @ q.W.T + q.b
    if q.softcap is None:
        q.u = q.z / q.temperature
    else:
        tanh, possible = q.arithmetic.tanh(q.z / q.softcap), q.z != -np.inf
        q.u = np.where(possible, q.softcap * tanh / q.temperature, q.z)
        q.du_dz = np.where(possible, (1 - tanh**2) / q.temperature, 0 * tanh)


@_step("t", "t ← (1 − ε) t + ε / V", "t t_given")
def smoothing(q: Quantities) -> None:
    """Smooth the target of the rows that count."""
    q.t_given = q.t
    q.t = ((1 - q.epsilon) * q.t + q.epsilon / q.V) * q.counts[:, None]


@_step("t", "t ← w ⊙ t", "t")
def weighting(q: Quantities) -> None:
    """Multiply the target by the weights of the classes."""
    q.t = q.w * q.t


@_step("α", "α = Σ t", "alpha")
def mass(q: Quantities) -> None:
    """Add up the target of each row."""
    q.alpha = q.t.sum(axis=1, keepdims=True)


@_step("m", "m = max u", "m row_maximum")
def shift(q: Quantities) -> None:
    """Find the row's maximum, which keeps exp in range."""
    q.m = q.row_maximum = q.u.max(axis=1, keepdims=True)


@_step("e", "e = exp(u − m), S = Σ e", "e S")
def exponentials(q: Quantities) -> None:
    """Compute the shifted exponentials and their sum."""
    q.e = q.arithmetic.exp(q.u - q.m)
    q.S = q.e.sum(axis=q.axis, keepdims=True)


@_step("p", "p = e / S, log p = u − m − log S", "p p_of_log log_p")
def probabilities(q: Quantities) -> None:
    """Compute the softmax and its logarithm."""
    q.p = q.p_of_log = q.e / q.S
    q.log_p = q.u - q.m - q.arithmetic.log(q.S)


@_step("ℓ", "ℓ = −⟨t, log p⟩ + ζ lse²", "losses")
def loss(q: Quantities) -> None:
    """Compute the loss of each row; a class without mass adds nothing."""
    q.losses = -np.where(q.t == 0, 0, q.t * q.log_p).sum(axis=1)
    if q.zeta:
        q.losses = q.losses + q.zeta * _lse(q)[:, 0] ** 2


@_step("∂ℓ/∂u", "∂ℓ/∂u = (α + 2 ζ lse) p − t", "dl_du")
def gradient(q: Quantities) -> None:
    """Compute the derivative of each row's loss in u."""
    q.dl_du = q.alpha * q.p - q.t
    if q.zeta:
        q.dl_du = q.dl_du + 2 * q.zeta * _lse(q) * q.p


def _lse(q: Quantities) -> Array:
    """Return the log-sum-exp of each row."""
    return np.asarray(q.m + q.arithmetic.log(q.S))


@_step("D", "D = Σ r w_y over the rows that count", "D R D_loss D_gradient")
def divisor(q: Quantities) -> None:
    """Compute what the reduction divides by."""
    q.R = q.r * q.counts
    divide(q)


def divide(q: Quantities) -> None:
    """Set the divisor that belongs to the reduction."""
    mass_of_rows = q.R * (q.w[q.y] if q.hard else 1)
    q.D = mass_of_rows.sum() if q.reduction == "mean" else 1.0
    if q.reduction == "mean" and q.normalizer is not None:
        q.D = q.normalizer
    q.D_loss = q.D_gradient = q.D if q.D else q.D * np.nan  # nothing to average


@_step("G", "L = Σ r ℓ / D, G = r ∂ℓ/∂u ∂u/∂z / D", "G L")
def reduction(q: Quantities) -> None:
    """Reduce the losses to the value, and compute its gradient in the logits times the gradient from above."""
    each = q.R * q.losses
    q.L = each / q.D_loss if q.reduction == "none" else each.sum() / q.D_loss
    above = 1.0 if q.upstream is None else np.reshape(q.upstream, (-1, 1))
    q.G = q.R[:, None] * q.dl_du * q.du_dz / q.D_gradient * above


@_step("dW", "dW = Gᵀ x, db = Gᵀ 1, dx = G W", "dW db dx", needs="x")
def layer(q: Quantities) -> None:
    """Compute the gradients in the weights, the bias and the input of a layer."""
    q.dW, q.db, q.dx = q.G.T @ q.x, q.G.sum(axis=0), q.G @ q.W


@_step("J", "J = diag p − p pᵀ", "J softmax")
def jacobian(q: Quantities) -> None:
    """Compute the Jacobian of the softmax, and the softmax as a result of its own."""
    q.softmax = q.p
    q.J = q.p[:, :, None] * np.eye(q.V) - q.p[:, :, None] * q.p[:, None, :]


@_step("J v", "J v = p ⊙ (v − ⟨p, v⟩)", "Jv", needs="vector")
def product(q: Quantities) -> None:
    """Compute the Jacobian of the softmax times a vector."""
    q.Jv = q.p * (q.vector - (q.p * q.vector).sum(axis=1, keepdims=True))


STEPS = (
    *(scores, smoothing, weighting, mass, shift, exponentials, probabilities),
    *(loss, gradient, divisor, reduction, layer, jacobian, product),
)
"""The steps in their order."""


def derive(given: Given, arithmetic: Arithmetic = FLOAT64) -> dict[str, Quantities]:
    """Take all steps, and return what had been computed after each of them.

    Parameters
    ----------
    given : Given
    arithmetic : Arithmetic
        The numbers that are computed with, float64 by default.

    Returns
    -------
    dict of str to Quantities
        By the name of the step; a step whose layer or vector was not given changes nothing.

    Examples
    --------
    >>> after = derive(Given(logits=np.zeros((1, 2)), target=np.array([0])))
    >>> after["probabilities"].p, after["reduction"].G
    (array([[0.5, 0.5]]), array([[-0.5,  0.5]]))
    """
    q, states = Quantities(given, arithmetic), {}
    with np.errstate(all="ignore"):
        for step in STEPS:
            if step.applies(q):
                step.compute(q)
            states[step.name] = copy(q)
    return states


def derived(given: Given, arithmetic: Arithmetic = FLOAT64) -> Quantities:
    """Take all steps, and return everything that was computed.

    Examples
    --------
    >>> derived(Given(logits=np.zeros((1, 2)), target=np.array([0]))).losses.round(4)
    array([0.6931])
    """
    return derive(given, arithmetic)[STEPS[-1].name]


def outputs(q: Quantities) -> dict[str, Array]:
    """Return what has been computed of :data:`OUTPUTS`, as arrays of float64."""
    return {name: np.asarray(getattr(q, held), np.float64) for name, held in OUTPUTS.items() if q.has(held)}
