"""The arguments of a loss of tensors: checked, and brought to rows.

Shapes, types and options are checked here, from what is known without looking at a number. Class indices on the CPU are
looked at here, where the user's own places are known; under `torch.compile` and transformations the kernels check
them. What may be given, and the words for what may not, are the contract's. Unlike NumPy's front end, and like PyTorch,
weights and probabilities are taken as they are: the loss is linear in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from luce.contract.error_words import misshapen
from luce.contract.form import RowOptions
from luce.contract.options import (
    ON_EMPTY,
    POSITIVE_OR_NONE,
    REDUCTION,
    TAIL,
    TOLERANCE,
    Options,
    check_normalizer,
    checked,
    class_to_ignore,
)
from luce.contract.reduction import counts_rows, nothing_left
from luce.rows.formulas import Target
from luce.torch import kernels, tensors
from luce.torch.arguments import tensor
from luce.torch.targets import rows_of_target
from luce.torch.tensors import row_dtype

__all__ = ["CheckedCall", "Stats", "checked_call"]


class Stats(NamedTuple):
    """Statistics of the rows beside their loss, each of the target's shape, without gradient.

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


class CheckedCall(NamedTuple):
    """A checked call: the target's rows, a scale for each, what shapes their losses, and how these become a value."""

    target: Target
    scale: Tensor
    divisor: Tensor | float | None
    options: RowOptions
    shape: tuple[int, ...]
    reduction: str
    on_empty: str

    def reduced(self, losses: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the value from the rows' scaled losses (N,), rounded once."""
        if self.reduction == "none":
            return losses.reshape(self.shape).to(dtype)
        return self.averaged(kernels.total(losses)).to(dtype)

    def averaged(self, total: Tensor) -> Tensor:
        """Return the total, or the value of `on_empty` where nothing is left to average."""
        if self.divisor is None or (not isinstance(self.divisor, Tensor) and self.divisor != 0):
            return total
        empty = 0.0 if self.on_empty == "zero" else math.nan
        return torch.where(torch.as_tensor(self.divisor == 0), empty, total)

    def stats(self, found: Sequence[Tensor], dtype: torch.dtype) -> Stats:
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
        if not tensors.constant(self.scale):
            correct = correct & (self.scale != 0)
        return Stats(
            logsumexp.to(dtype).reshape(self.shape),
            entropy.to(dtype).reshape(self.shape),
            largest.reshape(self.shape),
            correct.reshape(self.shape),
            *(left_out if self.options.tolerance else ()),
        )


def checked_call(
    logits_shape: tuple[int, ...],
    device: torch.device,
    target: object,
    given: Options,
    *,
    shift: bool,
    tolerance: float = 0.0,
    class_axis: int = -1,
) -> CheckedCall:
    """Check a target and the options against logits (..., V), whose classes are moved last from `class_axis`."""
    given = _checked(given, tolerance)
    weight, sample_weight = given.weight, given.sample_weight
    shape, classes = tuple(logits_shape[:-1]), logits_shape[-1]
    rows = math.prod(shape)
    if classes == 0:
        raise ValueError(f"input: expected at least one class, got logits of shape {tuple(logits_shape)}")
    if weight is not None:
        weight = _of_shape("weight", weight, device, (classes,), "one weight per class")
    scale = torch.ones((), dtype=row_dtype(device), device=device).expand(rows)
    dropped = None
    if sample_weight is not None:
        sample_weight = _of_shape("sample_weight", sample_weight, device, shape, "one weight per row")
        scale = sample_weight.reshape(rows).to(scale.dtype)
        if counts_rows(given) and sample_weight.dtype == torch.float64:
            scale = _of_usual_size(scale)
        dropped = scale == 0
    found = rows_of_target(target, logits_shape, class_axis, device, given, shift, dropped)
    if dropped is not None:
        found = found.without(dropped, classes)
    ignored = given.ignore_index if found.indices is not None and found.value is None else None
    options = RowOptions.of(given, ignored, tolerance)
    whole = Target(*found[:3], weight)
    divisor: Tensor | float | None = None
    if given.reduction == "mean":
        if found.counted is not None and sample_weight is None and weight is None and given.normalizer is None:
            divisor = found.counted
        else:
            divisor = _divisor(whole, scale, options, given.normalizer, found.counted)
        if given.on_empty == "raise" and bool(divisor == 0):
            raise nothing_left()
        share = _share(divisor, scale)
        scale = share.expand(rows) if sample_weight is None else scale * share
    return CheckedCall(whole, scale, divisor, options, shape, given.reduction, given.on_empty)


def _share(divisor: Tensor | float, like: Tensor) -> Tensor:
    """Return the inverse of a divisor, 1 where it is 0, of another tensor's type and device."""
    if isinstance(divisor, Tensor):
        return 1 / torch.where(divisor == 0, 1.0, divisor)
    return torch.full((), 1 / (divisor or 1.0), dtype=like.dtype, device=like.device)


def _checked(given: Options, tolerance: float) -> Options:
    """Return the options, checked; a normaliser that is a tensor is looked at where it divides."""
    if torch.compiler.is_compiling():  # numbers may be symbols here: the operators check them
        REDUCTION.check("reduction", given.reduction)
        ON_EMPTY.check("on_empty", given.on_empty)
        check_normalizer(given.normalizer, given.reduction)
        TAIL.check("tail", given.tail)
        return given._replace(ignore_index=class_to_ignore("ignore_index", given.ignore_index))
    TOLERANCE.check("tolerance", tolerance)
    if not isinstance(given.normalizer, Tensor):
        return checked(Options, given._asdict())
    check_normalizer(given.normalizer, given.reduction)
    return checked(Options, {**given._asdict(), "normalizer": None})._replace(normalizer=given.normalizer)


def _of_usual_size(scale: Tensor) -> Tensor:
    """Return weights of a mean over a power of two near the largest: their sum and its inverse stay in the type."""
    if scale.shape[0] == 0:
        return scale
    power = torch.frexp(scale.detach().abs().amax()).exponent.clamp(-1000, 1000)
    return scale / torch.ldexp(torch.ones_like(scale[0]), power)


def _divisor(
    target: Target, scale: Tensor, options: RowOptions, normalizer: float | Tensor | None, counted: int | None
) -> Tensor | float:
    """Return the divisor of the mean; `counted` says how many class indices are not ignored, where that is known."""
    if isinstance(normalizer, Tensor):
        return _count_of(tensor("normalizer", normalizer), scale)
    if normalizer is not None:
        return POSITIVE_OR_NONE.check("normalizer", normalizer)
    if target.indices is not None and target.value is None:
        index = target.indices[:, 0]
        all_count = counted == index.shape[0]
        if target.weight is not None:
            scale = scale * target.weight.to(scale.dtype)[index if all_count else _within(index, target.weight)]
        if options.ignored is not None and not all_count:
            scale = torch.where(index != options.ignored, scale, 0.0)
    number = kernels.known_total(scale)
    return kernels.total(scale) if number is None else number


def _count_of(normalizer: Tensor, scale: Tensor) -> Tensor:
    """Return a normaliser that is a tensor, of the rows' type and on their device."""
    if normalizer.dim():
        raise ValueError(f"normalizer: expected a number or a tensor of shape (), got {tuple(normalizer.shape)}")
    if normalizer.is_meta and not scale.is_meta:
        where = f"a number or a tensor on {scale.device}, where the input is"
        raise ValueError(f"normalizer: expected {where}, got one on {normalizer.device}")
    if tensors.readable(normalizer) and not 0 < (value := normalizer.item()) < math.inf:
        raise ValueError(f"normalizer: expected a finite number > 0, got {value}")
    return normalizer.to(scale)


def _within(index: Tensor, weight: Tensor) -> Tensor:
    """Return indices in range, so that PyTorch can look them up: the kernels report those that are not."""
    return index.clamp(0, weight.shape[0] - 1)


def _of_shape(name: str, value: object, device: torch.device, shape: tuple[int, ...], what: str) -> Tensor:
    """Return a tensor of a given shape."""
    checked = tensor(name, value, device)
    if tuple(checked.shape) != shape:
        raise misshapen(name, shape, what, tuple(checked.shape))
    return checked
