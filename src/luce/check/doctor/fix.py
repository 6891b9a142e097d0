"""The proven changes written into somebody's file: whole or not at all, with the file as it was beside it."""

from __future__ import annotations

import difflib
import io
import shutil
import tokenize
from pathlib import Path

from luce.printing.data import JSONObject
from luce.whole_file import whole_file

__all__ = ["write_fix"]


class _Refused(Exception):
    """Nothing was written; the message says why."""


def write_fix(file: Path, before: bytes, report: JSONObject) -> JSONObject:
    r"""Write the changes that a report proves into the file; its encoding, ends of lines and permissions stay.

    Parameters
    ----------
    file : Path
    before : bytes
        What the file held before it was checked.
    report : dict
        What :meth:`luce.check.Report.to_dict` gives: its ``verdict``, ``file`` and ``repairs``.

    Returns
    -------
    dict
        ``written``: whether something was; if so, ``backup``, where the file is kept as it was, and ``diff``, the
        difference as a unified diff; else the ``reason``.

    Raises
    ------
    OSError
        If it can't be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from luce.check.doctor.fix import write_fix
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "mine.py")
    ...     size = file.write_bytes(b"def f(x):\r\n    return -x\r\n")
    ...     repairs = [{"line": 2, "was": "return -x", "becomes": "return x"}]
    ...     found = write_fix(file, file.read_bytes(), {"verdict": "wrong", "file": str(file), "repairs": repairs})
    ...     file.read_bytes(), pathlib.Path(found["backup"]).name
    (b'def f(x):\r\n    return x\r\n', 'mine.py.bak')
    """
    try:
        _check(file, report)
        encoding, old, new = _changed(before, report)
        after = "".join(new).encode(encoding)
        if file.read_bytes() != before:
            raise _Refused(f"{file.name} has changed since it was checked")
    except (_Refused, UnicodeError) as error:
        return {"written": False, "reason": str(error)}
    backup = _kept(file, before)
    with whole_file(file) as draft:
        shutil.copymode(file, draft.name)
        draft.write(after)
    was, is_now = ([line.rstrip("\r\n") for line in text] for text in (old, new))
    diff = difflib.unified_diff(was, is_now, str(backup), str(file), lineterm="")
    return {"written": True, "backup": str(backup), "diff": "\n".join(diff)}


def _check(file: Path, report: JSONObject) -> None:
    """Raise `_Refused` where a report proves no change of this file."""
    if report["verdict"] == "correct":
        raise _Refused("there is nothing wrong to change")
    if not report["repairs"]:
        raise _Refused("no change was found with which the function is right")
    if Path(report["file"]).resolve() != file.resolve():
        raise _Refused(f"the lines to change are in another file, {report['file']}")


def _changed(before: bytes, report: JSONObject) -> tuple[str, list[str], list[str]]:
    """Return the encoding of a file, its lines, and its lines after the changes."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
    old = list(io.StringIO(before.decode(encoding), newline=""))
    new = old.copy()
    for repair in report["repairs"]:
        line, was = repair["line"], repair["was"]
        if not 1 <= line <= len(old) or old[line - 1].strip() != was:
            raise _Refused(f"line {line} is not {was!r}, as it was when the function was run")
        new[line - 1] = old[line - 1].replace(was, repair["becomes"])
    return encoding, old, new


def _kept(file: Path, held: bytes) -> Path:
    """Write what a file held beside it, under a name that is free, and return where."""
    number = 1
    while True:
        backup = file.with_name(f"{file.name}.bak{number if number > 1 else ''}")
        try:
            with open(backup, "xb") as kept:
                shutil.copymode(file, backup)
                kept.write(held)
            return backup
        except FileExistsError:
            number += 1
