"""The command `luce`, outside the package, which can't be imported where the environment asks for what there is not.

`LUCE_ISA` may name no level of this machine and `LUCE_NUM_THREADS` no number; and a person may lose patience while
modules load.
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
