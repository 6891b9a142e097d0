"""The recognition of values: which quantity of the derivation one is, in which layout and with which factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from luce.check.doctor.right_gradient import right_gradient
from luce.derivation import Given, derived, one_hot
from luce.derivation.quantities import Array

__all__ = ["Known", "Recognition", "quantities_of", "recognised"]

TOLERANCE = 1e-9
FACTORS = (("", 1, 0), ("−", -1, 0), ("1/{} of ", 1, -1), ("−1/{} of ", -1, -1), ("{} times ", 1, 1))
"""Factors in words, as a sign and a power of the number of rows; one of 1 is looked for first."""


class Known(NamedTuple):
    """A quantity with its words: ``p``, "the probabilities"."""

    key: str
    symbol: str
    value: Array


class Recognition(NamedTuple):
    """What a value is: the quantity, its factor and its layout, all in words."""

    key: str
    said: str


def quantities_of(given: Given) -> list[Known]:
    """Return the quantities of a derivation that code may hold, those that are looked for first at the front."""
    q = derived(given)
    n, v = q.z.shape
    rows = np.arange(n)
    log_S, one = np.log(q.S), one_hot(q.y, v)
    weight = q.R[:, None]
    plain = bool(np.allclose(q.alpha, 1))
    found = [
        ("z", "the logits", q.z),
        ("u", "z / T", q.u),
        ("m", "the row's maximum", q.m),
        ("z_minus_m", "z − m", q.u - q.m),
        ("e", "exp(z − m)", q.e),
        ("e_raw", "exp(z)", np.exp(np.minimum(q.u, 700))),
        ("S", "Σ exp(z − m)", q.S),
        ("p", "p, the softmax", q.p),
        ("log_S", "log Σ exp(z − m)", log_S),
        ("lse", "the log-sum-exp", q.m + log_S),
        ("log_p", "log p", q.log_p),
        ("t", "t, the target", q.t),
        ("one_hot", "the one-hot target", one),
        ("y", "the labels", q.y.astype(float)),
        ("p_y", "p of the target's class", q.p[rows, q.y]),
        ("log_p_y", "log p of the target's class", q.log_p[rows, q.y]),
        ("z_y", "the logit of the target's class", q.z[rows, q.y]),
        ("losses", "the losses of the rows", q.losses),
        ("loss", "the loss", np.asarray(q.L)),
        ("loss_sum", "the sum of the losses", np.asarray((q.R * q.losses).sum())),
        ("G", f"the gradient in the logits, {right_gradient(q)}", q.G),
        ("dl", "p − t" if plain else "α p − t", q.dl_du),
        *([] if plain else [("d", "p − the one-hot target", q.p - one)]),
        ("rG", "the gradient of each row's loss", weight * q.dl_du * q.du_dz),
        ("by_p", "−t / p", -q.t / q.p),
        ("J", "the Jacobian of the softmax", q.J),
        ("w_y", "the weight of the target's class", q.w[q.y]),
    ]
    if q.has("x"):
        found += [
            *(("x", "the input x", q.x), ("W", "the weights W", q.W), ("b", "the bias b", q.b)),
            *(("dW", "the gradient in W", q.dW), ("db", "the gradient in b", q.db), ("dx", "the gradient in x", q.dx)),
        ]
    if q.has("Jv"):
        found += [("v", "the vector", q.vector), ("Jv", "J v", q.Jv)]
    return [Known(key, symbol, np.asarray(value, float)) for key, symbol, value in found]


def recognised(value: Array, known: list[Known]) -> Recognition | None:
    """Return what a value is, if it is one of the quantities; zeros, ones and single small integers are none."""
    if value.size == 0 or not np.isfinite(value).all() or (value.size > 1 and np.ptp(value) == 0):
        return None
    if value.size == 1 and float(value.item()).is_integer():
        return None
    for factors in (FACTORS[:1], FACTORS[1:]):
        for quantity in known:
            n = quantity.value.shape[0] if quantity.value.ndim else 1
            for layout, candidate in _layouts(quantity.value):
                if candidate.shape == value.shape and np.isfinite(candidate).all():
                    factor = _factor(value, candidate, n, factors)
                    if factor is not None:
                        return Recognition(quantity.key, f"{factor}{quantity.symbol}{layout}")
    return None


def _layouts(value: Array) -> Iterator[tuple[str, Array]]:
    """Yield the forms in which code may hold a quantity: as it is, as a vector, transposed, a row of it, an entry."""
    yield "", value
    squeezed = np.squeeze(value)
    if squeezed.shape != value.shape:
        yield "", squeezed
    if value.ndim == 1:
        yield "", value[:, None]
        yield "", value[None, :]
    if value.ndim == 2:
        yield " transposed", value.T
        yield "", value.ravel()
    if value.ndim >= 1:
        for row in range(len(value)):
            of_row = f" of row {row}"
            yield of_row, value[row]
            if value.ndim == 2:
                yield of_row, value[row][:, None]
                yield of_row, value[row][None, :]


def _factor(value: Array, candidate: Array, n: int, factors: Sequence[tuple[str, int, int]]) -> str | None:
    """Return the factor, in words, by which a value is a multiple of a quantity; None if it is none of these."""
    size = float(np.abs(candidate).max(initial=0.0))
    for words, sign, power in factors if size else ():
        factor = sign * float(n) ** power
        if value.size < 2 and factor not in (1.0, -1.0):
            continue
        if np.abs(value - factor * candidate).max(initial=0.0) <= TOLERANCE * size * abs(factor):
            return words.format(n)
    return None
