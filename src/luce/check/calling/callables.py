"""Objects that can be called: functions, PyTorch's modules and autograd functions, classes with a forward pass."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from luce.check.calling.arrays import Native, UserFunction
from luce.check.calling.errors import NotRunnable
from luce.check.calling.roles import LOGITS, TARGET, parameters_of

__all__ = ["Callee", "as_callable"]

FORWARD, BACKWARD = ("forward", "loss", "__call__"), ("backward", "gradient", "grad")
"""The methods of a layer."""

LEFT_BEHIND = ("dinputs", "grad", "gradient", "dlogits", "dz", "dx", "grad_input")
"""Where a layer's ``backward`` leaves what it does not return."""


class Callee(NamedTuple):
    """The function to call, the object whose parameters to read, and the framework where its kind tells it."""

    function: UserFunction
    signature_of: object
    framework: str | None = None


def as_callable(fn: object) -> Callee:
    """Return how to call an object that somebody passes for a function.

    Parameters
    ----------
    fn : callable, torch.nn.Module, torch.autograd.Function, or class
        A class of PyTorch's modules is made without arguments; a class of one's own needs ``forward`` and ``backward``.

    Returns
    -------
    Callee

    Raises
    ------
    NotRunnable
        For what can't be called.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        if isinstance(fn, type) and issubclass(fn, torch.nn.Module):
            fn = fn()
        if isinstance(fn, torch.nn.Module):
            return Callee(fn, fn.forward, "torch")
        if isinstance(fn, type) and issubclass(fn, torch.autograd.Function):
            function = _applied(fn)
            return Callee(function, function, "torch")
    forward, backward = (next((n for n in names if hasattr(fn, n)), None) for names in (FORWARD, BACKWARD))
    if forward and backward and (isinstance(fn, type) or not callable(fn)):
        layer = _of_layer(fn, forward, backward)
        return Callee(layer, layer)
    if not callable(fn):
        raise NotRunnable(f"it is no function but {type(fn).__name__}")
    return Callee(fn, fn)


def _applied(kind: Any) -> UserFunction:
    """Return an autograd function's ``apply`` with the parameters of its ``forward``."""

    def applied(*arguments: Native) -> Native:
        return kind.apply(*arguments)

    parameters = list(parameters_of(kind.forward).values())
    parameters = parameters[1:] if parameters[0].name in ("ctx", "context", "self", "_") else parameters
    applied.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return applied


def _of_layer(kind: object, forward: str, backward: str) -> UserFunction:
    """Return what a layer computes: loss and gradient, or a product where it is a softmax.

    ``backward`` may take the target again, and leave its result in an attribute.
    """
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

        result = getattr(layer, backward)(*map(value, needs or ["above"] * (above is not None)))
        left = (getattr(layer, name) for name in LEFT_BEHIND if hasattr(layer, name))
        return next(left, None) if result is None else result

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
