"""The arguments of a loss of tensors: checked, and brought to rows.

Shapes, types and options are checked here, from what is known without looking at a number. Class indices on the CPU are
looked at here, where the user's own places are known; under `torch.compile` and transformations the kernels check
them. Unlike NumPy's front end, and like
PyTorch, weights and probabilities are taken as they are: the loss is linear in them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from luce.arrays import misshapen
from luce.contract import (
    DISTRIBUTION,
    INDICES,
    check_classes_shape,
    check_pair_shapes,
    class_indices,
    is_pair,
    no_integers,
    no_target,
)
from luce.options import check_normalizer, check_tail, choice, class_to_ignore, nothing_left, number
from luce.torch import kernels
from luce.torch.arguments import integers, tensor
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
        correct = largest == wanted
        if not kernels.constant(self.scale):
            correct = correct & (self.scale != 0)
        return Stats(
            logsumexp.to(dtype).reshape(self.shape),
            entropy.to(dtype).reshape(self.shape),
            largest.reshape(self.shape),
            correct.reshape(self.shape),
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
    class_axis: int = -1,
) -> Prepared:
    """Check a target and the options against logits (..., V), whose classes are moved last from `class_axis`."""
    choice("reduction", reduction)
    choice("on_empty", on_empty)
    check_normalizer(normalizer, reduction)
    cap = 0.0 if softcap is None else softcap
    options = Options(label_smoothing, None, z_loss, cap, temperature, tail is not None, tolerance)
    if not torch.compiler.is_compiling():  # or else the operators do it: numbers may be symbols here
        check_options(options, has_softcap=softcap is not None)
    elif softcap == 0:  # which stands for none below
        number("softcap", softcap)
    ignored = class_to_ignore(ignore_index)
    shape, classes = tuple(logits_shape[:-1]), logits_shape[-1]
    rows = math.prod(shape)
    if classes == 0:
        raise ValueError(f"input: expected at least one class, got logits of shape {tuple(logits_shape)}")
    if weight is not None:
        weight = _of_shape("weight", weight, device, (classes,), "one weight per class")
    dtype = row_dtype(device)
    scale = torch.ones((), dtype=dtype, device=device).expand(rows)
    dropped = None
    if sample_weight is not None:
        sample_weight = _of_shape("sample_weight", sample_weight, device, shape, "one weight per row")
        scale = sample_weight.reshape(rows).to(dtype)
        if reduction == "mean" and normalizer is None and sample_weight.dtype == torch.float64:
            scale = _of_usual_size(scale)
        dropped = scale == 0
    found = _rows(target, logits_shape, class_axis, device, ignored, tail, shift, dropped)
    if dropped is not None:
        found = found.without(dropped, classes)
    if found.indices is None or found.value is not None:
        ignored = None
    options = options._replace(ignored=ignored)
    whole = Target(*found[:3], weight)
    divisor: Tensor | float | None = None
    if reduction == "mean":
        if found.counted is not None and sample_weight is None and weight is None and normalizer is None:
            divisor = found.counted
        else:
            divisor = _divisor(whole, scale, options, normalizer)
        if on_empty == "raise" and bool(divisor == 0):
            raise nothing_left()
        if isinstance(divisor, Tensor):
            share = 1 / torch.where(divisor == 0, 1.0, divisor)
        else:
            share = torch.full((), 1 / (divisor or 1.0), dtype=dtype, device=device)
        scale = share.expand(rows) if sample_weight is None else scale * share
    return Prepared(whole, scale, divisor, options, shape, reduction, on_empty)


def check_options(options: Options, *, has_softcap: bool) -> None:
    """Raise a ValueError or TypeError for an option that is out of its range."""
    for name in ("label_smoothing", "z_loss", "temperature", "tolerance"):
        number(name, getattr(options, name))
    if has_softcap:
        number("softcap", options.softcap)


def _rows(
    target: Any,
    logits_shape: tuple[int, ...],
    class_axis: int,
    device: torch.device,
    ignored: int | None,
    tail: str | None,
    shift: bool,
    dropped: Tensor | None,
) -> _Rows:
    """Return a target of any kind, checked but for what rows that are dropped hold, as rows."""
    shape, classes = tuple(logits_shape[:-1]), logits_shape[-1]
    check_tail(tail, pair=is_pair(target))
    if is_pair(target):
        if shift:
            raise ValueError("shift: goes with class indices, got a target of (indices, probabilities)")
        return _pair(target, device, shape, classes, dropped)
    target = tensor("target", target, device)
    if integers(target):
        check_classes_shape(tuple(target.shape), shape, _as_given(logits_shape, class_axis))
        return _classes(target, shape, classes, ignored, shift, dropped)
    found = _distribution(target, logits_shape, class_axis)
    if ignored is not None and ignored >= 0:
        raise ValueError(f"ignore_index cannot be specified when target contains probabilities, got {ignored}")
    if shift:
        raise ValueError("shift: goes with class indices, got a target of probabilities")
    return found


class _Rows(NamedTuple):
    """A target as rows: `indices` (N, 1) or (N, k), `value` (N, k), `dense` (N, V); how many classes count, if seen."""

    indices: Tensor | None = None
    value: Tensor | None = None
    dense: Tensor | None = None
    counted: int | None = None

    def without(self, dropped: Tensor, classes: int) -> _Rows:
        """Return the rows with a class and a number in place of what is none in rows that are dropped."""
        if _readable(dropped) and not bool(dropped.any()):
            return self
        dropped, (index, value, dense) = dropped[:, None], self[:3]
        if index is not None:
            index = torch.where(dropped & ((index < 0) | (index >= classes)), 0, index)
        if value is not None:
            value = torch.where(dropped & ~torch.isfinite(value), 0.0, value)
        if dense is not None:
            dense = torch.where(dropped & ~torch.isfinite(dense), 0.0, dense)
        return _Rows(index, value, dense, self.counted)


def _pair(
    target: tuple[Any, Any], device: torch.device, shape: tuple[int, ...], classes: int, dropped: Tensor | None
) -> _Rows:
    """Return a target of (indices, probabilities) as rows."""
    index, value = tensor("target: indices", target[0], device), tensor("target: probabilities", target[1], device)
    if not integers(index):
        raise no_integers(INDICES, str(index.dtype))
    if not value.is_floating_point():
        raise TypeError(f"target: probabilities: expected floating-point numbers, got {value.dtype}")
    check_pair_shapes(tuple(index.shape), tuple(value.shape), shape)
    if _readable(index):
        class_indices("target: indices", kernels.array(index), classes, None, dropped=_seen(dropped, shape))
    rows, slots = math.prod(shape), index.shape[-1]
    return _Rows(_signed(index).reshape(rows, slots), value.reshape(rows, slots))


def _classes(
    target: Tensor, shape: tuple[int, ...], classes: int, ignored: int | None, shift: bool, dropped: Tensor | None
) -> _Rows:
    """Return class indices of the rows' shape as rows; with `shift`, the next place's."""
    if shift and not shape:
        raise ValueError("shift: expected a target with a dimension of places, got shape ()")
    counted = None
    if _readable(target):
        used, idle = target, _seen(dropped, shape)
        if shift:
            used, idle = target[..., 1:], None if idle is None else idle[..., :-1]
        counted = class_indices("target", kernels.array(used), classes, ignored, first=int(shift), dropped=idle)[1]
    index = _signed(target)
    if shift:
        if ignored is None:
            raise ValueError("shift: needs an ignore_index for the last place of each sequence, got None")
        index = torch.cat([index[..., 1:], torch.full_like(index[..., :1], ignored)], dim=-1)
    return _Rows(index.reshape(math.prod(shape), 1), counted=counted)


def _distribution(target: Tensor, logits_shape: tuple[int, ...], class_axis: int) -> _Rows:
    """Return probabilities of the logits' shape, the classes along their axis, as rows."""
    given, shape = _as_given(logits_shape, class_axis), tuple(logits_shape[:-1])
    if not target.is_floating_point():
        raise no_target(str(target.dtype))
    if tuple(target.shape) == shape and shape != given:
        raise no_integers("class indices", str(target.dtype))
    if tuple(target.shape) != given:
        raise misshapen("target", given, DISTRIBUTION, tuple(target.shape))
    return _Rows(dense=target.movedim(class_axis, -1).reshape(math.prod(shape), logits_shape[-1]))


