"""The public name of the adapters, which live in :mod:`luce.check.conformance_suite.adapters`."""

from luce.check.conformance_suite.adapters import ADAPTERS, Implementation, implementation

__all__ = ["ADAPTERS", "Implementation", "implementation"]
