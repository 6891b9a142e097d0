"""The report that `luce fit` prints: what was read, how training went, how good the model is on rows it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from luce._version import __version__
from luce.cli.reports.curve import curve
from luce.models.evaluation.metrics import Scores
from luce.models.evaluation.score import Score
from luce.models.inputs.kinds import Array
from luce.models.summary import Summary
from luce.printing.words import count, cut, many
from luce.report.facts import Column, Facts
from luce.report.held_out import Confusion, HeldOut
from luce.tables.training.choice import Choice
from luce.tables.training.record import Training

__all__ = ["print_report"]


WIDTH = 80
INDENT = (0, 0, 0, 2)
MOST_COLUMNS = 24  # shown one by one; beyond, columns of the same treatment share a line
MATRIX_CLASSES = 12
MOST_CONFUSIONS = 10
MOST_COEFFICIENTS = 20
TIGHT = 0.01  # of the loss: a bound that is larger says little


def print_report(training: Training, facts: Facts, written: Sequence[Path]) -> None:
    """Print the report to standard output, at most 80 columns wide; `written` are the model's file and the page's."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH)
    plain = not (console.encoding or "").lower().startswith("utf")
    _print_data(console, training, facts)
    _print_training(console, training, facts, plain)
    if training.choice is not None:
        _print_choice(console, training.choice)
    if facts.summary is not None:
        _print_coefficients(console, facts.summary, facts.coefficients.feature_names)
    if facts.held_out is not None:
        _print_held_out(console, facts.held_out, facts.data.classes)
    for note in facts.model.notes:
        console.print()
        console.print(Padding(Text(f"Warning: {note}", style="yellow"), INDENT))
    console.print()
    for place in written:
        console.print(Text.assemble(("Saved", "bold"), f" to {place}"), soft_wrap=True)
    console.print(Text(f"Apply: luce predict {_quoted(written[0])} TABLE", style="dim"), soft_wrap=True)


def _print_data(console: Console, training: Training, facts: Facts) -> None:
    data, labels = facts.data, facts.data.classes
    console.print(Text.assemble(("Luce", "bold"), f" {__version__}, {facts.model.name}"))
    _heading(console, "Data")
    counts = f"{many(data.n_rows, 'row')}, {many(len(training.columns), 'column')}, {many(len(labels), 'class')}"
    console.print(f"  {data.source}: {counts}", markup=False, soft_wrap=True)
    shown = ", ".join(labels[:6]) + (", …" if len(labels) > 6 else "")
    console.print(Padding(Text(f"Classes of {data.target!r}: {shown}"), INDENT, expand=False))
    if training.without_target:
        words = ", ".join(map(repr, training.missing_labels))
        keep = f" ({words} counts as missing: --missing none keeps it)" if words else ""
        what = f"  {many(training.without_target, 'row')} dropped: no {data.target!r}{keep}"
        console.print(what, markup=False, soft_wrap=True)
    if training.without_weight:
        what = f"{training.roles.weights!r} is 0"
        console.print(f"  {many(training.without_weight, 'row')} dropped: {what}", markup=False)
    console.print()
    table = _table()
    table.add_column("column", overflow="fold", max_width=30)
    table.add_column("holds")
    table.add_column("what was done")
    for name, column in _grouped(training.columns):
        table.add_row(Text(name or "(no name)"), column.kind, Text(column.done), style="" if column.used else "dim")
    console.print(Padding(table, INDENT, expand=False))
    for remark in data.all_remarks:
        console.print(Padding(Text(f"Note: {remark}", style="yellow"), INDENT))


def _print_training(console: Console, training: Training, facts: Facts, plain: bool) -> None:
    model = facts.model
    _heading(console, "Training")
    took = many(model.n_iter, "batch" if training.streamed else "iteration")
    if model.gap is not None and model.gap < TIGHT * model.loss_curve[-1]:
        bound = f", within {model.gap:.0e} of the minimum"
    else:
        bound = f", gradient {model.grad_norm_curve[-1]:.0e}" if len(model.grad_norm_curve) else ""
    console.print(f"  {model.solver}, {took}, {model.seconds:.2f} s{bound}")
    if len(training.curve) > 1:
        console.print()
        what = (
            "loss of each batch before it was learnt (mean cross-entropy)"
            if training.streamed
            else "loss per iteration (mean cross-entropy with penalty)"
        )
        console.print(f"  {what}", style="dim")
        for line in curve(training.curve.tolist(), width=min(48, console.width - 16), height=6, plain=plain):
            console.print(Text("  " + line), soft_wrap=True)


def _print_choice(console: Console, choice: Choice) -> None:
    _heading(console, "Choice of the penalty")
    ratio = f", l1_ratio {choice.l1_ratio:g}" if len(choice.l1_ratios) > 1 else ""
    console.print(f"  C {choice.C:.4g}{ratio}: the lowest log loss over the folds of a cross-validation")
    console.print()
    table = _table()
    table.add_column("C", justify="right")
    for ratio in choice.l1_ratios:
        table.add_column(f"l1_ratio {ratio:g}", justify="right")
    for j, C in enumerate(choice.Cs):
        cells = [
            Text(
                f"{choice.log_loss[i, j]:.4f} ± {choice.error[i, j]:.4f}",
                "bold green" if (C, ratio) == (choice.C, choice.l1_ratio) else "",
            )
            for i, ratio in enumerate(choice.l1_ratios)
        ]
        table.add_row(f"{C:.4g}", *cells)
    console.print(Padding(table, INDENT, expand=False))


