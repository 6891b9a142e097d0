"""The doctor's report, for people in a terminal or a page, and for programs."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from luce.check.doctor.mistakes.entry import Finding, Mistake
from luce.check.doctor.repair.account import Fault, Repair
from luce.check.doctor.repair.recording import RETURNED
from luce.derivation.quantities import Array, Given
from luce.printing.data import JSONObject, plain_data

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Example", "Report"]

CLASSES_SHOWN = 6
"""Classes that a row of cells shows."""

EXIT = {"correct": 0, "wrong": 1, "not runnable": 2}


@dataclass(frozen=True)
class Example:
    """One row that shows what is wrong: its logits and target, what an output should be there and what it is.

    `given` is the whole input that the row is of.
    """

    probe: str
    logits: Array
    target: Array
    output: str
    expected: Array | None
    actual: Array | None
    row: int
    given: Given | None = None


@dataclass(frozen=True, repr=False)
class Report:
    """The verdict on one function; true if it is right.

    Attributes
    ----------
    verdict : {"correct", "wrong", "not runnable"}
    diagnosis : tuple of Finding
        What reproduces its numbers: mistakes first, then conventions and limits; each has ``name``, ``said``,
        ``computed``, ``right``, ``fix`` and ``kind``. Empty when it is right, or when nothing known explains it.
    ties : tuple of tuple of Finding
        Other explanations that give the same numbers.
    repairs : tuple of Repair
        The lines to change, each with what it computes and what it should, where changes were found with which the
        function is right: they have been tried.
    fault : Fault, optional
        Where no change was found: the line to blame. What it reads is right, and with the right value in the place of
        what it computes the function is right.
    diff : str
        The changes as a unified diff of the function's text.
    file : str
        The file whose lines the repairs name; of a notebook with the cell, ``FILE.ipynb, cell 3``.
    part : str
        What is wrong in the numbers when no known mistake explains them.
    digits : int, optional
        Decimal digits that are right on ordinary logits.
    range : dict
        For each extreme range of logits, whether it is right there.
    dtypes : dict
        For each dtype of the input, how many digits are right.
    """

    function: str
    verdict: str
    reason: str = ""
    called: str = ""
    task: str = ""
    checked: tuple[str, ...] = ()
    diagnosis: tuple[Finding, ...] = ()
    ties: tuple[tuple[Finding, ...], ...] = ()
    repairs: tuple[Repair, ...] = ()
    fault: Fault | None = None
    diff: str = ""
    file: str = ""
    part: str = ""
    digits: int | None = None
    dtypes: dict[str, str] = field(default_factory=dict)
    range: dict[str, bool] = field(default_factory=dict)
    example: Example | None = None
    notes: tuple[str, ...] = ()

    @property
    def correct(self) -> bool:
        """True if it is right, be it by another convention or in a narrower range."""
        return self.verdict == "correct"

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        return f"<{self.headline}>"

    @property
    def exit_code(self) -> int:
        """The exit code of the command: 0 correct, 1 wrong, 2 not runnable."""
        return EXIT[self.verdict]

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        by = [m.name for m in self.diagnosis if m.kind == "convention"]
        within = "" if not any(m.kind == "limit" for m in self.diagnosis) else ", within a range"
        if self.verdict == "correct":
            how = f"by another convention: {', '.join(by)}" if by else f"to {self.digits} digits"
            return f"{self.function}: {' and '.join(self.checked)} correct {how}{within}"
        if self.verdict == "wrong":
            what = (
                " + ".join(m.name for m in self.diagnosis if m.kind != "limit")
                or " and ".join(self._place(repair) for repair in self.repairs or filter(None, [self.fault]))
                or "no known mistake gives these numbers"
            )
            return f"{self.function}: wrong: {what}"
        return f"{self.function}: not runnable: {self.reason}"

    def _place(self, fault: Fault) -> str:
        """Return the line of a fault, of a notebook with its cell."""
        cell = self.file.rpartition(".ipynb, ")[2] if ".ipynb, cell " in self.file else ""
        return f"{cell}, line {fault.line}" if cell else f"line {fault.line}"

    def to_dict(self) -> JSONObject:
        """Return the report as plain data, without arrays."""

        def words_of(mistake: Finding) -> dict[str, str]:
            words = {name: getattr(mistake, name) for name in ("name", "kind", "said", "computed", "right", "fix")}
            return words | ({"step": mistake.step.name} if isinstance(mistake, Mistake) else {})

        example = self.example and {
            name: plain_data(getattr(self.example, name), str)
            for name in ("probe", "row", "logits", "target", "output", "expected", "actual")
        } | {"given": _given_as_data(self.example.given)}
        rest = ("reason", "called", "task", "part", "digits", "dtypes", "range")
        return {
            "function": self.function,
            "verdict": self.verdict,
            "headline": self.headline,
            "diagnosis": [words_of(m) for m in self.diagnosis],
            "ties": [[m.name for m in tie] for tie in self.ties],
            "checked": list(self.checked),
            "notes": list(self.notes),
            "repairs": [_fault_as_data(repair) for repair in self.repairs],
            "fault": self.fault and _fault_as_data(self.fault),
            "diff": self.diff,
            "file": self.file,
            "example": example,
            **{name: getattr(self, name) for name in rest},
        }

    def to_json(self) -> str:
        """Return the report as one JSON object; a number that is not finite is its name."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)

    def to_html(self) -> str:
        """Return the report as a page that needs nothing else."""
        from luce.pages.recording import recorded_page

        return recorded_page("luce check", self.show)

    def to_ansi(self) -> str:
        """Return the report with the terminal's colours, as wide as the terminal."""
        from rich.console import Console

        console = Console(file=io.StringIO(), color_system="standard", force_terminal=True)
        self.show(console)
        return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]

    def show(self, console: Console) -> None:
        """Print the report to a rich console."""
        for part in self._parts():
            console.print(part)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=100, color_system=None)
        self.show(console)
        return str(console.file.getvalue()).rstrip()  # type: ignore[attr-defined]

    def _parts(self) -> list[RenderableType]:
        """Return what Rich prints, from the headline to the notes."""
        from rich.padding import Padding
        from rich.text import Text

        style = {"correct": "bold green", "wrong": "bold red", "not runnable": "bold yellow"}[self.verdict]
        sign = {"correct": "✓", "wrong": "✗", "not runnable": "!"}[self.verdict]
        parts: list[RenderableType] = [Text(f"{sign} {self.headline}", style=style)]

        def line(label: str, words: str, style: str = "") -> None:
            parts.append(Padding(Text.assemble((f"{label}  ", "dim"), (words, style)), (0, 0, 0, 2), expand=False))

        if self.called:
            line("called as", self.called)
        for mistake in self.diagnosis:
            said = {"mistake": "Mistake", "convention": "Convention", "limit": "Limit"}[mistake.kind]
            colour = {"mistake": "red", "convention": "yellow", "limit": "yellow"}[mistake.kind]
            parts += ["", Text(f"{said}: {mistake.name}", style=f"bold {colour}")]
            parts.append(Padding(Text(mistake.said), (0, 0, 0, 2), expand=False))
            line("computed", mistake.computed, colour)
            line("right   ", mistake.right, "green")
            line("change  ", mistake.fix, "bold")
        if self.part:
            parts += [
                "",
                Text("What is wrong in the numbers", style="bold"),
                Padding(Text(self.part), (0, 0, 0, 2), expand=False),
            ]
        for fault in (*self.repairs, *filter(None, [self.fault])):
            parts += ["", *_fault_in_words(fault, self._place(fault))]
        if self.ties:
            line("the same numbers", "; ".join(" + ".join(m.name for m in tie) for tie in self.ties[:3]))
        if self.example is not None:
            parts += ["", _cells(self.example)]
        if self.dtypes:
            line("dtypes", ", ".join(f"{dtype}: {digits}" for dtype, digits in self.dtypes.items()))
        failed = [name for name, right in self.range.items() if not right]
        if self.range:
            line("extreme logits", f"not right with {'; '.join(failed)}" if failed else "right up to ±1000")
        for note in self.notes:
            line("note", note)
        return parts


