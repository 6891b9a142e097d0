"""The account of a repair: the line that is wrong, what it reads, what it computes and what it should."""

from __future__ import annotations

import ast
import difflib
import io
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, replace

import numpy as np

from luce.check.calling.call import Call
from luce.check.calling.callables import as_callable
from luce.check.doctor.closeness import Case, is_right
from luce.check.doctor.examination import Examination
from luce.check.doctor.repair.candidates import record_of
from luce.check.doctor.repair.proof import Proven
from luce.check.doctor.repair.recognition import Known, quantities_of, recognised
from luce.check.doctor.repair.recording import Left
from luce.check.doctor.repair.source import Source
from luce.check.inputs.probes import SMALLEST
from luce.derivation.quantities import Array

__all__ = ["Fault", "Repair", "given_to", "is_read", "repairs_of"]

SAME = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class Fault:
    """A line that is wrong.

    Attributes
    ----------
    line, column : int
        Where it is in the file, counted from 1; of a change, where that begins.
    was : str
        The line as it is.
    given : tuple of (str, str)
        The names that the line reads, with what they hold, as far as that is known: ``("probs", "p, the softmax")``.
    name : str
        What the line computes.
    computes, should : ndarray or None
        Its value in one of the smallest cases, as it is and as it is right.
    is_now, is_then : str
        Which quantities of the derivation these are, in words; empty where they are none.
    visit : int
        The turn of the loop in which it first goes wrong, counted from 0.
    """

    line: int
    column: int
    was: str
    given: tuple[tuple[str, str], ...] = ()
    name: str = ""
    computes: Array | None = None
    should: Array | None = None
    is_now: str = ""
    is_then: str = ""
    visit: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Repair(Fault):
    """A change of one line with which the function is right, or right up to the next change: it has been tried.

    Attributes
    ----------
    becomes : str
        The line as it should be.
    proven : bool
        Whether the function with this change, and those before it, was found right by the whole examination.
    """

    becomes: str
    proven: bool = True


def repairs_of(proven: Proven, examination: Examination) -> tuple[tuple[Repair, ...], str]:
    """Return the repairs of a function, one for each line that changes, and the difference as a unified diff."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return _repairs_of(proven, examination)


def _repairs_of(proven: Proven, examination: Examination) -> tuple[tuple[Repair, ...], str]:
    repairs = []
    stages = (*proven.sources, proven.after)
    for edit, before, after in zip(proven.edits, stages[:-1], stages[1:], strict=True):
        line = before.line_of(edit)
        was, becomes = before.lines()[line], after.lines().get(line, "")
        found = Repair(line=line, column=before.column_of(edit), was=was.strip(), becomes=becomes.strip())
        repairs.append(_with_numbers(found, before, after, examination))
    merged = {repair.line: repair for repair in reversed(repairs)}
    old, new = proven.before.lines(), proven.after.lines()
    diff = difflib.unified_diff(
        [old[k] for k in sorted(old)], [new[k] for k in sorted(new)], "as it is", "as it is right", n=0, lineterm=""
    )
    ordered = sorted(merged.values(), key=lambda repair: repair.line)
    return tuple(replace(r, becomes=new[r.line].strip()) for r in ordered), "\n".join(diff)


def _with_numbers(repair: Repair, before: Source, after: Source, examination: Examination) -> Repair:
    """Return the repair with the first value that differs between the runs of both texts."""
    case = _smallest(examination)
    call = examination.call
    now, then = (record_of(source, _copied(call, source), case) for source in (before, after))
    known = quantities_of(case.probe)
    later = {(left.function, left.line, left.name, left.visit): left for left in then}
    for place, left in enumerate(now):
        other = later.get((left.function, left.line, left.name, left.visit))
        if other is not None and _close(left.value, other.value):
            continue
        own = [one for one in now[:place] if one.function == left.function]
        is_now = recognised(left.value, known)
        is_then = recognised(other.value, known) if other else None
        return replace(
            repair,
            given=given_to(statement, own, known) if (statement := _statement(before, left.line)) else (),
            name=left.name,
            computes=left.value,
            should=other.value if other else None,
            is_now=is_now.said if is_now else "",
            is_then=is_then.said if is_then else "",
            visit=left.visit,
        )
    return repair


def _smallest(examination: Examination) -> Case:
    """Return the smallest wrong case that the function takes, in the examination's way of calling it."""
    wrong = [case for case in examination.cases if not is_right(case)] or examination.cases
    with suppress(Exception):
        if examination.call.task != "layer" and examination.sizes == (None, None):
            smallest = examination.case_of(SMALLEST)
            if not is_right(smallest):
                return smallest
    return min(wrong, key=lambda case: case.probe.logits.size)


def _copied(call: Call, source: Source) -> Call:
    """Return the call of a copy of a text."""
    return replace(call, fn=as_callable(source.copy()).function)


def _close(one: Array, other: Array) -> bool:
    """Return whether two recorded values are the same numbers."""
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-9, atol=SAME, equal_nan=True)


def given_to(statement: ast.AST, own: Sequence[Left], known: list[Known]) -> tuple[tuple[str, str], ...]:
    """Return the names that a statement reads and what they hold, as far as that is known from the record before it."""
    latest = {one.name: one.value for one in own}
    names = [ast.unparse(node) for node in ast.walk(statement) if is_read(node)]
    found = []
    for name in dict.fromkeys(names):
        if name in latest and (recognition := recognised(latest[name], known)) is not None:
            found.append((name, recognition.said))
    return tuple(found)


def is_read(node: ast.AST) -> bool:
    """Return whether a node is a variable or an attribute that is read."""
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


def _statement(source: Source, line: int) -> ast.stmt | None:
    """Return the innermost statement that begins at a line of the file."""
    for unit in source.units:
        for node in ast.walk(ast.parse(unit.text)):
            if isinstance(node, ast.stmt) and node.lineno + unit.first_line - 1 == line and not hasattr(node, "body"):
                return node
    return None
