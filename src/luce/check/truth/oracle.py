"""The loss contract in many digits: every value and derivative, and the sizes against which rounding errors are judged.

Nothing here is fast, and no trick is used: each quantity is written as the contract writes it and evaluated by mpmath
on exactly the floating-point numbers that it is given, with so many digits that no cancellation reaches the ones that
are compared.

Notation (rows ``N``, classes ``V``, logits ``z``)::

    u = softcap · tanh(z / softcap) / temperature        p = exp(u − lse)        lse = log Σ_j exp(u_j)
    ℓ = α·lse − ⟨t, u⟩ + ζ·lse²                          α = Σ_j t_j             A = α + 2ζ·lse
    ∂ℓ/∂u = A·p − t                                      ∂ℓ/∂t = lse − u
    H v = A·p⊙(v − ⟨p,v⟩) + 2ζ·p⟨p,v⟩

A class whose logit is −inf can't happen: p = 0 there, also under a softcap. A row that holds a NaN or +inf, or nothing
finite, is NaN.

Every derivative comes as an :class:`Exact`: the value and its *scale*, the sum of the magnitudes of the terms that it
is a sum of. A floating-point result can be held to a few ulps of the scale, not of the value: where terms of opposite
sign cancel, the inputs themselves do not carry more. The entry of a row's unique maximum is a sum in two ways,
``A·p_m − t_m`` and ``(t_rest + 2ζ·lse) − A·q`` with ``q = 1 − p_m`` summed over the other classes; the smaller of the
two sums of magnitudes counts, so a confident row owes every digit of ``q``. (For a class index the scale of the
target's entry is then at most three times the entry, and every other entry is its own scale.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from mpmath import mp
except ImportError as error:  # pragma: no cover - depends on the installation
    raise ImportError("luce.check.truth.oracle needs mpmath: pip install 'luce[check]'") from error

__all__ = [
    "CrossEntropy",
    "Exact",
    "LinearCrossEntropy",
    "LinearExact",
    "SigmoidCrossEntropy",
    "log_softmax",
    "logsumexp",
    "softmax",
    "softmax_jvp",
    "to_exact",
    "to_float",
]

Number: TypeAlias = Any
"""An ``mpmath.mpf``: mpmath brings no types."""

Target: TypeAlias = ArrayLike | tuple[ArrayLike, ArrayLike]
"""Class indices, distributions, or a pair of indices and probabilities."""

Multiprecision = NDArray[np.object_]
"""An array whose elements are ``mpmath.mpf``: NumPy's broadcasting with mpmath's digits."""

DIGITS = 60
"""Digits that remain after cancellation: float64 needs 17, products of three of them 51."""

MOST_CANCELLED = 340
"""Digits added for cancellation at most: 10⁻³⁴⁰ is below the smallest float64, what is lost beyond it is 0 anyway."""


@dataclass(frozen=True)
class Exact:
    """A quantity and the sum of the magnitudes of its terms, both arrays of ``mpmath.mpf`` of one shape."""

    value: Multiprecision
    scale: Multiprecision


@dataclass(frozen=True)
class LinearExact:
    """Quantities of the three arguments of a linear layer; ``linear_bias`` is None without a bias."""

    input: Exact
    linear_weight: Exact
    linear_bias: Exact | None


def to_exact(values: ArrayLike) -> Multiprecision:
    """Return floats (or mpf) of any dtype and byte order as an array of mpf, without rounding.

    Examples
    --------
    >>> print(to_exact(np.float32([0.1]))[0])
    0.100000001490116
    """
    return _elementwise(lambda x: x if isinstance(x, mp.mpf) else mp.mpf(float(x)))(np.asarray(values))


def to_float(values: Multiprecision) -> NDArray[np.float64]:
    """Return the nearest float64 to each mpf.

    Examples
    --------
    >>> to_float(to_exact([0.5]))
    array([0.5])
    """
    return np.asarray(values).astype(np.float64)


def softmax(logits: ArrayLike, axis: int = -1) -> Exact:
    """Return ``p = exp(z − lse)`` along an axis; every term is positive, so the scale is the value.

    Examples
    --------
    >>> to_float(softmax([0.0, 0.0]).value)
    array([0.5, 0.5])
    """
    with _precise(logits):
        rows = _Rows(_last(logits, axis))
        p = rows.nan_where_broken(rows.p)
        return _along(Exact(p, p), axis)


def log_softmax(logits: ArrayLike, axis: int = -1) -> Exact:
    """Return ``z − lse``, a sum of terms of one sign.

    Examples
    --------
    >>> to_float(log_softmax([0.0, 0.0]).value).round(4)
    array([-0.6931, -0.6931])
    """
    with _precise(logits):
        rows = _Rows(_last(logits, axis))
        value = rows.nan_where_broken(-rows.surprise)
        return _along(Exact(value, abs(value)), axis)


def logsumexp(logits: ArrayLike, axis: int = -1) -> Exact:
    """Return ``lse = max + log Σ exp(z − max)``, whose two terms may differ in sign.

    Examples
    --------
    >>> to_float(logsumexp([[0.0, 0.0]]).value).round(4)
    array([0.6931])
    """
    with _precise(logits):
        rows = _Rows(_last(logits, axis))
        value, scale = (rows.nan_where_broken(x)[..., 0] for x in (rows.lse, rows.lse_scale))
        return Exact(np.asarray(value), np.asarray(scale))


def softmax_jvp(logits: ArrayLike, vector: ArrayLike, axis: int = -1) -> Exact:
    """Return ``J v = p⊙(v − ⟨p,v⟩)``; J is symmetric, so this is the vector-Jacobian product too.

    Examples
    --------
    >>> to_float(softmax_jvp([0.0, 0.0], [1.0, 0.0]).value)
    array([ 0.25, -0.25])
    """
    with _precise(logits):
        rows = _Rows(_last(logits, axis))
        vector = np.where(rows.possible, to_exact(_last(vector, axis)), mp.zero)
        value = rows.p * (vector - _total(rows.p * vector))
        scale = rows.p * (abs(vector) + _total(rows.p * abs(vector)))
        return _along(Exact(rows.nan_where_broken(value), rows.nan_where_broken(scale)), axis)


class CrossEntropy:
    """The softmax cross-entropy of a batch under the contract's options.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Floats of any dtype, or ``mpf``.
    target : array_like of integers (...), of floats (..., V), or a pair (indices (..., k), probabilities (..., k))
        As the public functions take it. Nothing is validated here.
    weight, sample_weight, ignore_index, label_smoothing, z_loss, softcap, temperature, tail, reduction, normalizer
        The options of the public functions, under their names and defaults.
    on_empty : {"nan", "zero", "raise"}
        As in the public functions.

    Attributes
    ----------
    losses : Exact, shape (...)
        ``r_i ℓ_i`` of each row, 0 where the row is ignored.
    value : Exact, shape (...) for ``reduction="none"``, else ()
        The reduced loss.

    Raises
    ------
    ValueError
        When nothing is left to average and ``on_empty="raise"``.

    Examples
    --------
    A confident row in float32: the loss is ``3·exp(−60)``.

    >>> loss = CrossEntropy(np.float32([[60, 0, 0, 0]]), [0])
    >>> f"{float(loss.value.value):.3e}"
    '2.627e-26'
    >>> f"{float(loss.gradient().value[0, 0]):.3e}"
    '-2.627e-26'
    """

    losses: Exact
    value: Exact

    def __init__(
        self,
        logits: ArrayLike,
        target: Target,
        *,
        weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        z_loss: float = 0.0,
        softcap: float | None = None,
        temperature: float = 1.0,
        tail: Literal["uniform"] | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
        normalizer: float | None = None,
        on_empty: Literal["nan", "zero", "raise"] = "nan",
    ) -> None:
        logits = np.asarray(logits)
        self._leading, n_classes = logits.shape[:-1], logits.shape[-1]
        with _precise(logits, temperature) as self._digits:
            self._rows = _Rows(logits.reshape(-1, n_classes), softcap=softcap, temperature=temperature)
            n_rows = len(self._rows.p)
            given = np.ones(n_rows) if sample_weight is None else np.broadcast_to(sample_weight, self._leading)
            given = to_exact(given).reshape(-1)
            self._target = _Target(
                target,
                n_classes,
                weight=np.ones(n_classes) if weight is None else weight,
                label_smoothing=label_smoothing,
                ignore_index=ignore_index,
                tail=tail,
                dropped=(given == 0).astype(bool),
            )
            if not z_loss:
                self._target.drop_weightless()
            row_weight = np.where(self._target.ignored, mp.zero, given)
            self._zeta = mp.mpf(z_loss)
            denominator = mp.one
            if reduction == "mean":
                counted = (row_weight * self._target.share).sum() + mp.zero
                denominator = counted if normalizer is None else mp.mpf(normalizer)
            self._row_factor = (row_weight / denominator if denominator else row_weight * 0).reshape(-1, 1)
            self._reduce(row_weight, reduction, denominator, on_empty)

    def _reduce(self, row_weight: Multiprecision, reduction: str, denominator: Number, on_empty: str) -> None:
        """Set the losses of the rows and the reduced value."""
        rows, t, zeta = self._rows, self._target.t, self._zeta
        surprise = _total(_times(t, rows.surprise))  # α·lse − ⟨t, u⟩
        loss = rows.nan_where_broken(surprise + zeta * rows.lse**2)[:, 0]
        scale = rows.nan_where_broken(surprise + zeta * abs(rows.lse) * rows.lse_scale)[:, 0]
        loss, scale = (np.where(self._target.ignored, mp.zero, _times(row_weight, x)) for x in (loss, scale))
        self.losses = Exact(loss.reshape(self._leading), scale.reshape(self._leading))
        self.value = self.losses if reduction == "none" else _reduced(loss, scale, denominator, on_empty)

    @property
    def logsumexp(self) -> Exact:
        """Return the log-sum-exp of ``u`` in each row, shape (...)."""
        rows = self._rows
        lse, scale = (rows.nan_where_broken(x).reshape(self._leading) for x in (rows.lse, rows.lse_scale))
        return Exact(lse, scale)

    @property
    def entropy(self) -> Exact:
        """Return the entropy of ``p`` in each row, ``Σ_j p_j (lse − u_j)``, shape (...); no term is negative."""
        with mp.workdps(self._digits):
            entropy = _total(_times(self._rows.p, self._rows.surprise))
            entropy = self._rows.nan_where_broken(entropy).reshape(self._leading)
            return Exact(entropy, entropy)

    @property
    def row_factor(self) -> Multiprecision:
        """Return the factor of each row's derivative: ``r_i / D`` for "mean", ``r_i`` otherwise; shape (...)."""
        return np.asarray(self._row_factor.reshape(self._leading))

    def gradient(self) -> Exact:
        """Return ``∂L/∂z``, shape (..., V); for ``reduction="none"`` row i holds ``∂(r_i ℓ_i)/∂z_i``."""
        with mp.workdps(self._digits):
            gradient = self._gradient_in_u()
            slope = self._rows.slope
            return self._finished(gradient.value * slope, gradient.scale * slope)

    def target_gradient(self) -> Exact:
        """Return ``∂L/∂t`` in the target as given: floats (..., V), or the probabilities (..., k) of a pair."""
        with mp.workdps(self._digits):
            value, scale = self._target.pull_back(self._rows.nan_where_broken(self._rows.surprise))
            shape, counts = (*self._leading, value.shape[-1]), self._row_factor != 0
            value, scale = (np.where(counts, self._row_factor * x, mp.zero) for x in (value, scale))
            return Exact(value.reshape(shape), scale.reshape(shape))

    def hvp(self, vector: ArrayLike) -> Exact:
        """Return ``∂²L/∂z² · vector``, shape (..., V): ``s⊙H_u(s⊙v) + ∂ℓ/∂u⊙u″⊙v`` with ``s = du/dz``."""
        with mp.workdps(self._digits):
            rows, p, zeta2 = self._rows, self._rows.p, 2 * self._zeta
            v = np.where(rows.possible, to_exact(vector).reshape(p.shape), mp.zero)
            w = rows.slope * v
            mean, mean_scale = _total(p * w), _total(p * abs(w))
            a, a_scale = self._pull()
            value = a * p * (w - mean) + zeta2 * p * mean
            scale = a_scale * p * (abs(w) + mean_scale) + zeta2 * p * mean_scale
            gradient, bend = self._gradient_in_u(), rows.bend
            return self._finished(
                rows.slope * value + gradient.value * bend * v,
                rows.slope * scale + gradient.scale * abs(bend * v),
            )

    def _pull(self) -> tuple[Multiprecision, Multiprecision]:
        """Return ``A = α + 2ζ·lse`` and the sum of its terms' magnitudes."""
        mass = _total(self._target.t)
        return mass + 2 * self._zeta * self._rows.lse, mass + 2 * self._zeta * self._rows.lse_scale

    def _gradient_in_u(self) -> Exact:
        rows, t = self._rows, self._target.t
        a, a_scale = self._pull()
        scale = a_scale * rows.p + t
        beside = _total(t) - t
        others = beside + 2 * self._zeta * rows.lse_scale + a_scale * rows.q
        own = rows.unique_maximum & (others < scale).astype(bool)
        value = np.where(own, beside + 2 * self._zeta * rows.lse - a * rows.q, a * rows.p - t)
        return Exact(value, np.where(own, others, scale))

    def _finished(self, value: Multiprecision, scale: Multiprecision) -> Exact:
        """Return a derivative times ``r_i / D``; 0 for impossible classes and weightless rows, NaN for broken ones."""
        rows, silent = self._rows, self._target.ignored[:, None]
        shape = (*self._leading, value.shape[-1])

        def finish(x: Multiprecision) -> Multiprecision:
            x = np.where(rows.possible, self._row_factor * x, mp.zero)
            return np.where(silent, mp.zero, rows.nan_where_broken(x)).reshape(shape)

        return Exact(finish(value), finish(scale))


