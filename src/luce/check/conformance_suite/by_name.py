"""The conformance suite in a process of its own: an implementation by its name is loaded and tried there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from luce.check.calling.isolation import Ended, isolated, serve
from luce.check.conformance_suite.scorecard import Scorecard
from luce.check.conformance_suite.suite import conformance
from luce.printing.data import JSONObject

__all__ = ["CannotConform", "conformance_by_name"]


class CannotConform(Exception):
    """There was nothing to try, or the process ended; the message says why."""


def conformance_by_name(
    target: str, framework: str | None = None, *, only: Sequence[str] = (), timeout: float = 1800.0
) -> Scorecard:
    """Run :func:`luce.check.conformance` on an implementation by its name, in a fresh process.

    Parameters
    ----------
    target : str
        "module:function", "FILE.py:function" or a key of :data:`luce.check.adapters.ADAPTERS`.
    framework, only
        As for :func:`luce.check.conformance`; without ``only`` all checks are run.
    timeout : float
        Seconds after which it is stopped.

    Returns
    -------
    Scorecard

    Raises
    ------
    CannotConform
        For what can't be loaded or called, does not come to an end, or ends the process, and for a check that does not
        exist.
    """
    try:
        answer = isolated(__name__, {"target": target, "framework": framework, "only": list(only)}, timeout=timeout)
    except Ended as error:
        raise CannotConform(str(error)) from error
    if "error" in answer:
        raise CannotConform(answer["error"])
    return Scorecard.from_dict(answer)


def _conform(job: JSONObject) -> JSONObject:
    """Load the implementation and try it: the other process."""
    place = job["target"].rpartition(":")[0]
    if place.endswith(".py"):
        sys.path.insert(0, str(Path(place).resolve().parent))  # as if it were run
    try:
        return conformance(job["target"], job["framework"], only=job["only"] or None).to_dict()
    except (ImportError, ValueError) as error:
        return {"error": str(error)}


if __name__ == "__main__":
    serve(_conform)
