"""The arguments of a loss of tensors: checked, and brought to rows.

Shapes, types and options are checked here, from what is known without looking at a number; class indices are checked by
the kernels on the CPU. Unlike NumPy's front end, and like PyTorch, weights and probabilities are taken as they are: the
loss is linear in them.
"""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from luce.contract import choice, is_pair, number
from luce.torch import kernels
from luce.torch.formulas import Options, Target
from luce.torch.kernels import row_dtype

__all__ = ["Prepared", "Stats", "check_options", "prepare"]


class Stats(NamedTuple):
    """What the rows tell beside their loss, each of the target's shape, without gradient.

    `left_out`, of a layer with a tolerance alone, bounds the norm of what the gradient of the logits leaves out; after
    a backward it speaks of that. `logsumexp` and `entropy` (of the softmax, in nats) are of the losses' type,
    `prediction` is the class with the largest logit, `correct` whether it is the target's class, or the one with the
    largest share of the target, and not ignored.
    """

    logsumexp: Tensor
    entropy: Tensor
    prediction: Tensor
    correct: Tensor
    left_out: Tensor | None = None


class Prepared(NamedTuple):
    """A checked call."""

    target: Target
    scale: Tensor
    divisor: Tensor | float | None
    options: Options
    shape: tuple[int, ...]
    reduction: str
    on_empty: str

    def reduced(self, losses: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the value from the rows' scaled losses (N,), rounded once."""
        if self.reduction == "none":
            return losses.reshape(self.shape).to(dtype)
        return self.averaged(kernels.total(losses)).to(dtype)

    def averaged(self, total: Tensor) -> Tensor:
        """Return the total, or what stands for it where nothing is left to average."""
        if self.divisor is None or (not isinstance(self.divisor, Tensor) and self.divisor != 0):
            return total
        empty = 0.0 if self.on_empty == "zero" else math.nan
        return torch.where(torch.as_tensor(self.divisor == 0), empty, total)

    def stats(self, found: Any, dtype: torch.dtype) -> Stats:
        """Return the rows' statistics (log-sum-exp, entropy, largest class) in the target's shape."""
        logsumexp, entropy, largest, *left_out = found
        target = self.target
        if target.dense is not None:
            wanted = target.dense.argmax(1)
        elif target.value is not None and target.indices is not None:
            wanted = target.indices.gather(1, target.value.argmax(1, keepdim=True))[:, 0]
        else:
            assert target.indices is not None
            wanted = target.indices[:, 0]
        return Stats(
            logsumexp.to(dtype).reshape(self.shape),
            entropy.to(dtype).reshape(self.shape),
            largest.reshape(self.shape),
            (largest == wanted).reshape(self.shape),
            *(left_out if self.options.tolerance else ()),
        )


def prepare(
    logits_shape: tuple[int, ...],
    device: torch.device,
    target: Any,
    *,
    weight: Tensor | None,
    sample_weight: Tensor | None,
    ignore_index: int | None,
    label_smoothing: float,
    z_loss: float,
    softcap: float | None,
    temperature: float,
    tail: str | None,
    reduction: str,
    normalizer: float | Tensor | None,
    on_empty: str,
    shift: bool,
    tolerance: float = 0.0,
) -> Prepared:
    """Check a target and the options against logits (..., V), the classes last."""
    choice("reduction", reduction, ("mean", "sum", "none"))
    choice("on_empty", on_empty, ("nan", "zero", "raise"))
    choice("tail", tail, (None, "uniform"))
    cap = 0.0 if softcap is None else softcap
    options = Options(label_smoothing, None, z_loss, cap, temperature, tail is not None, tolerance)
    if not torch.compiler.is_compiling():  # or else the operators do it: numbers may be symbols here
        check_options(options, has_softcap=softcap is not None)
    ignored = None if ignore_index is None else operator.index(ignore_index)
    shape, classes = logits_shape[:-1], logits_shape[-1]
    rows = math.prod(shape)
    if classes == 0:
        raise ValueError(f"input: expected at least one class, got logits of shape {tuple(logits_shape)}")
    if weight is not None:
        _of_shape("weight", weight, (classes,), "one weight per class")
    dtype = row_dtype(device)
    scale = torch.ones((), dtype=dtype, device=device).expand(rows)
    if sample_weight is not None:
        _of_shape("sample_weight", sample_weight, shape, "one weight per row")
        scale = sample_weight.reshape(rows).to(dtype)
    found, per_class = _target(target, logits_shape, ignored, tail, shift)
    if not per_class:
        ignored = None
    options = options._replace(ignored=ignored)
    whole = Target(*found, weight)
    divisor: Tensor | float | None = None
    if reduction == "mean":
        weighted = sample_weight is not None or weight is not None
        if not weighted and per_class and normalizer is None and _readable(found[0]):
            divisor = kernels.count(whole, classes, options)
        else:
            divisor = _divisor(whole, scale, options, normalizer)
        if on_empty == "raise" and bool(divisor == 0):
            raise ValueError('nothing is left to average: no rows, or all ignored or of weight 0 (on_empty="raise")')
        if isinstance(divisor, Tensor):
            share = 1 / torch.where(divisor == 0, 1.0, divisor)
        else:
            share = torch.full((), 1 / (divisor or 1.0), dtype=dtype, device=device)
        scale = share.expand(rows) if sample_weight is None else scale * share
    elif normalizer is not None:
        raise ValueError(f'normalizer: goes with reduction="mean", got reduction={reduction!r}')
    return Prepared(whole, scale, divisor, options, tuple(shape), reduction, on_empty)


def check_options(options: Options, *, has_softcap: bool) -> None:
    """Raise a ValueError or TypeError for an option that is out of its range."""
    number("label_smoothing", options.label_smoothing, "a number in [0, 1]", lambda x: 0 <= x <= 1)
    number("z_loss", options.z_loss, "a finite number >= 0", lambda x: x >= 0)
    number("temperature", options.temperature, "a finite number > 0", lambda x: x > 0)
    number("tolerance", options.tolerance, "a number in [0, 1)", lambda x: 0 <= x < 1)
    if has_softcap:
        number("softcap", options.softcap, "a finite number > 0 or None", lambda x: x > 0)


def _target(
    target: Any, logits_shape: tuple[int, ...], ignored: int | None, tail: str | None, shift: bool
) -> tuple[tuple[Tensor | None, Tensor | None, Tensor | None], bool]:
    """Return (index, value, dense) as rows, and whether the target is a class a row."""
    shape, classes = tuple(logits_shape[:-1]), logits_shape[-1]
    rows = math.prod(shape)
    if is_pair(target):
        index, value = target
        if not (_integers(index) and value.is_floating_point()):
            raise TypeError(
                f"target: expected (integer indices, floating probabilities), got {index.dtype} and {value.dtype}"
            )
        if index.shape != value.shape or tuple(index.shape[:-1]) != shape:
            raise ValueError(
                f"target: expected indices and probabilities of shape {(*shape, 'k')}, "
                f"got {tuple(index.shape)} and {tuple(value.shape)}"
            )
        if shift:
            raise ValueError("shift: goes with class indices, got a target of (indices, probabilities)")
        slots = index.shape[-1]
        return (index.reshape(rows, slots).long(), value.reshape(rows, slots), None), False
    if tail is not None:
        raise ValueError('tail: "uniform" goes with a target of (indices, probabilities)')
    if _integers(target):
        if tuple(target.shape) != shape:
            hint = "; one-hot rows are a distribution: make them float" if target.shape == logits_shape else ""
            wanted = f"class indices for logits {tuple(logits_shape)} have shape {shape}"
            raise ValueError(f"target: {wanted}, got {tuple(target.shape)}{hint}")
        if shift:
            target = _shifted(target, ignored)
        return (target.reshape(rows, 1).long(), None, None), True
    if not target.is_floating_point():
        raise TypeError(f"target: expected integers or floating-point probabilities, got {target.dtype}")
    if tuple(target.shape) == shape and tuple(target.shape) != tuple(logits_shape):
        raise TypeError(f"target: class indices must be integers, got {target.dtype}")
    if tuple(target.shape) != tuple(logits_shape):
        raise ValueError(
            f"target: expected a distribution of the logits' shape {tuple(logits_shape)}, got {tuple(target.shape)}"
        )
    if ignored is not None and ignored >= 0:
        raise ValueError(f"ignore_index cannot be specified when target contains probabilities, got {ignored}")
    if shift:
        raise ValueError("shift: goes with class indices, got a target of probabilities")
    return (None, None, target.reshape(rows, classes)), False


def _shifted(target: Tensor, ignored: int | None) -> Tensor:
    """Return the next token's class at each place, nothing at the last."""
    if ignored is None:
        raise ValueError("shift: needs an ignore_index for the last place of each sequence, got None")
    if target.dim() == 0:
        raise ValueError("shift: expected a target with a dimension of places, got shape ()")
    last = torch.full_like(target[..., :1], ignored)
    return torch.cat([target[..., 1:], last], dim=-1)


def _readable(index: Tensor | None) -> bool:
    """Whether class indices are numbers that can be looked at here and now."""
    if index is None or torch._C._are_functorch_transforms_active():
        return False
    return kernels.compiled(index) and not kernels.batched(index)


def _divisor(target: Target, scale: Tensor, options: Options, normalizer: float | Tensor | None) -> Tensor | float:
    """Return what "mean" divides by."""
    if isinstance(normalizer, Tensor):
        if normalizer.dim():
            raise ValueError(f"normalizer: expected a number or a tensor of shape (), got {tuple(normalizer.shape)}")
        return normalizer.to(scale)
    if normalizer is not None:
        return number("normalizer", normalizer, "a finite number > 0 or None", lambda x: x > 0)
    if target.indices is None or target.value is not None:
        return kernels.total(scale)
    index = target.indices[:, 0]
    if target.weight is not None:
        scale = scale * target.weight.to(scale.dtype)[_within(index, target.weight)]
    if options.ignored is not None:
        scale = torch.where(index != options.ignored, scale, 0.0)
    return kernels.total(scale)


def _within(index: Tensor, weight: Tensor) -> Tensor:
    """Indices that PyTorch can look up: what is out of range is found and told by the kernels."""
    return index.clamp(0, weight.shape[0] - 1)


def _integers(tensor: Any) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)


def _of_shape(name: str, tensor: Tensor, shape: tuple[int, ...], what: str) -> None:
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name}: expected shape {tuple(shape)} ({what}), got {tuple(tensor.shape)}")