class LinearCrossEntropy:
    """The loss of the logits ``z = x Wᵀ + b``, computed without rounding them.

    Parameters
    ----------
    input : array_like, shape (..., D)
    linear_weight : array_like, shape (V, D)
    target, **options
        As for :class:`CrossEntropy`.
    linear_bias : array_like, shape (V,), optional

    Attributes
    ----------
    logits : array of mpf, shape (..., V)
    loss : CrossEntropy
        The loss of these logits.

    Examples
    --------
    >>> layer = LinearCrossEntropy([[1.0]], [[0.0], [0.0]], [0])
    >>> to_float(layer.gradient().linear_weight.value)
    array([[-0.5],
           [ 0.5]])
    """

    def __init__(
        self,
        input: ArrayLike,
        linear_weight: ArrayLike,
        target: Target,
        *,
        linear_bias: ArrayLike | None = None,
        **options: Any,
    ) -> None:
        input = np.asarray(input)
        self._input_shape = input.shape
        n_rows = math.prod(input.shape[:-1])
        self._x, self._w = to_exact(input).reshape(n_rows, input.shape[-1]), to_exact(linear_weight)
        self._has_bias = linear_bias is not None
        with mp.workdps(DIGITS):
            z = _product(self._x, self._w.T)
            if linear_bias is not None:
                z = z + to_exact(linear_bias)
        self.logits = z.reshape(*input.shape[:-1], len(self._w))
        self.loss = CrossEntropy(self.logits, target, **options)

    def gradient(self) -> LinearExact:
        """Return ``∂L/∂x = G W``, ``∂L/∂W = Gᵀ x``, ``∂L/∂b = Gᵀ 1`` with ``G = ∂L/∂z``."""
        return self._through_the_layer([(self.loss.gradient(), self._x, self._w)])

    def hvp(
        self,
        input: ArrayLike | None = None,
        linear_weight: ArrayLike | None = None,
        linear_bias: ArrayLike | None = None,
    ) -> LinearExact:
        """Return the Hessian in (x, W, b) times a direction; a part that is None is zero.

        With ``ż = ẋ Wᵀ + x Ẇᵀ + ḃ`` and ``Ġ = H ż``: ``Ġ W + G Ẇ``, ``Ġᵀ x + Gᵀ ẋ`` and ``Ġᵀ 1``.
        """
        x, w = self._x, self._w
        x_dot = x * 0 if input is None else to_exact(input).reshape(x.shape)
        w_dot = w * 0 if linear_weight is None else to_exact(linear_weight)
        with mp.workdps(self.loss._digits):
            z_dot = _product(x_dot, w.T) + _product(x, w_dot.T)
            z_dot_scale = _product(abs(x_dot), abs(w).T) + _product(abs(x), abs(w_dot).T)
            if linear_bias is not None:
                z_dot, z_dot_scale = z_dot + to_exact(linear_bias), z_dot_scale + abs(to_exact(linear_bias))
            g_dot = Exact(self.loss.hvp(z_dot).value, self.loss.hvp(z_dot_scale).scale)
        return self._through_the_layer([(g_dot, x, w), (self.loss.gradient(), x_dot, w_dot)], bias_of=g_dot)

    def _through_the_layer(
        self, terms: list[tuple[Exact, Multiprecision, Multiprecision]], bias_of: Exact | None = None
    ) -> LinearExact:
        with mp.workdps(self.loss._digits):
            flat = [(g.value.reshape(-1, len(w)), g.scale.reshape(-1, len(w)), x, w) for g, x, w in terms]
            zero = mp.zero
            for_input = Exact(
                sum((_product(g, w) for g, _, _, w in flat), zero).reshape(self._input_shape),
                sum((_product(s, abs(w)) for _, s, _, w in flat), zero).reshape(self._input_shape),
            )
            for_weight = Exact(
                sum((_product(g.T, x) for g, _, x, _ in flat), zero),
                sum((_product(s.T, abs(x)) for _, s, x, _ in flat), zero),
            )
            if not self._has_bias:
                return LinearExact(for_input, for_weight, None)
            g = bias_of or terms[0][0]
            columns = [part.reshape(-1, len(self._w)).sum(axis=0) + zero for part in (g.value, g.scale)]
            return LinearExact(for_input, for_weight, Exact(columns[0], columns[1]))


