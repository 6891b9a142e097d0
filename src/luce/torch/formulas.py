"""The rows' losses and derivatives in PyTorch's own operations: on any device, and differentiable to any order.

The compiled kernels do the same on the CPU up to the Hessian's products. What they don't do is done here: other
devices, and derivatives of the third order and of targets and class weights. The notation is `luce.contract.form`'s.
With k the largest entry of a row and d = u − u_k, everything follows from s = Σ_{j≠k} exp d_j without loss of digits:

    lse − u_j = log1p(s) − d_j,   p_j = exp(d_j) / (1 + s),   1 − p_k = s / (1 + s)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from luce.contract.form import RowOptions

__all__ = [
    "Target",
    "gradient",
    "hidden_slope",
    "losses",
    "product",
    "pushed",
    "statistics",
    "weightless",
    "wide",
    "without_nan",
]


class Target(NamedTuple):
    """The target of N rows of V classes.

    Either `indices` (N, 1) alone, the rows' classes; or `indices` and `value`, both (N, k); or `dense` (N, V). `weight`
    (V,) are the weights of the classes.
    """

    indices: Tensor | None
    value: Tensor | None
    dense: Tensor | None
    weight: Tensor | None

    def rows(self, part: slice | Tensor) -> Target:
        """The target of some rows."""
        indices, value, dense = (None if t is None else t[part] for t in self[:3])
        return Target(indices, value, dense, self.weight)


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type that is computed in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def weightless(target: Target, options: RowOptions) -> Tensor | None:
    """Return which rows (N,) are of a class of weight 0 and have no other term in their loss; None if none can be."""
    if target.weight is None or target.indices is None or target.value is not None:
        return None
    if options.label_smoothing or options.z_loss:
        return None
    index = target.indices[:, 0].clamp(0, target.weight.shape[0] - 1)
    return target.weight[index] == 0


def without_nan(rows: Tensor, scale: Tensor) -> Tensor:
    """Return numbers of rows (N, ...), 0 for what is NaN in a row of scale 0."""
    idle = (scale == 0).reshape(-1, *[1] * (rows.dim() - 1))
    return torch.where(idle & (rows != rows), 0.0, rows)


def losses(z: Tensor, target: Target, scale: Tensor, options: RowOptions) -> Tensor:
    """Return ℓ (N,), 0 in rows that count for nothing; those of scale 0 do where they have no loss."""
    z, live = _live(z, target, scale, options)
    d, s, top, _ = _about_largest(z, options)
    log_sum = torch.log1p(s)
    behind = log_sum[:, None] - d
    t = _effective(z, target, options)
    behind = torch.where((t == 0) & (behind == torch.inf), 0.0, behind)
    loss = (t * behind).sum(1)
    if options.z_loss:
        loss = loss + options.z_loss * torch.square(top + log_sum)
    return torch.where(live, loss, 0.0)


def hidden_slope(z: Tensor, target: Target, options: RowOptions) -> Tensor:
    """Return what 0·∞ = 0 hides of ∂ℓ/∂t, in the shape of the probabilities: ∞ at impossible classes without mass."""
    z = z.to(wide(z.dtype))
    t = _effective(z, target, options)
    hidden = (t == 0) & (z == -torch.inf)
    if target.weight is not None:
        hidden = hidden & (target.weight != 0)
    if options.label_smoothing == 1:
        hidden = torch.zeros_like(hidden)
    slope = torch.where(hidden, torch.inf, torch.zeros_like(z))
    if target.indices is None or target.value is None:
        return slope
    found = slope.gather(1, target.indices)
    if options.tail:
        free = torch.ones_like(z).scatter(1, target.indices, 0.0) != 0
        found = found - torch.where(free, slope, 0.0).sum(1, keepdim=True)
    return found


def gradient(z: Tensor, target: Target, scale: Tensor, options: RowOptions) -> Tensor:
    """Return scale · ∂ℓ/∂z (N, V)."""
    given = z.dtype
    z, live = _live(z, target, scale, options)
    slope = _in_u(z, target, options)[1] * _rise(z, options) * _over_temperature(scale, z, options)
    return _finished(z, live, slope).to(given)


def product(z: Tensor, target: Target, scale: Tensor, vector: Tensor, options: RowOptions) -> Tensor:
    """Return scale · (∂²ℓ/∂z²) vector (N, V)."""
    given = z.dtype
    z, live = _live(z, target, scale, options)
    p, slope, mass, largest = _in_u(z, target, options)
    rise = _rise(z, options)
    vector = _where_live(live, torch.where(z == -torch.inf, 0.0, vector.to(z.dtype)))
    w = rise * vector
    # about the largest entry's: there w − ⟨p, w⟩ would cancel
    pivot = w.gather(1, largest)
    w = w - pivot
    mean = (p * w).sum(1, keepdim=True)
    moved = mass * p * (w - mean)
    if options.z_loss:
        moved = moved + 2 * options.z_loss * p * (pivot + mean)
    moved = rise * moved / options.temperature
    if options.softcap:
        bend = -2 / options.softcap * torch.tanh(_possible(z) / options.softcap) * rise
        moved = moved + slope * bend * vector
    return _finished(z, live, moved * _over_temperature(scale, z, options)).to(given)


def statistics(z: Tensor, options: RowOptions) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-sum-exp (N,), the entropy (N,) and the largest class (N,)."""
    d, s, top, largest = _about_largest(z.to(wide(z.dtype)), options)
    log_sum = torch.log1p(s)
    e = torch.exp(d)
    entropy = log_sum - torch.where(e == 0, 0.0, e * d).sum(1) / (1 + s)
    return top + log_sum, entropy, largest[:, 0]


