"""A linear layer fused with the softmax cross-entropy: the logits exist only a chunk of rows at a time.

With z = x Wᵀ + b and G = dL/dz:  dL/dW = Gᵀ x,  dL/dx = G W,  dL/db = Gᵀ 1, and in a direction (x', W', b')::

    z' = x' Wᵀ + x W'ᵀ + b',  G' = H z':   (dL/dW)' = G'ᵀ x + Gᵀ x',  (dL/dx)' = G' W + G W',  (dL/db)' = G'ᵀ 1
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce.arrays.calls import checked_call
from luce.arrays.given import computing_dtype, floating
from luce.contract.error_words import misshapen
from luce.contract.layer import check_layer_shapes
from luce.contract.numbers import threads
from luce.contract.options import Options
from luce.contract.signature import with_options
from luce.matrices import add_product
from luce.rows import core
from luce.rows.chunks import even_chunks
from luce.rows.targets import dropped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from luce.arrays.calls import Target
    from luce.contract.form import Form
    from luce.contract.options import GivenOptions

__all__ = [
    "LinearGrads",
    "linear_cross_entropy",
    "linear_cross_entropy_and_grad",
    "linear_cross_entropy_hvp",
]

# Bytes for chunks of logits, and for the pieces of a weight gradient on their way into the sum. Chunks of several
# hundred rows keep the matrix products at full speed; together they stay below 128 MiB whatever the batch. The weight's
# share is as small as it may be: 512 rows of 64,000 classes in one chunk instead of 352 save a tenth of the time.
LOGITS_WORKSPACE = 125 << 20
WEIGHT_WORKSPACE = 5 << 19


def _counting(x: NDArray[Any], form: Form) -> NDArray[Any]:
    """Return rows of an input, with zeros where one counts for nothing and holds no number: 0·NaN would be NaN."""
    idle = dropped(form)
    if idle is None or np.isfinite(x[idle]).all():
        return x
    x = x.copy()
    x[idle] = 0
    return x


class LinearGrads(NamedTuple):
    """One array for each part of the layer: a gradient, a direction, or a Hessian product."""

    input: Any
    linear_weight: Any
    linear_bias: Any = None


class _Layer:
    """The checked layer: x (N, D), W (V, D), b (V,) of one type."""

    def __init__(self, input: ArrayLike, linear_weight: ArrayLike, linear_bias: ArrayLike | None) -> None:
        x, w = floating("input", input), floating("linear_weight", linear_weight)
        b = None if linear_bias is None else floating("linear_bias", linear_bias)
        if w.ndim > 2:
            raise ValueError(f"linear_weight: expected shape (V, D), got {w.shape}")
        check_layer_shapes(x.shape, w.shape, None if b is None else b.shape)
        self.dtype = np.result_type(x, w) if b is None else np.result_type(x, w, b)
        self.shape, self.classes = x.shape, w.shape[0]
        self.rows = math.prod(x.shape[:-1])
        self.logits_shape = (*x.shape[:-1], self.classes)
        self.computing_dtype = computing_dtype(self.dtype)
        self.x = self.part(x).reshape(self.rows, x.shape[-1])
        self.w = self.part(w)
        self.b = None if b is None else self.part(b)

    def part(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array in the layer's type, and with a layout that a matrix product takes without a copy."""
        array = array.astype(self.computing_dtype, copy=False)
        flags = array.flags
        if not flags.aligned or (array.ndim == 2 and not (flags.c_contiguous or flags.f_contiguous)):
            array = core.in_one_piece(array)
        return array

    def direction(self, vector: Any) -> LinearGrads:
        """Return a checked direction in (x, W, b), with None for the parts that stay."""
        try:
            parts = LinearGrads(*vector)
        except TypeError:
            raise TypeError(
                f"vector: expected (input, linear_weight, linear_bias), got {type(vector).__name__}"
            ) from None
        shapes = (self.shape, self.w.shape, None if self.b is None else self.b.shape)
        checked: list[NDArray[Any] | None] = []
        for name, part, shape in zip(parts._fields, parts, shapes, strict=True):
            if part is None:
                checked.append(None)
                continue
            if shape is None:
                raise ValueError(f"vector: {name} was given, but the layer has no bias")
            array = floating(f"vector: {name}", part)
            if array.shape != shape:
                raise misshapen(f"vector: {name}", shape, "the layer's", array.shape)
            checked.append(self.part(array).reshape(self.x.shape if name == "input" else shape))
        return LinearGrads(*checked)

    def chunks(self, width: int) -> Iterator[slice]:
        """Return the chunks of rows that fit the workspace with `width` numbers each."""
        return even_chunks(self.rows, width * self.computing_dtype.itemsize, LOGITS_WORKSPACE)

    def product(self, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, out: NDArray[Any]) -> None:
        """Write x wᵀ + b into `out`."""
        np.matmul(x, w.T, out=out)
        if b is not None:
            out += b

    def finish(self, grads: LinearGrads) -> LinearGrads:
        """Return the parts in the caller's shapes and type."""
        x, w, b = (None if g is None else g.astype(self.dtype, copy=False) for g in grads)
        assert x is not None
        return LinearGrads(x.reshape(self.shape), w, b)


