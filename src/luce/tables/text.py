"""Tables as text, in the shapes that people have: their form, and the rows in it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import polars as pl

from luce.tables.failure import Failure

__all__ = ["Form", "encoding_of", "form_of", "parsed", "retyped"]

MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "?"]
SEPARATORS = ",;\t|"
DATE = r"^\d{1,4}[-/.:]\d"  # how one begins; Polars' own search for dates takes 10 µs a field
DECIMAL_COMMA = r"^[-+]?\d+(,\d+)?$"


class Form(NamedTuple):
    """What a header tells: the columns' names, and what stands between fields."""

    names: Sequence[str]
    separator: str


def encoding_of(beginning: bytes) -> str:
    """Return UTF-16 where its byte-order mark begins the file, else UTF-8."""
    return "utf-16" if beginning[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def form_of(stream: TextIO, path: Path) -> Form:
    """Read the header, blank lines before it included; the stream then stands at the first row.

    Raises
    ------
    Failure
        If there is none, or two columns have the same name.
    """
    line = "\n"
    while line and not line.strip("\r\n"):
        line = stream.readline()
    while line.count('"') % 2:  # a name over several lines
        more = stream.readline()
        if not more:
            break
        line += more
    if not line.strip():
        raise Failure(f"{path}: the table is empty")
    separator = max(SEPARATORS, key=re.sub(r'"[^"]*"', "", line).count)
    names = [name.strip() for name in next(csv.reader(io.StringIO(line, newline=""), delimiter=separator))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Failure(f"{path}: two columns are called {twice[0]!r}")
    return Form(names, separator)


def parsed(body: str, form: Form, path: Path, as_text: Collection[str] = (), first: int = 1) -> pl.DataFrame:
    """Return rows of text as a table, `first` the number of the first one in errors.

    Raises
    ------
    Failure
        If a row has more or fewer fields than the header, or this is no text.
    """
    names, separator = form
    if "\0" in body:
        raise Failure(f"{path}: not a text file, it holds zero bytes")
    numbers = [str(number) for number in range(len(names))]  # Polars leaves doubled quotes in names as they are
    try:
        table = pl.read_csv(
            io.BytesIO((separator.join(numbers) + "\n" + body).encode()),
            separator=separator,
            schema_overrides={numbers[k]: pl.String for k, name in enumerate(names) if name in as_text},
            null_values=MISSING,
            infer_schema=not set(names) <= set(as_text),
            infer_schema_length=None,
        )
    except pl.exceptions.PolarsError as error:
        what = _first_fault(body, separator, names, first) or str(error).splitlines()[0]
        raise Failure(f"{path}: {what}") from error
    if len(names) > 1 and table[:, -1].null_count() and (fault := _first_fault(body, separator, names, first)):
        raise Failure(f"{path}: {fault}")
    table.columns = names
    return table.with_columns(
        _cleaned(column, typed=column.name not in as_text, decimal_comma=separator == ";")
        for column in table
        if column.dtype == pl.String
    )


def retyped(table: pl.DataFrame, separator: str, path: Path, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Return columns that were read as text with the types that they have when all of them are seen at once."""
    body = table.write_csv(include_header=False, separator=separator, quote_style="non_numeric")
    return parsed(body, Form(table.columns, separator), path, as_text)


def _cleaned(column: pl.Series, *, typed: bool, decimal_comma: bool) -> pl.Series:
    """Return a text column without blanks around its values; as numbers, or dates or times, where all of them are."""
    values = column.str.strip_chars()
    values = values.set(values.is_in(MISSING), None)
    if not typed or values.null_count() == len(values):
        return values
    if decimal_comma and values.drop_nulls().str.contains(DECIMAL_COMMA).all():
        values = values.str.replace(",", ".", literal=True)
    parsed = values.cast(pl.Float64, strict=False)
    if parsed.null_count() == values.null_count():
        return parsed
    if not values.drop_nulls().str.contains(DATE).all():
        return values
    alone = io.BytesIO(values.to_frame("0").write_csv().encode())
    dates = pl.read_csv(alone, infer_schema_length=None, try_parse_dates=True)["0"]
    return dates.alias(values.name)


def _first_fault(body: str, separator: str, names: Collection[str], first: int) -> str | None:
    """Say which row first has more or fewer fields than the header."""
    rows = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    try:
        for number, row in enumerate(rows, first):
            if row and len(row) != len(names):
                return f"row {number} has {len(row)} fields, the header has {len(names)}"
    except csv.Error as error:
        return f"line {rows.line_num + 1}: {error}"
    return None
