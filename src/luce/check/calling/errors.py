"""The reasons for which a function can't be called, and the line of it where an exception was raised."""

from __future__ import annotations

import inspect
import traceback

__all__ = ["NotRunnable", "Unsupported", "place_of"]


class NotRunnable(Exception):
    """The function can't be checked; the message says why. One that is final needs no other way of calling it."""

    final = False


class Unsupported(Exception):
    """An implementation does not do this, which is listed and not held against it."""


def place_of(error: BaseException, fn: object) -> str:
    """Return an exception in words, with the last line of the user's own file that it passed through."""
    inner = inspect.unwrap(fn) if callable(fn) else fn
    home = getattr(getattr(inner, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == home]
    place = f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
