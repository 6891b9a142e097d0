"""Checking: the multi-precision oracle of the contract, inputs that break implementations, and the suite of both."""

from __future__ import annotations

from luce.check.conformance import CHECKS, assert_conforms, conformance

__all__ = ["CHECKS", "assert_conforms", "conformance"]
