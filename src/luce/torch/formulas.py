"""The rows' losses and derivatives in PyTorch's own operations: on any device, and differentiable to any order.

The compiled kernels do the same on the CPU up to the Hessian's products. What they don't do is done here: other
devices, and derivatives of the third order and of targets and class weights. The notation is that of `luce.contract`.
With k the largest entry of a row and d = u − u_k, everything follows from s = Σ_{j≠k} exp d_j without loss of digits:

    lse − u_j = log1p(s) − d_j,   p_j = exp(d_j) / (1 + s),   1 − p_k = s / (1 + s)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Options", "Target", "gradient", "losses", "product", "pushed", "statistics", "wide"]


class Options(NamedTuple):
    """What shapes a row's loss beside its tensors; a softcap of 0 stands for none.

    `tolerance` is the share of the logits' gradient, in norm, that a layer's gradients may leave out.
    """

    label_smoothing: float = 0.0
    ignored: int | None = None
    z_loss: float = 0.0
    softcap: float = 0.0
    temperature: float = 1.0
    tail: bool = False
    tolerance: float = 0.0


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


def losses(z: Tensor, target: Target, options: Options) -> Tensor:
    """Return ℓ (N,)."""
    z, live = _live(z, target, options)
    u = _transformed(z, options)
    d, s, largest = _about_largest(u)
    log_sum = torch.log1p(s)
    behind = log_sum[:, None] - d
    t = _effective(z, target, options)
    behind = torch.where((t == 0) & (behind == torch.inf), 0.0, behind)
    loss = (t * behind).sum(1)
    if options.z_loss:
        loss = loss + options.z_loss * torch.square(u.gather(1, largest)[:, 0] + log_sum)
    return loss if live is None else torch.where(live, loss, 0.0)


def gradient(z: Tensor, target: Target, scale: Tensor, options: Options) -> Tensor:
    """Return scale · ∂ℓ/∂z (N, V)."""
    given = z
    z, live = _live(z, target, options)
    u = _transformed(z, options)
    d, s, largest = _about_largest(u)
    t = _effective(z, target, options)
    mass = t.sum(1)
    if options.z_loss:
        mass = mass + 2 * options.z_loss * (u.gather(1, largest)[:, 0] + torch.log1p(s))
    p = torch.exp(d) / (1 + s)[:, None]
    slope = mass[:, None] * p - t
    # at the largest entry the difference cancels: (mass − t_k) − mass·(1 − p_k), the first summed from its parts
    rest = t.scatter(1, largest, 0.0).sum(1)
    if options.z_loss:
        rest = rest + (mass - t.sum(1))
    slope = slope.scatter(1, largest, (rest - mass * (s / (1 + s)))[:, None])
    if options.softcap:
        inner = torch.where(z == -torch.inf, 0.0, z)
        slope = slope * (1 - torch.square(torch.tanh(inner / options.softcap)))
    slope = slope * (scale.to(slope.dtype) / options.temperature)[:, None]
    slope = slope if live is None else torch.where(live[:, None], slope, 0.0)
    return slope.to(given.dtype)


def product(z: Tensor, target: Target, scale: Tensor, vector: Tensor, options: Options) -> Tensor:
    """Return scale · (∂²ℓ/∂z²) vector (N, V)."""
    pulled: Tensor = torch.func.vjp(lambda z: gradient(z, target, scale, options), z)[1](vector.to(z.dtype))[0]
    return pulled  # H is symmetric


def statistics(z: Tensor, options: Options) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-sum-exp (N,), the entropy (N,) and the largest class (N,)."""
    u = _transformed(z.to(wide(z.dtype)), options)
    d, s, largest = _about_largest(u)
    log_sum = torch.log1p(s)
    e = torch.exp(d)
    entropy = log_sum - torch.where(e == 0, 0.0, e * d).sum(1) / (1 + s)
    return u.gather(1, largest)[:, 0] + log_sum, entropy, largest[:, 0]


def pushed(function: Callable[..., Any], primals: Sequence[Tensor], tangents: Sequence[Tensor]) -> Any:
    """Return the derivative along tangents, by two pull-backs: forward mode does not nest outside `torch.func`.

    The function returns a tensor, or a tuple of tensors.
    """
    with torch.enable_grad():  # or else the pull-back counts as a constant
        value, pull, *_ = torch.func.vjp(function, *primals)
        zeros = tuple(map(torch.zeros_like, value)) if isinstance(value, tuple) else torch.zeros_like(value)
        return torch.func.vjp(pull, zeros)[1](tuple(tangents))[0]


def _live(z: Tensor, target: Target, options: Options) -> tuple[Tensor, Tensor | None]:
    """Return the logits in the type that is computed in, with zeros in the rows that are ignored, and which are not."""
    z = z.to(wide(z.dtype))
    if options.ignored is None or target.indices is None or target.value is not None:
        return z, None
    live = target.indices[:, 0] != options.ignored
    return torch.where(live[:, None], z, 0.0), live


def _transformed(z: Tensor, options: Options) -> Tensor:
    u = z
    if options.softcap:
        never = z == -torch.inf
        capped = options.softcap * torch.tanh(torch.where(never, 0.0, z) / options.softcap)
        u = torch.where(never, -torch.inf, capped)
    return u if options.temperature == 1 else u / options.temperature


def _about_largest(u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return d, s and the place k of the largest entry, (N, 1)."""
    largest = u.detach().argmax(1, keepdim=True)
    d = u - u.gather(1, largest)
    d = torch.where(d != d, torch.nan, d)  # NaN without the derivative of ∞ − ∞
    return d, torch.exp(d).scatter(1, largest, 0.0).sum(1) + 0 * d.gather(1, largest)[:, 0], largest


def _effective(z: Tensor, target: Target, options: Options) -> Tensor:
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
            share = torch.where(missing > bound, missing, 0.0) / torch.where(rest == 0, 1.0, rest)
            t = t + share[:, None] * free
    if options.label_smoothing:
        t = (1 - options.label_smoothing) * t + options.label_smoothing / classes
    return t if weight is None else t * weight.to(z.dtype)
