"""Threads around the BLAS: its own wait for each other, and for those of a second BLAS, longer than they work.

NumPy and SciPy bring a BLAS each, whose threads go on spinning for a while after each product. So products that can be
cut in pieces are shared out among threads of ours, each with a BLAS of one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from luce.configuration import num_threads

__all__ = ["blas_threads", "shared_out"]

Map = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]

SHARED_WORK = 1e7  # multiplications below which starting threads takes longer than they save

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


@contextmanager
def shared_out(
    work: float, n_threads: int | None
) -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]]:
    """Give a map whose calls run on several threads where `work`, in multiplications, is worth it; results in order."""
    workers = num_threads() if n_threads is None else n_threads
    with blas_threads(1):
        if workers == 1 or work < SHARED_WORK:
            yield lambda function, items: [function(item) for item in items]
            return
        with ThreadPoolExecutor(workers - 1) as helpers:
            yield lambda function, items: _together(helpers, workers - 1, function, items)


def _together(helpers: ThreadPoolExecutor, count: int, function: Callable[[Any], Any], items: Iterable[Any]) -> Any:
    """Map with the caller at work too: a caller that waits leaves its processor to a thread that was elsewhere."""
    left = enumerate(items)  # whose next is taken by one thread alone
    results = {}

    def work() -> None:
        for place, item in left:
            results[place] = function(item)

    submitted = [helpers.submit(work) for _ in range(count)]
    work()
    for helper in submitted:
        helper.result()
    return [results[place] for place in range(len(results))]


@cache
def _pools() -> Any:
    return ThreadpoolController()  # finding the libraries takes a millisecond
