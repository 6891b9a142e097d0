"""A table read batch by batch, or as a whole: text of any form, or Parquet."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from luce.tables.failure import Failure
from luce.tables.files import TableFile
from luce.tables.names import plain_names
from luce.tables.text.missing import Source
from luce.tables.text.options import FormOptions, ReadingOptions
from luce.tables.text.reading import Reading, typed
from luce.tables.text.table import Survey, TextTable

__all__ = ["Batches"]

CELLS = 2_000_000  # of a Parquet batch

Each = Callable[[int, int, int], None]


class Batches:
    """The batches of a table.

    Of text the columns' readings have to be known before any row: `survey` decides them, `assume` takes a model's.
    Parquet has types; there both do nothing but see to columns of text.

    Parameters
    ----------
    path : Path
        The file; ``-`` for standard input.
    form : FormOptions, optional
        How a text file is written.

    Attributes
    ----------
    name : str
        What errors call the table.
    columns : list of str
        Their names, made plain (`luce.tables.names`).
    total : int
        What `read` counts up to: bytes of text, rows of Parquet.
    from_text : bool
        Whether it is text, not Parquet.
    found : Survey
        The readings of text, and what there is to say about them.

    Raises
    ------
    Failure
        If there is no such file or it is no table.
    """

    def __init__(self, path: Path, form: FormOptions | None = None) -> None:
        file = TableFile(path)
        self.name, self.path, self._file = file.name, file.path, file
        self.found, self.from_text = Survey({}), not file.parquet
        self._text: TextTable | None = None
        if not file.parquet:
            self._text = TextTable(file, form or FormOptions())
            self.columns, self.total = self._text.columns, self._text.total
            return
        with _guarded(self.name):
            table = pl.scan_parquet(self.path)
            self._names = table.collect_schema().names()
            self.total = int(table.select(pl.len()).collect().item())
        self.columns = plain_names(self._names)
        if not self.columns:
            raise Failure(f"{self.name}: the table is empty")
        if form is not None and form != FormOptions():
            raise Failure(f"{self.name}: Parquet has no lines, separators or encoding: leave the options of text out")

    def survey(
        self,
        options: ReadingOptions,
        wishes: Mapping[str, str],
        *,
        keep: bool = False,
        all_rows: bool = False,
        each: Each | None = None,
    ) -> Survey:
        """Decide from all rows how each column of text is read (`TextTable.survey`)."""
        if self._text is not None:
            self.found = self._text.survey(options, wishes, keep=keep, all_rows=all_rows, each=each)
        elif options != ReadingOptions():
            raise Failure(f"{self.name}: Parquet has types: leave --missing, --text, --number, --dates, --decimal out")
        return self.found

    def assume(self, readings: Mapping[str, Reading], *, all_rows: bool = False) -> None:
        """Read columns as a model's training did; columns without a reading are read as `survey` found, if it did."""
        self.found = Survey({**self.found.readings, **readings}, given=True, all_rows=all_rows)

    def remarks(self) -> list[str]:
        """Return what there is to say once a table has been read with readings that were assumed."""
        return (
            [] if self._text is None else [f"luce: warning: {self.name}: {remark}" for remark in self._text.remarks()]
        )

    def read(self, *, each: Each | None = None) -> Iterator[pl.DataFrame]:
        """Yield the table's rows in their order.

        Parameters
        ----------
        each : callable, optional
            Called after each batch with how much of `total` is done, `total` and how many rows that were.
        """
        if self._text is not None:
            yield from self._text.rows(self.found, each)
            return
        if not self.total:
            raise Failure(f"{self.name}: the table has a header and no rows")
        length = max(CELLS // len(self.columns), 1)
        for first in range(0, self.total, length):
            with _guarded(self.name):
                batch = pl.scan_parquet(self.path).slice(first, length).collect()
            done = min(first + length, self.total)
            yield self._retyped(batch, first)
            if each is not None:
                each(done, self.total, done)

    def whole(self) -> pl.DataFrame:
        """Return all rows."""
        if self._text is not None:
            return pl.concat(list(self.read()), how="vertical_relaxed")
        with _guarded(self.name):
            table = pl.read_parquet(self.path)
        if not table.height:
            raise Failure(f"{self.name}: the table has a header and no rows")
        return self._retyped(table, 0)

    def _retyped(self, table: pl.DataFrame, first: int) -> pl.DataFrame:
        """Return a Parquet table with plain names, columns of text read as they were in training."""
        table.columns = self.columns
        for name, reading in self.found.readings.items():
            if name in table.columns and table[name].dtype == pl.String and reading.kind != "text":
                found = typed(table[name], reading, Source(False, ","))
                place = found.strange(reading)
                if place is None:
                    table = table.with_columns(found.values.alias(name))
        return table


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Turn what Polars or the system say of a file into a `Failure`; what Polars prints when it panics is not shown."""
    try:
        with _silent():
            yield
    except OSError as error:
        raise Failure(f"{name}: cannot be read, {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise Failure(f"{name}: not a table that can be read: {str(error).splitlines()[0]}") from error
    except pl.exceptions.PanicException as error:
        raise Failure(f"{name}: not a table that can be read: the file is damaged") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Send what is written to standard error below Python to nowhere."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