class SigmoidCrossEntropy:
    """The binary cross-entropy of independent logits, shape (...).

    ``ℓ = w·(π·t·softplus(−z) + (1 − t)·softplus(z))`` with ``t ← (1 − ε)t + ε/2``, ``π`` the ``pos_weight``; its
    derivative is ``w·((1 − t)·σ(z) − π·t·σ(−z))``. "mean" divides by the number of entries (times ``sample_weight``).

    Examples
    --------
    >>> to_float(SigmoidCrossEntropy([0.0], [1.0]).gradient().value)
    array([-0.5])
    """

    losses: Exact
    value: Exact

    def __init__(
        self,
        logits: ArrayLike,
        target: ArrayLike,
        *,
        weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        pos_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
        normalizer: float | None = None,
        on_empty: Literal["nan", "zero", "raise"] = "nan",
    ) -> None:
        logits = np.asarray(logits)
        with _precise(logits) as self._digits:
            z = to_exact(logits)
            smoothing = mp.mpf(label_smoothing)
            t = (1 - smoothing) * to_exact(target) + smoothing / 2
            positive = t * to_exact(1.0 if pos_weight is None else pos_weight)
            negative = 1 - t
            row_weight = to_exact(1.0 if sample_weight is None else sample_weight)
            if sample_weight is not None and np.ndim(sample_weight) < logits.ndim:
                row_weight = row_weight.reshape(*row_weight.shape, *[1] * (logits.ndim - row_weight.ndim))
            row_weight = np.broadcast_to(row_weight, logits.shape)
            factor = row_weight * to_exact(1.0 if weight is None else weight)
            z, positive, negative = (np.where(factor == 0, mp.zero, x) for x in (z, positive, negative))
            softplus = _elementwise(lambda x: x if x == mp.inf else mp.log1p(mp.exp(x)))
            sigmoid = _elementwise(lambda x: mp.zero if x == -mp.inf else 1 / (1 + mp.exp(-x)))
            loss = factor * (_times(positive, softplus(-z)) + _times(negative, softplus(z)))
            denominator = mp.one
            if reduction == "mean":
                denominator = row_weight.sum() + mp.zero if normalizer is None else mp.mpf(normalizer)
            self.losses = Exact(loss, loss)
            self.value = self.losses if reduction == "none" else _reduced(loss, loss, denominator, on_empty)
            factor = factor / denominator if denominator else factor * 0
            up, down = factor * negative * sigmoid(z), factor * positive * sigmoid(-z)
            self._gradient = Exact(up - down, up + down)

    def gradient(self) -> Exact:
        """Return ``∂L/∂z``, shape (...)."""
        return self._gradient


