"""The doctor in a process of its own: a function by its name is loaded and checked there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from luce.check.calling.choice import chosen
from luce.check.calling.isolation import Ended, isolated, serve
from luce.check.calling.resolve import FILES, FileError, load_file, member, resolve
from luce.check.doctor.check_gradient import gradient
from luce.check.doctor.report import Report
from luce.derivation.quantities import OptionValue
from luce.printing.data import JSONObject

__all__ = ["check_by_name"]


def check_by_name(
    target: str, *, timeout: float = 60.0, options: Mapping[str, OptionValue] | None = None
) -> JSONObject:
    """Run :func:`luce.check.gradient` on a function by its name, in a fresh process.

    Parameters
    ----------
    target : str
        As for :func:`luce.check.calling.resolve.resolve`; a file is run beside its own folder. After ``FILE.py:`` no
        name is needed: what looks most like a softmax cross-entropy is checked, and the report says which that is.
    timeout : float
        Seconds after which it is stopped.
    options : mapping, optional
        As for :func:`luce.check.gradient`.

    Returns
    -------
    dict
        What :meth:`luce.check.Report.to_dict` gives, with the page under ``"html"``, the coloured text under
        ``"text"`` and the exit code under ``"exit_code"``.

    Raises
    ------
    ValueError
        When an option has no such value.
    """
    try:
        answer = isolated(__name__, {"target": target, "options": dict(options or {})}, timeout=timeout)
    except Ended as error:
        return _all_forms(_not_runnable(target, str(error)))
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def _check(job: JSONObject) -> JSONObject:
    """Load the function and check it: the other process."""
    target, note = job["target"], ""
    place, _, name = target.rpartition(":")
    if place.endswith(FILES):
        sys.path.insert(0, str(Path(place).resolve().parent))  # as if it were run
    try:
        if name:
            fn = resolve(target)
        else:
            module = load_file(Path(place))
            name = chosen(module)
            fn = member(module, name)
            note = f"{name} is what looks like one here; {Path(place).name}:NAME checks another"
    except FileError as error:
        if isinstance(error.__cause__, SystemExit):
            raise error.__cause__ from None
        line = f", line {error.line}" if error.line else ""
        return _all_forms(_not_runnable(name, f"importing {error.file.name} failed{line}: {error.cause}"))
    except (ImportError, ValueError) as error:
        return _all_forms(_not_runnable(name or Path(place).name, str(error)))
    try:
        report = gradient(fn, **job["options"])
    except ValueError as error:  # of an option: the function's own exceptions are in the report
        return {"error": str(error)}
    return _all_forms(replace(report, notes=(*report.notes, note)) if note else report)


def _not_runnable(target: str, reason: str) -> Report:
    return Report(target.rpartition(":")[2], "not runnable", reason=reason)


def _all_forms(report: Report) -> JSONObject:
    return {**report.to_dict(), "exit_code": report.exit_code, "html": report.to_html(), "text": report.to_ansi()}


if __name__ == "__main__":
    serve(_check)
