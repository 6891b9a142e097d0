"""Checking: the gradient doctor, the multi-precision oracle of the contract, and inputs that break implementations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luce.check.doctor import assert_gradient, gradient
    from luce.check.report import Report

__all__ = ["Report", "assert_gradient", "gradient"]

_LAZY = {"Report": "report", "assert_gradient": "doctor", "gradient": "doctor"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'luce.check' has no attribute {name!r}")
    return getattr(importlib.import_module(f"luce.check.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
