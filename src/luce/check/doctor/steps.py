"""The loss in steps, from what a function is given to what it returns: each step a place where a mistake can be made.

:func:`walk` takes the steps one after another and lets mistakes change what a step has left behind, so that any number
of them combine as they would in somebody's code. Without a mistake the result is the contract's, in float64, by the
usual formulas; how right that is, is judged by :mod:`luce.check.truth.oracle` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from luce.check.inputs.probes import Probe

__all__ = ["OUTPUTS", "STEPS", "Change", "State", "divide", "one_hot", "softmax", "walk"]

Array = NDArray[Any]

OUTPUTS = ("loss", "gradient", "dW", "db", "dx", "softmax", "jacobian", "vjp")
"""What a function may return."""


class Change(Protocol):
    """A mistake, as far as the steps know it."""

    @property
    def step(self) -> str: ...  # noqa: D102

    @property
    def only(self) -> str: ...  # noqa: D102

    def change(self, s: State) -> None: ...  # noqa: D102


class State:
    """What has been computed so far; the attributes are named as in the contract."""

    u: Any
    given_t: Any
    mass: Any
    m: Any
    row_maximum: Any
    e: Any
    S: Any
    p: Any
    divided: Any
    log_p: Any
    losses: Any
    G: Any
    R: Any
    D: Any
    D_loss: Any
    D_gradient: Any

    def __init__(self, probe: Probe) -> None:
        option = probe.options.get
        self.x: Any
        self.W: Any
        self.b: Any
        self.x, self.W, self.b = probe.layer if probe.layer else (None, None, None)
        self.z: Any = probe.logits
        self.N: Any = 1 if probe.rowwise else len(self.z)
        self.V: Any = self.z.shape[1]
        self.hard = np.ndim(probe.target) == 1
        self.keep = probe.counted
        self.y = probe.labels
        self.w: Any = np.ones(self.V) if option("weight") is None else np.asarray(option("weight"))
        self.r: Any = np.ones(len(self.z)) if option("sample_weight") is None else np.asarray(option("sample_weight"))
        self.T, self.epsilon = option("temperature", 1.0), option("label_smoothing", 0.0)
        self.told = "reduction" in probe.options
        self.reduction = "none" if probe.rowwise else option("reduction", "mean")
        self.t: Any = one_hot(self.y, self.V) if self.hard else np.asarray(probe.target, np.float64)
        self.t = self.t * self.keep[:, None]
        self.vector: Any = probe.vector
        self.upstream: Any = probe.upstream
        self.slope: Any = 1 / self.T
        self.axis: int | None = 1
        self.out: dict[str, Any] = {}


def logits(s: State) -> None:
    """``z = x Wᵀ + b``, or as given; ``u = z / T``."""
    if s.x is not None:
        s.z = s.x @ s.W.T + s.b
    s.u = s.z / s.T


def smoothing(s: State) -> None:
    """``t ← (1 − ε) t + ε / V``."""
    s.given_t = s.t
    s.t = ((1 - s.epsilon) * s.t + s.epsilon / s.V) * s.keep[:, None]


def weighting(s: State) -> None:
    """``t ← w ⊙ t``."""
    s.t = s.w * s.t


def mass(s: State) -> None:
    """``α = Σ t``."""
    s.mass = s.t.sum(axis=1, keepdims=True)


def shift(s: State) -> None:
    """The row's maximum, which keeps exp in range."""
    s.m = s.row_maximum = s.u.max(axis=1, keepdims=True)


def exponentials(s: State) -> None:
    """``e = exp(u − m)`` and their sum."""
    s.e = np.exp(s.u - s.m)
    s.S = s.e.sum(axis=s.axis, keepdims=True)


def probabilities(s: State) -> None:
    """``p = e / S`` and ``log p = u − m − log S``."""
    s.p = s.divided = s.e / s.S
    s.log_p = s.u - s.m - np.log(s.S)


def loss(s: State) -> None:
    """``ℓ = −⟨t, log p⟩``, one of each row; a class of no mass adds nothing."""
    s.losses = -np.where(s.t == 0, 0, s.t * s.log_p).sum(axis=1)


def gradient(s: State) -> None:
    """``∂ℓ/∂u = α p − t``."""
    s.G = s.mass * s.p - s.t


