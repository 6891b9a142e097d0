"""The doctor in a process of its own: a file that crashes, exits, hangs or prints is reported, not suffered."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["check_file"]


def check_file(
    path: Path, function: str, *, timeout: float = 60.0, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Run :func:`luce.check.gradient` on a function of a file, in a fresh process.

    Parameters
    ----------
    path : path-like
        The file; it is run as a module, beside its own folder.
    function : str
        The name of the function or class in it.
    timeout : float
        Seconds after which it is stopped.
    options : mapping, optional
        As for :func:`luce.check.gradient`.

    Returns
    -------
    dict
        What :meth:`luce.check.Report.to_dict` gives, with the page under ``"html"`` and the coloured text under
        ``"text"``.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "luce.check.doctor.isolation",
            str(path),
            function,
            str(answer),
            json.dumps(dict(options or {})),
        ]
        columns, modules = shutil.get_terminal_size((100, 24)).columns, os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "COLUMNS": str(columns), "PYTHONPATH": modules}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # probes are small
            environment.setdefault(name, "1")
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return _not_runnable(function, f"still running after {timeout:g} s, stopped (--timeout)")
        if answer.exists():
            return dict(json.loads(answer.read_text("utf-8")))
    code = process.returncode
    last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
    if code < 0:
        reason = f"the process was ended by {signal.Signals(-code).name}"
    else:
        reason = f"the file ended the process with exit code {code}"
    return _not_runnable(function, ": ".join([reason, *last]))


def _not_runnable(function: str, reason: str) -> dict[str, Any]:
    from luce.check.doctor.report import Report

    return _everything(Report(function, "not runnable", reason=reason))


def _everything(report: Any) -> dict[str, Any]:
    return {**report.to_dict(), "exit_code": report.exit_code, "html": report.to_html(), "text": report.to_ansi()}


def _run(path: str, function: str, answer: str, options: str) -> None:
    """The other process: load the file, check the function, write the answer whole."""
    from luce.check.doctor.check_gradient import gradient

    place = Path(path).resolve()
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(place.parent))
    try:
        specification = importlib.util.spec_from_file_location(place.stem, place)
        if specification is None or specification.loader is None:
            raise ImportError("it is no Python file")
        module = importlib.util.module_from_spec(specification)
        sys.modules[place.stem] = module
        specification.loader.exec_module(module)
        fn: Any = module
        for name in function.split("."):
            fn = getattr(_instance(fn, name), name)
    except AttributeError as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename != __file__:
            found = _not_runnable(function, _of_file(error, str(place)))
        else:
            names = [
                n
                for n, value in vars(module).items()
                if callable(value) and getattr(value, "__module__", "") == place.stem
            ]
            found = _not_runnable(
                function, f"{place.name} has no {function}; it has {', '.join(names) or 'no function'}"
            )
    except Exception as error:
        found = _not_runnable(function, _of_file(error, str(place)))
    else:
        found = _everything(gradient(fn, **json.loads(options)))
    Path(answer).write_text(json.dumps(found), "utf-8")


def _instance(owner: Any, name: str) -> Any:
    """An object of the class that has a method of this name, made without arguments or without its constructor."""
    method = inspect.getattr_static(owner, name, None)
    plain = isinstance(owner, type) and inspect.isfunction(method)
    if not plain or next(iter(inspect.signature(method).parameters), "") != "self":
        return owner
    try:
        return owner()
    except TypeError:
        return owner.__new__(owner)


def _of_file(error: Exception, path: str) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
    where = f", line {line}" if line else ""
    return f"importing {Path(path).name} failed{where}: {type(error).__name__}: {' '.join(str(error).split())}"


if __name__ == "__main__":
    _run(*sys.argv[1:])
