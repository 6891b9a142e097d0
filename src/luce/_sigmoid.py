"""The sigmoid (binary, multi-label) cross-entropy of NumPy logits: value and gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce import _core
from luce.arrays import Output, floating, given, masses, working, working_dtype
from luce.contract import of_usual_size
from luce.options import check_normalizer, choice, nothing_left, number, threads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from luce.options import OnEmpty, Reduction

__all__ = ["sigmoid_cross_entropy", "sigmoid_cross_entropy_and_grad"]


class _Problem(NamedTuple):
    """A checked call: everything elementwise and contiguous."""

    logits: NDArray[Any]
    target: NDArray[Any]
    positive: NDArray[Any] | None
    weight: NDArray[Any] | None
    smoothing: float
    divisor: float
    reduction: Reduction
    on_empty: OnEmpty
    dtype: np.dtype[Any]
    n_threads: int | None

    def run(self, grad: NDArray[Any] | None) -> Any:
        """The value; the gradient is written where it is wanted."""
        none = self.reduction == "none"
        losses = np.empty(self.logits.shape, self.logits.dtype) if none else None
        blocks = None if none else np.empty(-(-self.logits.size // _core.SIGMOID_BLOCK))
        factor = 1.0 / self.divisor if self.divisor > 0 else 0.0
        _core.sigmoid_cross_entropy(
            self.logits, self.target, self.positive, self.weight, 1.0 - self.smoothing, self.smoothing, factor,
            blocks, losses, grad, self.n_threads,
        )  # fmt: skip
        if losses is not None:
            return losses.astype(self.dtype, copy=False)[()]
        assert blocks is not None
        if self.divisor > 0:
            return self.dtype.type(_core.total(blocks) / self.divisor)
        return self.dtype.type(0.0 if self.on_empty == "zero" else math.nan)


def _prepare(
    logits: NDArray[Any],
    target: ArrayLike,
    weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    pos_weight: ArrayLike | None,
    label_smoothing: float,
    reduction: Reduction,
    normalizer: float | None,
    on_empty: OnEmpty,
    n_threads: int | None,
) -> _Problem:
    shape = logits.shape
    dtype = working_dtype(logits.dtype)
    each = None if weight is None else _broadcast("weight", weight, shape, np.dtype(np.float64))
    count = float(math.prod(shape))
    if sample_weight is not None:
        rows = given("sample_weight", sample_weight)
        each_row = shape if rows.shape == shape else shape[:-1]  # a single axis of logits is a batch of binary ones
        rows = masses("sample_weight", rows, each_row, np.float64, "one weight per row", boolean=True)
        if reduction == "mean" and normalizer is None:
            rows = of_usual_size(rows)
        if rows.ndim < len(shape):
            rows = rows.reshape(rows.shape + (1,) * (len(shape) - rows.ndim))
        count = float(rows.sum()) * (math.prod(shape) // rows.size if rows.size else 0)
        spread = np.broadcast_to(rows, shape)
        each = np.ascontiguousarray(spread if each is None else each * spread)
    t = masses("target", target, shape, dtype, "the logits' shape", boolean=True, row_scale=each)
    if each is not None and not each.all():
        t = np.where(each == 0, 0, t).astype(dtype, copy=False)
    if t.size and t.max() > 1:
        at = np.unravel_index(int(np.argmax(t > 1)), shape)
        where = ", ".join(str(int(i)) for i in at)
        raise ValueError(f"target: expected probabilities in [0, 1], got {float(t[at])!r} at [{where}]")
    smoothing = number("label_smoothing", label_smoothing)
    choice("reduction", reduction)
    choice("on_empty", on_empty)
    if normalizer is not None:
        normalizer = number("normalizer", normalizer)
        check_normalizer(normalizer, reduction)
    divisor = 1.0
    if reduction == "mean":
        divisor = count if normalizer is None else normalizer
        if divisor == 0.0 and on_empty == "raise":
            raise nothing_left()
    positive = None if pos_weight is None else _broadcast("pos_weight", pos_weight, shape, dtype)
    z = np.ascontiguousarray(working(logits))
    return _Problem(z, t, positive, each, smoothing, divisor, reduction, on_empty, logits.dtype, threads(n_threads))


def _broadcast(name: str, value: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    array = given(name, value)
    checked = masses(name, array, array.shape, dtype, "", boolean=True)
    try:
        return np.ascontiguousarray(np.broadcast_to(checked, shape))
    except ValueError:
        raise ValueError(
            f"{name}: expected a shape that broadcasts to the logits' {shape}, got {array.shape}"
        ) from None


def sigmoid_cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: float | None = None,
    on_empty: OnEmpty = "nan",
    n_threads: int | None = None,
) -> Any:
    r"""Binary cross-entropy of independent logits, :math:`\ell = -w_+ t \log\sigma(z) - (1-t)\log\sigma(-z)`.

    Confident entries keep every digit: :math:`-\log\sigma(z) = \max(-z, 0) + \log(1 + e^{-|z|})`.

    Parameters
    ----------
    logits : array_like of any shape
        float32 or float64 (float16 is computed in float32; integers and lists become float64). The last of several axes
        holds the labels of one row.
    target : array_like
        Probabilities in [0, 1] of the logits' shape; booleans and integers 0 and 1 do.
    weight : array_like, optional
        Multiplies the losses; broadcasts against the logits.
    sample_weight : array_like of shape (...), optional
        One weight per row (per logit where there is a single axis): multiplies the losses and the rows' share of the
        mean.
    pos_weight : array_like, optional
        :math:`w_+`, the weight of the positive term; broadcasts against the logits.
    label_smoothing : float in [0, 1], default=0.0
        ``t = (1 - label_smoothing) * t + label_smoothing / 2``.
    reduction : {"mean", "sum", "none"}, default="mean"
        "mean" divides by the number of logits, rows counted by their sample weights.
    normalizer : float > 0, optional
        What "mean" divides by instead.
    on_empty : {"nan", "zero", "raise"}, default="nan"
        What "mean" gives when there is nothing left to average. The gradient is 0 then.
    n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it.

    Returns
    -------
    scalar or ndarray
        Of the logits' dtype; with ``reduction="none"`` of the logits' shape.

    Raises
    ------
    TypeError
        If a dtype does not fit.
    ValueError
        If a shape does not fit, or a target, weight or option is out of its range.

    References
    ----------
    .. [1] C. M. Bishop, *Pattern Recognition and Machine Learning*, Springer, 2006, equation (4.90).

    Examples
    --------
    >>> import luce, numpy as np
    >>> float(luce.sigmoid_cross_entropy(np.float32([60.0]), [1]))
    8.75651...e-27
    """
    z = floating("logits", logits)
    problem = _prepare(
        z, target, weight, sample_weight, pos_weight, label_smoothing, reduction, normalizer, on_empty, n_threads
    )
    return problem.run(None)


def sigmoid_cross_entropy_and_grad(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: float | None = None,
    on_empty: OnEmpty = "nan",
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> tuple[Any, NDArray[Any]]:
    r"""The binary cross-entropy and its gradient, :math:`(1-t)\,\sigma(z) - w_+ t\,\sigma(-z)`.

    Parameters
    ----------
    logits, target, weight, sample_weight, pos_weight, label_smoothing, reduction, normalizer, on_empty, n_threads
        As for :func:`sigmoid_cross_entropy`.
    out : ndarray, optional
        Where to write the gradient: of the logits' shape and dtype; may be the logits themselves.

    Returns
    -------
    value : scalar or ndarray
        As :func:`sigmoid_cross_entropy` returns.
    grad : ndarray
        Of the logits' shape and dtype: the derivative of the value, or, with ``reduction="none"``, of each loss.

    Raises
    ------
    TypeError, ValueError
        As for :func:`sigmoid_cross_entropy`, and if `out` does not fit; nothing has been written then.

    References
    ----------
    .. [1] C. M. Bishop, *Pattern Recognition and Machine Learning*, Springer, 2006, equation (4.91).

    Examples
    --------
    >>> import luce
    >>> luce.sigmoid_cross_entropy_and_grad([[0.0, 0.0]], [[1, 0]])[1]
    array([[-0.25,  0.25]])
    """
    z = floating("logits", logits)
    problem = _prepare(
        z, target, weight, sample_weight, pos_weight, label_smoothing, reduction, normalizer, on_empty, n_threads
    )
    output = Output(out, z, problem.logits, (problem.target, problem.positive, problem.weight))
    value = problem.run(output.rows)
    return value, output.finish()
