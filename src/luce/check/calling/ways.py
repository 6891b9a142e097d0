"""The ways in which a function may be called, likeliest first: by the names of its parameters, then by trial."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from luce.check.calling.call import Call
from luce.check.calling.callables import as_callable
from luce.check.calling.detection import likely_frameworks
from luce.check.calling.outputs import Naming
from luce.check.calling.roles import (
    TARGETS,
    extras_of,
    options_of,
    orders_of_roles,
    parameters_of,
    refuse_networks,
    required_of,
    task_of,
)

__all__ = ["ways_of_calling"]


def ways_of_calling(
    fn: object,
    *,
    task: str | None = None,
    framework: str | None = None,
    target: str | None = None,
    layout: str | None = None,
    dtype: str = "float64",
    fixed: Mapping[str, object] | None = None,
) -> Iterator[Call]:
    """Yield the ways in which a function may be called, likeliest first.

    Parameters
    ----------
    fn : callable, torch.nn.Module, autograd.Function, or a class with ``forward`` and ``backward``
    task : one of :data:`luce.check.calling.roles.TASKS`, optional
    framework : {"numpy", "torch", "jax", "list"}, optional
    target : {"index", "one-hot", "column"}, optional
    layout : {"rows", "columns"}, optional
    dtype : str
        The dtype of the floats that are passed.
    fixed : mapping, optional
        Keyword arguments passed in every call.

    Yields
    ------
    Call

    Raises
    ------
    NotRunnable
        For what can't be called, and for a network of several layers.
    """
    function, signature_of, kind = as_callable(fn)
    parameters, fixed = parameters_of(signature_of), fixed or {}
    extras = {name: purpose for name, purpose in extras_of(parameters).items() if name not in fixed}
    names = [name for name in required_of(parameters) if name not in {*extras, *fixed}]
    if task in (None, "layer"):
        refuse_networks(names)
    task = task or task_of(names)
    base = Call(function, task, (), parameters=options_of(parameters), signature=parameters, extras=extras)
    base = replace(base, fixed=fixed, dtype=dtype)
    forms = list(_forms(base, orders_of_roles(names, task), _targets(task, target, parameters), layout))
    for each in (framework,) if framework else (kind,) if kind else likely_frameworks(function):
        for derives in (True, False) if each == "torch" else (True,):
            tried = [replace(form, framework=each, derives=derives, naming=_naming(form)) for form in forms]
            yield from sorted(tried, key=lambda call: not call.usual)


def _targets(task: str, target: str | None, parameters: Mapping[str, inspect.Parameter]) -> tuple[str, ...]:
    """Return the forms of the target to try, the likeliest first."""
    if task in ("softmax", "vjp"):
        return ("index",)
    if target:
        return (target,)
    hot = any("hot" in name.lower() for name in parameters)
    return ("one-hot", "index", "column") if hot else TARGETS


def _forms(base: Call, orders: Sequence[tuple[str, ...]], targets: Sequence[str], layout: str | None) -> Iterator[Call]:
    """Yield the forms in which arguments may be passed, whatever the framework."""
    of_layer = base.task == "layer"
    columns = (layout == "columns",) if layout or of_layer else (False, True)
    rowwise, transposed = ((False,), (False, True)) if of_layer else ((False, True), (False,))
    for across, order, one_row, turned, form in itertools.product(columns, orders, rowwise, transposed, targets):
        if not (one_row and form == "column"):
            yield replace(base, roles=order, target=form, rowwise=one_row, columns=across, transposed_weight=turned)


def _naming(call: Call) -> Naming:
    """Return how the results of a call are named: nothing is known of them yet."""
    return Naming(call.task, call.rowwise, call.columns, call.transposed_weight)