def _print_coefficients(console: Console, summary: Summary, features: Sequence[str]) -> None:
    _heading(console, "Coefficients")
    which = f"log-odds of {summary.classes[0]}" if summary.reference else "of all classes, summing to 0"
    lines = (
        which,
        f"log-likelihood {summary.log_likelihood:.4f}, of the class shares alone {summary.null_log_likelihood:.4f}",
        f"McFadden's R² {summary.mcfadden:.4f}, AIC {summary.aic:.2f}, BIC {summary.bic:.2f}, "
        f"{summary.degrees_of_freedom:.4g} degrees of freedom",
    )
    for line in lines:
        console.print(Padding(Text(line), INDENT, expand=False))
    terms = [*features, "intercept"]
    z, p = summary.z, summary.p
    rows = [(k, j) for k in range(len(summary.classes)) for j in range(len(terms))]
    if len(rows) > MOST_COEFFICIENTS:
        sizes = np.nan_to_num(np.abs(z).ravel())
        rows = [rows[i] for i in np.sort(np.argsort(-sizes, kind="stable")[:MOST_COEFFICIENTS])]
        console.print(f"  the {len(rows)} of {z.size:,} that are furthest from 0 by their errors:")
    console.print()
    table = _table()
    table.add_column("class", max_width=14, no_wrap=True)
    table.add_column("feature", max_width=24, no_wrap=True)
    for name in ("coefficient", "std. error", "z", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for k, j in rows:
        table.add_row(
            Text(cut(summary.classes[k], 14)),
            Text(cut(terms[j], 24)),
            f"{summary.coefficient[k, j]:.4g}",
            f"{summary.standard_error[k, j]:.3g}",
            f"{z[k, j]:.2f}",
            f"{p[k, j]:.3f}" if p[k, j] >= 0.0005 else "<0.001",
        )
    console.print(Padding(table, INDENT, expand=False))


def _print_held_out(console: Console, judged: HeldOut, labels: Sequence[str]) -> None:
    _heading(console, "Held-out rows")
    console.print(Padding(Text(f"{many(len(judged.row_numbers), 'row')}, {judged.method}"), INDENT, expand=False))
    console.print()
    table = _table()
    table.add_column("")
    table.add_column("accuracy", justify="right")
    table.add_column("log loss", justify="right")
    table.add_row("model", *_cells(judged.scores["model"]), style="bold")
    if judged.calibrated is not None:
        table.add_row(f"calibrated, temperature {judged.temperature:.3g}", *_cells(judged.scores["calibrated"]))
    table.add_row("class shares (baseline)", *_cells(judged.scores["baseline"]))
    console.print(Padding(table, INDENT, expand=False))
    console.print()
    if len(labels) <= MATRIX_CLASSES:
        _print_matrix(console, judged.confusion_matrix, labels)
    else:
        _print_confusions(console, judged.confusions[:MOST_CONFUSIONS], labels)


def _print_matrix(console: Console, matrix: Array, labels: Sequence[str]) -> None:
    room = (console.width - 28) // len(labels) - 2
    heads = [cut(label, max(room, 3)) for label in labels]
    table = _table()
    table.add_column("true \\ predicted", max_width=22, no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="right", no_wrap=True)
    for k, row in enumerate(matrix):
        cells = (Text(count(mass) if mass else "·", _shade(mass, row.sum(), k == j)) for j, mass in enumerate(row))
        table.add_row(Text(cut(labels[k], 22)), *cells)
    console.print(Padding(table, INDENT, expand=False))


def _print_confusions(console: Console, confusions: Sequence[Confusion], labels: Sequence[str]) -> None:
    if not confusions:
        console.print("  no confusion at all")
        return
    table = _table()
    table.add_column("most frequent confusions", max_width=26, no_wrap=True)
    table.add_column("taken for", max_width=26, no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("of its class", justify="right")
    for true, predicted, mass, share in confusions:
        table.add_row(Text(cut(labels[true], 26)), Text(cut(labels[predicted], 26)), count(mass), f"{share:.0%}")
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


def _cells(measured: Scores) -> tuple[str, str]:
    def cell(score: Score, form: str) -> str:
        return f"{score.value:{form}} ± {score.error:{form}}"

    return cell(measured.accuracy, ".1%"), cell(measured.log_loss, ".4f")


def _shade(mass: float, total: float, right: bool) -> str:
    if not mass:
        return "dim"
    if right:
        return "bold green"
    return "bold red" if mass > 0.1 * total else "red"


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold cyan")


def _quoted(path: Path) -> str:
    text = str(path)
    return f"'{text}'" if " " in text else text