class _Totals:
    """The gradients of weight and bias, summed over chunks."""

    def __init__(self, layer: _Layer) -> None:
        self.weight = (
            np.empty(layer.w.shape, layer.computing_dtype)
            if layer.rows
            else np.zeros(layer.w.shape, layer.computing_dtype)
        )
        self.bias = None if layer.b is None else np.zeros(layer.classes, np.float64)
        self._empty = True

    def add(self, grad: NDArray[Any], x: NDArray[Any]) -> None:
        """Add gradᵀ x to the weight."""
        if self._empty:
            np.matmul(grad.T, x, out=self.weight)
            self._empty = False
        else:
            add_product(grad.T, x, self.weight, WEIGHT_WORKSPACE)

    def add_bias(self, grad: NDArray[Any]) -> None:
        """Add gradᵀ 1 to the bias."""
        if self.bias is not None:
            self.bias += np.ones(len(grad), grad.dtype) @ grad


@with_options(Options)
def linear_cross_entropy(
    input: ArrayLike,
    linear_weight: ArrayLike,
    target: Target,
    *,
    linear_bias: ArrayLike | None = None,
    n_threads: int | None = None,
    **options: Unpack[GivenOptions],
) -> Any:
    r"""The cross-entropy of the logits :math:`x W^\top + b`, which are never held for more than a chunk of rows.

    Parameters
    ----------
    input : array_like of shape (..., D)
        x; float32 or float64 (float16 is computed in float32; integers and lists become float64).
    linear_weight : array_like of shape (V, D)
        W; mixed types are computed in the wider one.
    target : array_like or pair
        As for :func:`luce.cross_entropy`, for logits of shape (..., V).
    linear_bias : array_like of shape (V,), optional
        b.
    {options}

    Returns
    -------
    scalar or ndarray
        As :func:`luce.cross_entropy` returns. The workspace is at most 128 MiB, however many rows there are (plus a row
        of logits where one is larger than that, and a copy of what is neither of the layer's type nor contiguous).

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`luce.cross_entropy`.

    References
    ----------
    .. [1] E. Wijmans et al., "Cut your losses in large-vocabulary language models", ICLR 2025 (why not to hold the
       logits).

    Examples
    --------
    >>> import luce, numpy as np
    >>> x, W = np.eye(2), np.array([[60.0, 0.0], [0.0, 0.0], [0.0, 60.0]])
    >>> float(luce.linear_cross_entropy(x, W, [0, 2]))
    1.75130...e-26
    """
    layer = _Layer(input, linear_weight, linear_bias)
    call = checked_call(layer.logits_shape, layer.computing_dtype, target, **options)
    n = threads(n_threads)
    losses = np.empty(layer.rows)
    buffer: NDArray[Any] | None = None
    for chunk in layer.chunks(layer.classes):
        buffer = (
            np.empty((chunk.stop - chunk.start, layer.classes), layer.computing_dtype) if buffer is None else buffer
        )
        z = buffer[: chunk.stop - chunk.start]
        form = call.form.rows(chunk.start, chunk.stop)
        layer.product(_counting(layer.x[chunk], form), layer.w, layer.b, z)
        core.cross_entropy(z, form, losses=losses[chunk], n_threads=n)
    return call.reduce(losses, layer.dtype)


@with_options(Options)
def linear_cross_entropy_and_grad(
    input: ArrayLike,
    linear_weight: ArrayLike,
    target: Target,
    *,
    linear_bias: ArrayLike | None = None,
    n_threads: int | None = None,
    **options: Unpack[GivenOptions],
) -> tuple[Any, LinearGrads]:
    r"""The loss and its gradients :math:`G W`, :math:`G^\top x`, :math:`G^\top 1` with :math:`G=\partial L/\partial z`.

    Parameters
    ----------
    input, linear_weight, target, linear_bias
        As for :func:`linear_cross_entropy`.
    {options}

    Returns
    -------
    value : scalar or ndarray
        As :func:`luce.cross_entropy` returns.
    grads : LinearGrads
        ``grads.input`` (..., D), ``grads.linear_weight`` (V, D) and ``grads.linear_bias`` (V,) or None, of the layer's
        dtype: derivatives of the value or, with ``reduction="none"``, of the sum of the losses.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`luce.cross_entropy`.

    References
    ----------
    .. [1] C. M. Bishop, *Pattern Recognition and Machine Learning*, Springer, 2006, equation (4.109).

    Examples
    --------
    >>> import luce, numpy as np
    >>> value, grads = luce.linear_cross_entropy_and_grad(np.ones((1, 2)), np.zeros((2, 2)), [0])
    >>> grads.linear_weight
    array([[-0.5, -0.5],
           [ 0.5,  0.5]])
    """
    layer = _Layer(input, linear_weight, linear_bias)
    call = checked_call(layer.logits_shape, layer.computing_dtype, target, **options)
    n = threads(n_threads)
    losses = np.empty(layer.rows)
    totals = _Totals(layer)
    grad_x = np.empty(layer.x.shape, layer.computing_dtype)
    buffer: NDArray[Any] | None = None
    for chunk in layer.chunks(layer.classes):
        buffer = (
            np.empty((chunk.stop - chunk.start, layer.classes), layer.computing_dtype) if buffer is None else buffer
        )
        g = buffer[: chunk.stop - chunk.start]  # the logits, then their gradient
        form = call.form.rows(chunk.start, chunk.stop)
        x = _counting(layer.x[chunk], form)
        layer.product(x, layer.w, layer.b, g)
        core.cross_entropy(g, form, factor=call.divided.factor, losses=losses[chunk], grad=g, n_threads=n)
        np.matmul(g, layer.w, out=grad_x[chunk])
        totals.add(g, x)
        totals.add_bias(g)
    return call.reduce(losses, layer.dtype), layer.finish(LinearGrads(grad_x, totals.weight, totals.bias))