class _Rows:
    """Quantities that depend on the logits alone, of shapes (..., V) and (..., 1)."""

    def __init__(self, logits: ArrayLike, softcap: float | None = None, temperature: float = 1.0) -> None:
        z = to_exact(logits)
        finite = _elementwise(mp.isfinite)(z).astype(bool)
        bad = _elementwise(lambda x: mp.isnan(x) or x == mp.inf)(z).astype(bool)
        self._broken = bad.any(axis=-1, keepdims=True) | ~finite.any(axis=-1, keepdims=True)
        self.possible = finite | self._broken  # broken rows are computed as zeros, then overwritten
        z = np.where(finite, z, mp.zero)
        scale = 1 / mp.mpf(temperature)
        if softcap is None:
            u, slope, bend = z * scale, z * 0 + scale, z * 0
        else:
            cap = mp.mpf(softcap)
            tanh, sech2 = _elementwise(mp.tanh)(z / cap), _elementwise(mp.sech)(z / cap) ** 2
            u, slope, bend = cap * tanh * scale, sech2 * scale, -2 * tanh * sech2 * scale / cap
        self.slope, self.bend = slope, bend  # du/dz and d²u/dz²
        u = np.where(self.possible, u, -mp.inf)
        maximum = u.max(axis=-1, keepdims=True, initial=-mp.inf)
        maximum = np.where(self._broken, mp.zero, maximum)
        e = np.where(self.possible, _elementwise(mp.exp)(u - maximum), mp.zero)
        s = _total(e)
        log_s = _elementwise(mp.log)(np.where(s == 0, mp.one, s))
        self.lse, self.lse_scale = maximum + log_s, abs(maximum) + log_s
        self.p, self.q = e / s, (s - e) / s
        self.surprise = self.lse - u  # ∂ℓ/∂t; +inf for an impossible class
        at_maximum = u == maximum
        self.unique_maximum = at_maximum & (at_maximum.sum(axis=-1, keepdims=True) == 1)

    def nan_where_broken(self, values: Multiprecision) -> Multiprecision:
        return np.where(self._broken, mp.nan, values)


