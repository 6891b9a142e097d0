"""PyTorch's threads: how many a call may use, and how the compiled core gets to run on them.

After each operation they spin for some milliseconds, waiting for the next. Threads of our own would have to share the
processors with them: a pass over 1,000 rows right after a matrix product took five times as long (measured).
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["threads"]


def threads() -> int | tuple[int, int]:
    """Return what the compiled core takes: the number, and the address of what starts PyTorch's threads."""
    count, address = torch.get_num_threads(), _team()
    return (count, address) if count > 1 and address else count


@cache
def _team() -> int:
    openmp = ThreadpoolController().select(internal_api="openmp")
    home = Path(torch.__file__).parent.resolve()
    paths = [Path(library["filepath"]).resolve() for library in openmp.info()]
    for path in paths:
        if home in path.parents or len(paths) == 1:
            start = getattr(ctypes.CDLL(str(path)), "GOMP_parallel", None)
            return ctypes.cast(start, ctypes.c_void_p).value or 0 if start else 0
    return 0
