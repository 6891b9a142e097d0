"""Matrix products on several threads, each of which calls a BLAS of one thread.

NumPy and SciPy bring a BLAS each. Its threads go on spinning for a while after each product, so those of the two BLAS
wait for each other longer than they work. Products that can be cut in pieces are shared out among threads of ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Protocol, TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from luce.configuration import num_threads

__all__ = ["SharedMap", "blas_threads", "shared_out"]

Item = TypeVar("Item")
Result = TypeVar("Result")

SHARED_WORK = 1e7  # multiplications below which starting threads takes longer than they save

_lock = threading.Lock()
_within = 0
_limit = ExitStack()


class SharedMap(Protocol):
    """A map whose calls run on several threads; its results are in the order of the items."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return what the function gives for each item."""


@contextmanager
def blas_threads(limit: int | None) -> Iterator[None]:
    """Limit the threads of matrix products for a while; None leaves them alone.

    The setting is the process's. Where limits overlap, in one thread or in several, the first one holds, and the last
    to leave puts back what was before.
    """
    global _within
    if limit is None:
        yield
        return
    with _lock:
        if _within == 0:
            _limit.enter_context(_pools().limit(limits=limit, user_api="blas"))
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if _within == 0:
                _limit.close()


@contextmanager
def shared_out(work: float, n_threads: int | None) -> Iterator[SharedMap]:
    """Give a map whose calls run on several threads where `work`, in multiplications, is worth it."""
    workers = num_threads() if n_threads is None else n_threads
    with blas_threads(1):
        if workers == 1 or work < SHARED_WORK:
            yield _alone
            return
        with ThreadPoolExecutor(workers - 1) as helpers:
            yield partial(_together, helpers, workers - 1)


def _alone(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Map in the thread of the caller."""
    return [function(item) for item in items]


def _together(
    helpers: ThreadPoolExecutor, count: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> list[Result]:
    """Map with the caller at work too: a caller that waits leaves its processor to a thread that was elsewhere."""
    left = enumerate(items)  # whose next is taken by one thread alone
    results: dict[int, Result] = {}

    def work() -> None:
        for place, item in left:
            results[place] = function(item)

    submitted = [helpers.submit(work) for _ in range(count)]
    work()
    for helper in submitted:
        helper.result()
    return [results[place] for place in range(len(results))]


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()  # finding the libraries takes a millisecond
