"""The scorecard of an implementation, and several side by side: for the terminal, as JSON and as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from luce.printing.data import JSONObject

__all__ = ["Comparison", "Result", "Scorecard"]

STATUS_SIGNS = {"passed": "✓", "failed": "✗", "unsupported": "–"}
STATUS_COLOURS = {"passed": "green", "failed": "bold red", "unsupported": "dim"}


@dataclass(frozen=True)
class Result:
    """The result of one check.

    Attributes
    ----------
    check, what : str
        Its name, a key of :data:`luce.check.conformance_suite.suite.CHECKS`, and what it shows.
    status : {"passed", "failed", "unsupported"}
        "unsupported": the implementation does not take the option or does not have the derivative.
    detail : str
        What went most wrong, or what is not supported.
    worst : float or None
        The largest error that was found, in eps of the dtype; infinite where NaN or infinity was, or should have been;
        None where nothing was measured.
    """

    check: str
    status: Literal["passed", "failed", "unsupported"]
    detail: str = ""
    worst: float | None = None
    what: str = ""

    @property
    def cell(self) -> str:
        """The sign of the status, and the largest error.

        Examples
        --------
        >>> Result("loss", "passed", worst=1.25).cell
        '✓ 1.2'
        """
        return STATUS_SIGNS[self.status] + ("" if self.worst is None else f" {_short(self.worst)}")


@dataclass(frozen=True)
class Scorecard:
    """The results of all checks of one implementation.

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
    * **jvp**
        * mine: is 0
    """

    name: str
    versions: dict[str, str]
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """True if nothing failed; what is not supported does not count."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results that failed."""
        return tuple(result for result in self.results if result.status == "failed")

    @property
    def unsupported(self) -> tuple[Result, ...]:
        """The results of checks that could not be tried."""
        return tuple(result for result in self.results if result.status == "unsupported")

    @property
    def summary(self) -> str:
        """The numbers of checks that passed, failed and were not tried, and the versions."""
        counts = {status: sum(result.status == status for result in self.results) for status in STATUS_SIGNS}
        versions = ", ".join(f"{package} {version}" for package, version in self.versions.items())
        return (
            f"{counts['passed']} passed, {counts['failed']} failed, {counts['unsupported']} not supported ({versions})"
        )

    def __getitem__(self, check: str) -> Result:
        """Return the result of a check."""
        return next(result for result in self.results if result.check == check)

    def to_dict(self) -> JSONObject:
        """Return the card as plain data; an infinite error is the text "inf"."""
        results = [asdict(result) for result in self.results]
        for result in results:
            if result["worst"] is not None and not math.isfinite(result["worst"]):
                result["worst"] = "inf"
        return {"name": self.name, "versions": self.versions, "passed": self.passed, "results": results}

    @classmethod
    def from_dict(cls, data: JSONObject) -> Scorecard:
        """Make the card again of what :meth:`to_dict` gave.

        Examples
        --------
        >>> card = Scorecard("mine", {}, (Result("loss", "failed", worst=math.inf),))
        >>> Scorecard.from_dict(card.to_dict()) == card
        True
        """
        worst = [None if result["worst"] is None else float(result["worst"]) for result in data["results"]]
        results = (Result(**{**r, "worst": error}) for r, error in zip(data["results"], worst, strict=True))
        return cls(data["name"], dict(data["versions"]), tuple(results))

    def to_json(self) -> str:
        """Return the same as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return a table in Markdown, and below it what failed in words."""
        return Comparison((self,)).to_markdown()

    def __rich__(self) -> Group:
        """Return the card for a terminal: the checks that were tried, then those that were not, by reason."""
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        table.add_column("check", no_wrap=True)
        table.add_column("eps", justify="right")
        table.add_column("")
        reasons: dict[str, list[str]] = {}
        for result in self.results:
            style = STATUS_COLOURS[result.status]
            if result.status == "unsupported":
                reason = "no such option" if result.detail == f"takes no {result.check}" else result.detail
                reasons.setdefault(reason, []).append(result.check)
                continue
            worst = "" if result.worst is None else _short(result.worst)
            table.add_row(Text(STATUS_SIGNS[result.status], style), result.check, worst, Text(result.detail, style))
        absent = [
            Text(f"{STATUS_SIGNS['unsupported']}  {', '.join(checks)}: {reason}", STATUS_COLOURS["unsupported"])
            for reason, checks in reasons.items()
        ]
        return Group(Text(self.name, "bold"), table, *absent, Text(self.summary))


@dataclass(frozen=True)
class Comparison:
    """Several scorecards side by side: a row a check, a column an implementation."""

    cards: Sequence[Scorecard]

    def to_json(self) -> str:
        """Return a list of the scorecards as JSON."""
        return json.dumps([card.to_dict() for card in self.cards], indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return the table in Markdown, and below it what failed, by check; more than two columns go by letters."""
        rows = [["check", *self._heads], ["---"] * (len(self.cards) + 1)]
        rows += [[check, *(result.cell if result else "" for result in found)] for check, found in self._rows]
        lines = [f"* **{head}**: `{card.name}`: {card.summary}" for head, card in self._legend]
        lines += [""] * bool(lines)
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        lines += [""] * any(card.failures for card in self.cards)
        for check, what, details in self._failures:
            lines.append(f"* **{check}**" + (f": {_escaped(what)}" if what else ""))
            lines += [f"    * {', '.join(heads)}: {_escaped(detail)}" for detail, heads in details.items()]
        return "\n".join(lines)

    def __rich__(self) -> Group:
        """Return the table for a terminal, and below it what failed, by check."""
        table = Table(box=None, pad_edge=False)
        table.add_column("check", no_wrap=True)
        for head in self._heads:
            table.add_column(head)
        for check, found in self._rows:
            table.add_row(check, *(Text(r.cell, STATUS_COLOURS[r.status]) if r else Text("") for r in found))
        words = [Text(f"{head}: {card.name}: {card.summary}") for head, card in self._legend]
        for check, what, details in self._failures:
            words.append(Text.assemble((f"✗ {check}", STATUS_COLOURS["failed"]), f": {what}" if what else ""))
            words += [Text(f"  {', '.join(heads)}: {detail}") for detail, heads in details.items()]
        return Group(table, *words)

    @property
    def _heads(self) -> list[str]:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if 2 < len(self.cards) <= 26 else ""
        return list(letters[: len(self.cards)]) or [card.name for card in self.cards]

    @property
    def _legend(self) -> list[tuple[str, Scorecard]]:
        """The letters that stand for implementations, where there are any."""
        return [(head, card) for head, card in zip(self._heads, self.cards, strict=True) if head != card.name]

    @property
    def _rows(self) -> list[tuple[str, list[Result | None]]]:
        """Each check with every card's result."""
        found = [{result.check: result for result in card.results} for card in self.cards]
        return [(check, [results.get(check) for results in found]) for check in dict.fromkeys(chain(*found))]

    @property
    def _failures(self) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
        """Each check that failed, what it shows, and each wrong result with the columns that had it."""
        for check, found in self._rows:
            details: dict[str, list[str]] = {}
            failed = [(head, r) for head, r in zip(self._heads, found, strict=True) if r and r.status == "failed"]
            for head, result in failed:
                details.setdefault(result.detail, []).append(head)
            if failed:
                everyone = {detail: ["all"] for detail, heads in details.items() if len(heads) == len(self.cards) > 1}
                yield check, failed[0][1].what, {**details, **everyone}


def _short(error: float) -> str:
    if not math.isfinite(error):
        return "∞"
    return f"{error:.1f}" if error < 100 else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
