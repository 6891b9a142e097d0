"""The record of a run: what each line of somebody's code leaves in its variables, and what is returned."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from luce.check.calling.arrays import to_numpy
from luce.derivation.quantities import Array

__all__ = ["RETURNED", "Left", "recorded"]

MOST_EVENTS = 4000
MOST_ENTRIES = 4096
RETURNED = "what it returns"


@dataclass(frozen=True, eq=False)
class Left:
    """A value that a line has left behind, or that a function was given: that is left by its first line.

    Attributes
    ----------
    line : int
        Of the file.
    function : str
        The name of the function that the line is in.
    name : str
        Of the variable, with ``self.`` before it for an attribute, or :data:`RETURNED`.
    value : ndarray
    visit : int
        How often the line was run before in this call of the function.
    """

    line: int
    function: str
    name: str
    value: Array
    visit: int


def recorded(run: Callable[[], object], files: Sequence[str]) -> list[Left]:
    """Run something and return what the lines of some files left, in their order; its exceptions are swallowed.

    Parameters
    ----------
    run : callable
    files : sequence of str
        The files whose lines are recorded, as code objects name them.

    Returns
    -------
    list of Left
        At most 4000 values of at most 4096 numbers each.
    """
    recorder = _Recorder(frozenset(files))
    before = sys.gettrace()
    sys.settrace(recorder.enter)
    try:
        run()
    except Exception:
        pass
    finally:
        sys.settrace(before)
    return recorder.found


class _Recorder:
    """The functions that Python calls at each line."""

    def __init__(self, files: frozenset[str]) -> None:
        self.files, self.found = files, list[Left]()
        self.known: dict[int, tuple[int, dict[str, Array], dict[int, int]]] = {}

    def enter(self, frame: FrameType, event: str, argument: object) -> Any:
        """Begin with a function of these files."""
        if frame.f_code.co_filename not in self.files or frame.f_code.co_name == "<module>":
            return None
        given = _numbers_of(frame)
        self.known[id(frame)] = (frame.f_lineno, given, {})
        name, line = _name_of(frame), frame.f_code.co_firstlineno
        self.found += [Left(line, name, key, value, 0) for key, value in given.items()]
        return self.step

    def step(self, frame: FrameType, event: str, argument: object) -> Any:
        """Note what the line before has changed."""
        if len(self.found) >= MOST_EVENTS or id(frame) not in self.known:
            return None
        if event not in ("line", "return"):
            return self.step
        line, before, visits = self.known[id(frame)]
        now = _numbers_of(frame)
        name = _name_of(frame)
        visit = visits.get(line, 0)
        for key, value in now.items():
            if key not in before or not _same(before[key], value):
                self.found.append(Left(line, name, key, value, visit))
        if event == "return":
            for place, part in _parts(argument):
                self.found.append(Left(frame.f_lineno, name, RETURNED + place, part, 0))
            del self.known[id(frame)]
            return None
        visits[line] = visit + 1
        self.known[id(frame)] = (frame.f_lineno, now, visits)
        return self.step


def _name_of(frame: FrameType) -> str:
    """Return the name of a function, that of its class before it where Python tells."""
    return frame.f_code.co_qualname if sys.version_info >= (3, 11) else frame.f_code.co_name


def _numbers_of(frame: FrameType) -> dict[str, Array]:
    """Return copies of the numbers that a function sees: its variables, and the attributes of its object."""
    found: dict[str, Array] = {}
    for name, value in frame.f_locals.items():
        if name in ("self", "ctx") and hasattr(value, "__dict__"):
            for attribute, inner in vars(value).items():
                _put(found, f"{name}.{attribute}", inner)
        _put(found, name, value)
    return found


def _put(found: dict[str, Array], name: str, value: object) -> None:
    """Enter a value, or the values of a dictionary, if they are numbers."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str):
                _put(found, f"{name}[{key!r}]", inner)
        return
    array = _as_array(value)
    if array is not None:
        found[name] = array


def _as_array(value: object) -> Array | None:
    """Return numbers as an array of their own, None for anything else or for too many of them."""
    if isinstance(value, bool | str | bytes) or value is None or callable(value):
        return None
    try:
        if hasattr(value, "detach"):
            value = value.detach()
        array = to_numpy(value)[0]
        if array.dtype.kind not in "iufb" or array.size > MOST_ENTRIES:
            return None
        return np.array(array, dtype=np.float64)
    except Exception:
        return None


def _parts(value: object) -> list[tuple[str, Array]]:
    """Return the numbers of what is returned, with their places."""
    if isinstance(value, tuple | list) and not all(isinstance(part, int | float) for part in value):
        found = [(f" ({k})", _as_array(part)) for k, part in enumerate(value)]
    elif isinstance(value, Mapping):
        found = [(f" ({key})", _as_array(part)) for key, part in value.items()]
    else:
        found = [("", _as_array(value))]
    return [(place, part) for place, part in found if part is not None]


def _same(one: Array, other: Array) -> bool:
    """Return whether two arrays hold the same numbers."""
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)
