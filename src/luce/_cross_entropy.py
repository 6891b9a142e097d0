"""The softmax cross-entropy of NumPy logits: value, gradient, Hessian product, and the gradient in the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from luce.arrays.calls import checked_call
from luce.arrays.given import check_logits, computing_dtype, contiguous, given, like_logits, matrix
from luce.arrays.output import Output, shaped_like
from luce.contract.numbers import threads
from luce.contract.options import Options
from luce.contract.signature import with_options
from luce.contract.targets import is_pair
from luce.rows import core

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from luce.arrays.calls import Target
    from luce.contract.options import GivenOptions

__all__ = ["cross_entropy", "cross_entropy_and_grad", "cross_entropy_hvp", "cross_entropy_target_grad"]


@with_options(Options)
def cross_entropy(
    logits: ArrayLike, target: Target, *, n_threads: int | None = None, **options: Unpack[GivenOptions]
) -> Any:
    r"""Softmax cross-entropy :math:`\ell = \sum_j t_j (\mathrm{lse}(u) - u_j) + \zeta\,\mathrm{lse}(u)^2` of logits.

    A confident row keeps every digit: with the target at the maximum the loss is
    :math:`\log(1 + \sum_{j \ne y} e^{u_j - u_y})`, never a difference of large numbers.

    Parameters
    ----------
    logits : array_like of shape (..., V)
        float32 or float64 (float16 is computed in float32; integers and lists become float64). A class at -inf can't
        happen.
    target : array_like or pair
        Class indices (...), distributions (..., V), or a pair of indices (..., k) and probabilities (..., k).
    {options}

    Returns
    -------
    scalar or ndarray
        Of the logits' dtype; with ``reduction="none"`` of shape (...).

    Raises
    ------
    IndexError
        If a class index is outside [0, V) and not ignored.
    TypeError
        If an argument is no array of real numbers.
    ValueError
        If a shape does not fit, an entry is masked, a mass or weight is negative or not finite, or an option is out of
        its range.

    References
    ----------
    .. [1] C. M. Bishop, *Pattern Recognition and Machine Learning*, Springer, 2006, section 4.3.4.
    .. [2] C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016 (label smoothing).
    .. [3] A. Chowdhery et al., "PaLM", JMLR 24, 2023, section 5 (z-loss).

    Examples
    --------
    >>> import luce, numpy as np
    >>> float(luce.cross_entropy(np.float32([[60, 0, 0, 0]]), [0]))
    2.626953...e-26
    >>> luce.cross_entropy([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], [2, 0], reduction="none").round(4)
    array([0.4076, 1.0986])
    """
    if not options and n_threads is None and type(logits) is type(target) is ndarray:
        plain = core.plain_mean(logits, target, None)
        if plain is not None:
            return logits.dtype.type(plain)
    z = check_logits("logits", logits)
    call = checked_call(z.shape, computing_dtype(z.dtype), target, **options)
    rows = contiguous(z)
    losses = np.empty(len(rows))
    core.cross_entropy(rows, call.form, losses=losses, n_threads=threads(n_threads))
    return call.reduce(losses, z.dtype)


@with_options(Options)
def cross_entropy_and_grad(
    logits: ArrayLike,
    target: Target,
    *,
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
    **options: Unpack[GivenOptions],
) -> tuple[Any, NDArray[Any]]:
    r"""The loss and its gradient :math:`\partial\ell/\partial u = (\alpha + 2\zeta\,\mathrm{lse})\,p - t` in one pass.

    Each entry of the gradient keeps its relative precision, also the target's own: :math:`-\sum_{j \ne y} p_j`, not
    :math:`p_y - 1`.

    Parameters
    ----------
    logits, target
        As for :func:`cross_entropy`.
    {options}
    out : ndarray, optional
        Where to write the gradient: of the logits' shape and dtype; may be the logits themselves.

    Returns
    -------
    value : scalar or ndarray
        As :func:`cross_entropy` returns.
    grad : ndarray
        Of the logits' shape and dtype: the derivative of the value, or, with ``reduction="none"``, of each row's own
        loss.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`cross_entropy`, and if `out` does not fit; nothing has been written then.

    References
    ----------
    .. [1] As for :func:`cross_entropy`; the derivative is Bishop's (4.109).

    Examples
    --------
    >>> import luce, numpy as np
    >>> value, grad = luce.cross_entropy_and_grad(np.float32([[60, 0, 0, 0]]), [0])
    >>> grad
    array([[-2.6269533e-26,  8.7565109e-27,  8.7565109e-27,  8.7565109e-27]],
          dtype=float32)
    """
    no_options = not options and out is None and n_threads is None
    if no_options and type(logits) is type(target) is ndarray and logits.flags.c_contiguous:
        grad = np.empty(logits.shape, logits.dtype)
        plain = core.plain_mean(logits, target, grad)
        if plain is not None:
            return logits.dtype.type(plain), grad
    z = check_logits("logits", logits)
    call = checked_call(z.shape, computing_dtype(z.dtype), target, **options)
    rows = contiguous(z)
    output = Output(out, z, rows, call.form)
    losses = np.empty(len(rows))
    core.cross_entropy(
        rows, call.form, factor=call.divided.factor, losses=losses, grad=output.rows, n_threads=threads(n_threads)
    )
    return call.reduce(losses, z.dtype), output.finish()


@with_options(Options)
def cross_entropy_hvp(
    logits: ArrayLike,
    target: Target,
    vector: ArrayLike,
    *,
    n_threads: int | None = None,
    **options: Unpack[GivenOptions],
) -> NDArray[Any]:
    r"""The loss's Hessian in the logits times a vector.

    In u it is :math:`(\alpha + 2\zeta\,\mathrm{lse})\,p \odot (v - \langle p, v\rangle) +
    2\zeta\,p\langle p, v\rangle`; what makes u of the logits comes in by the chain rule, with its own second
    derivative. No matrix is formed.

    Parameters
    ----------
    logits, target
        As for :func:`cross_entropy`.
    vector : array_like of shape (..., V)
        What the Hessian is applied to.
    {options}

    Returns
    -------
    ndarray
        Of the logits' shape and dtype: the Hessian of the value, or, with ``reduction="none"``, of each row's own loss.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`cross_entropy`, and if the vector's shape differs from the logits'.

    References
    ----------
    .. [1] B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6(1), 1994.

    Examples
    --------
    >>> import luce
    >>> luce.cross_entropy_hvp([[0.0, 0.0]], [0], [[1.0, 0.0]])
    array([[ 0.25, -0.25]])
    """
    z = check_logits("logits", logits)
    call = checked_call(z.shape, computing_dtype(z.dtype), target, **options)
    along = like_logits("vector", vector, z)
    rows = matrix(z)
    product = np.empty(rows.shape, rows.dtype)
    core.cross_entropy_hvp(rows, call.form, along, product, factor=call.divided.factor, n_threads=threads(n_threads))
    return shaped_like(z, product)


@with_options(Options)
def cross_entropy_target_grad(
    logits: ArrayLike, target: Target, *, n_threads: int | None = None, **options: Unpack[GivenOptions]
) -> NDArray[Any]:
    r"""The loss's gradient in the target, :math:`\partial\ell/\partial t = \mathrm{lse} - u`, smoothing and weights in.

    Parameters
    ----------
    logits : array_like of shape (..., V)
        As for :func:`cross_entropy`.
    target : array_like or pair
        A distribution (..., V) or a pair of indices (..., k) and probabilities (..., k).
    {options}

    Returns
    -------
    ndarray
        Of the distribution's or the probabilities' shape and the logits' dtype.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`cross_entropy`; TypeError for class indices, which have no derivative.

    References
    ----------
    .. [1] The loss is linear in t; see :mod:`luce.contract.form`.

    Examples
    --------
    >>> import luce
    >>> luce.cross_entropy_target_grad([[0.0, 0.0]], [[0.5, 0.5]]).round(4)
    array([[0.6931, 0.6931]])
    """
    if not is_pair(target):
        target = given("target", target)
        if target.dtype.kind in "iu":
            raise TypeError(
                "target: class indices have no derivative; expected a distribution or (indices, probabilities), "
                f"got dtype {target.dtype}"
            )
    z = check_logits("logits", logits)
    call = checked_call(z.shape, computing_dtype(z.dtype), target, **options)
    form = call.form
    rows = matrix(z)
    slope = np.empty(rows.shape, rows.dtype)
    core.log_softmax(rows, slope, form=form, n_threads=threads(n_threads))
    np.negative(slope, out=slope)
    if form.weight is not None:
        _scale(slope, form.weight)
    if form.indices is not None:
        slope = _listed_slope(slope, form.indices, form.tail is not None)
    scale = np.asarray(form.given_share * call.divided.factor)
    _scale(slope, scale if form.row_scale is None else (form.row_scale * scale)[:, None])
    shape = z.shape if form.indices is None else (*z.shape[:-1], form.n_listed)
    return slope.reshape(shape).astype(z.dtype, copy=False)


def _scale(slope: NDArray[Any], factor: NDArray[Any]) -> None:
    """Multiply in place, with 0·∞ = 0: what has no weight has no share, also where the loss is infinite."""
    with np.errstate(invalid="ignore"):
        np.multiply(slope, factor, out=slope, casting="same_kind")
    if not factor.all():
        np.copyto(slope, 0, where=factor == 0)


def _listed_slope(slope: NDArray[Any], index: NDArray[np.int64], tail: bool) -> NDArray[Any]:
    """Return the slope at the listed classes, less what the mass would give to those that share the tail."""
    listed = np.take_along_axis(slope, index, axis=1)
    if tail:
        shares = np.ones(slope.shape, bool)
        np.put_along_axis(shares, index, False, axis=1)
        count = shares.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # both infinite: the derivative has no value, NaN
            listed -= np.where(shares, slope, 0).sum(axis=1, keepdims=True, dtype=np.float64) / np.maximum(count, 1)
    return listed
