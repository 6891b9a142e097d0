"""Rankings of sets: the loss of Plackett and Luce, in which every place is a choice among the items that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from luce.arrays.given import described, given
from luce.contract.error_words import misshapen
from luce.contract.form import Form, TargetRows
from luce.contract.numbers import Choice, integer, threads
from luce.contract.options import SetOptions, checked
from luce.contract.reduction import Divided, counts_rows
from luce.rows import core
from luce.sets.calls import CheckedCall, as_sets, items_of, set_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from luce.contract.options import OnEmpty, Reduction
    from luce.sets.sets import Sets

    Ties = Literal["breslow", "efron", "exact"]

__all__ = ["plackett_luce", "plackett_luce_and_grad"]

_TIES = Choice(("breslow", "efron", "exact"))
_NO_LIMIT = np.iinfo(np.int64).max


def plackett_luce(
    logits: ArrayLike,
    ranks: ArrayLike,
    sets: Sets | ArrayLike,
    *,
    ties: Ties = "efron",
    top: int | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: float | None = None,
    on_empty: OnEmpty = "nan",
    n_threads: int | None = None,
) -> Any:
    r"""Minus the log-likelihood of rankings (ListMLE), :math:`\sum_k \log \sum_{j \ge k} e^{u_j} - u_k`, best first.

    Parameters
    ----------
    logits : array_like of shape (items,)
        The items' scores; an item at -inf is never chosen.
    ranks : array_like of integers, shape (items,)
        Each item's place in its set, from 1; items of one set with the same rank are tied.
    sets : Sets, or array_like of integers of shape (sets + 1,)
        Which items belong together; offsets do, too.
    ties : {"breslow", "efron", "exact"}, default="efron"
        What stands for the unknown order of d tied items with the sum T, where S is the sum of all that are left: the
        denominators S, d times; S - (r/d) T for r < d; or the probability that they come next in any order, summed
        over all of these orders (at most 12 items).
    top : int, optional
        How many places count: an item of a higher rank is there to be chosen, but never is.
    sample_weight : array_like of shape (sets,), optional
        Weights of sets, finite and not negative.
    reduction : {"mean", "sum", "none"}, default="mean"
        "mean" divides by the number of sets that have items, each times its weight; "none" gives one loss per set.
    normalizer : float > 0, optional
        What "mean" divides by instead.
    on_empty : {"nan", "zero", "raise"}, default="nan"
        What "mean" gives when there is nothing to average.
    n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it.

    Returns
    -------
    scalar or ndarray
        Of the logits' dtype; with ``reduction="none"`` of shape (sets,). All is computed in float64.

    Raises
    ------
    TypeError
        If an argument is no array of real numbers, or ranks are no integers.
    ValueError
        If a shape does not fit, a rank is below 1, more than 12 items share one with ``ties="exact"``, or an option is
        out of its range.

    References
    ----------
    .. [1] R. L. Plackett, "The analysis of permutations", Applied Statistics 24(2), 1975.
    .. [2] F. Xia et al., "Listwise approach to learning to rank: theory and algorithm", ICML 2008 (ListMLE).
    .. [3] B. Efron, "The efficiency of Cox's likelihood function for censored data", JASA 72, 1977 (ties).

    Examples
    --------
    >>> from luce.sets import plackett_luce
    >>> round(float(plackett_luce([0.0, 0.0, 0.0], [2, 1, 3], [0, 3])), 4)  # log 3!
    1.7918
    >>> plackett_luce([2.0, 1.0, 0.0], [1, 1, 2], [0, 3], ties="exact", reduction="none").round(4)
    array([0.354])
    """
    options = {"sample_weight": sample_weight, "reduction": reduction, "normalizer": normalizer, "on_empty": on_empty}
    return _computed(logits, ranks, sets, ties, top, options, n_threads, gradient=False)[0]


def plackett_luce_and_grad(
    logits: ArrayLike,
    ranks: ArrayLike,
    sets: Sets | ArrayLike,
    *,
    ties: Ties = "efron",
    top: int | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: float | None = None,
    on_empty: OnEmpty = "nan",
    n_threads: int | None = None,
) -> tuple[Any, NDArray[Any]]:
    r"""The loss of :func:`plackett_luce` and its gradient in the logits.

    The gradient of an item that is placed alone at stage k is :math:`\sum_{i \le k} e^{u}/S_i - 1`; where a stage is
    certain, its own part is computed from the others', and keeps its digits.

    Parameters
    ----------
    logits, ranks, sets, ties, top, sample_weight, reduction, normalizer, on_empty, n_threads
        As for :func:`plackett_luce`.

    Returns
    -------
    value : scalar or ndarray
        As :func:`plackett_luce` returns.
    grad : ndarray of shape (items,)
        Of the logits' dtype.

    Raises
    ------
    TypeError, ValueError
        As for :func:`plackett_luce`.

    References
    ----------
    .. [1] As for :func:`plackett_luce`.

    Examples
    --------
    >>> from luce.sets import plackett_luce_and_grad
    >>> plackett_luce_and_grad([0.0, 0.0, 0.0], [2, 1, 3], [0, 3])[1].round(4)
    array([-0.1667, -0.6667,  0.8333])
    """
    options = {"sample_weight": sample_weight, "reduction": reduction, "normalizer": normalizer, "on_empty": on_empty}
    value, grad = _computed(logits, ranks, sets, ties, top, options, n_threads, gradient=True)
    assert grad is not None
    return value, grad


def _computed(
    logits: ArrayLike,
    ranks: ArrayLike,
    sets: Sets | ArrayLike,
    ties: str,
    top: int | None,
    options: Mapping[str, object],
    n_threads: int | None,
    *,
    gradient: bool,
) -> tuple[Any, NDArray[Any] | None]:
    """Return the value, and the gradient where it is wanted."""
    own = checked(SetOptions, options)
    _TIES.check("ties", ties)
    found = as_sets(sets)
    z = items_of("logits", logits, found)
    places = _ranks(ranks, found)
    limit = _NO_LIMIT if top is None else integer("top", top, "a positive integer or None")
    if limit < 1:
        raise ValueError(f"top: expected a positive integer or None, got {limit}")
    if ties == "exact":
        _few_tied(places, found, limit)
    scale = None
    if own.sample_weight is not None:
        scale = set_weights(own.sample_weight, found, counts_rows(own))
    full = found.counts > 0
    count = float(full.sum()) if scale is None else core.total(np.where(full, scale, 0.0)) if len(found) else 0.0
    divided = Divided.by(own, count)
    u = core.in_one_piece(found.arranged(z), np.float64)
    losses, grad = np.empty(len(found)), np.empty_like(u) if gradient else None
    core.plackett_luce(
        u,
        found.offsets,
        places,
        losses,
        top=limit,
        ties=ties,
        scale=scale,
        factor=divided.factor,
        grad=grad,
        n_threads=threads(n_threads),
    )
    call = CheckedCall(found, u, Form.of(1, own, TargetRows()), divided, None, z.dtype)
    return call.reduce(losses), None if grad is None else call.finished(grad)


def _ranks(ranks: ArrayLike, sets: Sets) -> NDArray[np.int64]:
    """Return the ranks set after set: integers from 1."""
    array = given("ranks", ranks)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # an empty list
    if array.dtype.kind not in "iu":
        raise TypeError(f"ranks: expected integers, got {described(array)}")
    if array.shape != (sets.n_items,):
        raise misshapen("ranks", (sets.n_items,), "one rank per item of the sets", array.shape)
    bad = array < 1
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"ranks: expected places from 1 on, got {int(array[at])} at {at}")
    return core.in_one_piece(sets.arranged(np.minimum(array, _NO_LIMIT)), np.int64)


def _few_tied(places: NDArray[np.int64], sets: Sets, limit: int) -> None:
    """Raise a ValueError where more items are tied than exact ties can have."""
    owner = np.repeat(np.arange(len(sets)), sets.counts)
    order = np.lexsort((places, owner))
    new = (np.diff(owner[order], prepend=-1) != 0) | (np.diff(places[order], prepend=0) != 0)
    begins = np.flatnonzero(new)
    size = np.diff(np.append(begins, len(order)))
    size = np.where(places[order][begins] <= limit, size, 1) if len(begins) else size
    if size.size and size.max() > core.MOST_TIED:
        which = int(np.argmax(size))
        rank, of = int(places[order][begins[which]]), int(owner[order][begins[which]])
        raise ValueError(
            f'ties: "exact" takes at most {core.MOST_TIED} items of one rank, set {of} has {int(size[which])} of rank '
            f'{rank}; "efron" takes any number'
        )
