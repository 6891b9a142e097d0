"""The report that `luce fit` prints: what was read, how training went, how good the model is on rows it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from luce import __version__
from luce.cli.columns import Column
from luce.cli.curve import curve
from luce.cli.held_out import HeldOut, Score

__all__ = ["Training", "print_report"]

WIDTH = 80
INDENT = (0, 0, 0, 2)
MOST_COLUMNS = 24  # shown one by one; beyond, columns of the same treatment share a line
MATRIX_CLASSES = 12
MOST_CONFUSIONS = 10


@dataclass(frozen=True)
class Training:
    """What was trained on what."""

    source: str
    rows: int
    rows_without_target: int
    target: str
    columns: Sequence[Column]
    classifier: Any
    seconds: float
    notes: Sequence[str]


def print_report(training: Training, judged: HeldOut | None, folds: int, place: Path) -> None:
    """Print the report to standard output, at most 80 columns wide."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH)
    plain = not (console.encoding or "").lower().startswith("utf")
    labels = [str(label) for label in training.classifier.classes_.tolist()]
    _print_data(console, training, labels)
    _print_training(console, training, plain)
    if folds:
        _print_held_out(console, training, judged, labels)
    console.print()
    console.print(Text.assemble(("Saved", "bold"), f" to {place}"))
    console.print(Text(f"Apply: luce predict {_quoted(place)} TABLE", style="dim"), soft_wrap=True)


def _print_data(console: Console, training: Training, labels: Sequence[str]) -> None:
    console.print(Text.assemble(("Luce", "bold"), f" {__version__}, softmax classifier"))
    _heading(console, "Data")
    counts = f"{_many(training.rows, 'row')}, {_many(len(training.columns), 'column')}, {_many(len(labels), 'class')}"
    console.print(f"  {training.source}: {counts}", markup=False, soft_wrap=True)
    shown = ", ".join(labels[:6]) + (", …" if len(labels) > 6 else "")
    console.print(Padding(Text(f"Classes of {training.target!r}: {shown}"), INDENT, expand=False))
    if training.rows_without_target:
        console.print(f"  {_many(training.rows_without_target, 'row')} dropped: no {training.target!r}", markup=False)
    console.print()
    table = _table()
    table.add_column("column", overflow="fold", max_width=30)
    table.add_column("holds")
    table.add_column("what was done")
    for name, column in _grouped(training.columns):
        table.add_row(Text(name), column.kind, Text(column.done), style="" if column.used else "dim")
    console.print(Padding(table, INDENT, expand=False))


def _print_training(console: Console, training: Training, plain: bool) -> None:
    classifier = training.classifier
    _heading(console, "Training")
    iterations = _many(len(classifier.loss_curve_) - 1, "iteration")
    ended = "" if training.notes else f", converged (gradient {classifier.grad_norm_:.0e})"
    console.print(f"  {classifier.solver_}, {iterations}, {training.seconds:.2f} s{ended}")
    for note in training.notes:
        console.print(Padding(Text(f"Warning: {note}", style="yellow"), INDENT))
    console.print()
    console.print("  loss per iteration (mean cross-entropy with penalty)", style="dim")
    lines = curve(classifier.loss_curve_.tolist(), width=min(48, console.width - 16), height=6, plain=plain)
    for line in lines:
        console.print(Text("  " + line), soft_wrap=True)


def _print_held_out(console: Console, training: Training, judged: HeldOut | None, labels: Sequence[str]) -> None:
    _heading(console, "Held-out rows")
    if judged is None:
        console.print("  Every class has a single row: none can be both learnt and held out.")
        return
    console.print(f"  stratified cross-validation, {judged.folds} folds, {_many(judged.rows, 'row')}")
    if judged.single_classes:
        alone = _many(judged.single_classes, "class")
        console.print(Padding(f"{alone} with a single row: learnt from, never held out", INDENT))
    console.print()
    table = _table()
    table.add_column("")
    table.add_column("accuracy", justify="right")
    table.add_column("log loss", justify="right")
    table.add_row("softmax classifier", *_cells(judged.model), style="bold")
    table.add_row("class shares (baseline)", *_cells(judged.baseline))
    console.print(Padding(table, INDENT, expand=False))
    console.print()
    if len(labels) <= MATRIX_CLASSES:
        _print_matrix(console, judged, labels)
    else:
        _print_confusions(console, judged, labels)


def _print_matrix(console: Console, judged: HeldOut, labels: Sequence[str]) -> None:
    matrix = np.zeros((len(labels), len(labels)), int)
    np.add.at(matrix, (judged.true, judged.predicted), 1)
    room = (console.width - 28) // len(labels) - 2
    heads = [_cut(label, max(room, 3)) for label in labels]
    table = _table()
    table.add_column("true \\ predicted", max_width=22, no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="right", no_wrap=True)
    for k, row in enumerate(matrix):
        cells = (Text(f"{count:,}" if count else "·", _shade(count, row.sum(), k == j)) for j, count in enumerate(row))
        table.add_row(Text(_cut(labels[k], 22)), *cells)
    console.print(Padding(table, INDENT, expand=False))


def _print_confusions(console: Console, judged: HeldOut, labels: Sequence[str]) -> None:
    wrong = judged.true != judged.predicted
    pairs, counts = np.unique(np.stack([judged.true[wrong], judged.predicted[wrong]]), axis=1, return_counts=True)
    totals = np.bincount(judged.true, minlength=len(labels))
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]
    if not len(order):
        console.print("  no confusion at all")
        return
    table = _table()
    table.add_column("most frequent confusions", max_width=26, no_wrap=True)
    table.add_column("taken for", max_width=26, no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("of its class", justify="right")
    for index in order:
        true, predicted = pairs[:, index]
        share = f"{counts[index] / totals[true]:.0%}"
        table.add_row(Text(_cut(labels[true], 26)), Text(_cut(labels[predicted], 26)), f"{counts[index]:,}", share)
    console.print(Padding(table, INDENT, expand=False))


def _grouped(columns: Sequence[Column]) -> list[tuple[str, Column]]:
    """Return (label, column) to show: each one, or one line for all that were treated alike if there are many."""
    if len(columns) <= MOST_COLUMNS:
        return [(column.name, column) for column in columns]
    groups: dict[tuple[str, str], list[Column]] = {}
    for column in columns:
        groups.setdefault((column.kind, _treatment(column)), []).append(column)
    shown = []
    for (kind, treatment), members in groups.items():
        alike = len(members) > 1
        label = f"{members[0].name} and {len(members) - 1} more" if alike else members[0].name
        shown.append((label, Column(label, kind, treatment, members[0].used) if alike else members[0]))
    return shown


def _treatment(column: Column) -> str:
    """Return what was done without the figures that differ from column to column."""
    if not column.used:
        return column.done.partition(" (")[0]
    if column.kind == "text":
        return "one-hot"
    return column.done.partition(";")[0] + ("; missing: median and a mark" if ";" in column.done else "")


def _cells(score: Score) -> tuple[str, str]:
    return (
        f"{score.accuracy:.1%} ± {score.accuracy_error:.1%}",
        f"{score.log_loss:.4f} ± {score.log_loss_error:.4f}",
    )


def _shade(count: int, total: int, right: bool) -> str:
    if not count:
        return "dim"
    if right:
        return "bold green"
    return "bold red" if count > 0.1 * total else "red"


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold cyan")


def _many(count: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count:,} {noun if count == 1 else plural}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _quoted(path: Path) -> str:
    text = str(path)
    return f"'{text}'" if " " in text else text