def _as_given(logits_shape: tuple[int, ...], class_axis: int) -> tuple[int, ...]:
    """Return the shape of the logits before the classes were moved last."""
    *shape, classes = logits_shape
    shape.insert(class_axis % len(logits_shape), classes)
    return tuple(shape)


def _signed(index: Tensor) -> Tensor:
    """Return class indices as int64, in which those of uint64 that it can't hold are out of range and never ignored."""
    signed = index.long()
    if index.dtype != torch.uint64:
        return signed
    return torch.where(signed < 0, torch.iinfo(torch.int64).min, signed)


def _readable(given: Tensor) -> bool:
    """Whether a tensor holds numbers that can be looked at here and now."""
    if torch._C._are_functorch_transforms_active():
        return False
    return kernels.compiled(given) and not kernels.batched(given)


def _seen(dropped: Tensor | None, shape: tuple[int, ...]) -> Any:
    """Return which rows are dropped as an array of a shape, None if none are or it can't be seen."""
    if dropped is None or not _readable(dropped) or not bool(dropped.any()):
        return None
    return dropped.numpy().reshape(shape)


def _of_usual_size(scale: Tensor) -> Tensor:
    """Return weights of a mean over a power of two near the largest: their sum and its inverse stay in the type."""
    if scale.shape[0] == 0:
        return scale
    power = torch.frexp(scale.detach().abs().amax()).exponent.clamp(-1000, 1000)
    return scale / torch.ldexp(torch.ones_like(scale[0]), power)


