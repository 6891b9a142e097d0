"""Inputs that break implementations of the softmax cross-entropy: logits by name and reason, and targets of every kind.

Each entry of :data:`LOGITS` names one way in which published implementations went wrong and builds a batch that shows
it. The values are drawn in float64 from a generator that the caller seeds and rounded to the dtype once, so that a case
is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from luce.derivation.quantities import Array

__all__ = ["LOGITS", "TARGETS", "LogitsCase", "Target", "TargetCase", "logits", "target"]

Target: TypeAlias = Any
"""Class indices (N,), distributions (N, V), or a pair of indices and probabilities (N, k)."""


@dataclass(frozen=True)
class LogitsCase:
    """Logits of one character: ``build(rng, n_rows, n_classes)`` returns float64 of shape (n_rows, n_classes)."""

    name: str
    reason: str
    build: Callable[[np.random.Generator, int, int], NDArray[np.float64]]


@dataclass(frozen=True)
class TargetCase:
    """Targets of one kind: ``build(rng, n_rows, n_classes)`` returns what the public functions take as ``target``."""

    name: str
    reason: str
    build: Callable[[np.random.Generator, int, int], Target]


def logits(name: str, rng: np.random.Generator, n_rows: int, n_classes: int, dtype: DTypeLike = np.float64) -> Array:
    """Build the named case of :data:`LOGITS`, rounded to ``dtype``.

    Parameters
    ----------
    name : str
        A key of :data:`LOGITS`.
    rng : numpy.random.Generator
        Where the values are drawn from.
    n_rows : int
        Rows of the batch, N.
    n_classes : int
        Classes, V.
    dtype : dtype, default float64
        What the floats are rounded to.

    Returns
    -------
    ndarray of ``dtype``, shape (n_rows, n_classes)

    Raises
    ------
    KeyError
        When there is no such case.

    Examples
    --------
    >>> logits("uniform", np.random.default_rng(0), 1, 3)
    array([[0., 0., 0.]])
    """
    return LOGITS[name].build(rng, n_rows, n_classes).astype(dtype)


def target(name: str, rng: np.random.Generator, n_rows: int, n_classes: int, dtype: DTypeLike = np.float64) -> Target:
    """Build the named case of :data:`TARGETS`; its floats are rounded to ``dtype``.

    Parameters
    ----------
    name : str
        A key of :data:`TARGETS`.
    rng : numpy.random.Generator
        Where the values are drawn from.
    n_rows : int
        Rows of the batch, N.
    n_classes : int
        Classes, V.
    dtype : dtype, default float64
        What the floats are rounded to.

    Returns
    -------
    ndarray of int64 (n_rows,), ndarray of ``dtype`` (n_rows, n_classes), or a pair of (n_rows, k)

    Raises
    ------
    KeyError
        When there is no such case.

    Examples
    --------
    >>> target("index", np.random.default_rng(0), 2, 3).dtype
    dtype('int64')
    """
    built = TARGETS[name].build(rng, n_rows, n_classes)
    if isinstance(built, tuple):
        return built[0], built[1].astype(dtype)
    return built if built.dtype.kind == "i" else built.astype(dtype)


def _normal(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    return rng.standard_normal((n, v))


def _confident(margin: float) -> Callable[[np.random.Generator, int, int], NDArray[np.float64]]:
    def build(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
        z = np.zeros((n, v))
        if v:
            z[np.arange(n), rng.integers(0, v, n)] = margin
        return z

    return build


def _ties(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    return rng.integers(0, 2, (n, v)).astype(np.float64) * 3


def _near_tie(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    z = np.full((n, v), -20.0)
    z[:, : min(v, 2)] = np.array([1.0, 1.0 + 2.0**-20])[: min(v, 2)]
    return rng.permuted(z, axis=1)


def _blocks(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    z = 3 * _normal(rng, n, v)
    for row in z:
        start = int(rng.integers(0, max(v, 1)))
        row[start : start + max(1, (3 * v) // 4)] = -np.inf
    return _one_possible(rng, z)


def _scattered_holes(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    return _one_possible(rng, np.where(rng.random((n, v)) < 0.5, -np.inf, 5 * _normal(rng, n, v)))


def _leading_hole(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    z = _normal(rng, n, v)
    z[:, : max(0, v - 1)] = -np.inf
    return z


def _one_possible(rng: np.random.Generator, z: NDArray[np.float64]) -> NDArray[np.float64]:
    hopeless = np.flatnonzero(~np.isfinite(z).any(axis=1))
    z[hopeless, rng.integers(0, max(z.shape[1], 1), len(hopeless))] = 1.5
    return z


def _staircase(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    return np.tile(-np.arange(v) * (160.0 / max(v, 1)), (n, 1)) + rng.integers(-3, 4, (n, 1))


_LOGITS = (
    LogitsCase("normal", "ordinary values: the common case", lambda rng, n, v: 3 * _normal(rng, n, v)),
    LogitsCase("tenth", "0.1-scaled logits never leave the uniform regime", lambda rng, n, v: 0.1 * _normal(rng, n, v)),
    LogitsCase("hundredfold", "margins of hundreds: one class takes all", lambda rng, n, v: 100 * _normal(rng, n, v)),
    LogitsCase("uniform", "all equal: the maximum is not unique", lambda rng, n, v: np.zeros((n, v))),
    LogitsCase("high", "offset +10000: exp overflows without a shift", lambda rng, n, v: 1e4 + 3 * _normal(rng, n, v)),
    LogitsCase("low", "offset −10000: every exp is 0 without a shift", lambda rng, n, v: -1e4 + 3 * _normal(rng, n, v)),
    LogitsCase("peaked", "margin 17: p rounds to 1 in float32, p − 1 to 0", _confident(17.0)),
    LogitsCase("confident", "margin 60: the loss is 1e-26, not 0", _confident(60.0)),
    LogitsCase("certain", "margin 10000: below the smallest float, exactly 0", _confident(1e4)),
    LogitsCase("subnormal", "margin 95: p is subnormal in float32", _confident(95.0)),
    LogitsCase("hated", "margin −60: all mass but one class's is spread", _confident(-60.0)),
    LogitsCase("ties", "several equal maxima", _ties),
    LogitsCase("near tie", "two leaders one rounding apart", _near_tie),
    LogitsCase("staircase", "every margin from 0 to 160 in one row", _staircase),
    LogitsCase("block", "a whole vector register of −inf gives NaN: −inf − (−inf)", _blocks),
    LogitsCase("holes", "−inf here and there", _scattered_holes),
    LogitsCase("only last", "−inf everywhere but at the last class", _leading_hole),
)

LOGITS: dict[str, LogitsCase] = {case.name: case for case in _LOGITS}
"""The cases of logits by name."""


def _labels(rng: np.random.Generator, n: int, v: int) -> NDArray[np.int64]:
    return rng.integers(0, v, n)


def _labels_with_ignored(rng: np.random.Generator, n: int, v: int) -> NDArray[np.int64]:
    return np.where(rng.random(n) < 0.4, -100, _labels(rng, n, v))


def _distribution(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    mass = rng.exponential(size=(n, v))
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), dtype=np.float64)


def _unnormalised(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    return np.where(rng.random((n, v)) < 0.3, 0.0, 2 * rng.random((n, v)))


def _one_hot(rng: np.random.Generator, n: int, v: int) -> NDArray[np.float64]:
    return np.asarray(np.eye(v)[_labels(rng, n, v)], dtype=np.float64)


def _top(rng: np.random.Generator, n: int, v: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    k = min(3, v)
    indices = np.argsort(rng.random((n, v)), axis=1)[:, :k].astype(np.int64)
    return indices, rng.integers(0, 80, (n, k)) / 256  # what is missing to 1 is exact in any float


def _mixture(rng: np.random.Generator, n: int, v: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    share = rng.integers(0, 257, (n, 1)) / 256
    return rng.integers(0, v, (n, 2)), np.concatenate([share, 1 - share], axis=1)


def _duplicates(rng: np.random.Generator, n: int, v: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.repeat(rng.integers(0, v, (n, 1)), 3, axis=1), np.tile([0.5, 0.0, 0.25], (n, 1))


_TARGETS = (
    TargetCase("index", "one class a row", _labels),
    TargetCase("ignored", "some rows are padding, −100", _labels_with_ignored),
    TargetCase("distribution", "a probability for each class", _distribution),
    TargetCase("unnormalised", "mass that is not 1: α·p − t, not p − t", _unnormalised),
    TargetCase("one-hot", "a distribution that is an index", _one_hot),
    TargetCase("top-k", "a few classes, some mass missing", _top),
    TargetCase("mixture", "two classes, perhaps the same", _mixture),
    TargetCase("duplicates", "the same class three times: masses add up", _duplicates),
)

TARGETS: dict[str, TargetCase] = {case.name: case for case in _TARGETS}
"""The cases of targets by name."""
