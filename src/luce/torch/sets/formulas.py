"""The losses of sets in PyTorch's own operations: on any device, and differentiable in every way to any order.

With c the largest u of a set and d = u − c, everything follows from s = Σ_{j≠k} exp d_j, as in `luce.rows.formulas`:
lse − u_j = log1p(s) − d_j. Where the target has most of its mass at the largest item k, c stays u_k when derivatives
are taken, so that the gradient's own entry is −s/(1 + s); elsewhere it is a constant, so that it is p_k.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from luce.contract.form import RowOptions
from luce.torch.sets.partition import Partition

__all__ = ["Segments", "SetTarget", "log_softmax", "logsumexp", "losses"]


class Segments(NamedTuple):
    """The set of each item (N,), and the number of items of each set (S,)."""

    owner: Tensor
    counts: Tensor

    @classmethod
    def of(cls, sets: Partition) -> Segments:
        """Return those of sets."""
        return cls(sets.owner, sets.counts)


class SetTarget(NamedTuple):
    """Shares of the items (N,), set after set, and which sets count (S,)."""

    shares: Tensor
    live: Tensor


class _AboutLargest(NamedTuple):
    """d = u − c (N,), log Σ exp d and c (S,)."""

    d: Tensor
    log_sum: Tensor
    base: Tensor


def losses(z: Tensor, sets: Segments, target: SetTarget, options: RowOptions, offset: Tensor | None) -> Tensor:
    """Return ℓ of each set (S,), 0 for those that do not count."""
    live = target.live
    of_items = live[sets.owner]
    z = torch.where(of_items, z, 0.0)
    shares = torch.where(of_items, target.shares, 0.0)
    mass = _sum(shares, sets)
    if options.label_smoothing:
        size = sets.counts.clamp(min=1).to(z.dtype)
        uniform = options.label_smoothing / size[sets.owner]
        shares = torch.where(of_items, (1 - options.label_smoothing) * shares + uniform, 0.0)
        mass = _sum(shares, sets)
    about = _about_largest(z, sets, options, offset, (shares, mass))
    behind = about.log_sum[sets.owner] - about.d
    behind = torch.where((shares == 0) & (about.d == -torch.inf), 0.0, behind)
    loss = _sum(shares * behind, sets)
    if options.z_loss:
        loss = loss + options.z_loss * (about.base + about.log_sum) ** 2
    return torch.where(live, loss, 0.0)


def log_softmax(z: Tensor, sets: Segments) -> Tensor:
    """Return u − lse of each item (N,)."""
    about = _about_largest(z, sets, RowOptions(), None, None)
    return about.d - about.log_sum[sets.owner]


def logsumexp(z: Tensor, sets: Segments) -> Tensor:
    """Return log Σ exp of each set (S,)."""
    about = _about_largest(z, sets, RowOptions(), None, None)
    return torch.where(sets.counts > 0, about.base + about.log_sum, -torch.inf)


def _about_largest(
    z: Tensor, sets: Segments, options: RowOptions, offset: Tensor | None, target: tuple[Tensor, Tensor] | None
) -> _AboutLargest:
    if options.softcap:
        capped = options.softcap * torch.tanh(z / options.softcap)
        z = torch.where(z == -torch.inf, z, capped)
    if offset is not None:
        z = z / options.temperature + offset
    temperature = options.temperature if offset is None else 1.0
    place = _largest(z.detach(), sets)
    at = torch.arange(z.shape[0], device=z.device) == place[sets.owner]
    base = z.index_select(0, place) if z.shape[0] else z.new_zeros(place.shape)
    if target is None:
        base = base.detach()
    else:
        shares, mass = (part.detach() for part in target)
        own = _sum(torch.where(at, shares, 0.0), sets) > mass / 2
        base = torch.where(own, base, base.detach())
    d = (z - base[sets.owner]) / temperature
    terms = torch.where(at, torch.expm1(torch.where(at, d, 0.0)), torch.exp(d))
    return _AboutLargest(d, torch.log1p(_sum(terms, sets)), base / temperature)


def _largest(z: Tensor, sets: Segments) -> Tensor:
    """Return the place of the first of the largest items of each set (S,); some place where there is none."""
    n_sets, n_items = sets.counts.shape[0], z.shape[0]
    largest = z.new_full((n_sets,), -torch.inf).scatter_reduce(0, sets.owner, z, "amax")
    here = torch.arange(n_items, device=z.device)
    nowhere = torch.full_like(here, n_items)
    candidates = torch.where(z == largest[sets.owner], here, nowhere)
    first = torch.full_like(sets.counts, n_items).scatter_reduce(0, sets.owner, candidates, "amin")
    return first.clamp(max=max(n_items - 1, 0))


def _sum(items: Tensor, sets: Segments) -> Tensor:
    """Return the sum of each set (S,)."""
    return items.new_zeros(sets.counts.shape).index_add(0, sets.owner, items)
