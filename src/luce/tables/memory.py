"""How much memory there is, and what to say before a table takes more."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from luce.tables.failure import Failure
from luce.tables.preparation import Preparation

__all__ = ["available_memory", "check_memory"]

COPIES = (
    3  # of the features, at the peak of a fit: what they are made from, those of a fold, and the solver's transpose
)
LIMITS = "memory.max", "memory/memory.limit_in_bytes"  # of a container


def check_memory(preparation: Preparation, rows: int, source: str) -> None:
    """Raise `Failure` where the features of so many rows would not fit into the memory that is there.

    Raises
    ------
    Failure
        With the remedy: ``--stream``.
    """
    have, need = available_memory(), COPIES * preparation.size(rows)
    if have is not None and need > have:
        raise Failure(
            f"{source}: {rows:,} rows of {len(preparation):,} features take about {_shown(need)} of memory, "
            f"{_shown(have)} are there: --stream learns batch by batch"
        )


def available_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes can still be used, or None where the system does not say.

    Parameters
    ----------
    root : Path
        Where `proc` and `sys` are.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        found = [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        used = int((root / "proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
    for limit in LIMITS:
        with suppress(OSError, ValueError):  # no such limit, or "max"
            found.append(int((root / "sys/fs/cgroup" / limit).read_text()) - used)
    return max(min(found), 0) if found else None


def _shown(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
