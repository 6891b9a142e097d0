"""Tables in: CSV in the shapes that people have, and Parquet."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from luce.tables.failure import Failure
from luce.tables.text import encoding_of, form_of, parsed

__all__ = ["PARQUET_KINDS", "check_kind", "check_table", "read_table", "reading"]

TEXT_KINDS = {".csv", ".tsv", ".tab", ".txt"}
PARQUET_KINDS = {".parquet", ".pq"}


def check_kind(path: Path, *, written: bool = False) -> None:
    """Raise `Failure` unless the file's extension is one that can be read (or written)."""
    kinds = {".csv"} | PARQUET_KINDS if written else TEXT_KINDS | PARQUET_KINDS
    if path.suffix.lower() not in kinds:
        what = f"unknown extension {path.suffix!r}" if path.suffix else "no extension"
        raise Failure(f"{path}: {what}; a table is {', '.join(sorted(kinds))}")


def check_table(path: Path) -> None:
    """Raise `Failure` unless there is a file that a table can be read from."""
    if path.is_dir():
        raise Failure(f"{path}: is a folder, not a table")
    if not path.exists():
        raise Failure(f"{path}: no such file")
    check_kind(path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading into a `Failure`."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{path}: cannot be read, {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        whole = len(error.object) == path.stat().st_size  # else the position is that in a piece of the file
        what = f"byte 0x{error.object[error.start]:02X}" + f" at position {error.start}" * whole
        raise Failure(f"{path}: not UTF-8 text ({what}); convert it first, for example with iconv") from error
    except pl.exceptions.PolarsError as error:
        raise Failure(f"{path}: not a table that can be read: {str(error).splitlines()[0]}") from error


def read_table(path: Path, *, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Read a table with named columns.

    CSV: UTF-8, or UTF-16 with a byte-order mark; a header; a comma, semicolon, tab or bar between fields (whichever the
    header holds most of); fields in double quotes where needed; decimal commas where the separator is a semicolon.
    Blanks around fields don't count. Empty fields and NA, N/A, #N/A, NaN, NULL and ? are missing. Columns of dates
    become dates.

    Parameters
    ----------
    path : Path
        The file.
    as_text : collection of str
        Columns to read as text even if they look like numbers.

    Returns
    -------
    polars.DataFrame
        At least one row and one column, names without surrounding blanks.

    Raises
    ------
    Failure
        If there is no such file, it is no table, or it is empty.
    """
    check_table(path)
    with reading(path):
        table = pl.read_parquet(path) if path.suffix.lower() in PARQUET_KINDS else _read_text(path, as_text)
    if not table.width:
        raise Failure(f"{path}: the table is empty")
    if not table.height:
        raise Failure(f"{path}: the table has a header and no rows")
    return table


def _read_text(path: Path, as_text: Collection[str]) -> pl.DataFrame:
    stream = io.StringIO(_decoded(path), newline="")
    form = form_of(stream, path)
    return parsed(stream.read(), form, path, as_text)


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    text = raw.decode(encoding_of(raw))
    if "\0" in text:
        raise Failure(f"{path}: not a text file, it holds zero bytes")
    return text