class _Target:
    """The effective target ``t`` (N, V), which rows are ignored, and each row's share of the "mean"'s denominator."""

    def __init__(
        self,
        target: Target,
        n_classes: int,
        *,
        weight: ArrayLike,
        label_smoothing: float,
        ignore_index: int,
        tail: str | None,
        dropped: NDArray[np.bool_],
    ) -> None:
        self._weight, self._smoothing, self._tail = to_exact(weight), mp.mpf(label_smoothing), tail
        self._indices: NDArray[np.int64] | None = None
        if isinstance(target, tuple):
            indices, probabilities = np.asarray(target[0]), to_exact(target[1])
            self._indices = indices.astype(np.int64).reshape(-1, indices.shape[-1])
            self._indices = np.where(dropped[:, None], 0, self._indices)
            probabilities = np.where(dropped[:, None], mp.zero, probabilities.reshape(self._indices.shape))
            t = _scattered(self._indices, probabilities, n_classes)
            if tail == "uniform":
                t = t + self._unlisted(t) * np.maximum(1 - _total(t), mp.zero)
            self.ignored = dropped
        elif np.asarray(target).dtype.kind in "iu":
            labels = np.asarray(target).astype(np.int64).reshape(-1)
            self.ignored = (labels == ignore_index) | dropped
            labels = np.where(self.ignored, 0, labels)
            t = _scattered(labels[:, None], to_exact(np.ones((len(labels), 1))), n_classes)
        else:
            t = np.where(dropped[:, None], mp.zero, to_exact(target).reshape(-1, n_classes))
            self.ignored = dropped
        hard = not isinstance(target, tuple) and np.asarray(target).dtype.kind in "iu"
        self.share = _total(t * self._weight)[:, 0] if hard else to_exact(np.ones(len(t)))
        self.t = self._weight * ((1 - self._smoothing) * t + self._smoothing / max(n_classes, 1))

    def drop_weightless(self) -> None:
        """Ignore the rows of a class of weight 0 whose target has no other mass."""
        self.ignored = self.ignored | ((self.share == 0) & (_total(self.t)[:, 0] == 0)).astype(bool)

    def _unlisted(self, like: Multiprecision) -> Multiprecision:
        """Return 1 / (number of classes that a row does not list) at those classes, 0 at the others."""
        listed = np.zeros(like.shape, dtype=bool)
        if self._indices is not None:
            np.put_along_axis(listed, self._indices, True, axis=-1)
        count = (~listed).sum(axis=-1, keepdims=True)
        return np.asarray(np.where(listed, mp.zero, mp.one) / np.maximum(count, 1))

    def pull_back(self, surprise: Multiprecision) -> tuple[Multiprecision, Multiprecision]:
        """Bring ``∂ℓ/∂t`` of the effective target to the given one, with the magnitudes' sum."""
        inner = _times(self._weight * (1 - self._smoothing), surprise)
        if self._indices is None:
            return inner, inner
        picked = np.take_along_axis(inner, self._indices, axis=-1)
        if self._tail != "uniform":
            return picked, picked
        share = self._unlisted(inner)
        taken = _total(_times(share, inner))
        return picked - taken, picked + taken