def pushed(function: Callable[..., Any], primals: Sequence[Tensor], tangents: Sequence[Tensor]) -> Any:
    """Return the derivative along tangents, by two pull-backs: forward mode does not nest outside `torch.func`.

    The function returns a tensor, or a tuple of tensors.
    """
    with torch.enable_grad():  # or else the pull-back counts as a constant
        value, pull, *_ = torch.func.vjp(function, *primals)
        zeros = tuple(map(torch.zeros_like, value)) if isinstance(value, tuple) else torch.zeros_like(value)
        return torch.func.vjp(pull, zeros)[1](tuple(tangents))[0]


def _in_u(z: Tensor, target: Target, options: RowOptions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return p, ∂ℓ/∂u, both (N, V), α + 2ζ·lse and the place of the largest entry, both (N, 1)."""
    d, s, top, largest = _about_largest(z, options)
    t = _effective(z, target, options)
    pull = 2 * options.z_loss * (top + torch.log1p(s)) if options.z_loss else 0.0
    mass = t.sum(1) + pull
    p = torch.exp(d) / (1 + s)[:, None]
    slope = mass[:, None] * p - t
    # where p_k > 1/2 the difference cancels: (mass − t_k) − mass·(1 − p_k), the first summed from its parts
    rest = t.scatter(1, largest, 0.0).sum(1) + pull
    at_largest = torch.where(s < 1, rest - mass * (s / (1 + s)), slope.gather(1, largest)[:, 0])
    slope = slope.scatter(1, largest, at_largest[:, None])
    return p, slope, mass[:, None], largest


def _rise(z: Tensor, options: RowOptions) -> Any:
    """Return temperature·du/dz; 1 − tanh² would cancel."""
    if not options.softcap:
        return 1.0
    double = 2 * _possible(z) / options.softcap
    return 4 * torch.sigmoid(double) * torch.sigmoid(-double)


def _over_temperature(scale: Tensor, z: Tensor, options: RowOptions) -> Tensor:
    """Return scale/temperature (N, 1) in the type that is computed in, which it may not leave: 0·∞ would be NaN."""
    largest = torch.finfo(z.dtype).max
    return (scale / options.temperature).clamp(-largest, largest).to(z.dtype)[:, None]


def _possible(z: Tensor) -> Tensor:
    return torch.where(z == -torch.inf, 0.0, z)


def _finished(z: Tensor, live: Tensor, rows: Tensor) -> Tensor:
    """Return rows with zeros at classes that cannot happen and where dropped; the NaN of broken rows stay."""
    return _where_live(live, torch.where((z == -torch.inf) & (rows == rows), 0.0, rows))


def _where_live(live: Tensor, rows: Tensor) -> Tensor:
    return torch.where(live[:, None], rows, 0.0)


def _live(z: Tensor, target: Target, scale: Tensor, options: RowOptions) -> tuple[Tensor, Tensor]:
    """Return the logits in the type that is computed in, with zeros in the rows that count for nothing, and the others.

    A row of weight 0 is computed where that is possible, since its loss is the derivative in its weight.
    """
    z = z.to(wide(z.dtype))
    idle = scale == 0
    no_weight = weightless(target, options)
    if no_weight is not None:
        idle = idle | no_weight
    live = ~idle | torch.isfinite(z.amax(1))
    if options.ignored is not None and target.indices is not None and target.value is None:
        live = live & (target.indices[:, 0] != options.ignored)
    return torch.where(live[:, None], z, 0.0), live


def _capped(z: Tensor, options: RowOptions) -> Tensor:
    if not options.softcap:
        return z
    capped = options.softcap * torch.tanh(_possible(z) / options.softcap)
    return torch.where(z == -torch.inf, -torch.inf, capped)


def _about_largest(z: Tensor, options: RowOptions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return d, s, the largest u (N,) and its place k (N, 1); the difference comes before the temperature."""
    capped = _capped(z, options)
    largest = capped.argmax(1, keepdim=True)
    top = capped.gather(1, largest)
    d = capped - top
    d = torch.where(d != d, torch.nan, d)  # NaN without the derivative of ∞ − ∞
    if options.temperature != 1:
        d = d / options.temperature
        top = top / options.temperature
    return d, torch.exp(d).scatter(1, largest, 0.0).sum(1) + 0 * d.gather(1, largest)[:, 0], top[:, 0], largest


def _effective(z: Tensor, target: Target, options: RowOptions) -> Tensor:
    """Return t (N, V): smoothed, then weighted."""
    classes = z.shape[1]
    index, value, dense, weight = target.indices, target.value, target.dense, target.weight
    if dense is not None:
        t = dense.to(z.dtype)
    else:
        assert index is not None
        if value is None:
            if options.ignored is not None:
                index = torch.where(index == options.ignored, 0, index)
            value = z.new_ones(()).expand(index.shape)
        value = value.to(z.dtype)
        t = torch.zeros_like(z).scatter_add(1, index, value)
        if options.tail:
            free = torch.ones_like(z).scatter(1, index, 0.0)
            rest = free.sum(1)
            missing = 1 - value.sum(1)
            bound = 4 * max(index.shape[1], 1) * torch.finfo(value.dtype).eps
            missing = missing - torch.where(missing > bound, 0.0, missing).detach()  # 0 with a derivative
            share = missing / torch.where(rest == 0, 1.0, rest)
            t = t + share[:, None] * free
    if options.label_smoothing == 1:  # 0·∞ would be NaN where the given target has its derivative
        t = torch.full_like(t, 1 / classes)
    elif options.label_smoothing:
        t = (1 - options.label_smoothing) * t + options.label_smoothing / classes
    return t if weight is None else t * weight.to(z.dtype)
