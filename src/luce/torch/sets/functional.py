"""The functions: softmax, its logarithm and its normaliser, and the cross-entropy within sets of items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from luce.contract.error_words import misshapen
from luce.contract.form import RowOptions, TargetRows
from luce.contract.options import SetOptions, checked
from luce.contract.reduction import Divided
from luce.sets.sets import Sets
from luce.sets.targets import set_targets
from luce.torch import tensors
from luce.torch.arguments import kind_of_dtype, tensor
from luce.torch.sets import formulas
from luce.torch.sets.autograd import CompiledCall, Losses
from luce.torch.sets.formulas import Segments, SetTarget
from luce.torch.sets.partition import Partition, divided
from luce.torch.tensors import computing_dtype

if TYPE_CHECKING:
    from luce.contract.options import OnEmpty, Reduction
    from luce.contract.options import SetTarget as TargetKind

__all__ = ["cross_entropy", "log_softmax", "logsumexp", "softmax"]


def softmax(input: Tensor, sets: Sets | Tensor | None = None) -> Tensor:
    r"""Probabilities :math:`e^{z_i} / \sum_{j \in s} e^{z_j}` of the items of each set, differentiable to any order.

    Parameters
    ----------
    input : Tensor of shape (items,), or a jagged nested tensor (sets, items)
        Logits of any floating type.
    sets : Sets, or Tensor of integers of shape (sets + 1,), optional
        Which items belong together, or the offsets that divide them. A nested tensor has its own.

    Returns
    -------
    Tensor
        Of the input's shape and type; nested if the input is.

    Raises
    ------
    TypeError, ValueError
        For types, layouts and shapes that do not fit.

    Examples
    --------
    >>> import torch, luce.torch
    >>> luce.torch.sets.softmax(torch.zeros(3), torch.tensor([0, 2, 3]))
    tensor([0.5000, 0.5000, 1.0000])
    """
    return _of_items(input, sets, lambda z, segments: formulas.log_softmax(z, segments).exp())


def log_softmax(input: Tensor, sets: Sets | Tensor | None = None) -> Tensor:
    r"""Logarithms of probabilities, :math:`z_i - \log \sum_{j \in s} e^{z_j}`, differentiable to any order.

    Parameters
    ----------
    input, sets
        As for `softmax`.

    Returns
    -------
    Tensor
        As of `softmax`.

    Examples
    --------
    >>> import torch, luce.torch
    >>> luce.torch.sets.log_softmax(torch.zeros(3), torch.tensor([0, 2, 3]))
    tensor([-0.6931, -0.6931,  0.0000])
    """
    return _of_items(input, sets, formulas.log_softmax)


def logsumexp(input: Tensor, sets: Sets | Tensor | None = None) -> Tensor:
    r"""The normaliser :math:`\log \sum_{j \in s} e^{z_j}` of each set, differentiable to any order.

    Parameters
    ----------
    input, sets
        As for `softmax`.

    Returns
    -------
    Tensor of shape (sets,)
        Of the input's type; -inf for a set without items.

    Examples
    --------
    >>> import torch, luce.torch
    >>> luce.torch.sets.logsumexp(torch.zeros(3), torch.tensor([0, 2, 3]))
    tensor([0.6931, 0.0000])
    """
    items, parts = divided(input, sets)
    z = parts.arranged(items).to(computing_dtype(items.dtype))
    return formulas.logsumexp(z, Segments.of(parts)).to(items.dtype)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    sets: Sets | Tensor | None = None,
    *,
    target_kind: TargetKind | None = None,
    sample_weight: Tensor | None = None,
    offset: Tensor | None = None,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    normalizer: float | None = None,
    on_empty: OnEmpty = "nan",
) -> Tensor:
    r"""Softmax cross-entropy within sets of items, exact and differentiable in every way.

    The loss of `luce.sets.cross_entropy`. On the CPU one pass computes the loss and the gradient in the logits;
    whatever else is asked for, derivatives of any order and in any argument, forward mode, `vmap`, `torch.compile` and
    other devices, follows PyTorch's own operations.

    Parameters
    ----------
    input : Tensor of shape (items,), or a jagged nested tensor (sets, items)
        Logits of any floating type.
    target : Tensor of shape (sets,) or (items,), or a jagged nested tensor
        The place of the chosen item in each set; 0 and 1, shares or gains of the items. Shares are differentiable.
    sets : Sets, or Tensor of integers of shape (sets + 1,), optional
        Which items belong together, or the offsets that divide them. A nested tensor has its own.
    target_kind : {"chosen", "one_hot", "shares", "gains"}, optional
        What the target is, as for `luce.sets.cross_entropy`.
    sample_weight : Tensor of shape (sets,), optional
        Weights of sets; differentiable. A set of weight 0 counts for nothing.
    offset : Tensor of shape (items,), optional
        Added to the logits after softcap and temperature; differentiable.
    ignore_index, label_smoothing, z_loss, softcap, temperature, reduction, normalizer, on_empty
        As for `luce.sets.cross_entropy`.

    Returns
    -------
    Tensor
        Of the input's type; of shape () or, with ``reduction="none"``, (sets,).

    Raises
    ------
    IndexError
        On the CPU, for a chosen item that is none of its set's.
    TypeError, ValueError
        For types, layouts, shapes and options that do not fit.

    Examples
    --------
    >>> import torch, luce.torch
    >>> z = torch.tensor([60.0, 0.0, 0.0, 1.0, 2.0], requires_grad=True)
    >>> loss = luce.torch.sets.cross_entropy(z, torch.tensor([0, 1]), torch.tensor([0, 3, 5]))
    >>> loss.backward()
    >>> bool(z.grad[0] < 0)  # PyTorch's own would be 0
    True
    """
    own = checked(
        SetOptions,
        {
            "target_kind": target_kind,
            "ignore_index": ignore_index,
            "label_smoothing": label_smoothing,
            "z_loss": z_loss,
            "softcap": softcap,
            "temperature": temperature,
            "reduction": reduction,
            "normalizer": normalizer,
            "on_empty": on_empty,
        },
    )
    items, parts = divided(input, sets)
    dtype = computing_dtype(items.dtype)
    z = parts.arranged(items).to(dtype)
    if isinstance(target, Tensor) and target.is_nested:
        target = target.values()
    target = tensor("target", target, items.device)
    weights = _weights(sample_weight, parts, items.device)
    if offset is not None:
        offset = parts.arranged(_fitting("offset", tensor("offset", offset, items.device), items, "one per item"))
    options = RowOptions(label_smoothing, None, own.z_loss, own.softcap or 0.0, own.temperature)
    looked_at = tensors.transformed() or torch.compiler.is_compiling()
    seen = not looked_at and parts.sets is not None and tensors.readable(target)
    if seen:
        rows, live = _checked_target(target.detach(), own, parts, dtype, weights)
    if seen and offset is None and not target.requires_grad and tensors.readable(z):
        keep = z.requires_grad and torch.is_grad_enabled()
        call = CompiledCall(
            parts, rows, live, lambda segments: _written_out(rows, live, parts, segments, dtype), options, keep
        )
        losses = Losses.apply(z, call)
    else:
        segments = Segments.of(parts)
        if seen and not target.requires_grad:
            found = _written_out(rows, live, parts, segments, dtype)
        else:
            found = _shares(target, own, parts, segments, dtype, weights)
            live = found.live
        losses = formulas.losses(z, segments, found, options, None if offset is None else offset.to(dtype))
    return _reduced(losses, live, weights, own).to(items.dtype)


def _of_items(input: Tensor, sets: Sets | Tensor | None, function: Any) -> Tensor:
    items, parts = divided(input, sets)
    z = parts.arranged(items).to(computing_dtype(items.dtype))
    result = parts.scattered(function(z, Segments.of(parts)).to(items.dtype))
    if input.is_nested:
        return torch.nested.nested_tensor_from_jagged(result, parts.offsets)
    return result


def _fitting(name: str, value: Tensor, like: Tensor, what: str) -> Tensor:
    if value.shape != like.shape:
        raise misshapen(name, tuple(like.shape), what, tuple(value.shape))
    return value


def _weights(sample_weight: Tensor | None, parts: Partition, device: torch.device) -> Tensor | None:
    if sample_weight is None:
        return None
    found = tensor("sample_weight", sample_weight, device)
    return _fitting("sample_weight", found, parts.counts, "one weight per set").to(torch.float64)


def _checked_target(
    target: Tensor, own: SetOptions, parts: Partition, dtype: torch.dtype, weights: Tensor | None
) -> tuple[TargetRows, Tensor | None]:
    """Return a target of the CPU, checked, as the core takes it, and which sets count, None if all do."""
    assert parts.sets is not None
    kind = np.dtype(np.float64 if dtype == torch.float64 else np.float32)
    given = target.to(torch.float32) if target.dtype == torch.bfloat16 else target
    idle = None if weights is None else weights.detach().numpy() == 0
    rows, dead = set_targets(given.numpy(), own.target_kind, parts.sets, kind, own.ignore_index, idle)
    return rows, None if dead is None or not dead.any() else torch.from_numpy(~dead)


def _written_out(
    rows: TargetRows, live: Tensor | None, parts: Partition, segments: Segments, dtype: torch.dtype
) -> SetTarget:
    """Return a checked target as the formulas take it."""
    counting = torch.ones(segments.counts.shape, dtype=torch.bool) if live is None else live
    if rows.dense is not None:
        return SetTarget(torch.from_numpy(rows.dense), counting)
    assert rows.indices is not None
    return SetTarget(_one_hot(torch.from_numpy(rows.indices), parts, segments, counting, dtype), counting)


def _shares(
    target: Tensor, own: SetOptions, parts: Partition, segments: Segments, dtype: torch.dtype, weights: Tensor | None
) -> SetTarget:
    """Return a target whose numbers can't be looked at, unchecked: inside transformations, and on other devices."""
    owner, counts = segments
    live = counts > 0
    if weights is not None:
        live = live & (weights.detach() != 0)
    kind = own.target_kind
    of_sets = target.shape == counts.shape and target.shape != owner.shape
    if kind == "chosen" or (kind is None and kind_of_dtype(target) == "i" and of_sets):
        if own.ignore_index is not None:
            live = live & (target != own.ignore_index)
        return SetTarget(_one_hot(target, parts, segments, live, dtype), live)
    shares = parts.arranged(_fitting("target", target, owner, "one entry per item")).to(dtype)
    if kind == "gains":
        total = shares.new_zeros(counts.shape).index_add(0, owner, shares)
        live = live & (total.detach() != 0)
        shares = shares / torch.where(total == 0, 1.0, total)[owner]
    return SetTarget(shares, live)


