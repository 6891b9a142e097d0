"""From bytes to characters: encodings, byte-order marks, line ends, with the place of what can't be read."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import IO

from luce.tables.failure import Failure

__all__ = ["characters", "encoding_of"]

MARK = "\ufeff"
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins as that of UTF-16 does
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def encoding_of(beginning: bytes) -> tuple[str, int]:
    """Return the encoding that a byte-order mark tells, UTF-8 without one, and the mark's length."""
    return next(((name, len(mark)) for mark, name in MARKS.items() if beginning.startswith(mark)), ("utf-8", 0))


def characters(stream: IO[bytes], encoding: str | None, name: str, size: int) -> Iterator[str]:
    r"""Yield a file's text in pieces of about `size` bytes, with ``\n`` at the end of each line.

    Parameters
    ----------
    stream : binary file
    encoding : str or None
        None: that of the byte-order mark, or UTF-8.
    name : str
        The table's name in errors.
    size : int

    Raises
    ------
    Failure
        If the bytes are no text of that encoding.
    """
    piece = stream.read(size)
    marked, length = encoding_of(piece)
    if length and (encoding is None or codecs.lookup(encoding).name in (marked, marked[:-3], "utf-8-sig")):
        encoding, piece = marked, piece[length:]
    decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    place, line, new = length, 1, True
    while True:
        waiting = len(decoder.getstate()[0])
        try:
            text = lines.decode(decoder.decode(piece, final=not piece), final=not piece)
        except UnicodeDecodeError as error:
            read = error.object[: error.start].decode(encoding or "utf-8", "replace")
            line += lines.decode(read, final=True).count("\n")
            raise _undecodable(error, encoding, name, line, place - waiting) from error
        if "\0" in text:
            line += text.count("\n", 0, text.index("\0"))
            raise Failure(f"{name}: not a text file, it holds zero bytes, the first in line {line:,}{_hint(text)}")
        if MARK in text:  # that of a file which was put below another
            text = text.replace("\n" + MARK, "\n")
            text = text.removeprefix(MARK) if new else text
        if text:
            yield text
            new, line = text[-1] == "\n", line + text.count("\n")
        if not piece:
            return
        place += len(piece)
        piece = stream.read(size)


def _undecodable(error: UnicodeDecodeError, encoding: str | None, name: str, line: int, begin: int) -> Failure:
    what = f"line {line:,}, byte 0x{error.object[error.start]:02X} at position {begin + error.start}"
    shown = {"utf-8": "UTF-8", None: "UTF-8"}.get(encoding, encoding)
    if encoding not in (None, "utf-8"):
        return Failure(f"{name}: not {shown} text ({what})")
    return Failure(
        f"{name}: not UTF-8 text ({what}); if it comes from a program that writes another encoding, name it: "
        "--encoding cp1252 for most of Excel's, mac-roman, gb18030, shift-jis …"
    )


def _hint(text: str) -> str:
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(text) > 8 and set(text[first:80:2]) == {"\0"}:
            return f"; it looks like UTF-16 without a byte-order mark: --encoding {encoding}"
    return ""
