"""The checks by name: what each shows, and the function that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from luce.check.conformance_suite.trial import Trial

__all__ = ["CHECKS", "Check", "check"]


@dataclass(frozen=True)
class Check:
    """A part of the suite: its name, what it shows, and how."""

    name: str
    what: str
    run: Callable[[Trial], None]


CHECKS: dict[str, Check] = {}
"""The checks by name, in the order in which they run."""


def check(name: str, what: str) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Enter a function into :data:`CHECKS`."""

    def enter(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
        CHECKS[name] = Check(name, what, run)
        return run

    return enter