def _reduced(loss: Multiprecision, scale: Multiprecision, denominator: Number, on_empty: str) -> Exact:
    """Return the sum of the losses over the denominator; where that is 0, what `on_empty` says."""
    if denominator == 0:
        if on_empty == "raise":
            raise ValueError("nothing is left to average")
        empty = np.asarray(mp.nan if on_empty == "nan" else mp.zero)
        return Exact(empty, empty)
    return Exact(np.asarray(loss.sum() / denominator), np.asarray(scale.sum() / denominator))


def _scattered(indices: NDArray[np.int64], values: Multiprecision, n_classes: int) -> Multiprecision:
    """Return rows of ``n_classes`` zeros to which ``values`` are added at ``indices``; duplicates add up."""
    dense = np.full((len(indices), n_classes), mp.zero, dtype=object)
    for row, (columns, parts) in enumerate(zip(indices, values, strict=True)):
        for column, part in zip(columns, parts, strict=True):
            dense[row, column] += part
    return dense


def _elementwise(function: Callable[[Number], Number]) -> Callable[[ArrayLike], Multiprecision]:
    ufunc = np.frompyfunc(function, 1, 1)

    def apply(values: ArrayLike) -> Multiprecision:
        with np.errstate(all="ignore"):  # the processor's flags mean nothing here
            return np.asarray(ufunc(values), dtype=object)

    return apply


