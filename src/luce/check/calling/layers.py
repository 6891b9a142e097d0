"""Classes with a forward and a backward pass as functions; what ``backward`` leaves in an attribute is its result."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from luce.check.calling.arrays import Native, UserFunction, to_numpy
from luce.check.calling.errors import NotRunnable
from luce.check.calling.roles import LOGITS, TARGET, parameters_of
from luce.derivation.quantities import Array

__all__ = ["is_layer", "layer_of"]

FORWARD, BACKWARD = ("forward", "loss", "__call__"), ("backward", "gradient", "grad")
"""The methods of a layer."""

OF_THE_INPUT = re.compile(r"(d|grad_?|delta_?|gradient_?)(_?(input|logit|score|value)s?|_?[xzXZ]|_in)?|.*input_?grad.*")
"""The names of the derivative in what a layer takes."""

OF_A_GRADIENT = re.compile(r"d[A-Z_xz]|d(input|value|logit|score|out)|delta|err|.*grad", re.IGNORECASE)
"""The names of a derivative."""


def layer_of(fn: object) -> UserFunction | None:
    """Return what a layer computes: loss and gradient, or a product where it is a softmax; None where it is no layer.

    Parameters
    ----------
    fn : object
        A class with ``forward`` and ``backward``, or an object of one. ``backward`` may take the target again, and
        leave its result in an attribute.

    Raises
    ------
    NotRunnable
        From the function, where ``backward`` returns nothing and no attribute is its result, or more than one may be.

    Examples
    --------
    >>> class Twice:
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dout):
    ...         self.grad_wrt_x = 2 * dout
    >>> layer_of(Twice)(np.array([1.0, 3.0]), np.zeros(2))
    array([2., 6.])
    """
    forward, backward = _methods(fn)
    if forward and backward and (isinstance(fn, type) or not callable(fn)):
        return _of_layer(fn, forward, backward)
    return None


def is_layer(kind: object) -> bool:
    """Return whether a class has a forward pass that is its own, and a backward pass or PyTorch's derivatives."""
    forward, backward = _methods(kind)
    own = isinstance(kind, type) and forward in vars(kind)
    return own and bool(backward or hasattr(kind, "register_parameter"))


def _methods(fn: object) -> list[str | None]:
    """Return the names of the methods of the two passes."""
    return [next((n for n in names if hasattr(fn, n)), None) for names in (FORWARD, BACKWARD)]


def _of_layer(kind: object, forward: str, backward: str) -> UserFunction:
    """Return what a layer computes: loss and gradient, or a product where it is a softmax."""
    made: Callable[[], object] = kind if isinstance(kind, type) else lambda: kind
    skipped = int(isinstance(kind, type))
    takes = list(parameters_of(getattr(kind, forward)).values())[skipped:]
    needs = [p.name for p in list(parameters_of(getattr(kind, backward)).values())[skipped:] if p.default is p.empty]

    def back(layer: object, given: Sequence[Native], above: Native) -> Native:
        def value(name: str) -> Native:
            if name in TARGET and len(given) > 1:
                return next((g for g, p in zip(given, takes, strict=False) if p.name == name), given[1])
            if name in LOGITS:
                return given[0]
            return getattr(layer, "output", given[0]) if TARGET & {*needs} else above

        before = (
            {name: array for name, _, array in _numbers(layer)} if isinstance(kind, type) else {}
        )  # or of a call before
        result = getattr(layer, backward)(*map(value, needs or ["above"] * (above is not None)))
        return _left_behind(layer, before, given) if result is None else result

    def product(dout: Native, z: Native) -> Native:
        layer = made()
        getattr(layer, forward)(z)
        return back(layer, (z,), dout)

    def both(*arguments: Native) -> Native:
        layer = made()
        loss = getattr(layer, forward)(*arguments)
        return loss, back(layer, arguments, 1.0 if needs else None)

    if len([p for p in takes if p.default is p.empty]) == 1:
        return product
    both.__signature__ = inspect.Signature(takes)  # type: ignore[attr-defined]
    return both


def _left_behind(layer: object, before: Mapping[str, Array], given: Sequence[Native]) -> Native:
    """Return the attribute that ``backward`` has written and that has the shape of what the layer took.

    Raises
    ------
    NotRunnable
        Where there is none, or more than one whose names do not tell which it is.
    """
    shapes = {array.shape for array in map(_array, given) if array is not None and array.dtype.kind == "f"}
    written = {
        name: value
        for name, value, array in _numbers(layer)
        if array.shape in shapes and not (name in before and np.array_equal(before[name], array, equal_nan=True))
    }
    for likely in (OF_THE_INPUT.fullmatch, OF_A_GRADIENT.match, lambda name: True):
        found = [name for name in written if likely(name)]
        if len(found) == 1:
            return written[found[0]]
        if found:
            names = ", ".join(f"self.{name}" for name in found)
            raise NotRunnable(f"its backward returns nothing, and writes {names}; which is the gradient? Return it")
    raise NotRunnable("its backward returns nothing, and leaves no gradient of the input's shape in an attribute")


def _numbers(layer: object) -> Iterator[tuple[str, Native, Array]]:
    """Yield the attributes of an object that are arrays, and those in its dictionaries, each with a copy."""
    for name, value in getattr(layer, "__dict__", {}).items():
        inner = {f"{name}[{key!r}]": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        for place, part in inner.items():
            array = _array(part)
            if array is not None:
                yield place, part, array.copy()


def _array(value: Any) -> Array | None:
    """Return what holds numbers as an array; None for anything else."""
    with suppress(Exception):
        array = to_numpy(value.detach() if hasattr(value, "detach") else value)[0]
        return array if array.dtype.kind in "fiu" and array.ndim else None
    return None
