"""Checking: the gradient doctor, the multi-precision oracle, and the suite of inputs that break implementations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luce.check.doctor import assert_gradient, gradient
    from luce.check.report import Report
    from luce.check.suite import CHECKS, assert_conforms, conformance

__all__ = ["CHECKS", "Report", "assert_conforms", "assert_gradient", "conformance", "gradient"]

_LAZY = {
    "CHECKS": "suite",
    "Report": "report",
    "assert_conforms": "suite",
    "assert_gradient": "doctor",
    "conformance": "suite",
    "gradient": "doctor",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'luce.check' has no attribute {name!r}")
    return getattr(importlib.import_module(f"luce.check.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
