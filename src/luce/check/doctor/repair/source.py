"""The source of somebody's function, and copies made of a changed text; the file itself is never touched."""

from __future__ import annotations

import ast
import copy
import inspect
import linecache
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Edit", "Source", "Unit", "file_of"]


@dataclass(frozen=True)
class Edit:
    """A piece of a unit's text and what stands there instead.

    Attributes
    ----------
    unit : int
        The place of the unit in :attr:`Source.units`.
    start, end : int
        Where the piece begins and ends, in characters of the unit's text.
    new : str
    cost : float
        How unlikely the change is; the smallest is tried first.
    """

    unit: int
    start: int
    end: int
    new: str
    cost: float = 1.0


@dataclass(frozen=True)
class Unit:
    """A function or class of the file: its text without the indentation of its surroundings.

    Attributes
    ----------
    name : str
    text : str
    first_line : int
        The line of the file that the text begins with, counted from 1.
    indent : int
        The columns that were taken off.
    """

    name: str
    text: str
    first_line: int
    indent: int

    def changed(self, edit: Edit) -> str:
        """Return the text after an edit."""
        return self.text[: edit.start] + edit.new + self.text[edit.end :]

    def compiled(self, text: str, file: str) -> CodeType:
        """Compile a text of the unit, its lines numbered as in the file."""
        return compile("\n" * (self.first_line - 1) + text, file, "exec", dont_inherit=True)


class Source:
    """The functions and classes that a function's file defines, or the function alone where it stands within another.

    Parameters
    ----------
    fn : function, class or torch.nn.Module

    Raises
    ------
    OSError, TypeError, SyntaxError
        Where there is no source to read.
    """

    def __init__(self, fn: Any) -> None:
        self.object = fn
        named = fn if inspect.isroutine(fn) or isinstance(fn, type) else type(fn)
        self.named = inspect.unwrap(named) if inspect.isroutine(named) else named
        self.name = self.named.__qualname__.rpartition("<locals>.")[2].partition(".")[0]
        function = _function_of(self.named)
        self.file = function.__code__.co_filename
        within = "<locals>" in self.named.__qualname__
        self.units = tuple(self._alone() if within else self._of_file())
        self.globals = _surroundings(function)
        self._codes = [unit.compiled(unit.text, self.file) for unit in self.units]

    def _alone(self) -> Iterator[Unit]:
        lines, first = inspect.getsourcelines(self.named)
        text = "".join(lines)
        dedented = textwrap.dedent(text)
        yield Unit(self.name, dedented, max(first, 1), len(text.split("\n")[0]) - len(dedented.split("\n")[0]))

    def _of_file(self) -> Iterator[Unit]:
        lines = linecache.getlines(self.file)
        if not lines:
            raise OSError(f"{self.file} can't be read")
        for node in ast.parse("".join(lines)).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                yield Unit(node.name, "".join(lines[first - 1 : node.end_lineno]), first, 0)

    def copy(self, edit: Edit | None = None) -> Any:
        """Return a copy of the function, made of its text after an edit.

        Raises
        ------
        SyntaxError
            If the changed text can't be compiled.
        """
        space = dict(self.globals)
        for place, unit in enumerate(self.units):
            changed = edit is not None and edit.unit == place
            exec(unit.compiled(unit.changed(edit), self.file) if edit and changed else self._codes[place], space)
        found = space[self.name]
        for part in self.named.__qualname__.rpartition("<locals>.")[2].split(".")[1:]:
            found = getattr(found, part)
        if inspect.isroutine(self.object) or isinstance(self.object, type):
            return found
        instance = copy.copy(self.object)
        instance.__class__ = found
        return instance

    def after(self, edit: Edit) -> Source:
        """Return the source in which an edit has been made."""
        changed = copy.copy(self)
        units = list(self.units)
        units[edit.unit] = replace(units[edit.unit], text=units[edit.unit].changed(edit))
        changed.units = tuple(units)
        changed._codes = [unit.compiled(unit.text, self.file) for unit in units]
        return changed

    def line_of(self, edit: Edit) -> int:
        """Return the line of the file that an edit begins in."""
        unit = self.units[edit.unit]
        return unit.first_line + unit.text.count("\n", 0, edit.start)

    def column_of(self, edit: Edit) -> int:
        """Return the column of the file that an edit begins at, counted from 1."""
        unit = self.units[edit.unit]
        return edit.start - (unit.text.rfind("\n", 0, edit.start) + 1) + unit.indent + 1

    def lines(self) -> dict[int, str]:
        """Return the lines of the units by their numbers in the file."""
        return {
            unit.first_line + k: " " * unit.indent + line if line else line
            for unit in self.units
            for k, line in enumerate(unit.text.splitlines())
        }


def file_of(fn: Any) -> str:
    """Return the file of a function, a class or an object, as its code names it."""
    named = fn if inspect.isroutine(fn) or isinstance(fn, type) else type(fn)
    return _function_of(inspect.unwrap(named) if inspect.isroutine(named) else named).__code__.co_filename


def _function_of(named: Any) -> FunctionType:
    """Return a function, or the first method of a class, be it static."""
    members = [named] if inspect.isfunction(named) else [getattr(f, "__func__", f) for f in vars(named).values()]
    found = [member for member in members if inspect.isfunction(member)]
    if not found:
        raise TypeError("no function of Python's")
    return found[0]


def _surroundings(function: FunctionType) -> dict[str, Any]:
    """Return what a function sees: the names of its module, and those of the function around it."""
    around = inspect.getclosurevars(function).nonlocals if function.__code__.co_freevars else {}
    return {**function.__globals__, **around}
