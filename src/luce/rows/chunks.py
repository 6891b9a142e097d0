"""Which rows are taken together: every rule follows from shapes alone, so that results don't depend on the machine."""

from __future__ import annotations

import math
from collections.abc import Iterator

__all__ = ["even_chunks", "steps"]


def even_chunks(rows: int, width: int, workspace: int) -> Iterator[slice]:
    """Yield rows that fit the workspace with `width` bytes each, in chunks of about the same size."""
    size = max(1, workspace // width)
    size = size // 64 * 64 or size
    if rows:
        size = math.ceil(rows / math.ceil(rows / size))
        size = min(-(-size // 16) * 16, rows)
    yield from steps(rows, max(size, 1))


def steps(rows: int, step: int) -> Iterator[slice]:
    """Yield rows so many at a time, and the rest."""
    for first in range(0, rows, step):
        yield slice(first, min(first + step, rows))