def _total(values: Multiprecision) -> Multiprecision:
    return np.asarray(values.sum(axis=-1, keepdims=True) + mp.zero, dtype=object)


def _product(a: Multiprecision, b: Multiprecision) -> Multiprecision:
    """Return ``a @ b`` of objects, also where the inner dimension is 0."""
    return np.asarray((a @ b) + mp.zero if a.shape[-1] else np.full((len(a), b.shape[-1]), mp.zero), dtype=object)


def _times(mass: Multiprecision, loss: Multiprecision) -> Multiprecision:
    """Return ``mass·loss`` with 0·inf = 0; NaN stays NaN."""
    mass, loss = np.broadcast_arrays(mass, loss)
    return np.asarray(np.where((mass == 0) & (loss == mp.inf), mp.zero, mass * loss))


def _last(values: ArrayLike, axis: int) -> ArrayLike:
    return np.moveaxis(np.asarray(values), axis, -1)


def _along(exact: Exact, axis: int) -> Exact:
    return Exact(np.moveaxis(exact.value, -1, axis), np.moveaxis(exact.scale, -1, axis))


@contextmanager
def _precise(logits: ArrayLike, temperature: float = 1.0) -> Iterator[int]:
    """Work with so many digits that ``p − t`` keeps :data:`DIGITS` at the batch's largest margin; yields the number.

    The differences of logits over temperature keep them, too, however large those are.
    """
    values = np.asarray(logits).astype(np.float64)
    finite = mp.mpf(1) * to_exact(values[np.isfinite(values)])
    margin, largest = (finite.max() - finite.min(), abs(finite).max()) if finite.size else (mp.zero, mp.zero)
    digits = DIGITS + math.ceil(min(margin / temperature / math.log(10), MOST_CANCELLED))
    digits += max(0, math.ceil(mp.log10(largest / temperature))) if largest else 0
    with mp.workdps(digits):
        yield digits
