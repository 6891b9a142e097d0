"""Tables out, in one piece or several: CSV or Parquet, a file that appears whole or not at all, or standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import polars as pl
from polars.io.plugins import register_io_source

from luce.tables.failure import Failure
from luce.tables.files import PARQUET_KINDS
from luce.tables.output_files import replacing

__all__ = ["write_tables"]


def write_tables(path: Path | None, tables: Iterator[pl.DataFrame]) -> None:
    """Write tables of the same columns one below the other, to standard output as CSV where there is no path.

    Raises
    ------
    Failure
        If the file can't be written, or whatever making the tables raises; there is no new file then.
    """
    if path is None:
        for number, table in enumerate(tables):
            sys.stdout.buffer.write(table.write_csv(include_header=not number).encode())
            sys.stdout.buffer.flush()
        return
    with replacing(path) as file:
        if path.suffix.lower() in PARQUET_KINDS:
            _write_parquet(file, tables)
        else:
            for number, table in enumerate(tables):
                table.write_csv(file, include_header=not number)


def _write_parquet(file: BinaryIO, tables: Iterator[pl.DataFrame]) -> None:
    first = next(tables)
    failed: list[Exception] = []

    def source(*_: object) -> Iterator[pl.DataFrame]:
        try:
            yield from chain([first], tables)
        except Exception as error:  # Polars would put it into words of its own
            failed.append(error)
            raise

    try:
        register_io_source(source, schema=first.schema).sink_parquet(file)
    except pl.exceptions.PolarsError as error:
        raise (failed[0] if failed else Failure(f"cannot write Parquet: {error}")) from error