def _given_as_data(given: Given | None) -> JSONObject | None:
    """Return an input as plain data: logits, target, options, and x, W and b of a layer.

    None where a gradient comes from above: no loss alone has such a derivative.
    """
    if given is None or given.upstream is not None:
        return None
    parts = {"logits": given.logits, "target": given.target, "options": dict(given.options), "rowwise": given.rowwise}
    layer = {} if given.layer is None else dict(zip("xWb", given.layer, strict=True))
    return {name: plain_data(value, str) for name, value in (parts | layer).items()}


def _fault_as_data(fault: Fault) -> JSONObject:
    """Return a fault, or a repair, as plain data."""
    rest = ("line", "column", "was", "name", "is_now", "is_then", "visit")
    change = {"becomes": fault.becomes, "proven": fault.proven} if isinstance(fault, Repair) else {}
    return {
        **{name: getattr(fault, name) for name in rest},
        **change,
        "given": dict(fault.given),
        "computes": plain_data(fault.computes, str),
        "should": plain_data(fault.should, str),
    }


def _fault_in_words(fault: Fault, place: str) -> list[RenderableType]:
    """Return what Rich prints of a fault: the line, what it reads, what it computes and should, and a change of it."""
    from rich.padding import Padding
    from rich.text import Text

    lines = [Text.assemble((place, "bold red"), "  ", (fault.was, "bold"))]

    def line(label: str, words: str, style: str = "") -> None:
        lines.append(Text.assemble((f"{label:<10}", "dim"), (words, style)))

    if fault.given:
        line("reads", "; ".join(f"{name} is {said}" for name, said in fault.given))
    name = fault.name if fault.name.startswith(RETURNED) else f"{fault.name} ="
    where = f" (turn {fault.visit} of the loop)" if fault.visit else ""
    if fault.computes is not None:
        line("computes", f"{name} {_array(fault.computes)}{where}", "red")
        if fault.is_now:
            line("", f"which is {fault.is_now}", "red")
    if fault.should is not None:
        line("should be", _array(fault.should) + (f", which is {fault.is_then}" if fault.is_then else ""), "green")
    if isinstance(fault, Repair):
        line("change", fault.becomes, "bold green")
        line("", "tried: with this change the function is right" if fault.proven else "")
    else:
        line("", "tried: with that value in its place the function is right")
    return [Padding(each, (0, 0, 0, 2), expand=False) for each in lines]


