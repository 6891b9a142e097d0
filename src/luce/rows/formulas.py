"""The rows' losses and derivatives in a framework's own operations: on any device, and differentiable to any order.

The compiled kernels do the same on the CPU up to the Hessian's products. What they don't do is done here: other
devices, and derivatives of the third order and of targets and class weights. The notation is `luce.contract.form`'s.
With k the largest entry of a row and d = u − u_k, everything follows from s = Σ_{j≠k} exp d_j without loss of digits:

    lse − u_j = log1p(s) − d_j,   p_j = exp(d_j) / (1 + s),   1 − p_k = s / (1 + s)

No framework is imported: a front end hands in its operations (:class:`Operations`). Arrays add, multiply, compare and
take slices as all frameworks' do.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol, TypeAlias

from luce.contract.form import RowOptions

__all__ = ["Array", "Formulas", "Operations", "Target"]

Array: TypeAlias = Any  # an array of whichever framework; a function takes and returns those of one


class Operations(Protocol):
    """The operations of a framework that the formulas are made of.

    Rows are (N, V) and places in them (N, k); `take`, `put` and `add_at` go along the classes, and so do `sum`, `amax`
    and `argmax`. All must be differentiable but `argmax` and `isfinite`.
    """

    def exp(self, x: Array) -> Array:
        """The exponential."""

    def log1p(self, x: Array) -> Array:
        """The logarithm of 1 + x."""

    def tanh(self, x: Array) -> Array:
        """The hyperbolic tangent."""

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(−x))."""

    def isfinite(self, x: Array) -> Array:
        """Which entries are finite."""

    def where(self, condition: Array, x: Array | float, y: Array | float) -> Array:
        """The first where a condition holds, else the second."""

    def clip(self, x: Array, low: float, high: float) -> Array:
        """The nearest number in [low, high]."""

    def full_like(self, x: Array, value: float) -> Array:
        """An array of the same shape and type, of one value."""

    def sum(self, x: Array, *, keep: bool = False) -> Array:
        """The sum of each row: (N,), or (N, 1) to keep."""

    def amax(self, x: Array) -> Array:
        """The largest entry of each row (N,)."""

    def argmax(self, x: Array) -> Array:
        """The place of each row's largest entry (N, 1)."""

    def take(self, x: Array, places: Array) -> Array:
        """The entries in some places."""

    def put(self, x: Array, places: Array, value: Array | float) -> Array:
        """The rows with other entries in some places."""

    def add_at(self, x: Array, places: Array, value: Array) -> Array:
        """The rows with something added in some places, as often as these are listed."""

    def constant(self, x: Array) -> Array:
        """An array without derivative."""

    def widened(self, x: Array) -> Array:
        """An array in the type that is computed in: float64 as it is, others in float32."""

    def astype(self, x: Array, like: Array) -> Array:
        """An array in the type of another."""

    def eps(self, like: Array) -> float:
        """The distance from 1 to the next number of an array's type."""

    def largest_number(self, like: Array) -> float:
        """The largest finite number of an array's type."""


class Target(NamedTuple):
    """The target of N rows of V classes.

    Either `indices` (N, 1) alone, the rows' classes; or `indices` and `value`, both (N, k); or `dense` (N, V). `weight`
    (V,) are the weights of the classes.
    """

    indices: Array | None
    value: Array | None
    dense: Array | None
    weight: Array | None

    def rows(self, part: Array) -> Target:
        """Return the target of some rows."""
        indices, value, dense = (None if t is None else t[part] for t in self[:3])
        return Target(indices, value, dense, self.weight)


class _AboutLargest(NamedTuple):
    """A row about its largest entry: d = u − u_k (N, V), s = Σ_{j≠k} exp d_j and u_k (N,), and k (N, 1)."""

    d: Array
    s: Array
    top: Array
    place: Array


class _Slope(NamedTuple):
    """p and ∂ℓ/∂u, both (N, V), α + 2ζ·lse and the place of the largest entry, both (N, 1)."""

    p: Array
    slope: Array
    mass: Array
    largest: Array


