"""The command `luce`, which stands outside the package so that errors of importing it become one line.

The import fails where `LUCE_ISA` names no level of this machine or `LUCE_NUM_THREADS` is no number, and may be
interrupted while modules load.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from luce.cli import main as run

        return run()
    except ImportError as error:
        if "LUCE_" not in str(error):
            raise
        print(f"luce: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("luce: interrupted", file=sys.stderr)
        return 1
