"""The sigmoid (binary, multi-label) cross-entropy of NumPy logits: value and gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce.arrays.given import computing_dtype, floating, given, nonnegative, of_usual_size, working
from luce.arrays.output import Output
from luce.contract.form import SigmoidForm
from luce.contract.numbers import threads
from luce.contract.options import SigmoidOptions, checked
from luce.contract.reduction import Divided, counts_rows
from luce.contract.signature import with_options
from luce.rows import core

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from luce.contract.options import GivenSigmoidOptions

__all__ = ["sigmoid_cross_entropy", "sigmoid_cross_entropy_and_grad"]


class _CheckedCall(NamedTuple):
    """A checked call: everything elementwise and contiguous."""

    logits: NDArray[Any]
    form: SigmoidForm
    divided: Divided
    dtype: np.dtype[Any]
    n_threads: int | None

    def run(self, grad: NDArray[Any] | None) -> Any:
        """Return the value; the gradient is written where it is wanted."""
        each = self.divided.reduction == "none"
        losses = np.empty(self.logits.shape, self.logits.dtype) if each else None
        sums = None if each else np.empty(core.sigmoid_blocks(self.logits.size))
        core.sigmoid_cross_entropy(
            self.logits,
            self.form,
            factor=self.divided.factor,
            sums=sums,
            losses=losses,
            grad=grad,
            n_threads=self.n_threads,
        )
        if losses is not None:
            return losses.astype(self.dtype, copy=False)[()]
        assert sums is not None
        return self.dtype.type(self.divided.value(core.total(sums)))


def _checked_call(
    logits: NDArray[Any], target: ArrayLike, n_threads: int | None, given_options: GivenSigmoidOptions
) -> _CheckedCall:
    """Check a target and the options against logits; nothing is modified."""
    options = checked(SigmoidOptions, given_options)
    shape, dtype = logits.shape, computing_dtype(logits.dtype)
    each, count = _weights(options, shape)
    t = nonnegative("target", target, shape, dtype, "the logits' shape", boolean=True, row_scale=each)
    if each is not None and not each.all():
        t = np.where(each == 0, 0, t).astype(dtype, copy=False)
    if t.size and t.max() > 1:
        at = np.unravel_index(int(np.argmax(t > 1)), shape)
        where = ", ".join(str(int(i)) for i in at)
        raise ValueError(f"target: expected probabilities in [0, 1], got {float(t[at])!r} at [{where}]")
    positive = None if options.pos_weight is None else _broadcast("pos_weight", options.pos_weight, shape, dtype)
    form = SigmoidForm(t, positive, each, options.label_smoothing)
    rows = core.in_one_piece(working(logits))
    return _CheckedCall(rows, form, Divided.by(options, count), logits.dtype, threads(n_threads))


def _weights(options: SigmoidOptions, shape: tuple[int, ...]) -> tuple[NDArray[np.float64] | None, float]:
    """Return the weight of each logit, None if all are 1, and how many logits count, by the weights of their rows."""
    each = None if options.weight is None else _broadcast("weight", options.weight, shape, np.dtype(np.float64))
    if options.sample_weight is None:
        return each, float(math.prod(shape))
    rows = given("sample_weight", options.sample_weight)
    each_row = shape if rows.shape == shape else shape[:-1]  # a single axis of logits is a batch of binary ones
    rows = nonnegative("sample_weight", rows, each_row, np.float64, "one weight per row", boolean=True)
    if counts_rows(options):
        rows = of_usual_size(rows)
    if rows.ndim < len(shape):
        rows = rows.reshape(rows.shape + (1,) * (len(shape) - rows.ndim))
    count = float(rows.sum()) * (math.prod(shape) // rows.size if rows.size else 0)
    spread = np.broadcast_to(rows, shape)
    return core.in_one_piece(spread if each is None else each * spread), count


def _broadcast(name: str, value: ArrayLike, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return weights, finite and not negative, of the logits' shape."""
    array = given(name, value)
    weights = nonnegative(name, array, array.shape, dtype, "", boolean=True)
    try:
        return core.in_one_piece(np.broadcast_to(weights, shape))
    except ValueError:
        raise ValueError(
            f"{name}: expected a shape that broadcasts to the logits' {shape}, got {array.shape}"
        ) from None


@with_options(SigmoidOptions)
def sigmoid_cross_entropy(
    logits: ArrayLike, target: ArrayLike, *, n_threads: int | None = None, **options: Unpack[GivenSigmoidOptions]
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
    {options}

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
    return _checked_call(z, target, n_threads, options).run(None)


@with_options(SigmoidOptions)
def sigmoid_cross_entropy_and_grad(
    logits: ArrayLike,
    target: ArrayLike,
    *,
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
    **options: Unpack[GivenSigmoidOptions],
) -> tuple[Any, NDArray[Any]]:
    r"""The binary cross-entropy and its gradient, :math:`(1-t)\,\sigma(z) - w_+ t\,\sigma(-z)`.

    Parameters
    ----------
    logits, target
        As for :func:`sigmoid_cross_entropy`.
    {options}
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
    call = _checked_call(z, target, n_threads, options)
    output = Output(out, z, call.logits, call.form)
    value = call.run(output.rows)
    return value, output.finish()
