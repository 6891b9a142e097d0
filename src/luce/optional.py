"""Packages that a single method needs: imported when it is called, and asked for by name where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["needed"]


def needed(module: str, by: str) -> ModuleType:
    """Return the module that the method `by` needs.

    Raises
    ------
    ImportError
        Without it, saying how to install it.

    Examples
    --------
    >>> from luce.optional import needed
    >>> needed("no_such_package.part", "Comparison.plot")
    Traceback (most recent call last):
    ImportError: Comparison.plot needs no_such_package: pip install no_such_package
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        raise ImportError(f"{by} needs {package}: pip install {package}") from error
