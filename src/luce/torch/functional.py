"""The functions: `cross_entropy` of logits and `linear_cross_entropy` of a last layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from luce.contract.form import RowOptions
from luce.contract.options import Options
from luce.contract.targets import is_pair, no_class_to_ignore
from luce.torch import kernels, operators, tensors
from luce.torch.arguments import autocast, layer, logits
from luce.torch.autograd.layer import LayerLosses
from luce.torch.autograd.logits import Losses, Total
from luce.torch.calls import checked_call

__all__ = ["cross_entropy", "linear_cross_entropy", "linear_logsumexp", "logsumexp"]


def cross_entropy(
    input: Tensor,
    target: Tensor | tuple[Tensor, Tensor],
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int | None = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    sample_weight: Tensor | None = None,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    tail: str | None = None,
    normalizer: float | Tensor | None = None,
    on_empty: str = "nan",
    shift: bool = False,
    stats: bool = False,
) -> Any:
    r"""Softmax cross-entropy of logits: `torch.nn.functional.cross_entropy`, exact and differentiable in every way.

    .. math:: \ell = \sum_j t_j (\mathrm{lse}(u) - u_j) + \zeta\,\mathrm{lse}(u)^2,\qquad
        u = \mathrm{softcap}(z) / \mathrm{temperature}

    On the CPU one pass computes the loss and the gradient. A confident row keeps every digit: where PyTorch's loss is 0
    and its gradient stops, this goes on down to the smallest number.

    Parameters
    ----------
    input : Tensor of shape (C), (N, C) or (N, C, d1, ...)
        Logits of any floating type. 16-bit types are computed in float32 and rounded once.
    target : Tensor or pair of Tensors
        Class indices (N, d1, ...) of any integer type; probabilities of the input's shape; or a pair (indices,
        probabilities), each (N, d1, ..., k): the k classes that have mass, also mixtures of two labels.
    weight : Tensor of shape (C), optional
        A weight for each class. Differentiable, as probabilities and `sample_weight` are.
    size_average, reduce : bool, optional
        PyTorch's older spelling of `reduction`.
    ignore_index : int or None, default=-100
        Rows of this class count for nothing.
    reduction : {"mean", "sum", "none"}
        As in PyTorch: "mean" divides by the weights of the targets' classes, or by the number of rows for
        probabilities; `sample_weight` counts in both.
    label_smoothing : float in [0, 1]
    sample_weight : Tensor of shape (N, d1, ...), optional
        A weight for each row.
    z_loss : float >= 0
        Adds z_loss·lse² to each row's loss.
    softcap : float > 0, optional
        Replaces the logits by softcap·tanh(logits / softcap).
    temperature : float > 0
        Divides the logits.
    tail : {"uniform"}, optional
        For a pair: spread the mass that is missing to 1 over the classes that are not listed.
    normalizer : float or Tensor of shape (), optional
        What "mean" divides by instead, above 0: the count of the whole batch where gradients are accumulated.
    on_empty : {"nan", "zero", "raise"}
        What "mean" gives when nothing is left to average; the gradient is 0. "raise" waits for the device.
    shift : bool
        Take as the target of each place along the last dimension the class of the next one; the last place is ignored.
    stats : bool
        Also return `Stats`, without gradient.

    Returns
    -------
    Tensor, or (Tensor, Stats)
        Of the input's type, float32 under autocast; of shape () or, with ``reduction="none"``, of the targets' shape.

    Raises
    ------
    IndexError
        On the CPU, for a class index out of range.
    TypeError, ValueError
        For types, layouts, devices, shapes and options that don't fit.

    References
    ----------
    .. [1] C. M. Bishop, *Pattern Recognition and Machine Learning*, Springer, 2006, section 4.3.4.

    Examples
    --------
    >>> import torch, luce.torch
    >>> z = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    >>> loss = luce.torch.cross_entropy(z, torch.tensor([0]))
    >>> loss.item() > 0  # PyTorch's own is 0
    True
    >>> loss.backward()
    """
    try:
        no_options = (
            (size_average, reduce, ignore_index, reduction) == (None, None, -100, "mean")
            and (label_smoothing, z_loss, temperature, on_empty) == (0.0, 0.0, 1.0, "nan")
            and all(part is None for part in (weight, sample_weight, softcap, tail, normalizer))
            and not (shift or stats)
        )
    except (RuntimeError, ValueError):  # a tensor or an array, which is no option: that is told below
        no_options = False
    if no_options:
        plain = _mean_of_indices(input, target)
        if plain is not None:
            return plain
    reduction = _reduction(reduction, size_average, reduce)
    input = logits(input)
    class_axis = 1 if input.dim() > 2 else -1
    classes_last = input.movedim(class_axis, -1)
    shape = classes_last.shape
    given = _given(
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        softcap=softcap,
        temperature=temperature,
        tail=tail,
        reduction=reduction,
        normalizer=normalizer,
        on_empty=on_empty,
    )
    call = checked_call(shape, input.device, target, given, shift=shift, class_axis=class_axis)
    rows = classes_last.reshape(call.scale.shape[0], shape[-1])
    keep = rows.requires_grad and torch.is_grad_enabled()
    whole = (rows, *call.target, call.scale)
    dtype = torch.float32 if input.element_size() == 2 and autocast(input) else input.dtype
    if torch.compiler.is_compiling():
        losses, _, *found = operators.FORWARD(*whole, *call.options, keep, stats)
        value = call.reduced(losses, dtype)
    elif reduction == "none" or tensors.transformed():
        keep &= not tensors.transformed() and rows.element_size() > 2  # of 16 bits it would be rounded twice
        losses, _, *found = Losses.apply(*whole, call.options, keep, stats)
        value = call.reduced(losses, dtype)
    else:
        total, _, *found = Total.apply(*whole, call.options, keep, stats, dtype, None)
        value = call.averaged(total)
    return (value, call.stats(found, dtype)) if stats else value


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor | tuple[Tensor, Tensor],
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
    sample_weight: Tensor | None = None,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    tail: str | None = None,
    normalizer: float | Tensor | None = None,
    on_empty: str = "nan",
    shift: bool = False,
    tolerance: float | None = None,
    stats: bool = False,
) -> Any:
    r"""The cross-entropy of the logits :math:`x W^\top + b`, which are never held for more than a chunk of rows.

    `torch.nn.functional.linear_cross_entropy` with all of autograd: second backward, double backward to any order,
    forward mode, `torch.func`, `vmap`, `torch.compile`. Losses, gradients, Hessian products and forward mode take at
    most 128 MiB beside their results, however many rows there are.

    Parameters
    ----------
    input : Tensor of shape (..., D)
        x, what the last layer is applied to.
    linear_weight : Tensor of shape (V, D), or (V, d1, ..., D)
        W; with more dimensions each place has a layer of its own, and the logits are held.
    target : Tensor or pair of Tensors
        As for `cross_entropy`: indices (...), probabilities (..., V), or a pair, each (..., k).
    linear_bias : Tensor of shape (V), or (V, d1, ...), optional
        b.
    weight, reduction, label_smoothing, sample_weight, z_loss, softcap, temperature, tail, normalizer, on_empty, stats
        As for `cross_entropy`.
    ignore_index : int or None
        None stands for -100 with class indices. Rows that are ignored are left out of the matrix products.
    options : optional
        PyTorch's choice of chunks, which is not needed here.
    shift : bool
        For an input (..., T, D) and class indices (..., T): predict the next place's class, without a copy of the
        input.
    tolerance : float in [0, 1), optional
        Let the gradients leave out blocks of ∂L/∂logits, row weights and the upstream gradient included, whose norm is
        at most this share of all of it. On rows that the model is sure of this saves most of two of the three matrix
        products. The loss, forward mode and second derivatives stay exact; ``stats.left_out`` tells what was left out.

    Returns
    -------
    Tensor, or (Tensor, Stats)
        As for `cross_entropy`.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for `cross_entropy`.

    References
    ----------
    .. [1] E. Wijmans et al., "Cut your losses in large-vocabulary language models", ICLR 2025 (why not to hold the
       logits).

    Examples
    --------
    >>> import torch, luce.torch
    >>> x, W = torch.randn(8, 4), torch.randn(1000, 4, requires_grad=True)
    >>> loss = luce.torch.linear_cross_entropy(x, W, torch.arange(8))
    >>> loss.backward()
    >>> W.grad.shape
    torch.Size([1000, 4])
    """
    input, linear_weight, linear_bias, dtype = layer(input, linear_weight, linear_bias)
    if is_pair(target) or (isinstance(target, Tensor) and target.is_floating_point()):
        if ignore_index is not None:
            raise no_class_to_ignore(ignore_index)
    elif ignore_index is None:
        ignore_index = -100
    given = _given(
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        softcap=softcap,
        temperature=temperature,
        tail=tail,
        reduction=reduction,
        normalizer=normalizer,
        on_empty=on_empty,
    )
    if linear_weight.dim() > 2:
        held = _logits_of_places(input, linear_weight, linear_bias)
        return cross_entropy(held, target, shift=shift, stats=stats, **given._asdict())
    shape = (*input.shape[:-1], linear_weight.shape[0])
    tolerance = 0.0 if tolerance is None else tolerance
    call = checked_call(shape, input.device, target, given, shift=shift, tolerance=tolerance)
    parts = (input.reshape(call.scale.shape[0], input.shape[-1]), linear_weight, linear_bias)
    compiling = torch.compiler.is_compiling()
    keep = reduction != "none" and torch.is_grad_enabled() and (compiling or not tensors.transformed())
    wanted = tuple(keep and part is not None and part.requires_grad for part in parts)
    whole = (*parts, *call.target, call.scale)
    if compiling:
        losses, _, _, _, *found = operators.LINEAR_FORWARD(*whole, *call.options, *wanted, stats)
    else:
        losses, _, _, _, *found = LayerLosses.apply(*whole, call.options, wanted, stats)
    value = call.reduced(losses, dtype)
    return (value, call.stats(found, dtype)) if stats else value


def logsumexp(input: Tensor, *, softcap: float | None = None, temperature: float = 1.0) -> Tensor:
    r"""Log Σ exp of each row's soft-capped and tempered logits: what `cross_entropy` calls lse.

    Parameters
    ----------
    input : Tensor of shape (C), (N, C) or (N, C, d1, ...)
        Logits.
    softcap, temperature
        As for `cross_entropy`.

    Returns
    -------
    Tensor of shape (), (N) or (N, d1, ...)
        Of the input's type, differentiable to any order.

    Examples
    --------
    >>> import torch, luce.torch
    >>> luce.torch.logsumexp(torch.zeros(2, 4), temperature=2.0)
    tensor([1.3863, 1.3863])
    """
    input = logits(input)
    classes = 0 if input.dim() == 1 else 1
    largest = input.detach().argmax(classes)
    losses = cross_entropy(
        input, largest, ignore_index=None, reduction="none", softcap=softcap, temperature=temperature
    )
    chosen = input.gather(classes, largest.unsqueeze(classes)).squeeze(classes)
    return losses + _transformed_logits(chosen, softcap, temperature)


def linear_logsumexp(
    input: Tensor,
    linear_weight: Tensor,
    *,
    linear_bias: Tensor | None = None,
    softcap: float | None = None,
    temperature: float = 1.0,
) -> Tensor:
    r"""Log Σ exp of the logits :math:`x W^\top + b` of each row, which are never held for more than a chunk of rows.

    Parameters
    ----------
    input, linear_weight, linear_bias, softcap, temperature
        As for `linear_cross_entropy`.

    Returns
    -------
    Tensor of shape (...)
        Of the input's type, differentiable to any order.

    Examples
    --------
    >>> import torch, luce.torch
    >>> luce.torch.linear_logsumexp(torch.ones(2, 3), torch.zeros(4, 3))
    tensor([1.3863, 1.3863])
    """
    input, linear_weight, linear_bias, _ = layer(input, linear_weight, linear_bias)
    if linear_bias is None:
        chosen_class = torch.zeros(1, dtype=torch.int64, device=input.device)
        bias = None
    else:  # a class that a bias of −∞ does not forbid
        chosen_class = linear_bias.detach().argmax(0, keepdim=True)
        bias = linear_bias.index_select(0, chosen_class)
    losses = linear_cross_entropy(
        input,
        linear_weight,
        chosen_class.expand(input.shape[:-1]),
        linear_bias=linear_bias,
        reduction="none",
        softcap=softcap,
        temperature=temperature,
    )
    chosen = linear(input, linear_weight.index_select(0, chosen_class), bias).squeeze(-1)
    return losses + _transformed_logits(chosen, softcap, temperature).to(losses.dtype)


def _mean_of_indices(input: Tensor, target: object) -> Tensor | None:
    """Return the mean loss of rows and their classes, without options; None for any other call."""
    if (
        not (isinstance(target, Tensor) and tensors.compiled(input) and tensors.compiled(target))
        or tensors.transformed()
    ):
        return None
    with_gradient = input.requires_grad and torch.is_grad_enabled()
    found = kernels.mean_of_indices(input, target, with_gradient=with_gradient)
    if found is None or not with_gradient:
        return None if found is None else found[0]
    scale = input.new_tensor(1 / len(target), dtype=torch.float64).expand(len(target))
    total: Tensor = Total.apply(
        input, target[:, None], None, None, None, scale, RowOptions(), True, False, input.dtype, found
    )[0]
    return total


def _given(**options: Any) -> Options:
    """Return a call's options as they were given, unchecked."""
    return Options(**options)


def _transformed_logits(logits: Tensor, softcap: float | None, temperature: float) -> Tensor:
    capped = logits if softcap is None else softcap * torch.tanh(logits / softcap)
    return capped / temperature


def _reduction(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """Return the reduction that PyTorch's older arguments stand for."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _logits_of_places(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> Tensor:
    """Return the logits (N, V, d1, ...) of a layer for each place."""
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    flat = linear(input, linear_weight.reshape(-1, linear_weight.shape[-1]), bias)
    return flat.reshape(input.shape[0], *linear_weight.shape[:-1])
