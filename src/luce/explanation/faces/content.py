"""What every face says alike: the heading, the cells of tables, and values that the numbers do not show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from luce.explanation.parts.writing import elided, matrix, row
from luce.explanation.shown import SLOT, Shown, Slot, n, shown, slot_at

if TYPE_CHECKING:
    from luce.explanation.step import Step, Table
    from luce.explanation.steps import Steps

__all__ = [
    "cell",
    "given_words",
    "is_number",
    "left_out_words",
    "size_words",
    "tables_shown",
    "title_words",
    "value_numbers",
]

TITLE = "The softmax cross-entropy and its derivatives"
MOST_NAMES = 4  # of what an option holds


def title_words(derivation: Steps) -> str:
    """Return the heading."""
    source = derivation.case.source
    return f"{TITLE}: {source}" if source else TITLE


def given_words(derivation: Steps) -> str:
    """Return in a line what is explained: the sizes, the target and the options that were said."""
    case = derivation.case
    words = [f"{len(case.scores)} rows, row {case.row} (from 0)" if case.batch else "one row"]
    words.append(f"{case.n_classes} classes" if case.n_classes != 1 else "one class")
    if case.n_features:
        words.append(f"{case.n_features} features" if case.n_features != 1 else "one feature")
    words.append(_target(derivation))
    words += [f"{name} = {_option(derivation, value)}" for name, value in case.options.items()]
    return ", ".join((words[0][:1].upper() + words[0][1:], *words[1:]))


def left_out_words(derivation: Steps) -> str:
    """Return in a line which options are not used, whose steps are left out; nothing where all are."""
    names = ", ".join(derivation.unused)
    return f"Not used, and their steps left out: {names}." if names else ""


def value_numbers(derivation: Steps, step: Step) -> str:
    """Return a step's whole value in LaTeX, elided where it is large; nothing if its numbers show that already."""
    shape = step.shape
    if len(shape) > 2 or 0 in shape:
        return ""
    said = {slot_at(found[2]) for found in SLOT.finditer(step.template)}
    said |= {place for table in step.tables for line in table.rows for place in line if isinstance(place, Slot)}
    told = derivation.case.told if shape == (derivation.case.n_classes,) else ()
    places: list[tuple[int, ...]] = [()]
    for size in shape:
        places = [(*place, k) for place in places for k in elided(size, keep=told) if k is not None]
    if all(Slot(step.name, place) in said for place in places):
        return ""
    if len(shape) == 2:
        template = matrix(step.name, *shape)
    else:
        template = row(shape[0], lambda k: n(step.name, k), told) if shape else n(step.name)
    return derivation.fill(rf"{step.symbol} \eq {template}")


def tables_shown(step: Step) -> Iterator[Table]:
    """Yield the tables of a step as faces without room to scroll have them: long ones cut, and it said."""
    for table in step.tables:
        left_out = 0 if table.most is None else max(len(table.rows) - table.most, 0)
        if not left_out:
            yield table
        elif table.most:
            words = f"{table.caption} The first {table.most} of {len(table.rows)}; the page has all."
            yield replace(table, caption=words, rows=table.rows[: table.most])


def size_words(step: Step) -> str:
    """Return the axes of a step's value and their sizes, "T×T = 3×3"; nothing for a number."""
    sizes = iter(step.shape)
    known = [axis if axis.isdigit() else str(next(sizes, 1)) for axis in step.axes]
    symbols, sizes_said = "×".join(step.axes), "×".join(known)
    return sizes_said if symbols == sizes_said else f"{symbols} = {sizes_said}"


def cell(derivation: Steps, content: str | Slot) -> Shown:
    """Return a cell of a table as a number is shown."""
    return derivation.shown(content) if isinstance(content, Slot) else Shown(content, content, False)


def is_number(table: Table, column: int) -> bool:
    """Return whether a column of a table holds numbers."""
    return any(isinstance(line[column], Slot) for line in table.rows)


def _target(derivation: Steps) -> str:
    """Say what the target of the row is."""
    case = derivation.case
    if not case.given.counted[case.row]:
        return "no target, as the row is ignored"
    if case.of_class is None:
        return "a distribution as target"
    name = case.classes[case.of_class]
    place = f"class {case.of_class}"
    guessed = ", the predicted one, as no label was given" if case.predicted else ""
    return f"target: {place if name == place else f'{place} ({name})'}{guessed}"


def _option(derivation: Steps, value: object) -> str:
    """Return what an option is, as text."""
    from luce.explanation.quantities import exact

    if value is None or isinstance(value, str):
        return str(value)
    numbers = [shown(x, derivation.digits).text for x in exact(value).ravel()[: MOST_NAMES + 1]]
    if len(numbers) > MOST_NAMES:
        numbers[-1] = "…"
    return numbers[0] if not _several(value) else f"({', '.join(numbers)})"


def _several(value: object) -> bool:
    return bool(getattr(value, "ndim", isinstance(value, list | tuple)))
