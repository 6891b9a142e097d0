"""Files that the command line writes whole or not at all, and what to say where it can't."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from luce.tables.failure import Failure
from luce.whole_file import whole_file

__all__ = ["check_places", "check_writable", "failing", "replacing"]


def check_places(*, read: Mapping[str, Path | None], written: Mapping[str, Path | None]) -> None:
    """Raise `Failure` if a file could not be put at a place, or would overwrite another of this run.

    Parameters
    ----------
    read, written : mapping
        What each file is, and where; None for one that isn't asked for.
    """
    taken = {path.resolve(): what for what, path in read.items() if path is not None}
    for what, path in written.items():
        if path is None:
            continue
        check_writable(path)
        if path.resolve() in taken:
            raise Failure(f"{path}: the {what} would overwrite the {taken[path.resolve()]}")
        taken[path.resolve()] = what


def check_writable(path: Path) -> None:
    """Raise `Failure` if a file could not be put at `path`; asked before the work, so that none is lost."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise Failure(f"{path}: cannot be written, there is no folder {folder}")
    if path.is_dir():
        raise Failure(f"{path}: cannot be written, it is a folder")
    if path.exists() and not path.is_file():
        raise Failure(f"{path}: cannot be written, it is not an ordinary file")
    if not os.access(folder, os.W_OK):
        raise Failure(f"{path}: cannot be written, no permission to write in {folder}")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; at the end of the block it takes the place of `path`, unless the block failed."""
    check_writable(path)
    with failing(path), whole_file(path) as file:
        yield file


@contextmanager
def failing(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into the `Failure` that says that `path` can't be written."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{path}: cannot be written, {error.strerror or error}") from error