def divisor(s: State) -> None:
    """What the mean divides by: the mass of the rows that count."""
    s.R = s.r * s.keep
    divide(s)


def divide(s: State) -> None:
    """The divisor that belongs to a reduction."""
    s.D = s.D_loss = s.D_gradient = (s.R * (s.w[s.y] if s.hard else 1)).sum() if s.reduction == "mean" else 1.0


def reduction(s: State) -> None:
    """``L = Σ r ℓ / D`` and ``∂L/∂z = r G / (T D)``, times the gradient that comes from above."""
    each = s.R * s.losses
    s.out["loss"] = each / s.D_loss if s.reduction == "none" else each.sum() / s.D_loss
    above = 1.0 if s.upstream is None else np.reshape(s.upstream, (-1, 1))
    s.out["gradient"] = s.R[:, None] * s.G * s.slope / s.D_gradient * above


def layer(s: State) -> None:
    """``∂L/∂W = Gᵀ x``, ``∂L/∂b = Gᵀ 1``, ``∂L/∂x = G W``."""
    if s.x is not None:
        G = s.out["gradient"]
        s.out |= {"dW": G.T @ s.x, "db": G.sum(axis=0), "dx": G @ s.W}


def derivative(s: State) -> None:
    """The softmax itself, its Jacobian ``diag p − p pᵀ``, and the Jacobian times a vector."""
    s.out["softmax"] = s.p
    s.out["jacobian"] = s.p[:, :, None] * np.eye(s.V) - s.p[:, :, None] * s.p[:, None, :]
    if s.vector is not None:
        s.out["vjp"] = s.p * (s.vector - (s.p * s.vector).sum(axis=1, keepdims=True))


STEPS = (
    *(logits, smoothing, weighting, mass, shift, exponentials, probabilities),
    *(loss, gradient, divisor, reduction, layer, derivative),
)
"""The steps in their order."""

_PLACES = {step.__name__: place for place, step in enumerate(STEPS)}


def walk(probe: Probe, mistakes: Iterable[Change] = (), wanted: Collection[str] = OUTPUTS) -> dict[str, Array]:
    """Everything that a function could return for a probe, with the mistakes made on the way.

    A mistake that is made in the loss only, or in the gradient only, leaves the other as it is.

    Examples
    --------
    >>> from luce.check.inputs.probes import ORDINARY
    >>> walk(ORDINARY[0])["gradient"].shape
    (7, 5)
    """
    mistakes = tuple(mistakes)
    if not mistakes:
        return dict(_without(probe))
    if any(mistake.only for mistake in mistakes):
        loss, rest = (_walk(probe, [m for m in mistakes if m.only != other], wanted) for other in ("gradient", "loss"))
        return {**rest, "loss": loss["loss"]}
    return _walk(probe, mistakes, wanted)


@lru_cache(maxsize=256)
def _without(probe: Probe) -> dict[str, Array]:
    return _walk(probe, (), OUTPUTS)


def _walk(probe: Probe, mistakes: Sequence[Change], wanted: Collection[str]) -> dict[str, Array]:
    first = min((_PLACES[mistake.step] for mistake in mistakes), default=len(STEPS) - 1)
    last = len(STEPS) if {"softmax", "jacobian", "vjp"} & set(wanted) else len(STEPS) - 1
    s = copy(_right(probe)[first])
    s.out = dict(s.out)
    with np.errstate(all="ignore"):
        for place in range(first, last):
            if place > first:
                STEPS[place](s)
            for mistake in mistakes:
                if _PLACES[mistake.step] == place:
                    mistake.change(s)
    return {name: np.asarray(value, np.float64) for name, value in s.out.items()}


@lru_cache(maxsize=256)
def _right(probe: Probe) -> tuple[State, ...]:
    """What each step leaves behind when no mistake is made."""
    s, states = State(probe), []
    with np.errstate(all="ignore"):
        for step in STEPS:
            step(s)
            states.append(copy(s))
            s.out = dict(s.out)
    return tuple(states)


def softmax(u: Array, axis: int | None = 1) -> Array:
    """``exp(u) / Σ exp(u)`` along an axis, or over everything."""
    e = np.exp(u - u.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def one_hot(y: Array, n_classes: int) -> Array:
    """Rows of zeros with a one at each label."""
    return np.asarray(np.eye(n_classes)[y])
