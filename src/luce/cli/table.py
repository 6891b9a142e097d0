"""Tables in and out: CSV in the shapes that people have, and Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from luce.cli.failure import Failure
from luce.cli.replacing import replacing

__all__ = ["check_kind", "read_table", "write_table"]

TEXT_KINDS = {".csv", ".tsv", ".tab", ".txt"}
PARQUET_KINDS = {".parquet", ".pq"}
MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "?"]
SEPARATORS = ",;\t|"
DECIMAL_COMMA = r"^[-+]?\d+(,\d+)?$"


def check_kind(path: Path, *, written: bool = False) -> None:
    """Raise `Failure` unless the file's extension is one that can be read (or written)."""
    kinds = {".csv"} | PARQUET_KINDS if written else TEXT_KINDS | PARQUET_KINDS
    if path.suffix.lower() not in kinds:
        what = f"unknown extension {path.suffix!r}" if path.suffix else "no extension"
        raise Failure(f"{path}: {what}; a table is {', '.join(sorted(kinds))}")


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
    if path.is_dir():
        raise Failure(f"{path}: is a folder, not a table")
    if not path.exists():
        raise Failure(f"{path}: no such file")
    check_kind(path)
    try:
        table = pl.read_parquet(path) if path.suffix.lower() in PARQUET_KINDS else _read_text(path, as_text)
    except OSError as error:
        raise Failure(f"{path}: cannot be read, {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise Failure(f"{path}: not a table that can be read: {str(error).splitlines()[0]}") from error
    if not table.width:
        raise Failure(f"{path}: the table is empty")
    if not table.height:
        raise Failure(f"{path}: the table has a header and no rows")
    return table


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a table as CSV or Parquet, by its extension, whole or not at all."""
    with replacing(path) as file:
        if path.suffix.lower() in PARQUET_KINDS:
            table.write_parquet(file)
        else:
            table.write_csv(file)


def _read_text(path: Path, as_text: Collection[str]) -> pl.DataFrame:
    stream = io.StringIO(_decoded(path), newline="")
    header = _outside_quotes(stream.readline())
    separator = max(SEPARATORS, key=header.count)
    stream.seek(0)
    names = [name.strip() for name in next(csv.reader(stream, delimiter=separator))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Failure(f"{path}: two columns are called {twice[0]!r}")
    body = stream.read()
    numbers = [str(number) for number in range(len(names))]  # Polars leaves doubled quotes in names as they are
    try:
        table = pl.read_csv(
            io.BytesIO((separator.join(numbers) + "\n" + body).encode()),
            separator=separator,
            schema_overrides={numbers[k]: pl.String for k, name in enumerate(names) if name in as_text},
            null_values=MISSING,
            infer_schema_length=None,
            try_parse_dates=True,
        )
    except pl.exceptions.PolarsError as error:
        raise Failure(f"{path}: {_first_fault(body, separator, names) or str(error).splitlines()[0]}") from error
    if len(names) > 1 and table[:, -1].null_count() and (fault := _first_fault(body, separator, names)):
        raise Failure(f"{path}: {fault}")
    table.columns = names
    return table.with_columns(
        _cleaned(column, numbers=column.name not in as_text, decimal_comma=separator == ";")
        for column in table
        if column.dtype == pl.String
    )


def _cleaned(column: pl.Series, *, numbers: bool, decimal_comma: bool) -> pl.Series:
    """Return a text column without blanks around its values; as numbers where all of them are."""
    values = column.str.strip_chars()
    values = values.set(values.is_in(MISSING), None)
    if not numbers or values.null_count() == len(values):
        return values
    if decimal_comma and values.drop_nulls().str.contains(DECIMAL_COMMA).all():
        values = values.str.replace(",", ".", literal=True)
    parsed = values.cast(pl.Float64, strict=False)
    return parsed if parsed.null_count() == values.null_count() else values


def _first_fault(body: str, separator: str, names: Collection[str]) -> str | None:
    """Say which row first has more or fewer fields than the header."""
    rows = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    try:
        for number, row in enumerate(rows, 1):
            if row and len(row) != len(names):
                return f"row {number} has {len(row)} fields, the header has {len(names)}"
    except csv.Error as error:
        return f"line {rows.line_num + 1}: {error}"
    return None


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        what = f"byte 0x{raw[error.start]:02X} at position {error.start}"
        raise Failure(f"{path}: not UTF-8 text ({what}); convert it first, for example with iconv") from error
    if "\0" in text:
        raise Failure(f"{path}: not a text file, it holds zero bytes")
    if not text.strip():
        raise Failure(f"{path}: the table is empty")
    return text.lstrip("\r\n")


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)
