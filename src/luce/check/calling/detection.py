"""The framework that a function is written in: told by its own module, what it names, and what its module imports."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable

__all__ = ["likeliest_framework", "likely_frameworks"]

FRAMEWORK_OF = {"torch": "torch", "jax": "jax", "optax": "jax", "flax": "jax", "numpy": "numpy", "scipy": "numpy"}
"""The framework by the package that is used."""


def likeliest_framework(fn: object) -> str:
    """Return the framework that a function is written in, as far as can be seen without a call.

    Parameters
    ----------
    fn : callable

    Returns
    -------
    {"torch", "jax", "numpy"}

    Examples
    --------
    >>> import numpy as np
    >>> likeliest_framework(np.sum)
    'numpy'
    """
    module = getattr(fn, "__module__", None) or type(fn).__module__
    for used in ({str(module).partition(".")[0]}, _named(fn), _imported(sys.modules.get(str(module)))):
        for package, framework in FRAMEWORK_OF.items():
            if package in used:
                return framework
    return "numpy"


def likely_frameworks(fn: object) -> tuple[str, ...]:
    """Return the frameworks in which a call is to be tried, the likeliest first; lists count as one.

    Parameters
    ----------
    fn : callable

    Returns
    -------
    tuple of {"torch", "jax", "numpy", "list"}

    Examples
    --------
    >>> likely_frameworks(lambda z: z)
    ('numpy', 'list')
    """
    inner = inspect.unwrap(fn) if callable(fn) else fn
    used = {FRAMEWORK_OF.get(package) for package in _named(inner) | {_package(inner)}}
    for framework in ("torch", "jax"):
        if framework in used:
            return (framework, "numpy", "list")
    imported = {FRAMEWORK_OF.get(package) for package in _packages(getattr(inner, "__globals__", {}).values())}
    return ("numpy", "list", *(framework for framework in ("torch", "jax") if framework in imported))


def _named(fn: object) -> set[str]:
    """Return the packages of the modules, functions and classes that a function names."""
    try:
        named = inspect.getclosurevars(fn)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return {_package(type(fn))}
    return {_package(value) for value in (*named.globals.values(), *named.nonlocals.values())}


def _imported(module: object) -> set[str]:
    """Return the packages of the modules that a module has imported."""
    return _packages(vars(module).values() if module is not None else ())


def _packages(values: Iterable[object]) -> set[str]:
    return {_package(value) for value in values if inspect.ismodule(value)}


def _package(value: object) -> str:
    """Return the package that a module, function or class comes from."""
    return str(value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")).partition(".")[0]
