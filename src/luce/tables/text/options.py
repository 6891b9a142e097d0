"""What a user may say about a text file: its form, and how its columns are to be read."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

from luce.tables.failure import Failure

__all__ = ["FormOptions", "ReadingOptions"]

NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|", "blank": " "}


@dataclass(frozen=True)
class FormOptions:
    """How a file is written; None and 0 are found out or absent.

    Parameters
    ----------
    encoding : str, optional
        One of Python's encodings.
    separator : str, optional
        What stands between fields: one character, or tab, comma, semicolon, bar, blank.
    comment : str, optional
        What lines begin with that are no rows.
    skip_lines, skip_footer : int
        Lines to leave out above the header, and at the end of the file.

    Raises
    ------
    Failure
        For an encoding that Python does not know, or a separator that can't be one.
    """

    encoding: str | None = None
    separator: str | None = None
    comment: str | None = None
    skip_lines: int = 0
    skip_footer: int = 0

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
                "a".encode(self.encoding)
            except (LookupError, UnicodeError, ValueError) as error:
                raise Failure(f"--encoding: {self.encoding!r} is no encoding of text; cp1252, say, is one") from error
        if self.separator is not None:
            one = NAMED.get(self.separator.lower(), self.separator)
            if len(one) != 1 or not one.isascii() or one.isalnum() or one in '"\n\r.\\\0-+\x1d\x1e\x1f':
                raise Failure(f"--separator must be one character, such as ';' or tab, got {self.separator!r}")
            object.__setattr__(self, "separator", one)
        if self.comment is not None and not self.comment.strip():
            raise Failure("--comment must be what comment lines begin with, such as '#'; got nothing")
        for option, lines in (("--skip-lines", self.skip_lines), ("--skip-footer", self.skip_footer)):
            if lines < 0:
                raise Failure(f"{option} must be 0 or more, got {lines}")


@dataclass(frozen=True)
class ReadingOptions:
    """How columns are to be read, where that is not left to their values.

    Parameters
    ----------
    missing : sequence of str, optional
        The spellings of a missing value, in place of the usual ones; ``("none",)`` for no spelling at all.
    text, number : sequence of str
        Columns to read as text, as numbers.
    dates : str, optional
        day-first or month-first.
    decimal : str, optional
        The decimal sign, a dot or a comma.

    Raises
    ------
    Failure
        For what is none of these.
    """

    missing: Sequence[str] | None = None
    text: Sequence[str] = ()
    number: Sequence[str] = ()
    dates: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        if self.dates not in (None, "day-first", "month-first"):
            raise Failure(f"--dates must be day-first or month-first, got {self.dates!r}")
        signs = {None: None, ".": ".", ",": ",", "dot": ".", "point": ".", "comma": ","}
        if self.decimal not in signs:
            raise Failure(f"--decimal must be '.' or ',', got {self.decimal!r}")
        object.__setattr__(self, "decimal", signs[self.decimal])
        for name in self.text:
            if name in self.number:
                raise Failure(f"column {name!r} can't be both --text and --number")
