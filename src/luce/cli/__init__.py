"""The command line: `luce fit`, `predict`, `check`, `conform`, `show-config`; its door is light."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

EXTRA = {
    "typer",
    "rich",
    "polars",
    "sklearn",
    "scipy",
    "threadpoolctl",
    "jinja2",
    "markupsafe",
    "mpmath",
    "pylatexenc",
    "latex2mathml",
}  # what "luce[cli]" brings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for what the user can put right, 1 when interrupted.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``luce``; by default those of the process.

    Returns
    -------
    int
    """
    try:
        from luce.cli.app import run

        return run(list(sys.argv[1:] if arguments is None else arguments))
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRA:
            raise
        print(f'luce: the command line needs {missing}, not installed here: pip install "luce[cli]"', file=sys.stderr)
        return 2
