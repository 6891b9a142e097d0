"""What one sees while a command works: a live line on standard error, nothing where that is no terminal."""

from __future__ import annotations

from threading import Timer
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bars

__all__ = ["Progress"]


class Progress:
    """A context manager with a line that says what is going on, from some seconds on; it leaves nothing behind."""

    def __init__(self, quiet: bool = False, after: float = 0.0) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("[dim]{task.fields[detail]}"),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bars.add_task("", total=None, detail="")
        self._later = Timer(after, self._bars.start) if after else None

    def __enter__(self) -> Progress:
        (self._later or self._bars).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later.join()
        self._bars.stop()

    def say(self, what: str) -> None:
        """Show what is being done, of unknown length."""
        self._bars.update(self._task, description=what, total=None, detail="")

    def iteration(self, iterate: Any) -> None:
        """Show an iteration of the solver (a `luce.models.solvers.Iterate`)."""
        detail = f"iteration {iterate.iteration}  loss {iterate.point.value:.5f}  gradient {iterate.gradient_norm:.1e}"
        self._bars.update(self._task, description="training", total=None, detail=detail)

    def batch(self, what: str, done: int, total: int, rows: int) -> None:
        """Show how much of a stream is done, of bytes or rows, and how many rows that is."""
        detail = f"{rows:,} rows"
        self._bars.update(self._task, description=what, total=total, completed=done, detail=detail)

    def fold(self, done: int, folds: int) -> None:
        """Show how many folds of the cross-validation are done."""
        detail = f"fold {min(done + 1, folds)} of {folds}"
        self._bars.update(self._task, description="cross-validating", total=folds, completed=done, detail=detail)
