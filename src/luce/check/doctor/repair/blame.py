"""The line to blame where no change is proven: it reads what is right, and with the right value in its place all is.

Each value that a line leaves is replaced, while the function runs, by each right quantity of the derivation. A line is
named only if the function is then right on every probe, so that nothing after it is wrong, and if all that it reads is
known and right, so that nothing before it is.
"""

from __future__ import annotations

import ast
import builtins
import copy
import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np

from luce.check.calling.arrays import Native, to_native, to_numpy
from luce.check.calling.call import Call
from luce.check.calling.callables import as_callable
from luce.check.calling.outputs import Returned
from luce.check.doctor.closeness import Case, is_right
from luce.check.doctor.deadline import Deadline
from luce.check.doctor.examination import Examination
from luce.check.doctor.repair.account import Fault, given_to, is_read
from luce.check.doctor.repair.candidates import record_of
from luce.check.doctor.repair.recognition import quantities_of, recognised
from luce.check.doctor.repair.recording import RETURNED
from luce.check.doctor.repair.source import Edit, Source
from luce.check.doctor.repair.text_places import TextPlaces
from luce.check.inputs.probes import Probe, shared
from luce.derivation.quantities import Array

__all__ = ["blamed"]

SECONDS = 1.0
FORCED = "_luce_right"  # the name under which the code calls for the right value
NEVER = ("z", "u", "y", "m", "x", "W", "b", "v")  # what is given, or as good as that
Factor = tuple[str, float]


def blamed(examination: Examination, fn: object) -> Fault | None:
    """Return the line at which a wrong function goes wrong; None where that can't be shown.

    Parameters
    ----------
    examination : Examination
        Of the function.
    fn : callable
    """
    wrong = [case for case in examination.cases if not is_right(case) and not case.returned.arithmetic]
    if not wrong or examination.behaviours or (wrong[0].returned.derived and not hasattr(fn, "backward")):
        return None  # what a framework differentiates has no lines for its gradient
    with suppress(Exception), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return _Blame(examination, Source(fn), wrong[0]).found(Deadline(SECONDS))
    return None


@dataclass
class _Right:
    """The function that the changed code calls: it is given what a line computed, and returns what it should be."""

    framework: str
    dtype: str
    key: str = ""
    factor: float = 1.0
    values: dict[str, Array] = field(default_factory=dict)
    seen: list[tuple[Array, Array]] = field(default_factory=list)

    def __call__(self, computed: Native, index: Native = None, whole: Native = None) -> Native:
        array = to_numpy(computed)[0]
        quantity = self.factor * self.values[self.key]
        if index is None:
            right = next(q for q in _laid_out(quantity, len(self.seen)) if q.shape == array.shape)
        else:
            shape = to_numpy(whole)[0].shape
            right = np.asarray(next(q for q in _laid_out(quantity, len(self.seen)) if q.shape == shape)[index])
            if right.shape != array.shape:
                raise StopIteration
        self.seen.append((array.astype(np.float64), right))
        if not array.shape and self.framework != "torch":
            return float(right)
        return to_native(right, self.framework, self.dtype)


@dataclass(frozen=True)
class _Forced(Call):
    """A call that tells the right values on which probe they are asked for."""

    right: _Right = field(default_factory=lambda: _Right("numpy", "float64"))

    def _once(self, probe: Probe) -> Returned:
        self.right.values = _values(shared(probe))
        self.right.seen.clear()
        return super()._once(probe)


@dataclass(frozen=True)
class _Line:
    """A statement whose value can be replaced: the edit that does so, what it leaves, and what it computes that of."""

    edit: Edit
    name: str
    reads: ast.AST