def _one_hot(chosen: Tensor, parts: Partition, segments: Segments, live: Tensor, dtype: torch.dtype) -> Tensor:
    """Return 1 for the chosen items (N,) of sets that count, and 0 for the others."""
    begins = parts.offsets[:-1]
    places = torch.where(live, begins + chosen, -1)
    here = torch.arange(parts.n_items, device=chosen.device)
    return (here == places[segments.owner]).to(dtype)


def _reduced(losses: Tensor, live: Tensor | None, weights: Tensor | None, own: SetOptions) -> Tensor:
    """Return the losses, their sum, or their mean over the sets that count."""
    wide = tensors.row_dtype(losses.device)
    losses = losses.to(wide)
    if weights is not None:
        losses = losses * weights if live is None else torch.where(live, losses * weights, 0.0)
    if own.reduction == "none":
        return losses
    total = losses.sum()
    if own.reduction == "sum":
        return total
    if own.normalizer is not None:
        return total / own.normalizer
    counts = losses.new_ones(losses.shape) if weights is None else weights
    count = counts.sum() if live is None else torch.where(live, counts, 0.0).sum()
    if own.on_empty == "raise":
        Divided.by(own, float(count.detach()))
    empty = total if own.on_empty == "zero" else total + torch.nan
    return torch.where(count > 0, total / torch.where(count > 0, count, 1.0), empty)
