"""Objects that can be called: functions, PyTorch's modules and autograd functions, classes with a forward pass."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any, NamedTuple

from luce.check.calling.arrays import Native, UserFunction
from luce.check.calling.errors import NotRunnable
from luce.check.calling.layers import layer_of
from luce.check.calling.roles import parameters_of

__all__ = ["Callee", "as_callable"]


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
    layer = layer_of(fn)
    if layer is not None:
        return Callee(layer, layer)
    if not callable(fn):
        raise NotRunnable(f"it is no function but {type(fn).__name__}")
    function = _by_position(fn)
    return Callee(function, function)


def _applied(kind: Any) -> UserFunction:
    """Return an autograd function's ``apply`` with the parameters of its ``forward``."""

    def applied(*arguments: Native) -> Native:
        return kind.apply(*arguments)

    parameters = list(parameters_of(kind.forward).values())
    parameters = parameters[1:] if parameters[0].name in ("ctx", "context", "self", "_") else parameters
    applied.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return applied


def _by_position(fn: UserFunction) -> UserFunction:
    """Return a function that takes by position what `fn` takes by keyword alone and has no default for."""
    parameters = parameters_of(fn)
    needed = [
        p for p in parameters.values() if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not any(p.kind is p.KEYWORD_ONLY for p in needed):
        return fn
    ordered = [p for p in needed if p.kind is not p.KEYWORD_ONLY]
    ordered += [p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in needed if p.kind is p.KEYWORD_ONLY]
    rest = [p for p in parameters.values() if p not in needed and p.kind is not p.VAR_POSITIONAL]

    def called(*arguments: Native, **options: Native) -> Native:
        first = sum(p.kind is p.POSITIONAL_ONLY for p in ordered)
        named = {p.name: value for p, value in zip(ordered[first:], arguments[first:], strict=False)}
        return fn(*arguments[:first], **named, **options)

    found: Any = functools.update_wrapper(called, fn)
    found.__signature__ = inspect.Signature([*ordered, *rest])
    return called
