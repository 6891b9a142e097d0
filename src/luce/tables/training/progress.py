"""What training tells about its way; the command line shows it as a live line."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Progress"]


class Progress(Protocol):
    """Whoever is told."""

    def say(self, what: str) -> None:
        """Take what is being done, of unknown length."""

    def iteration(self, iterate: Any) -> None:
        """Take an iteration of the solver (a `luce.models.solvers.Iterate`)."""

    def batch(self, what: str, done: int, total: int, rows: int) -> None:
        """Take how much of a stream is done, of bytes or rows, and how many rows that is."""

    def fold(self, done: int, folds: int) -> None:
        """Take how many folds of the cross-validation are done."""
