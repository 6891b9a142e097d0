"""A table read batch by batch, of which no more than a batch is ever held."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

import polars as pl

from luce.tables.failure import Failure
from luce.tables.reading import PARQUET_KINDS, check_table, reading
from luce.tables.text import encoding_of, form_of, parsed

__all__ = ["Batches"]

CELLS = 2_000_000  # of a Parquet batch
CHARACTERS = 2**23  # of a text batch
LONGEST = 2**28  # characters that one row may have


class Batches:
    """The batches of a table: CSV, or Parquet.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    columns : list of str
        Their names.
    total : int
        What `read` counts up to: bytes of text, rows of Parquet.
    separator : str or None
        What stands between fields; None for Parquet, whose columns have types already.

    Raises
    ------
    Failure
        If there is no such file or it is no table.
    """

    def __init__(self, path: Path) -> None:
        check_table(path)
        self.path = path
        self.separator: str | None = None
        with reading(path):
            if path.suffix.lower() in PARQUET_KINDS:
                table = pl.scan_parquet(path)
                self.columns = table.collect_schema().names()
                self.total = int(table.select(pl.len()).collect().item())
            else:
                with open(path, "rb") as file, _text(file) as text:
                    form = form_of(text, path)
                self.columns, self.separator = list(form.names), form.separator
                self.total = path.stat().st_size
        if not self.columns:
            raise Failure(f"{path}: the table is empty")

    def read(
        self, *, as_text: Collection[str] = (), each: Callable[[int, int, int], None] | None = None
    ) -> Iterator[pl.DataFrame]:
        """Yield the table's rows in their order.

        Columns of text files have the type that a batch alone suggests, which may differ from batch to batch.

        Parameters
        ----------
        as_text : collection of str
            Columns of text files to read as text even if they look like numbers.
        each : callable, optional
            Called after each batch with how much of `total` is done, `total` and how many rows that were.
        """
        rows = 0
        with reading(self.path):
            for done, batch in self._parquet() if self.separator is None else self._rows_of_text(as_text):
                yield batch
                rows += len(batch)
                if each is not None:
                    each(done, self.total, rows)
        if not rows:
            raise Failure(f"{self.path}: the table has a header and no rows")

    def _parquet(self) -> Iterator[tuple[int, pl.DataFrame]]:
        table, length = pl.scan_parquet(self.path), max(CELLS // len(self.columns), 1)
        for first in range(0, self.total, length):
            yield min(first + length, self.total), table.slice(first, length).collect()

    def _rows_of_text(self, as_text: Collection[str]) -> Iterator[tuple[int, pl.DataFrame]]:
        with open(self.path, "rb") as file, _text(file) as text:
            form, rows, rest = form_of(text, self.path), 1, ""
            while True:
                piece = text.read(CHARACTERS)
                whole, rest = _cut(rest + piece) if piece else (rest, "")
                if whole.strip("\r\n"):
                    batch = parsed(whole, form, self.path, as_text, rows)
                    rows += len(batch)
                    yield file.tell(), batch
                if not piece:
                    return
                if len(rest) > LONGEST:
                    raise Failure(f"{self.path}: row {rows} has no end: a quote is not closed")


def _text(file: BinaryIO) -> TextIO:
    beginning = file.read(2)
    file.seek(0)
    return io.TextIOWrapper(file, encoding_of(beginning), newline="")


def _cut(text: str) -> tuple[str, str]:
    """Return the rows that are complete, and what is left: a line's end in quotes ends no row."""
    end = text.rfind("\n")
    odd = text.count('"', 0, max(end, 0)) % 2
    while end >= 0 and odd:
        before = text.rfind("\n", 0, end)
        odd = (odd + text.count('"', max(before, 0), end)) % 2
        end = before
    return text[: end + 1], text[end + 1 :]