def _array(value: Array) -> str:
    """Return an array on one line, its middle left out where it is large."""
    text = np.array2string(value, precision=4, suppress_small=True, threshold=12, edgeitems=2, separator=", ")
    return " ".join(text.split())


def _cells(example: Example) -> RenderableType:
    """Return the row as a table of cells: green where an entry is right, red where it is not."""
    from rich.table import Table
    from rich.text import Text

    logits = np.atleast_1d(example.logits)
    table = Table(title=f"Row {example.row} of the probe of {example.probe}", title_justify="left", title_style="dim")
    table.add_column("", style="dim")
    classes = _shown(example, len(logits))
    for k in classes:
        table.add_column(f"class {k}", justify="right")
    own = np.ndim(example.target) == 0
    marks = ["●" * bool(k == example.target) if own else f"{example.target[k]:g}" for k in classes]
    table.add_row("logits", *(f"{logits[k]:g}" for k in classes))
    table.add_row("target", *marks)
    if example.expected is None or example.actual is None:
        table.caption = "It raises an arithmetic error here."
        return table
    expected, actual = (np.atleast_1d(value) for value in (example.expected, example.actual))
    if expected.shape != actual.shape:
        table.caption = f"{example.output}: expected shape {expected.shape}, got {actual.shape}"
    elif expected.size == 1:
        table.caption = f"{example.output}: expected {_number(expected[0])}, got {_number(actual[0])}"
    elif expected.ndim > 1 or len(expected) != len(logits):
        first = np.unravel_index(np.argmax(~np.isclose(actual, expected, rtol=1e-4, atol=1e-12)), expected.shape)
        place = ", ".join(map(str, first))
        table.caption = f"{example.output}[{place}]: expected {_number(expected[first])}, got {_number(actual[first])}"
    else:
        right = np.isclose(actual, expected, rtol=1e-4, atol=1e-12)
        styles = ["black on green" if each else "bold white on red" for each in right]
        cells = [Text(_number(actual[k]), style=styles[k]) for k in classes]
        table.add_row(f"{example.output}, expected", *(_number(expected[k]) for k in classes))
        table.add_row(f"{example.output}, actual", *cells)
    return table


def _shown(example: Example, n_classes: int) -> list[int]:
    """Return the classes that fit beside each other: all, or the target's and those that differ the most."""
    expected, actual = example.expected, example.actual
    if n_classes <= CLASSES_SHOWN or expected is None or actual is None or np.shape(actual) != (n_classes,):
        return list(range(min(n_classes, CLASSES_SHOWN)))
    off = np.abs(np.nan_to_num(actual, nan=np.inf, posinf=np.inf) - expected)
    order = np.argsort(-off, kind="stable").tolist()
    target = int(np.argmax(example.target)) if np.ndim(example.target) else int(example.target)
    return sorted(list(dict.fromkeys([target, *order]))[:CLASSES_SHOWN])


def _number(value: float) -> str:
    return f"{value:+.6g}" if np.isfinite(value) else str(value)
