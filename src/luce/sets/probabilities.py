"""The softmax within sets, its logarithm and its normaliser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce.arrays.given import working
from luce.contract.numbers import threads
from luce.rows import core
from luce.sets.calls import as_sets, items_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from luce.sets.sets import Sets

__all__ = ["log_softmax", "logsumexp", "softmax"]


def softmax(logits: ArrayLike, sets: Sets | ArrayLike, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""Probabilities :math:`p_i = e^{z_i} / \sum_{j \in s} e^{z_j}` of the items i of each set s.

    Parameters
    ----------
    logits : array_like of shape (items,)
        float32 or float64 (float16 is computed in float32; integers and lists become float64). Entries of -inf have
        probability 0.
    sets : Sets, or array_like of integers of shape (sets + 1,)
        Which items belong together; offsets do, too.
    n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it.

    Returns
    -------
    ndarray of shape (items,)
        Of the logits' dtype. Sets with no finite logit, with +inf or with NaN are NaN.

    Raises
    ------
    TypeError
        If the dtype is not real.
    ValueError
        If the sets do not divide the logits.

    References
    ----------
    .. [1] R. D. Luce, *Individual Choice Behavior*, Wiley, 1959.

    Examples
    --------
    >>> from luce.sets import Sets, softmax
    >>> softmax([0.0, 0.0, 7.0], Sets.from_counts([2, 1]))
    array([0.5, 0.5, 1. ])
    """
    return _of_items(logits, sets, False, n_threads)


def log_softmax(logits: ArrayLike, sets: Sets | ArrayLike, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""Logarithms of probabilities, :math:`z_i - \log \sum_{j \in s} e^{z_j}`.

    Parameters
    ----------
    logits, sets, n_threads
        As for :func:`softmax`.

    Returns
    -------
    ndarray of shape (items,)
        Of the logits' dtype.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`.

    References
    ----------
    .. [1] As for :func:`luce.log_softmax`.

    Examples
    --------
    >>> from luce.sets import log_softmax
    >>> log_softmax([0.0, 0.0, 7.0], [0, 2, 3]).round(4)
    array([-0.6931, -0.6931,  0.    ])
    """
    return _of_items(logits, sets, True, n_threads)


def logsumexp(logits: ArrayLike, sets: Sets | ArrayLike, *, n_threads: int | None = None) -> NDArray[Any]:
    r"""The normaliser :math:`\log \sum_{j \in s} e^{z_j}` of each set: what a choice among its items is worth.

    Parameters
    ----------
    logits, sets, n_threads
        As for :func:`softmax`.

    Returns
    -------
    ndarray of shape (sets,)
        Of the logits' dtype; -inf for a set without items.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`.

    References
    ----------
    .. [1] As for :func:`luce.logsumexp`.

    Examples
    --------
    >>> from luce.sets import logsumexp
    >>> logsumexp([0.0, 0.0, 7.0], [0, 2, 3]).round(4)
    array([0.6931, 7.    ])
    """
    found, arranged, dtype = _taken(logits, sets)
    lse = np.empty(len(found))
    core.sets_logsumexp(arranged, found.offsets, lse, n_threads=threads(n_threads))
    return lse.astype(dtype)


def _of_items(logits: ArrayLike, sets: Sets | ArrayLike, logarithm: bool, n_threads: int | None) -> NDArray[Any]:
    found, arranged, dtype = _taken(logits, sets)
    result = np.empty_like(arranged)
    core.sets_softmax(arranged, found.offsets, result, logarithm=logarithm, n_threads=threads(n_threads))
    return found.scattered(result.astype(dtype, copy=False))


def _taken(logits: ArrayLike, sets: Sets | ArrayLike) -> tuple[Sets, NDArray[Any], np.dtype[Any]]:
    """Return the sets, the logits set after set as kernels take them, and the logits' own type."""
    found = as_sets(sets)
    z = items_of("logits", logits, found)
    return found, core.in_one_piece(working(found.arranged(z))), z.dtype