class _Blame:
    """The search for the line of one function, on its first wrong case."""

    def __init__(self, examination: Examination, source: Source, case: Case) -> None:
        self.examination, self.source, self.case = examination, source, case
        call = examination.call
        self.right = _Right(call.framework, call.dtype)
        self.call = {f.name: getattr(call, f.name) for f in fields(Call)}
        self.telling = copy.copy(source)
        self.telling.globals = {**source.globals, FORCED: self.right}
        self.record = record_of(source, _Forced(**self._of_copy(None), right=self.right), case)
        self.known = quantities_of(case.probe)

    def found(self, deadline: Deadline) -> Fault | None:
        """Return the first line, in the order of the run, whose right value makes the function right.

        A line that leaves a right quantity, if not the one that is needed, counts where no other does; the last one.
        """
        order = {left.line: place for place, left in reversed([*enumerate(self.record)])}
        lines = [line for line in _lines(self.source) if self.source.line_of(line.edit) in order]
        scaled: Fault | None = None
        for line in sorted(lines, key=lambda line: order[self.source.line_of(line.edit)]):
            seen = self._mended(line, deadline)
            fault = self._fault(line, seen) if seen else None
            if fault is not None and not fault.is_now:
                return fault
            scaled = fault or scaled
        return None if deadline.passed else scaled

    def _mended(self, line: _Line, deadline: Deadline) -> list[tuple[Array, Array]]:
        """Return what a line leaves and should, at each of its turns, if it should be a quantity we know."""
        call = _Forced(**self._of_copy(line.edit), right=self.right)
        for key, factor in self._quantities():
            self.right.key, self.right.factor = key, factor
            if deadline.passed:
                break
            if self._is_right(call, self.case):
                seen = list(self.right.seen)
                if all(self._is_right(call, case) for case in self.examination.cases if case is not self.case):
                    return seen
        return []

    def _of_copy(self, edit: Edit | None) -> dict[str, Any]:
        """Return the parts of the call of a copy."""
        return {**self.call, "fn": as_callable(self.telling.copy(edit)).function}

    def _quantities(self) -> Iterator[tuple[str, float]]:
        """Yield the quantities that a line may be meant to leave, each with a factor."""
        n = len(self.case.probe.logits)
        for factor in (1.0, 1 / n, -1.0, -1 / n, float(n)):
            yield from ((known.key, factor) for known in self.known if known.key not in NEVER)

    def _is_right(self, call: Call, case: Case) -> bool:
        """Return whether a case is right with the right value in its place."""
        with suppress(Exception, StopIteration):
            found = self.examination.case_of(case.probe, call)
            return is_right(found) if found.returned.outputs.keys() == case.returned.outputs.keys() else False
        return False

    def _fault(self, line: _Line, seen: Sequence[tuple[Array, Array]]) -> Fault | None:
        """Return what is said of the line, if all that it reads is right."""
        number = self.source.line_of(line.edit)
        visit = next((k for k, (now, right) in enumerate(seen) if not np.allclose(now, right, rtol=1e-9)), None)
        if visit is None:
            return None
        left = next((k for k, one in enumerate(self.record) if one.line == number and one.visit >= visit), None)
        if left is None or not self._reads_right(line, left):
            return None
        now, right = seen[visit]
        is_now, is_then = recognised(now, self.known), recognised(right, self.known)
        own = [one for one in self.record[:left] if one.function == self.record[left].function]
        return Fault(
            line=number,
            column=self.source.column_of(line.edit),
            was=self.source.lines()[number].strip(),
            given=given_to(line.reads, own, self.known),
            name=line.name,
            computes=now,
            should=right,
            is_now=is_now.said if is_now else "",
            is_then=is_then.said if is_then else "",
            visit=visit,
        )

    def _reads_right(self, line: _Line, place: int) -> bool:
        """Return whether all that a line reads is known and right, and nothing of the same file is called."""
        function = self.record[place].function
        latest = {one.name: one.value for one in self.record[:place] if one.function == function}
        own = {unit.name for unit in self.source.units}
        read = [node for node in ast.walk(line.reads) if is_read(node)]
        names = {node.id for node in read if isinstance(node, ast.Name)}
        bound = {node.id for node in ast.walk(line.reads) if isinstance(node, ast.Name) and not is_read(node)}
        for name in names - {"self", "ctx"} - bound:
            if name in own or (name in latest and not self._is_known(latest[name])):
                return False
            if name not in latest and name not in self.source.globals and not hasattr(builtins, name):
                return False
        held = {ast.unparse(node) for node in read if isinstance(node, ast.Attribute)}
        held = {name for name in held if name.count(".") == 1 and name.startswith(("self.", "ctx."))}
        return all(name in latest and self._is_known(latest[name]) for name in held)

    def _is_known(self, value: Array) -> bool:
        """Return whether a value is a right quantity, a size, a count of rows or classes, or an option."""
        n, v = self.case.probe.logits.shape
        if value.size == 1:
            options = [o for o in self.case.probe.options.values() if isinstance(o, int | float)]
            plain = [0, 1, -1, n, v, 1 / n, 1 / v, *options, *(1 / o for o in options if o)]
            if any(float(value.item()) == one for one in plain):
                return True
            if float(value.item()).is_integer():
                return bool(0 <= value.item() < max(n, v))  # a counter
        given = [np.asarray(o) for o in self.case.probe.options.values() if np.ndim(o)]
        counted = [*given, np.arange(n), np.arange(v), np.arange(n)[:, None], np.zeros((n, v))]
        if not value.any() or any(value.shape == one.shape and np.array_equal(value, one) for one in counted):
            return True
        return recognised(value, self.known) is not None


