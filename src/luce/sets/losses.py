"""The softmax cross-entropy within sets: value, gradient, Hessian product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce.contract.numbers import threads
from luce.contract.options import SetOptions
from luce.contract.signature import with_options
from luce.rows import core
from luce.sets.calls import along, checked_call

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from luce.contract.options import GivenSetOptions
    from luce.sets.sets import Sets

__all__ = ["cross_entropy", "cross_entropy_and_grad", "cross_entropy_hvp"]


@with_options(SetOptions)
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    sets: Sets | ArrayLike,
    *,
    n_threads: int | None = None,
    **options: Unpack[GivenSetOptions],
) -> Any:
    r"""Softmax cross-entropy :math:`\ell_s = \sum_{j \in s} t_j (\mathrm{lse}_s - u_j) + \zeta\,\mathrm{lse}_s^2`.

    A confident set keeps every digit: with the chosen item at the maximum the loss is
    :math:`\log(1 + \sum_{j \ne y} e^{u_j - u_y})`, never a difference of large numbers.

    Parameters
    ----------
    logits : array_like of shape (items,)
        float32 or float64 (float16 is computed in float32; integers and lists become float64). An item at -inf can't
        happen.
    target : array_like of shape (sets,) or (items,)
        The chosen item of each set, or something of each item; see `target_kind`.
    sets : Sets, or array_like of integers of shape (sets + 1,)
        Which items belong together; offsets do, too.
    {options}

    Returns
    -------
    scalar or ndarray
        Of the logits' dtype; with ``reduction="none"`` of shape (sets,).

    Raises
    ------
    IndexError
        If a chosen item is none of its set's, and not ignored.
    TypeError
        If an argument is no array of real numbers, or class weights are given: sets share no classes.
    ValueError
        If a shape does not fit, a set has no positive item or several, a share or a weight is negative or not finite,
        or an option is out of its range.

    References
    ----------
    .. [1] D. McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.
    .. [2] Z. Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML 2007.

    Examples
    --------
    >>> from luce.sets import Sets, cross_entropy
    >>> sets = Sets.from_counts([2, 3])
    >>> cross_entropy([0.0, 0.0, 1.0, 1.0, 1.0], [0, 2], sets, reduction="none").round(4)
    array([0.6931, 1.0986])
    """
    call = checked_call(logits, target, sets, **options)
    losses = np.empty(len(call.sets))
    core.sets_cross_entropy(call.logits, call.sets.offsets, call.form, losses=losses, n_threads=threads(n_threads))
    return call.reduce(losses)


@with_options(SetOptions)
def cross_entropy_and_grad(
    logits: ArrayLike,
    target: ArrayLike,
    sets: Sets | ArrayLike,
    *,
    n_threads: int | None = None,
    **options: Unpack[GivenSetOptions],
) -> tuple[Any, NDArray[Any]]:
    r"""The loss and its gradient :math:`\partial\ell/\partial u = (\alpha + 2\zeta\,\mathrm{lse})\,p - t` in one pass.

    Each entry of the gradient keeps its relative precision, also the chosen item's own: :math:`-\sum_{j \ne y} p_j`,
    not :math:`p_y - 1`. Without softcap and temperature it is the gradient in `offset`, too.

    Parameters
    ----------
    logits, target, sets
        As for :func:`cross_entropy`.
    {options}

    Returns
    -------
    value : scalar or ndarray
        As :func:`cross_entropy` returns.
    grad : ndarray of shape (items,)
        Of the logits' dtype: the derivative of the value, or, with ``reduction="none"``, of each set's own loss.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`cross_entropy`.

    References
    ----------
    .. [1] As for :func:`cross_entropy`.

    Examples
    --------
    >>> from luce.sets import Sets, cross_entropy_and_grad
    >>> value, grad = cross_entropy_and_grad([0.0, 0.0, 60.0, 0.0], [0, 0], Sets.from_counts([2, 2]), reduction="sum")
    >>> grad
    array([-5.00000000e-01,  5.00000000e-01, -8.75651076e-27,  8.75651076e-27])
    """
    call = checked_call(logits, target, sets, **options)
    losses, grad = np.empty(len(call.sets)), np.empty_like(call.logits)
    core.sets_cross_entropy(
        call.logits,
        call.sets.offsets,
        call.form,
        factor=call.divided.factor,
        losses=losses,
        grad=grad,
        n_threads=threads(n_threads),
    )
    if call.slope is not None:
        grad *= call.slope.first
    return call.reduce(losses), call.finished(grad)


@with_options(SetOptions)
def cross_entropy_hvp(
    logits: ArrayLike,
    target: ArrayLike,
    sets: Sets | ArrayLike,
    vector: ArrayLike,
    *,
    n_threads: int | None = None,
    **options: Unpack[GivenSetOptions],
) -> NDArray[Any]:
    r"""The loss's Hessian in the logits times a vector; no matrix is formed.

    In u it is :math:`(\alpha + 2\zeta\,\mathrm{lse})\,p \odot (v - \langle p, v\rangle) +
    2\zeta\,p\langle p, v\rangle`, set by set.

    Parameters
    ----------
    logits, target, sets
        As for :func:`cross_entropy`.
    vector : array_like of shape (items,)
        What the Hessian is applied to.
    {options}

    Returns
    -------
    ndarray of shape (items,)
        Of the logits' dtype: the Hessian of the value, or, with ``reduction="none"``, of each set's own loss.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`cross_entropy`, and if the vector's shape differs from the logits'.

    References
    ----------
    .. [1] B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6(1), 1994.

    Examples
    --------
    >>> from luce.sets import Sets, cross_entropy_hvp
    >>> cross_entropy_hvp([0.0, 0.0, 5.0], [0, 0], Sets.from_counts([2, 1]), [1.0, 0.0, 1.0], reduction="sum")
    array([ 0.25, -0.25,  0.  ])
    """
    call = checked_call(logits, target, sets, **options)
    v = along(vector, call)
    bent = call.slope is not None and call.slope.second is not None
    product = np.empty_like(call.logits)
    grad = np.empty_like(call.logits) if bent else None
    core.sets_cross_entropy_hvp(
        call.logits,
        call.sets.offsets,
        call.form,
        v if call.slope is None else v * call.slope.first,
        product,
        factor=call.divided.factor,
        grad=grad,
        n_threads=threads(n_threads),
    )
    if call.slope is not None:
        product *= call.slope.first
        if grad is not None and call.slope.second is not None:
            product += grad * call.slope.second * v
    return call.finished(product)
