"""The one door to the compiled kernels of rows: what is asked of them by name, arrays written in place.

Arguments are checked before they come here; the kernels only keep a mistake from reading or writing out of bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce import _core
from luce._core import (
    MOST_TIED,
    SIGMOID_BLOCK,
    check_index,
    first_bad_mass,
    plain_mean,
    total,
)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from luce._core import Half, Statistics, Threads
    from luce.contract.form import Form, SigmoidForm

    Floats = NDArray[Any]
    Doubles = NDArray[np.float64]

__all__ = [
    "MOST_TIED",
    "check_index",
    "cross_entropy",
    "cross_entropy_hvp",
    "first_bad_mass",
    "in_one_piece",
    "log_softmax",
    "logsumexp",
    "plackett_luce",
    "plain_mean",
    "sets_cross_entropy",
    "sets_cross_entropy_hvp",
    "sets_logsumexp",
    "sets_softmax",
    "sets_softmax_product",
    "sigmoid_blocks",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_product",
    "total",
]


def in_one_piece(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return an array as kernels take one: contiguous, every number where its type may stand, with an axis at least.

    An array that came out of a file or of packed records may be contiguous and not aligned.
    """
    flags = array.flags
    if flags.c_contiguous and flags.aligned and array.ndim and (dtype is None or array.dtype == dtype):
        return array
    return np.atleast_1d(np.require(array, dtype, ("C", "A")))


def cross_entropy(
    logits: Floats,
    form: Form,
    *,
    factor: float = 1.0,
    losses: Doubles | None = None,
    grad: Floats | None = None,
    n_threads: Threads | None = None,
    statistics: Statistics | None = None,
    half: Half | None = None,
) -> None:
    """Write r·ℓ (N,), factor·r·∂ℓ/∂z (N, V), and log-sum-exp, entropy and largest class (N,), where there is a place.

    The gradient may be written over the logits. `half` names the type of which the logits' uint16 are the bits.
    """
    _core.cross_entropy(logits, form, factor, losses, grad, n_threads, statistics, half)


def cross_entropy_hvp(
    logits: Floats,
    form: Form,
    vector: Floats,
    product: Floats,
    *,
    factor: float = 1.0,
    grad: Floats | None = None,
    n_threads: Threads | None = None,
    half: Half | None = None,
) -> None:
    """Write factor·r·H·vector (N, V), which may take the vector's place, and the gradient where there is a place."""
    _core.cross_entropy_hvp(logits, form, factor, vector, product, grad, n_threads, half)


def softmax(logits: Floats, result: Floats, *, n_threads: int | None = None) -> None:
    """Write the softmax of each row."""
    _core.softmax(logits, result, None, False, 0.0, 1.0, n_threads)


def log_softmax(logits: Floats, result: Floats, *, form: Form | None = None, n_threads: int | None = None) -> None:
    """Write the logarithm of each row's softmax, of logits transformed as a form says, if one is given."""
    softcap, temperature = (0.0, 1.0) if form is None else (form.softcap, form.temperature)
    _core.softmax(logits, result, None, True, softcap, temperature, n_threads)


def logsumexp(logits: Floats, result: Doubles, *, n_threads: int | None = None) -> None:
    """Write log Σ exp of each row."""
    _core.softmax(logits, None, result, False, 0.0, 1.0, n_threads)


def softmax_product(logits: Floats, vector: Floats, product: Floats, *, n_threads: int | None = None) -> None:
    """Write the product of each row's Jacobian of the softmax and a vector."""
    _core.softmax_product(logits, vector, product, n_threads)


def sets_cross_entropy(
    logits: Floats,
    offsets: NDArray[np.int64],
    form: Form,
    *,
    factor: float = 1.0,
    losses: Doubles | None = None,
    grad: Floats | None = None,
    n_threads: Threads | None = None,
) -> None:
    """Write r·ℓ of each set (S,) and factor·r·∂ℓ/∂z of each item (N,), where there is a place.

    Set s are the items from `offsets[s]` to `offsets[s + 1]`. The form is that of rows of one class: its background is
    what a set's items share.
    """
    _core.sets_cross_entropy(logits, offsets, form, factor, losses, grad, n_threads)


def sets_cross_entropy_hvp(
    logits: Floats,
    offsets: NDArray[np.int64],
    form: Form,
    vector: Floats,
    product: Floats,
    *,
    factor: float = 1.0,
    grad: Floats | None = None,
    n_threads: Threads | None = None,
) -> None:
    """Write factor·r·H·vector (N,), and the gradient where there is a place; not over the logits or the vector."""
    _core.sets_cross_entropy_hvp(logits, offsets, form, factor, vector, product, grad, n_threads)


def sets_softmax(
    logits: Floats, offsets: NDArray[np.int64], result: Floats, *, logarithm: bool = False, n_threads: int | None = None
) -> None:
    """Write the softmax of each set or its logarithm (N,), not over the logits."""
    _core.sets_softmax(logits, offsets, result, None, logarithm, n_threads)


def sets_logsumexp(
    logits: Floats, offsets: NDArray[np.int64], result: Doubles, *, n_threads: int | None = None
) -> None:
    """Write log Σ exp of each set (S,)."""
    _core.sets_softmax(logits, offsets, None, result, False, n_threads)


def sets_softmax_product(
    logits: Floats, offsets: NDArray[np.int64], vector: Floats, product: Floats, *, n_threads: int | None = None
) -> None:
    """Write the product of each set's Jacobian of the softmax and a vector (N,), not over either."""
    _core.sets_softmax_product(logits, offsets, vector, product, n_threads)


def plackett_luce(
    scores: Doubles,
    offsets: NDArray[np.int64],
    rank: NDArray[np.int64],
    losses: Doubles,
    *,
    top: int,
    ties: str,
    scale: Doubles | None = None,
    factor: float = 1.0,
    grad: Doubles | None = None,
    n_threads: int | None = None,
) -> None:
    """Write r·ℓ of each set's ranking (S,), and factor·r·∂ℓ/∂u of each item (N,) where there is a place.

    Ranks are 1 and more; items of a rank beyond `top` are never chosen.
    """
    _core.plackett_luce(scores, offsets, rank, top, ties, scale, factor, losses, grad, n_threads)


def sigmoid_blocks(size: int) -> int:
    """Return how many sums the losses of so many logits are added up in."""
    return -(-size // SIGMOID_BLOCK)


def sigmoid_cross_entropy(
    logits: Floats,
    form: SigmoidForm,
    *,
    factor: float = 1.0,
    sums: Doubles | None = None,
    losses: Floats | None = None,
    grad: Floats | None = None,
    n_threads: int | None = None,
) -> None:
    """Write what the losses of logits of any shape add up to, block by block; each loss; and factor·weight·∂ℓ/∂z."""
    target, positive, weight, smoothing = form
    _core.sigmoid_cross_entropy(
        logits, target, positive, weight, 1.0 - smoothing, smoothing, factor, sums, losses, grad, n_threads
    )
