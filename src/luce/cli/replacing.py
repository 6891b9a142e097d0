"""Files that the command line writes whole or not at all, and what to say where it can't."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from luce.cli.failure import Failure
from luce.whole_file import whole_file

__all__ = ["check_writable", "replacing"]


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
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        raise Failure(f"{path}: cannot be written, {error.strerror or error}") from error
