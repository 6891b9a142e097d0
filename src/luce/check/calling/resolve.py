"""A function by its name: of a module, or of a file that is run for it."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

from luce.check.calling.notebook import code_of_notebook

__all__ = ["FILES", "FileError", "load_file", "member", "resolve"]

FILES = (".py", ".ipynb")
"""How the names of files end that functions are loaded from."""


class FileError(ValueError):
    """A file that can't be run: where, and why.

    Attributes
    ----------
    file : Path
    line : int or None
    cause : str
        The exception in words.
    """

    def __init__(self, file: Path, line: int | None, error: BaseException) -> None:
        self.file, self.line = file, line
        self.cause = f"{type(error).__name__}: {' '.join(str(error).split())}"
        super().__init__(f"{file}{f', line {line}' if line else ''}: {self.cause}")


def resolve(target: str) -> Any:
    """Return what a text names.

    Parameters
    ----------
    target : str
        "module:function", "FILE.py:function" or "FILE.ipynb:function", where the function may be a method,
        "FILE.py:Network.loss"; the object of a method is made without arguments, or without its constructor.

    Returns
    -------
    function, class or whatever has that name

    Raises
    ------
    ValueError
        For a text of another form, for a file that is not there or can't be run (:class:`FileError`), and for a name
        that module or file does not have.
    ImportError
        For a module that can't be imported.

    Examples
    --------
    >>> resolve("luce:cross_entropy").__name__
    'cross_entropy'
    """
    place, _, names = target.rpartition(":")
    if not place or not names:
        known = "a key of luce.check.adapters.ADAPTERS"
        raise ValueError(f"{target!r}: expected module:function, FILE.py:function, or {known}")
    in_file = place.endswith(FILES)
    module = load_file(Path(place)) if in_file else importlib.import_module(place)
    try:
        return member(module, names)
    except AttributeError as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename != __file__:
            raise FileError(*_line_of(error, Path(place)), error) from error  # of a property or a constructor
        known = _others(module, names, in_file)
        raise ValueError(f"{Path(place).name if in_file else place} has no {names}{known}") from error


def load_file(file: Path) -> types.ModuleType:
    """Run a file as a module, under a name that no other module has; its folder can be imported from.

    Of a notebook the definitions alone are run (:mod:`luce.check.calling.notebook`).

    Raises
    ------
    ValueError
        For a file that is not there, and one that can't be run (:class:`FileError`).
    """
    if not file.is_file():
        raise ValueError(f"{file}: no such file")
    place = file.resolve()
    module = types.ModuleType(f"{file.stem} of luce check")
    module.__file__ = str(place)
    sys.modules[module.__name__] = module
    if str(place.parent) not in sys.path:
        sys.path.append(str(place.parent))
    try:
        if file.suffix == ".ipynb":
            for code in code_of_notebook(file):
                with suppress(Exception):  # of what is left out, or of data that is elsewhere
                    exec(code, vars(module))
        else:
            exec(compile(file.read_bytes(), str(place), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise FileError(*_line_of(error, file), error) from error
    return module


def member(owner: object, names: str) -> Any:
    """Return a member by its dotted name; a method is that of an object of its class.

    Raises
    ------
    AttributeError
        When there is none.

    Examples
    --------
    >>> member(str, "upper")
    <method 'upper' of 'str' objects>
    """
    for name in names.split("."):
        owner = getattr(_instance(owner, name), name)
    return owner


def _others(module: types.ModuleType, name: str, in_file: bool) -> str:
    """Return what there is instead: the functions and classes of a file, or the like names of a module."""
    if not in_file:
        close = difflib.get_close_matches(name, dir(module), n=1)
        return f"; did you mean {close[0]}?" if close else ""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return f"; it has {', '.join(name for name in own if callable(getattr(module, name))) or 'no function'}"


def _instance(owner: object, name: str) -> object:
    """Return an object of the class that has a method of this name, made without arguments or without constructor."""
    method = inspect.getattr_static(owner, name, None)
    if (
        not (isinstance(owner, type) and inspect.isfunction(method))
        or next(iter(inspect.signature(method).parameters), "") != "self"
    ):
        return owner
    try:
        return owner()
    except TypeError:
        kind: type[object] = owner
        return kind.__new__(kind)


def _line_of(error: BaseException, file: Path) -> tuple[Path, int | None]:
    """Return the file and the last line of it that an exception passed through."""
    place = str(file.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    return file, lines[-1] if lines else getattr(error, "lineno", None)