@lru_cache(maxsize=256)
def _values(probe: Probe) -> dict[str, Array]:
    """Return the right quantities of a probe."""
    return {known.key: known.value for known in quantities_of(probe)}


def _laid_out(value: Array, turn: int) -> Iterator[Array]:
    """Yield a quantity in the forms in which a line may hold it; in a loop over the rows, the row of the turn."""
    yield value
    if value.ndim == 1:
        yield from (value[:, None], value[None, :])
    if value.ndim == 2:
        yield from (value.T, value.ravel())
    if value.ndim and turn < len(value):
        row = np.asarray(value[turn])
        yield row
        if row.ndim == 1:
            yield from (row[:, None], row[None, :])


def _lines(source: Source) -> Iterator[_Line]:
    """Yield the statements of a source whose value can be replaced."""
    for place, unit in enumerate(source.units):
        places = TextPlaces(unit.text)
        for node in ast.walk(ast.parse(unit.text)):
            yield from _of_statement(node, place, places)


def _of_statement(node: ast.AST, place: int, places: TextPlaces) -> Iterator[_Line]:
    """Yield a statement once for each of its values."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, span = node.targets[0], places.span(node.value)
        words, name = places.words(node.value), places.words(target)
        if isinstance(target, ast.Name | ast.Attribute):
            yield _Line(Edit(place, *span, f"{FORCED}({words})"), name, node.value)
        elif isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            index, whole = places.words(target.slice), places.words(target.value)
            if ":" not in index:
                yield _Line(
                    Edit(place, *span, f"{FORCED}({words}, ({index}), {whole})"),
                    name,
                    ast.Tuple([node.value, target.slice], ast.Load()),
                )
    if isinstance(node, ast.AugAssign):
        whole_of = node.target.value if isinstance(node.target, ast.Subscript) else node.target
        if isinstance(whole_of, ast.Name | ast.Attribute):
            end, name = places.span(node)[1], places.words(whole_of)
            start = places.span(node)[0]
            yield _Line(Edit(place, start, end, f"{places.words(node)}; {name} = {FORCED}({name})"), name, node)
    if isinstance(node, ast.Return) and node.value is not None:
        parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for number, part in enumerate(parts):
            name = RETURNED + (f" ({number})" if len(parts) > 1 else "")
            yield _Line(Edit(place, *places.span(part), f"{FORCED}({places.words(part)})"), name, part)
