"""Checking: the gradient doctor, the conformance suite and the multi-precision oracle behind both."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luce.check.assertions import assert_conforms, assert_gradient
    from luce.check.conformance_suite.scorecard import Comparison, Result, Scorecard
    from luce.check.conformance_suite.suite import CHECKS, conformance
    from luce.check.doctor.check_gradient import gradient
    from luce.check.doctor.report import Report

__all__ = [
    "CHECKS",
    "Comparison",
    "Report",
    "Result",
    "Scorecard",
    "assert_conforms",
    "assert_gradient",
    "conformance",
    "gradient",
]

_HOMES = {
    "CHECKS": "conformance_suite.suite",
    "Comparison": "conformance_suite.scorecard",
    "Report": "doctor.report",
    "Result": "conformance_suite.scorecard",
    "Scorecard": "conformance_suite.scorecard",
    "assert_conforms": "assertions",
    "assert_gradient": "assertions",
    "conformance": "conformance_suite.suite",
    "gradient": "doctor.check_gradient",
}
"""The room of each public name, loaded when the name is first used."""

_MODULES = ("adapters", "oracle", "plugin")
"""The public modules."""


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"luce.check.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'luce.check' has no attribute {name!r}")
    return getattr(importlib.import_module(f"luce.check.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
