"""A process of its own for somebody's code, which may crash, exit, hang or print there; the parent reports it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from luce.printing.data import JSONObject

__all__ = ["Ended", "isolated", "serve"]


class Ended(Exception):
    """The process ended without an answer; the message says why."""


def isolated(worker: str, job: JSONObject, *, timeout: float) -> JSONObject:
    """Let a worker do its job in a process of its own, and return its answer.

    Parameters
    ----------
    worker : str
        The name of a module that calls :func:`serve` when it is run.
    job : dict
        What :func:`serve` hands to the worker's function.
    timeout : float
        Seconds after which the process is stopped.

    Returns
    -------
    dict
        What the worker's function returned.

    Raises
    ------
    Ended
        When the process was stopped, crashed or left.
    """
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "job.json", Path(folder) / "answer.json"
        question.write_text(json.dumps(job), "utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", worker, str(question), str(answer)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, errors = process.communicate(timeout=timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Ended(f"still running after {timeout:g} s, stopped (--timeout)") from None
            raise
        if answer.exists():
            return dict(json.loads(answer.read_text("utf-8")))
    raise Ended(_why(process.returncode, errors))


def serve(work: Callable[[JSONObject], JSONObject]) -> None:
    """Be the worker: read the job, do it, and write the answer whole.

    The files to read and to write are the process's arguments. What the work prints is not seen.
    """
    question, answer = map(Path, sys.argv[1:])
    sys.dont_write_bytecode = True  # nothing is left beside somebody's files
    found = json.dumps(work(json.loads(question.read_text("utf-8"))))
    unfinished = answer.with_suffix(".unfinished")
    unfinished.write_text(found, "utf-8")
    unfinished.replace(answer)


def _environment() -> dict[str, str]:
    """Return the environment of the process: the same modules and width of the terminal, and one thread in a BLAS."""
    columns, modules = shutil.get_terminal_size((100, 24)).columns, os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "COLUMNS": str(columns), "PYTHONPATH": modules}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # the inputs are small
        environment.setdefault(name, "1")
    return environment


def _why(code: int, errors: bytes) -> str:
    """Return why a process ended, with the last line that it wrote."""
    last = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
    if code < 0:
        return ": ".join([f"the process was ended by {signal.Signals(-code).name}", *last])
    return ": ".join([f"the file ended the process with exit code {code}", *last])
