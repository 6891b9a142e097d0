"""The threads of the BLAS: two of them on a small product wait for each other longer than they work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["blas_threads"]

_lock = threading.Lock()
_within = 0
_limited: Any = None


@contextmanager
def blas_threads(limit: int | None) -> Iterator[None]:
    """Limit the threads of matrix products for a while; None leaves them alone.

    The setting is the process's. Where limits overlap, in one thread or in several, the first one holds, and the last
    to leave puts back what was before.
    """
    global _within, _limited
    if limit is None:
        yield
        return
    with _lock:
        if _within == 0:
            _limited = _pools().limit(limits=limit, user_api="blas")
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if _within == 0:
                _limited.restore_original_limits()
                _limited = None


@cache
def _pools() -> Any:
    return ThreadpoolController()  # finding the libraries takes a millisecond
