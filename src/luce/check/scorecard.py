"""The scorecard of an implementation, and several side by side: for the terminal, as JSON and as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

__all__ = ["Comparison", "Result", "Scorecard"]

SIGNS = {"passed": "✓", "failed": "✗", "unsupported": "–"}
COLOURS = {"passed": "green", "failed": "bold red", "unsupported": "dim"}


@dataclass(frozen=True)
class Result:
    """What came of one check.

    Attributes
    ----------
    check : str
        Its name, a key of :data:`luce.check.suite.CHECKS`.
    status : {"passed", "failed", "unsupported"}
        "unsupported": the implementation does not take the option or does not have the derivative.
    detail : str
        What went wrong first, or what is not supported.
    worst : float or None
        The largest error that was found, in eps of the dtype; None where nothing was measured.
    """

    check: str
    status: Literal["passed", "failed", "unsupported"]
    detail: str = ""
    worst: float | None = None

    @property
    def cell(self) -> str:
        """Sign and largest error.

        Examples
        --------
        >>> Result("loss", "passed", worst=1.25).cell
        '✓ 1.2'
        """
        return SIGNS[self.status] + ("" if self.worst is None else f" {_short(self.worst)}")


@dataclass(frozen=True)
class Scorecard:
    """What came of all checks of one implementation.

    Attributes
    ----------
    name : str
        Of the implementation.
    versions : dict
        Of the packages that took part.
    results : tuple of Result
        In the order in which the checks ran.

    Examples
    --------
    >>> found = Result("loss", "passed", worst=0.5), Result("jvp", "failed", "is 0")
    >>> card = Scorecard("mine", {"numpy": "2.0"}, found)
    >>> card.passed, [result.check for result in card.failures]
    (False, ['jvp'])
    >>> print(card.to_markdown())
    | check | mine |
    | --- | --- |
    | loss | ✓ 0.5 |
    | jvp | ✗ |
    <BLANKLINE>
    * **mine**, jvp: is 0
    """

    name: str
    versions: dict[str, str]
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed; what is not supported does not count."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """What failed."""
        return tuple(result for result in self.results if result.status == "failed")

    @property
    def unsupported(self) -> tuple[Result, ...]:
        """What could not be tried."""
        return tuple(result for result in self.results if result.status == "unsupported")

    def __getitem__(self, check: str) -> Result:
        """Return the result of a check."""
        return next(result for result in self.results if result.check == check)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; an infinite error is the text "inf"."""
        results = [asdict(result) for result in self.results]
        for result in results:
            if result["worst"] is not None and not math.isfinite(result["worst"]):
                result["worst"] = "inf"
        return {"name": self.name, "versions": self.versions, "passed": self.passed, "results": results}

    def to_json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """A table, and what failed in words."""
        return Comparison((self,)).to_markdown()

    def __rich__(self) -> Group:
        """The card for a terminal: every check with what is to be said of it."""
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        table.add_column("check", no_wrap=True)
        table.add_column("eps", justify="right")
        table.add_column("")
        for result in self.results:
            worst = "" if result.worst is None else _short(result.worst)
            sign = Text(SIGNS[result.status], style=COLOURS[result.status])
            table.add_row(sign, result.check, worst, Text(result.detail, style=COLOURS[result.status]))
        return Group(Text(self.name, style="bold"), table, Text(self._summary()))

    def _summary(self) -> str:
        counts = {status: sum(result.status == status for result in self.results) for status in SIGNS}
        versions = ", ".join(f"{package} {version}" for package, version in self.versions.items())
        return (
            f"{counts['passed']} passed, {counts['failed']} failed, {counts['unsupported']} not supported ({versions})"
        )


@dataclass(frozen=True)
class Comparison:
    """Several scorecards side by side: a row a check, a column an implementation."""

    cards: Sequence[Scorecard]

    def to_json(self) -> str:
        """A list of the scorecards."""
        return json.dumps([card.to_dict() for card in self.cards], indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """The table, and below it what failed in words; columns of more than two go by letters that are explained."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if 2 < len(self.cards) <= 26 else ""
        heads = list(letters[: len(self.cards)]) or [card.name for card in self.cards]
        rows = [["check", *heads], ["---"] * (len(self.cards) + 1)]
        rows += [[check, *(_cell(card, check) for card in self.cards)] for check in self._checks]
        lines = [
            f"* **{letter}**: `{card.name}` ({_versions(card)})"
            for letter, card in zip(letters, self.cards, strict=False)
        ]
        lines += [""] * bool(lines)
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        failures = [(head, result) for head, card in zip(heads, self.cards, strict=True) for result in card.failures]
        lines += [""] * bool(failures)
        lines += [f"* **{head}**, {result.check}: {_escaped(result.detail)}" for head, result in failures]
        return "\n".join(lines)

    def __rich__(self) -> Group:
        """The table for a terminal."""
        table = Table(box=None, pad_edge=False)
        table.add_column("check", no_wrap=True)
        for card in self.cards:
            table.add_column(card.name)
        for check in self._checks:
            found = [next((r for r in card.results if r.check == check), None) for card in self.cards]
            table.add_row(check, *(Text(r.cell, style=COLOURS[r.status]) if r else Text("") for r in found))
        return Group(table)

    @property
    def _checks(self) -> list[str]:
        return list(dict.fromkeys(result.check for card in self.cards for result in card.results))


def _cell(card: Scorecard, check: str) -> str:
    return next((result.cell for result in card.results if result.check == check), "")


def _versions(card: Scorecard) -> str:
    return ", ".join(f"{package} {version}" for package, version in card.versions.items())


def _short(error: float) -> str:
    return f"{error:.1f}" if error < 100 else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
