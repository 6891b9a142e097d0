"""The marks ``luce_gradient`` and ``luce_conforms``: a function under one of them is a test without a body."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Check", "pytest_configure", "pytest_pycollect_makeitem"]

CHECKS = {"luce_gradient": "assert_gradient", "luce_conforms": "assert_conforms"}


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks, for ``--markers`` and ``--strict-markers``."""
    for mark, check in CHECKS.items():
        config.addinivalue_line("markers", f"{mark}(function, **options): a test, luce.check.{check} of the function")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> Check | None:
    """Take a marked function for a test of itself, whatever its parameters are called."""
    marks = list(getattr(obj, "pytestmark", ()))
    if isinstance(obj, pytest.MarkDecorator) and obj.args:  # marked with options, or what can't be marked: a module
        marks, obj = [obj.mark], obj.args[0]
    for mark in marks:
        if mark.name in CHECKS and collector.funcnamefilter(name):
            item: Check = Check.from_parent(collector, name=name, fn=obj, check=CHECKS[mark.name], options=mark.kwargs)
            item.own_markers.extend(marks)
            item.keywords.update({each.name: each for each in marks})
            return item
    return None


class Check(pytest.Item):
    """One function and what has to be true of it."""

    def __init__(
        self,
        name: str,
        parent: pytest.Module | pytest.Class,
        *,
        fn: object,
        check: str,
        options: Mapping[str, object],
    ) -> None:
        super().__init__(name, parent)
        self.fn, self.check, self.options = fn, check, options

    def runtest(self) -> None:
        """Fail with the diagnosis, or with what is not kept."""
        import luce.check

        getattr(luce.check, self.check)(self.fn, **self.options)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> Any:
        """Return the report alone: a traceback would show the checker."""
        return str(excinfo.value).strip() if excinfo.errisinstance(AssertionError) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the file and the line of the function, and the name of the test."""
        code = getattr(self.fn, "__code__", None)
        here = code is not None and Path(code.co_filename) == self.path
        return self.path, code.co_firstlineno - 1 if here and code is not None else None, self.name
