"""The softmax, its logarithm and its normaliser, and products with its Jacobian, along any axis of NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce.arrays.given import check_logits, computing_dtype, floating, matrix, narrowed
from luce.contract.numbers import integer, threads
from luce.rows import core

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = ["log_softmax", "logsumexp", "softmax", "softmax_jvp", "softmax_vjp"]


def _along(name: str, value: ArrayLike, axis: int) -> tuple[NDArray[Any], int]:
    """Return the array with the axis last, and the axis counted from the end of the result."""
    array = floating(name, value)
    if array.ndim == 0:
        raise ValueError(f"{name}: expected at least one axis, got shape ()")
    axis = integer("axis", axis, "an integer")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis: {axis} is out of bounds for {name} of shape {array.shape}")
    last = axis in (-1, array.ndim - 1)
    return check_logits(name, array if last else np.moveaxis(array, axis, -1)), -1 if last else axis


def _map(logits: ArrayLike, axis: int, kernel: Callable[[NDArray[Any], NDArray[Any]], None]) -> NDArray[Any]:
    """Return what a kernel writes for (N, V) rows, in the layout and type of the logits."""
    moved, axis = _along("logits", logits, axis)
    rows = matrix(moved)
    result = np.empty(rows.shape, rows.dtype)
    kernel(rows, result)
    return _back(result, moved, axis)


def _back(result: NDArray[Any], moved: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return rows in the layout and type that the logits had before their axis was moved last."""
    result = result.reshape(moved.shape)
    return (result if axis == -1 else np.moveaxis(result, -1, axis)).astype(moved.dtype, copy=False)


def softmax(logits: ArrayLike, axis: int = -1, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""Probabilities :math:`p_i = e^{z_i} / \sum_j e^{z_j}`.

    Every entry has nearly full relative precision, however far the logits lie from 0 or from each other.

    Parameters
    ----------
    logits : array_like of shape (..., V, ...)
        float32 or float64 (float16 is computed in float32; integers and lists become float64). Entries of -inf have
        probability 0.
    axis : int, default=-1
        The axis over which the probabilities sum to 1.
    n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it.

    Returns
    -------
    ndarray
        Of the logits' shape and dtype. Rows with no finite logit, with +inf or with NaN are NaN.

    Raises
    ------
    TypeError
        If the dtype is not real.
    ValueError
        If the axis is out of bounds or has length 0.

    References
    ----------
    .. [1] R. D. Luce, *Individual Choice Behavior*, Wiley, 1959.

    Examples
    --------
    >>> import luce
    >>> luce.softmax([0.0, 0.0, -float("inf")])
    array([0.5, 0.5, 0. ])
    """
    n = threads(n_threads)
    return _map(logits, axis, lambda z, p: core.softmax(z, p, n_threads=n))


def log_softmax(logits: ArrayLike, axis: int = -1, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""Logarithms of probabilities, :math:`z_i - \log \sum_j e^{z_j}`.

    The entry of the maximum is :math:`-\log(1 + \sum_{j \ne i} e^{z_j - z_i})` and keeps every digit where the usual
    formula gives 0.

    Parameters
    ----------
    logits : array_like of shape (..., V, ...)
        As for :func:`softmax`.
    axis : int, default=-1
        The axis over which the probabilities sum to 1.
    n_threads : int, optional
        As for :func:`softmax`.

    Returns
    -------
    ndarray
        Of the logits' shape and dtype.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax functions", IMA
       Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> import luce, numpy as np
    >>> luce.log_softmax(np.float32([60, 0, 0, 0]))
    array([-2.6269533e-26, -6.0000000e+01, -6.0000000e+01, -6.0000000e+01],
          dtype=float32)
    """
    n = threads(n_threads)
    return _map(logits, axis, lambda z, p: core.log_softmax(z, p, n_threads=n))


def logsumexp(logits: ArrayLike, axis: int = -1, *, n_threads: int | None = None) -> Any:
    r"""The normaliser :math:`\log \sum_j e^{z_j}`.

    Parameters
    ----------
    logits : array_like of shape (..., V, ...)
        As for :func:`softmax`.
    axis : int, default=-1
        The axis that is summed over.
    n_threads : int, optional
        As for :func:`softmax`.

    Returns
    -------
    ndarray or scalar
        Of the logits' dtype and their shape without the axis.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax functions", IMA
       Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> import luce
    >>> float(luce.logsumexp([1e4, 1e4]))
    10000.69314718056
    """
    moved, _ = _along("logits", logits, axis)
    rows = matrix(moved)
    lse = np.empty(len(rows))
    core.logsumexp(rows, lse, n_threads=threads(n_threads))
    return lse.reshape(moved.shape[:-1]).astype(moved.dtype)[()]


def softmax_jvp(logits: ArrayLike, vector: ArrayLike, axis: int = -1, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""The softmax's Jacobian times a vector, :math:`J v = p \odot (v - \langle p, v \rangle)`.

    The product is computed from differences to the vector's entry at the maximum, so that it keeps its digits where a
    probability is close to 1.

    Parameters
    ----------
    logits : array_like of shape (..., V, ...)
        Where the Jacobian is taken; as for :func:`softmax`.
    vector : array_like
        The direction, of the logits' shape.
    axis : int, default=-1
        The axis over which the probabilities sum to 1.
    n_threads : int, optional
        As for :func:`softmax`.

    Returns
    -------
    ndarray
        Of the logits' shape and dtype.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`, and if the shapes differ.

    References
    ----------
    .. [1] J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990:
       :math:`\partial p_i / \partial z_j = p_i (\delta_{ij} - p_j)`.

    Examples
    --------
    >>> import luce
    >>> luce.softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    given = floating("logits", logits)
    moved, axis = _along("logits", given, axis)
    direction = narrowed("vector", floating("vector", vector), computing_dtype(given.dtype))
    if direction.shape != given.shape:
        raise ValueError(f"vector: expected the logits' shape {given.shape}, got {direction.shape}")
    rows = matrix(moved)
    along = matrix(np.moveaxis(direction, axis, -1))
    result = np.empty(rows.shape, rows.dtype)
    core.softmax_product(rows, along, result, n_threads=threads(n_threads))
    return _back(result, moved, axis)


def softmax_vjp(logits: ArrayLike, vector: ArrayLike, axis: int = -1, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""A vector times the softmax's Jacobian, :math:`J^\top v = p \odot (v - \langle p, v \rangle)`.

    It takes a gradient with respect to the probabilities to the gradient with respect to the logits. The Jacobian is
    symmetric, so this is :func:`softmax_jvp` under its name in reverse mode.

    Parameters
    ----------
    logits, vector, axis, n_threads
        As for :func:`softmax_jvp`; `vector` is the gradient with respect to the probabilities.

    Returns
    -------
    ndarray
        Of the logits' shape and dtype.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax_jvp`.

    References
    ----------
    .. [1] As for :func:`softmax_jvp`.

    Examples
    --------
    >>> import luce
    >>> p = luce.softmax([0.0, 0.0])
    >>> luce.softmax_vjp([0.0, 0.0], -1 / p)[:1]  # of sum(-log p), which is at its minimum here
    array([0.])
    """
    return softmax_jvp(logits, vector, axis, n_threads=n_threads)