@with_options(Options)
def linear_cross_entropy_hvp(
    input: ArrayLike,
    linear_weight: ArrayLike,
    target: Target,
    vector: Any,
    *,
    linear_bias: ArrayLike | None = None,
    n_threads: int | None = None,
    **options: Unpack[GivenOptions],
) -> LinearGrads:
    r"""The loss's Hessian in (input, weight, bias) times a direction in them.

    The exact Hessian, not the Gauss-Newton matrix: the products of input and weight directions are included. The logits
    and their directional derivative exist for a chunk of rows at a time.

    Parameters
    ----------
    input, linear_weight, target, linear_bias
        As for :func:`linear_cross_entropy`.
    vector : triple of array_like or None
        The direction (input, linear_weight, linear_bias), as a :class:`LinearGrads` or a tuple; None stands for 0.
    {options}

    Returns
    -------
    LinearGrads
        All parts of the product, of the layer's dtype.

    Raises
    ------
    IndexError, TypeError, ValueError
        As for :func:`luce.cross_entropy`, and if a part of the direction does not fit.

    References
    ----------
    .. [1] B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6(1), 1994.

    Examples
    --------
    >>> import luce, numpy as np
    >>> x, W = np.ones((1, 2)), np.zeros((2, 2))
    >>> luce.linear_cross_entropy_hvp(x, W, [0], (None, np.eye(2), None)).linear_weight
    array([[0., 0.],
           [0., 0.]])
    """
    layer = _Layer(input, linear_weight, linear_bias)
    call = checked_call(layer.logits_shape, layer.computing_dtype, target, **options)
    along = layer.direction(vector)
    n = threads(n_threads)
    totals = _Totals(layer)
    product_x = np.empty(layer.x.shape, layer.computing_dtype)
    buffers: tuple[NDArray[Any], ...] = ()
    width = (2 if along.input is None else 3) * layer.classes
    width += 0 if along.linear_weight is None else layer.x.shape[1]
    for chunk in layer.chunks(width):
        size = chunk.stop - chunk.start
        if not buffers:
            buffers = tuple(np.empty((size, layer.classes), layer.computing_dtype) for _ in range(2))
        z, dz = (buffer[:size] for buffer in buffers)
        form = call.form.rows(chunk.start, chunk.stop)
        x = _counting(layer.x[chunk], form)
        dx = None if along.input is None else _counting(along.input[chunk], form)
        layer.product(x, layer.w, layer.b, z)
        _direction_of_logits(layer, x, along._replace(input=dx), dz)
        # dz becomes H dz, and z the gradient where a direction in the weight or the input asks for it
        needs_grad = dx is not None or along.linear_weight is not None
        core.cross_entropy_hvp(z, form, dz, dz, factor=call.divided.factor, grad=z if needs_grad else None, n_threads=n)
        np.matmul(dz, layer.w, out=product_x[chunk])
        if along.linear_weight is not None:
            product_x[chunk] += z @ along.linear_weight
        totals.add(dz, x)
        if dx is not None:
            totals.add(z, dx)
        totals.add_bias(dz)
    return layer.finish(LinearGrads(product_x, totals.weight, totals.bias))


def _direction_of_logits(layer: _Layer, x: NDArray[Any], along: LinearGrads, out: NDArray[Any]) -> None:
    """Write x' Wᵀ + x W'ᵀ + b' of some rows into `out`."""
    if along.linear_weight is not None:
        np.matmul(x, along.linear_weight.T, out=out)
        if along.input is not None:
            out += along.input @ layer.w.T
    elif along.input is not None:
        np.matmul(along.input, layer.w.T, out=out)
    else:
        out[...] = 0
    if along.linear_bias is not None:
        out += along.linear_bias
