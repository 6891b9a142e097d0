"""The threads of the BLAS: two of them on a small product wait for each other longer than they work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["blas_threads"]


def blas_threads(limit: int | None) -> AbstractContextManager[Any]:
    """Limit the threads of matrix products for a while; None leaves them alone."""
    if limit is None:
        return nullcontext()
    context: AbstractContextManager[Any] = _pools().limit(limits=limit, user_api="blas")
    return context


@cache
def _pools() -> Any:
    return ThreadpoolController()  # finding the libraries takes a millisecond
