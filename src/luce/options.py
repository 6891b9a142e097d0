"""The options of the loss: their types and ranges, what they mean, and the one error for what they can't be."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from luce.arrays import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Reduction = Literal["mean", "sum", "none"]
OnEmpty = Literal["nan", "zero", "raise"]


class Options(TypedDict, total=False):
    """The options that every cross-entropy of the softmax takes; the defaults are those of :func:`prepare`."""

    weight: ArrayLike | None
    sample_weight: ArrayLike | None
    ignore_index: int | None
    label_smoothing: float
    z_loss: float
    softcap: float | None
    temperature: float
    tail: Literal["uniform"] | None
    reduction: Reduction
    normalizer: float | None
    on_empty: OnEmpty


OPTIONS_DOC = """weight : array_like of shape (V,), optional
        Class weights, finite and not negative: ``t = weight * t``.
    sample_weight : array_like of shape (...), optional
        Row weights, finite and not negative. They multiply the rows' losses and the rows' shares of the mean. A row of
        weight 0 counts for nothing, whatever its logits and its target hold.
    ignore_index : int or None, default=-100
        Rows whose class index is this count for nothing: loss 0, gradient 0, no share of the mean.
    label_smoothing : float in [0, 1], default=0.0
        ``t = (1 - label_smoothing) * t + label_smoothing / V``, before the class weights.
    z_loss : float >= 0, default=0.0
        Adds ``z_loss * lse**2`` to the loss of each row.
    softcap : float > 0, optional
        Replaces the logits by ``softcap * tanh(logits / softcap)``; a logit of -inf stays -inf.
    temperature : float > 0, default=1.0
        Divides the (soft-capped) logits.
    tail : {"uniform"}, optional
        For a target of (indices, probabilities): spread the mass that a row's probabilities lack to 1 evenly over the
        classes it does not list. By default it is left out.
    reduction : {"mean", "sum", "none"}, default="mean"
        "mean" divides by the sum of ``weight[target] * sample_weight`` over the rows that are not ignored (class
        indices) or by the sum of the sample weights (other targets); "none" gives one loss per row.
    normalizer : float > 0, optional
        What "mean" divides by instead: the count of the whole batch when it is computed in pieces.
    on_empty : {"nan", "zero", "raise"}, default="nan"
        What "mean" gives when there is nothing left to average. The gradient is 0 then.
    n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it."""


RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "label_smoothing": ("a number in [0, 1]", lambda x: 0 <= x <= 1),
    "z_loss": ("a finite number >= 0", lambda x: x >= 0),
    "softcap": ("a finite number > 0 or None", lambda x: x > 0),
    "temperature": ("a finite number > 0", lambda x: x > 0),
    "normalizer": ("a finite number > 0 or None", lambda x: x > 0),
    "tolerance": ("a number in [0, 1)", lambda x: 0 <= x < 1),
    "mass": ("a finite number >= 0", lambda x: x >= 0),
}
CHOICES = {"reduction": ("mean", "sum", "none"), "on_empty": ("nan", "zero", "raise"), "tail": (None, "uniform")}


def number(name: str, value: Any) -> float:
    """The number that an option is, in its range."""
    wanted, good = RANGES[name]
    if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected {wanted}, got {shown(value)}")
    try:
        result = float(value)
    except OverflowError:  # an integer, of more than 308 digits
        result = math.inf
    if not (abs(result) < math.inf and good(result)):  # under torch.compile these are guards on a symbol
        raise ValueError(f"{name}: expected {wanted}, got {shown(value)}")
    return result


def choice(name: str, value: Any) -> None:
    """Raise a ValueError unless an option is one of its words."""
    choices = CHOICES[name]
    if not (value in choices if isinstance(value, str) else value is None and None in choices):
        words = ", ".join(map(repr, choices))
        raise ValueError(f"{name}: expected one of {words}, got {shown(value)}")


def class_to_ignore(ignore_index: Any) -> int | None:
    """The class whose rows count for nothing, if any."""
    if ignore_index is None:
        return None
    ignored = integer("ignore_index", ignore_index, "an integer or None")
    if not -(2**63) <= ignored < 2**63:
        raise ValueError(f"ignore_index: expected an integer of 64 bits, got {shown(ignored)}")
    return ignored


def integer(name: str, value: Any, wanted: str) -> int:
    """The integer that an option is; a truth is none."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected {wanted}, got {shown(value)}") from None


def threads(n_threads: int | None) -> int | None:
    """A number of threads, or None for the setting."""
    if n_threads is None:
        return None
    n = integer("n_threads", n_threads, "a positive integer or None")
    if n < 1:
        raise ValueError(f"n_threads: expected a positive integer or None, got {shown(n)}")
    return min(n, 1 << 16)


def no_option(name: str) -> TypeError:
    """The error for an option that there is not."""
    return TypeError(f"there is no option {name!r}; there are {', '.join(Options.__annotations__)}")


def nothing_left() -> ValueError:
    """The error of on_empty="raise"."""
    return ValueError('nothing is left to average: no rows, or all ignored or of weight 0 (on_empty="raise")')


def check_normalizer(normalizer: Any, reduction: str) -> None:
    """Raise a ValueError for a normaliser of anything but a mean."""
    if normalizer is not None and reduction != "mean":
        raise ValueError(f'normalizer: goes with reduction="mean", got reduction={reduction!r}')


def check_tail(tail: Any, *, pair: bool) -> None:
    """Raise a ValueError for a tail that is unknown, or of a target that has none."""
    choice("tail", tail)
    if tail is not None and not pair:
        raise ValueError('tail: "uniform" goes with a target of (indices, probabilities)')