class Formulas:
    """The formulas in a framework's operations."""

    def __init__(self, operations: Operations) -> None:
        self.xp = operations

    def losses(self, z: Array, target: Target, scale: Array, options: RowOptions) -> Array:
        """Return ℓ (N,), 0 in rows that count for nothing; those of scale 0 do where they have no loss."""
        xp = self.xp
        z, live = self._live(z, target, scale, options)
        d, s, top, _ = self._about_largest(z, options)
        log_sum = xp.log1p(s)
        behind = log_sum[:, None] - d
        t = self._effective(z, target, options)
        behind = xp.where((t == 0) & (behind == math.inf), 0.0, behind)
        loss = xp.sum(t * behind)
        if options.z_loss:
            loss = loss + options.z_loss * (top + log_sum) ** 2
        return xp.where(live, loss, 0.0)

    def hidden_slope(self, z: Array, target: Target, options: RowOptions) -> Array:
        """Return the part of ∂ℓ/∂t that 0·∞ = 0 hides, like the probabilities: ∞ at impossible classes without mass."""
        xp = self.xp
        z = xp.widened(z)
        t = self._effective(z, target, options)
        hidden = (t == 0) & (z == -math.inf)
        if target.weight is not None:
            hidden = hidden & (target.weight != 0)
        if options.label_smoothing == 1:
            hidden = xp.full_like(hidden, False)
        slope = xp.where(hidden, math.inf, xp.full_like(z, 0.0))
        if target.indices is None or target.value is None:
            return slope
        found = xp.take(slope, target.indices)
        if options.tail:
            free = xp.put(xp.full_like(z, 1.0), target.indices, 0.0) != 0
            found = found - xp.sum(xp.where(free, slope, 0.0), keep=True)
        return found

    def gradient(self, z: Array, target: Target, scale: Array, options: RowOptions) -> Array:
        """Return scale · ∂ℓ/∂z (N, V)."""
        given = z
        z, live = self._live(z, target, scale, options)
        slope = self._in_u(z, target, options).slope * self._rise(z, options)
        slope = slope * self._over_temperature(scale, z, options)
        return self.xp.astype(self._finished(z, live, slope), given)

    def product(self, z: Array, target: Target, scale: Array, vector: Array, options: RowOptions) -> Array:
        """Return scale · (∂²ℓ/∂z²) vector (N, V)."""
        xp, given = self.xp, z
        z, live = self._live(z, target, scale, options)
        p, slope, mass, largest = self._in_u(z, target, options)
        rise = self._rise(z, options)
        vector = self._where_live(live, xp.where(z == -math.inf, 0.0, xp.astype(vector, z)))
        w = rise * vector
        # about the largest entry's: there w − ⟨p, w⟩ would cancel
        pivot = xp.take(w, largest)
        w = w - pivot
        mean = xp.sum(p * w, keep=True)
        moved = mass * p * (w - mean)
        if options.z_loss:
            moved = moved + 2 * options.z_loss * p * (pivot + mean)
        moved = rise * moved / options.temperature
        if options.softcap:
            bend = -2 / options.softcap * xp.tanh(self._possible(z) / options.softcap) * rise
            moved = moved + slope * bend * vector
        moved = moved * self._over_temperature(scale, z, options)
        return xp.astype(self._finished(z, live, moved), given)

    def statistics(self, z: Array, options: RowOptions) -> tuple[Array, Array, Array]:
        """Return the log-sum-exp (N,), the entropy (N,) and the largest class (N,)."""
        xp = self.xp
        d, s, top, largest = self._about_largest(xp.widened(z), options)
        log_sum = xp.log1p(s)
        e = xp.exp(d)
        entropy = log_sum - xp.sum(xp.where(e == 0, 0.0, e * d)) / (1 + s)
        return top + log_sum, entropy, largest[:, 0]

    def weightless(self, target: Target, options: RowOptions) -> Array | None:
        """Return which rows (N,) are of a class of weight 0 and have no other term in their loss; None: none can be."""
        if target.weight is None or target.indices is None or target.value is not None:
            return None
        if options.label_smoothing or options.z_loss:
            return None
        index = self.xp.clip(target.indices[:, 0], 0, target.weight.shape[0] - 1)
        return target.weight[index] == 0

    def without_nan(self, rows: Array, scale: Array) -> Array:
        """Return numbers of rows (N, ...), 0 for what is NaN in a row of scale 0."""
        idle = (scale == 0).reshape(-1, *[1] * (len(rows.shape) - 1))
        return self.xp.where(idle & (rows != rows), 0.0, rows)

    def _in_u(self, z: Array, target: Target, options: RowOptions) -> _Slope:
        """Return the derivative in u and the probabilities."""
        xp = self.xp
        d, s, top, largest = self._about_largest(z, options)
        t = self._effective(z, target, options)
        pull = 2 * options.z_loss * (top + xp.log1p(s)) if options.z_loss else 0.0
        mass = xp.sum(t) + pull
        p = xp.exp(d) / (1 + s)[:, None]
        slope = mass[:, None] * p - t
        # where p_k > 1/2 the difference cancels: (mass − t_k) − mass·(1 − p_k), the first summed from its parts
        rest = xp.sum(xp.put(t, largest, 0.0)) + pull
        at_largest = xp.where(s < 1, rest - mass * (s / (1 + s)), xp.take(slope, largest)[:, 0])
        slope = xp.put(slope, largest, at_largest[:, None])
        return _Slope(p, slope, mass[:, None], largest)

    def _rise(self, z: Array, options: RowOptions) -> Array:
        """Return temperature·du/dz; 1 − tanh² would cancel."""
        if not options.softcap:
            return 1.0
        double = 2 * self._possible(z) / options.softcap
        return 4 * self.xp.sigmoid(double) * self.xp.sigmoid(-double)

    def _over_temperature(self, scale: Array, z: Array, options: RowOptions) -> Array:
        """Return scale/temperature (N, 1) in the type that is computed in, which it may not leave: 0·∞ would be NaN."""
        largest = self.xp.largest_number(z)
        return self.xp.astype(self.xp.clip(scale / options.temperature, -largest, largest), z)[:, None]

    def _possible(self, z: Array) -> Array:
        return self.xp.where(z == -math.inf, 0.0, z)

    def _finished(self, z: Array, live: Array, rows: Array) -> Array:
        """Return rows with zeros at classes that cannot happen and where dropped; the NaN of broken rows stay."""
        return self._where_live(live, self.xp.where((z == -math.inf) & (rows == rows), 0.0, rows))

    def _where_live(self, live: Array, rows: Array) -> Array:
        return self.xp.where(live[:, None], rows, 0.0)

    def _live(self, z: Array, target: Target, scale: Array, options: RowOptions) -> tuple[Array, Array]:
        """Return the logits in the type that is computed in, 0 in rows that count for nothing, and which do count.

        A row of weight 0 is computed where that is possible, since its loss is the derivative in its weight.
        """
        z = self.xp.widened(z)
        idle = scale == 0
        no_weight = self.weightless(target, options)
        if no_weight is not None:
            idle = idle | no_weight
        live = ~idle | self.xp.isfinite(self.xp.amax(z))
        if options.ignored is not None and target.indices is not None and target.value is None:
            live = live & (target.indices[:, 0] != options.ignored)
        return self._where_live(live, z), live

    def _capped(self, z: Array, options: RowOptions) -> Array:
        if not options.softcap:
            return z
        capped = options.softcap * self.xp.tanh(self._possible(z) / options.softcap)
        return self.xp.where(z == -math.inf, -math.inf, capped)

    def _about_largest(self, z: Array, options: RowOptions) -> _AboutLargest:
        xp = self.xp
        capped = self._capped(z, options)
        largest = xp.argmax(capped)
        top = xp.take(capped, largest)
        d = capped - top
        d = xp.where(d != d, math.nan, d)  # NaN without the derivative of ∞ − ∞
        if options.temperature != 1:
            d = d / options.temperature
            top = top / options.temperature
        s = xp.sum(xp.put(xp.exp(d), largest, 0.0)) + 0 * xp.take(d, largest)[:, 0]
        return _AboutLargest(d, s, top[:, 0], largest)

    def _effective(self, z: Array, target: Target, options: RowOptions) -> Array:
        """Return t (N, V): smoothed, then weighted."""
        xp, classes = self.xp, z.shape[1]
        t = self._listed(z, target, options) if target.dense is None else xp.astype(target.dense, z)
        if options.label_smoothing == 1:  # 0·∞ would be NaN where the given target has its derivative
            t = xp.full_like(t, 1 / classes)
        elif options.label_smoothing:
            t = (1 - options.label_smoothing) * t + options.label_smoothing / classes
        return t if target.weight is None else t * xp.astype(target.weight, z)

    def _listed(self, z: Array, target: Target, options: RowOptions) -> Array:
        """Return the target that lists some classes, as rows (N, V)."""
        xp, index, value = self.xp, target.indices, target.value
        assert index is not None
        if value is None:
            if options.ignored is not None:
                index = xp.where(index == options.ignored, 0, index)
            return xp.put(xp.full_like(z, 0.0), index, 1.0)
        value = xp.astype(value, z)
        t = xp.add_at(xp.full_like(z, 0.0), index, value)
        if options.tail:
            free = xp.put(xp.full_like(z, 1.0), index, 0.0)
            rest = xp.sum(free)
            missing = 1 - xp.sum(value)
            bound = 4 * max(index.shape[1], 1) * xp.eps(value)
            missing = missing - xp.constant(xp.where(missing > bound, 0.0, missing))  # 0 with a derivative
            share = missing / xp.where(rest == 0, 1.0, rest)
            t = t + share[:, None] * free
        return t
