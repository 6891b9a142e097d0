"""A file that appears whole or not at all: written beside its place under another name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a file to write to; at the end of the block it takes the place of `path`, unless the block failed.

    Parameters
    ----------
    path : path-like
        A file that is there is replaced; where it is a link, what the link names.

    Yields
    ------
    binary file

    Raises
    ------
    OSError
        If it can't be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from luce.whole_file import whole_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(f"{folder}/kept") as file:
    ...         written = file.write(b"all of it")
    ...     pathlib.Path(folder, "kept").read_bytes()
    b'all of it'
    """
    place = Path(path).resolve()
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with open(draft, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, place)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
