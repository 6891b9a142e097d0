"""The dense forms that textbooks derive, written out: Jacobians of softmax and linear layer, Hessian of the loss.

For reading and for checking; the other rooms never form these matrices. Notation: ``S = softmax(z)`` over ``T``
classes, an input ``x`` of ``N`` features, ``z = W x + b`` with ``W`` of shape (T, N), flattened row by row: column
``t·N + n`` belongs to ``W[t, n]``.

=============================== ============ ====================================
function                        shape        entry
=============================== ============ ====================================
:func:`softmax`                 (T, T)       ``∂S_i/∂z_j = S_i(δ_ij − S_j)``
:func:`linear`                  (T, T·N)     ``∂z_i/∂W_tn = δ_it x_n``
:func:`softmax_linear`          (T, T·N)     ``∂S_i/∂W_tn = S_i(δ_it − S_t) x_n``
:func:`cross_entropy_linear`    (1, T·N)     ``∂ℓ/∂W_tn = (α S_t − y_t) x_n``
:func:`cross_entropy_hessian`   (T, T)       ``∂²ℓ/∂z_i∂z_j = α S_i(δ_ij − S_j)``
=============================== ============ ====================================

Axes in front of an input's last one stay in front of these shapes. float32 is computed in float64 and rounded once.

References
----------
Eli Bendersky, "The Softmax function and its derivative", 2016, derives them in these shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from luce.arrays.given import described, floating, given, nonnegative
from luce.contract.layer import check_layer_shapes
from luce.contract.numbers import NOT_NEGATIVE
from luce.contract.options import SHARE
from luce.contract.targets import DISTRIBUTION, kind_of_target
from luce.rows.targets import class_indices

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["cross_entropy_hessian", "cross_entropy_linear", "linear", "softmax", "softmax_linear"]

Floats = NDArray[np.floating[Any]]


def softmax(logits: ArrayLike) -> Floats:
    """The Jacobian of the softmax, ``∂S_i/∂z_j = S_i(δ_ij − S_j)``.

    Symmetric, positive semi-definite, its rows sum to 0. The diagonal ``S_i(1 − S_i)`` takes ``1 − S_i`` as the sum of
    the other classes' shares, so it keeps its digits where one class has nearly everything.

    Parameters
    ----------
    logits : array_like of float32 or float64, shape (..., T)
        −inf marks a class that can't happen: its row and column are 0.

    Returns
    -------
    ndarray of the same dtype, shape (..., T, T)
        NaN throughout where a row of logits holds a NaN or +inf, or nothing finite.

    Raises
    ------
    TypeError
        When the logits are not real numbers.
    ValueError
        When there is no axis of classes.

    Examples
    --------
    >>> from luce import jacobians
    >>> jacobians.softmax([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    z, dtype = _floats("logits", logits)
    return _softmax_jacobian(z).astype(dtype)


def cross_entropy_hessian(logits: ArrayLike, mass: float = 1.0) -> Floats:
    """The Hessian of the cross-entropy in its logits, ``α(diag(S) − S Sᵀ)``.

    The same for every target of mass α: the target enters the loss linearly. For mass 1 it equals the Jacobian of the
    softmax, because the gradient is ``S − y``.

    Parameters
    ----------
    logits : array_like of float32 or float64, shape (..., T)
        −inf marks a class that can't happen: its row and column are 0.
    mass : float, default 1
        α, what the target sums to.

    Returns
    -------
    ndarray of the same dtype, shape (..., T, T)

    Raises
    ------
    TypeError
        When the logits are not real numbers.
    ValueError
        When there is no axis of classes, or the mass is negative or not finite.

    Examples
    --------
    >>> from luce import jacobians
    >>> jacobians.cross_entropy_hessian([0.0, 0.0, -float("inf")])
    array([[ 0.25, -0.25,  0.  ],
           [-0.25,  0.25,  0.  ],
           [ 0.  ,  0.  ,  0.  ]])
    """
    mass = NOT_NEGATIVE.check("mass", mass)
    z, dtype = _floats("logits", logits)
    return (mass * _softmax_jacobian(z)).astype(dtype)


@overload
def linear(input: ArrayLike, n_classes: int, *, sparse: Literal[False] = False) -> Floats: ...
@overload
def linear(input: ArrayLike, n_classes: int, *, sparse: Literal[True]) -> csr_array: ...
def linear(input: ArrayLike, n_classes: int, *, sparse: bool = False) -> Floats | csr_array:
    """The Jacobian of the linear layer ``z = W x + b`` with respect to its weights, ``∂z_i/∂W_tn = δ_it x_n``.

    It doesn't depend on ``W`` or ``b``. Row i holds ``x`` at columns ``i·N … i·N + N − 1`` and zeros elsewhere: only
    one entry in T is not 0, which is what ``sparse`` is for.

    Parameters
    ----------
    input : array_like of float32 or float64, shape (..., N)
        One input alone, shape (N,), for the sparse form.
    n_classes : int
        T, the number of outputs.
    sparse : bool, default False
        Return a ``scipy.sparse.csr_array`` of T·N stored entries.

    Returns
    -------
    ndarray or csr_array of the same dtype, shape (..., T, T·N)

    Raises
    ------
    TypeError
        When the input is not of real numbers, or ``n_classes`` not an integer.
    ValueError
        When the input has no axis of features, ``n_classes`` is negative, or a sparse form is asked for a batch.
    ImportError
        When ``sparse`` is asked for and SciPy is not installed.

    Examples
    --------
    >>> from luce import jacobians
    >>> jacobians.linear([5.0, 7.0], 2)
    array([[5., 7., 0., 0.],
           [0., 0., 5., 7.]])
    >>> jacobians.linear([5.0, 7.0], 1000, sparse=True).shape
    (1000, 2000)
    """
    x, dtype = _floats("input", input)
    if isinstance(n_classes, bool) or not isinstance(n_classes, (int, np.integer)):
        raise TypeError(f"n_classes: expected an integer, got {n_classes!r}")
    if n_classes < 0:
        raise ValueError(f"n_classes: expected an integer >= 0, got {n_classes}")
    if not sparse:
        return _times_input(np.eye(n_classes), x).astype(dtype)
    if x.ndim != 1:
        raise ValueError(f"input: expected shape (N,), one input, for the sparse form, got {x.shape}")
    try:
        from scipy.sparse import csr_array
    except ImportError as error:
        raise ImportError("luce.jacobians.linear(sparse=True) needs SciPy: pip install 'luce[models]'") from error
    columns = n_classes * len(x)
    starts = np.arange(n_classes + 1) * len(x)
    return csr_array((np.tile(x.astype(dtype), n_classes), np.arange(columns), starts), shape=(n_classes, columns))


def softmax_linear(input: ArrayLike, linear_weight: ArrayLike, linear_bias: ArrayLike | None = None) -> Floats:
    """The Jacobian of ``softmax(W x + b)`` with respect to ``W``, by the chain rule: ``S_i(δ_it − S_t) x_n``.

    Parameters
    ----------
    input : array_like of float32 or float64, shape (..., N)
        x.
    linear_weight : array_like, shape (T, N)
        W.
    linear_bias : array_like, shape (T,), optional
        b.

    Returns
    -------
    ndarray of the input's and weights' common dtype, shape (..., T, T·N)

    Raises
    ------
    TypeError
        When an argument is not of real numbers.
    ValueError
        When the shapes don't fit.

    Examples
    --------
    >>> from luce import jacobians
    >>> jacobians.softmax_linear([4.0], [[0.0], [0.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    x, z, dtype = _layer(input, linear_weight, linear_bias)
    return _times_input(_softmax_jacobian(z), x).astype(dtype)


def cross_entropy_linear(
    input: ArrayLike,
    linear_weight: ArrayLike,
    target: ArrayLike,
    linear_bias: ArrayLike | None = None,
    *,
    label_smoothing: float = 0.0,
) -> Floats:
    """The Jacobian of the loss of ``softmax(W x + b)`` with respect to ``W``, one row: ``(α S_t − y_t) x_n``.

    Reshaped to (T, N) it is the gradient that :func:`luce.linear_cross_entropy_and_grad` returns for one input.

    Parameters
    ----------
    input : array_like of float32 or float64, shape (..., N)
        x.
    linear_weight : array_like, shape (T, N)
        W.
    target : array_like of integers, shape (...), or of floats, shape (..., T)
        The class, or a distribution over the classes.
    linear_bias : array_like, shape (T,), optional
        b.
    label_smoothing : float, default 0
        ε of ``y ← (1 − ε)y + ε/T``.

    Returns
    -------
    ndarray of the input's and weights' common dtype, shape (..., 1, T·N)

    Raises
    ------
    TypeError
        When an argument is of a dtype that it can't be.
    ValueError
        When the shapes don't fit, or target mass or ``label_smoothing`` is out of range.
    IndexError
        When a class is outside [0, T).

    Examples
    --------
    >>> from luce import jacobians
    >>> jacobians.cross_entropy_linear([4.0, 2.0], [[0.0, 0.0], [0.0, 0.0]], 1)
    array([[ 2.,  1., -2., -1.]])
    """
    x, z, dtype = _layer(input, linear_weight, linear_bias)
    label_smoothing = SHARE.check("label_smoothing", label_smoothing)
    y = (1 - label_smoothing) * _target(target, z.shape) + label_smoothing / max(z.shape[-1], 1)
    share, others = _shares(z)
    mass = y.sum(axis=-1, keepdims=True)
    gap = np.where(others < share, (mass - y) - mass * others, mass * share - y)  # α S − y, summed from the small side
    gap = np.where(np.isneginf(z), 0.0, gap)
    return _times_input(gap[..., None, :], x).astype(dtype)


def _shares(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``S`` and ``1 − S``, the second summed over the other classes."""
    unusable = np.isnan(z).any(axis=-1, keepdims=True) | np.isposinf(z).any(axis=-1, keepdims=True)
    maximum = z.max(axis=-1, keepdims=True, initial=-np.inf)
    unusable |= np.isneginf(maximum)
    maximum, z = np.where(unusable, 0.0, maximum), np.where(unusable, 0.0, z)
    shifted = z - maximum
    possible = np.isfinite(shifted)
    with np.errstate(invalid="ignore"):  # what the subtraction rounded away (Knuth's two-sum): margin · eps/2 in exp
        back = shifted - z
        rounded_away = np.where(possible, (z - (shifted - back)) - (maximum + back), 0.0)
    e = np.exp(shifted) * (1 + rounded_away)
    top = np.arange(z.shape[-1]) == shifted.argmax(axis=-1)[..., None] if z.shape[-1] else possible
    rest = np.where(top, 0.0, e).sum(axis=-1, keepdims=True)
    total = np.where(top, e, 0.0).sum(axis=-1, keepdims=True) + rest
    share, others = e / total, np.where(top, rest, total - e) / total
    return np.where(unusable, np.nan, share), np.where(unusable, np.nan, others)


def _softmax_jacobian(z: NDArray[np.float64]) -> NDArray[np.float64]:
    share, others = _shares(z)
    diagonal = np.eye(z.shape[-1], dtype=bool)
    return np.where(diagonal, (share * others)[..., None], 0 - share[..., :, None] * share[..., None, :])


def _times_input(rows: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entry (i, t) of ``rows`` times ``x_n``, at column ``t·N + n``: shape (..., R, T·N)."""
    product = rows[..., None] * x[..., None, None, :]
    return product.reshape(*product.shape[:-2], product.shape[-2] * product.shape[-1])


def _layer(
    input: ArrayLike, linear_weight: ArrayLike, linear_bias: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], np.dtype[Any]]:
    x, x_dtype = _floats("input", input)
    w, w_dtype = _floats("linear_weight", linear_weight)
    b = None if linear_bias is None else _floats("linear_bias", linear_bias)[0]
    if w.ndim > 2:
        raise ValueError(f"linear_weight: expected shape (T, N), got {w.shape}")
    check_layer_shapes(x.shape, w.shape, None if b is None else b.shape)
    z = x @ w.T
    return x, z if b is None else z + b, np.result_type(x_dtype, w_dtype)


def _target(target: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A distribution over the classes for each row, whichever way the target is given."""
    array = given("target", target)
    kind = kind_of_target(array.dtype.kind, array.shape, shape[:-1], shape, lambda: described(array))
    if kind == "classes":
        index, _ = class_indices("target", array, shape[-1], None)
        return np.asarray(np.eye(shape[-1])[index], dtype=np.float64)
    return nonnegative("target", array, shape, np.float64, DISTRIBUTION)


def _floats(name: str, values: ArrayLike) -> tuple[NDArray[np.float64], np.dtype[Any]]:
    """The values in float64, and the dtype that the caller gets back."""
    array = floating(name, values)
    if array.ndim == 0:
        raise ValueError(f"{name}: expected at least one axis, got shape ()")
    return array.astype(np.float64), array.dtype
