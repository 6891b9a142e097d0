"""The command `luce`. It stands outside the package, which can't be imported where `LUCE_ISA` names no level."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from luce.cli import main as run
    except ImportError as error:
        if "LUCE_ISA" not in str(error):
            raise
        print(f"luce: {error}", file=sys.stderr)
        return 2
    return run()