def _divisor(target: Target, scale: Tensor, options: Options, normalizer: float | Tensor | None) -> Tensor | float:
    """Return what "mean" divides by."""
    if isinstance(normalizer, Tensor):
        return _count_of(tensor("normalizer", normalizer), scale)
    if normalizer is not None:
        return number("normalizer", normalizer)
    if target.indices is None or target.value is not None:
        return kernels.total(scale)
    index = target.indices[:, 0]
    if target.weight is not None:
        scale = scale * target.weight.to(scale.dtype)[_within(index, target.weight)]
    if options.ignored is not None:
        scale = torch.where(index != options.ignored, scale, 0.0)
    return kernels.total(scale)


def _count_of(normalizer: Tensor, scale: Tensor) -> Tensor:
    """Return a normaliser that is a tensor, of the rows' type and on their device."""
    if normalizer.dim():
        raise ValueError(f"normalizer: expected a number or a tensor of shape (), got {tuple(normalizer.shape)}")
    if normalizer.is_meta and not scale.is_meta:
        where = f"a number or a tensor on {scale.device}, where the input is"
        raise ValueError(f"normalizer: expected {where}, got one on {normalizer.device}")
    if _readable(normalizer) and not 0 < (value := normalizer.item()) < math.inf:
        raise ValueError(f"normalizer: expected a finite number > 0, got {value}")
    return normalizer.to(scale)


def _within(index: Tensor, weight: Tensor) -> Tensor:
    """Indices that PyTorch can look up: what is out of range is found and told by the kernels."""
    return index.clamp(0, weight.shape[0] - 1)


def _of_shape(name: str, value: Any, device: torch.device, shape: tuple[int, ...], what: str) -> Tensor:
    """Return a tensor of a given shape."""
    checked = tensor(name, value, device)
    if tuple(checked.shape) != shape:
        raise misshapen(name, shape, what, tuple(checked.shape))
    return checked
