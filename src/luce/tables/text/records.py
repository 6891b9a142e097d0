"""The rows of a text file, a piece at a time: each held against the header, none lost, none made up."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.tables.failure import Failure
from luce.tables.text.form import DECIMALS, NUMBER, WHOLE, Form
from luce.tables.text.quotes import ABOVE, HERE, IN_QUOTES, LINE_END, MARKED, Fault, Unquoted, unquoted

__all__ = ["Cells", "records", "text_of"]

Array = npt.NDArray[Any]

LONGEST = 2**25  # bytes that a row may have
MANY = 2  # columns above which the header is found again in any case
NEWLINE, _LINE_END, _IN_QUOTES = 10, 0x1E, 0x1F


class Cells(NamedTuple):
    """Some rows as text, a column each; empty cells are null.

    Attributes
    ----------
    table : polars.DataFrame
    quoted : bool
        Whether cells that were in quotes begin with `MARKED`, and separators and line ends in them are `IN_QUOTES` and
        `LINE_END`.
    first : int
        The first row's number, from 1.
    repeated : int
        Lines among them that are the header again, and left out.
    """

    table: pl.DataFrame
    quoted: bool
    first: int
    repeated: int = 0


def records(pieces: Iterator[str], form: Form, *, all_rows: bool = False) -> Iterator[Cells]:
    """Yield the rows of a text, which begins after the header; the header again is no row, unless `all_rows` are.

    Raises
    ------
    Failure
        If a row has more or fewer fields than the header, or a quote is never closed; the line is named.
    """
    rest, line, row, repeated = b"", form.lines + 1, 1, 0
    named = not all_rows and len(form.names) > 1 and not any(map(NUMBER.match, form.names))
    following = next(pieces, None)
    while following is not None:
        piece, following = following, next(pieces, None)
        buffer = rest + piece.encode()
        last = following is None
        if last:
            buffer = buffer.rstrip(b"\x1a")  # with which DOS ended files
            buffer += b"" if buffer.endswith(b"\n") or not buffer else b"\n"
        body, footer = _without_footer(buffer, form.options.skip_footer)
        if form.separator == " ":
            body = _single_blanks(body)
        found, rows = _understood(body, form, line, row, last=last)
        rest = body[found.used :] + footer
        if len(rest) > LONGEST:
            raise Failure(f"{form.name}: line {line}: a row has no end: a quote opens and is never closed")
        line += body.count(b"\n", 0, found.used)
        if rows:
            cells = _cells(found.body, form, row, rows)
            cells = _without_headers(cells, form) if named else cells
            repeated += cells.repeated
            if len(cells.table):
                row += len(cells.table)
                yield cells._replace(repeated=repeated)
                repeated = 0


def _single_blanks(buffer: bytes) -> bytes:
    """Return a text whose complete lines have no blanks at their ends, and single ones between."""
    end = buffer.rfind(b"\n") + 1
    return re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" {2,}", b" ", buffer[:end])) + buffer[end:]


def _without_footer(buffer: bytes, lines: int) -> tuple[bytes, bytes]:
    """Return a text, which ends with a line's end, without its last lines that are not blank, and these."""
    end, left = len(buffer), lines
    while left and end > 0:
        begin = buffer.rfind(b"\n", 0, max(end - 1, 0)) + 1
        left -= bool(buffer[begin:end].strip())
        end = begin
    return buffer[:end], buffer[end:]


def _understood(piece: bytes, form: Form, line: int, row: int, *, last: bool) -> tuple[Unquoted, int]:
    """Return the first reading of quotes in which rows have their fields, and how many rows these are."""
    first: Fault | None = None
    try:
        for found in unquoted(piece, ord(form.separator), last=last):
            try:
                body, rows = _rows(found.body, form, row, last=last)
                return Unquoted(body, found.used), rows
            except Fault as fault:
                first = first or Fault(_line_of(found.body, fault.place), fault.what)
    except Fault as fault:
        first = first or Fault(_line_of(piece, fault.place), fault.what)
    assert first is not None
    place = line + first.place
    raise Failure(f"{form.name}: " + first.what.replace(HERE, f"line {place}").replace(ABOVE, str(place - 1)))


def _line_of(text: bytes, place: int) -> int:
    return text.count(b"\n", 0, place) + text.count(bytes([_LINE_END]), 0, place)


def _rows(body: bytes, form: Form, row: int, *, last: bool) -> tuple[bytes, int]:
    """Return the lines that are rows, which have the header's fields, and their number."""
    text = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(text == NEWLINE)
    fields = np.diff(np.searchsorted(np.flatnonzero(text == ord(form.separator)), ends), prepend=0) + 1
    begins = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    idle = _idle(body, begins, ends, fields, form)
    wrong = np.flatnonzero((fields != len(form.names)) & ~idle)
    if len(wrong):
        k = int(wrong[0])
        number = row + k - int(idle[:k].sum())
        below = len(wrong) if last and len(wrong) == len(idle) - k - int(idle[k:].sum()) else 0
        raise Fault(int(begins[k]), _what(body[begins[k] : ends[k]], number, int(fields[k]), form, below))
    _check_lines_in_quotes(text, ends, form)
    if not idle.any():
        return body, len(ends)
    kept = np.flatnonzero(~idle)
    return b"".join(body[begins[k] : ends[k] + 1] for k in kept), len(kept)


def _idle(body: bytes, begins: Array, ends: Array, fields: Array, form: Form) -> Array:
    """Tell which lines are blank or comments."""
    idle = ends == begins
    near = (fields == 1) & ~idle
    if len(form.names) == 1:
        near &= np.isin(np.frombuffer(body, np.uint8)[begins], (9, 32))
    for k in np.flatnonzero(near):
        idle[k] = not body[begins[k] : ends[k]].strip()
    if form.options.comment:
        mark = form.options.comment.encode()
        first = np.frombuffer(body, np.uint8)[begins]
        for k in np.flatnonzero((first == mark[0]) | (first == ord(MARKED))):
            idle[k] |= body.startswith(mark, int(begins[k]) + int(first[k] == ord(MARKED)))
    return np.asarray(idle)


def _what(line: bytes, number: int, fields: int, form: Form, below: int) -> str:
    """Say what is wrong with a line and what may help; `below` lines from here to the end, if any, are no rows."""
    wanted = len(form.names)
    text = line.decode(errors="replace").translate({0x1D: '"', 0x1E: " ", 0x1F: form.separator}).strip()
    shown = text if len(text) <= 40 else text[:39] + "…"
    what = f"row {number} has {fields} field{'s' if fields != 1 else ''}, the header has {wanted} ({HERE}: {shown!r}"
    what += f"; the header is {form.header})" if wanted < fields else ")"
    parts = [part.strip() for part in text.split(form.separator)]
    if wanted < fields and "'" in (part[:1] for part in parts):
        return what + '; if fields stand in single quotes: write them with double ones, "'
    if number == 1 and wanted < fields and form.separator == "," and any(map(_halves, parts, parts[1:])):
        return what + "; if commas are decimal signs: put numbers in quotes, or semicolons between fields"
    if text[:1] in "#%;!" and text:
        return what + f"; if it is a comment: --comment '{text[0]}'"
    if below and number > 1 and fields < wanted:
        return what + f"; if the table ends above it: --skip-footer {below}"
    if wanted < fields and number < 50 and not any(map(NUMBER.match, parts)):
        return what + f"; if it is the header: --skip-lines {ABOVE}"
    return what


def _halves(before: str, after: str) -> bool:
    """Tell whether two fields may be a number with a decimal comma."""
    return bool(WHOLE.fullmatch(before) and DECIMALS.fullmatch(after))


def _check_lines_in_quotes(text: Array, ends: Array, form: Form) -> None:
    """Raise for quotes that hold lines which look like rows: two stray quotes rather than a field of several lines.

    The lines' own separators tell: in a field of several lines there are hardly as many in each line as in a row.
    """
    inner = np.flatnonzero(text == _LINE_END)
    if not len(inner) or len(form.names) < 2:
        return
    lines = np.sort(np.concatenate([ends, inner]))
    separators = np.flatnonzero((text == ord(form.separator)) | (text == _IN_QUOTES))
    full = np.diff(np.searchsorted(separators, lines), prepend=0) == len(form.names) - 1
    count = np.concatenate([[0], np.cumsum(full)])
    last = np.searchsorted(lines, ends)  # the line that ends each row
    first = np.concatenate([[0], last[:-1] + 1])
    several = last - first + 1
    alike = np.flatnonzero((several > 1) & (count[last + 1] - count[first] == several))
    begins = np.concatenate([[0], ends[:-1] + 1])
    for k in alike.tolist():
        row = text[begins[k] : ends[k]].tobytes()
        alone = bytes([ord(MARKED), _IN_QUOTES]) in row or bytes([ord(MARKED), _LINE_END]) in row
        if alone or (several[k] > 2 and len(form.names) > 2) or len(form.names) > 3:
            opening = row.index(ord(MARKED)) + begins[k]
            raise Fault(
                int(opening),
                f"a quote opens in {HERE} and closes {several[k] - 1} lines further on, "
                f"but each of these lines has {len(form.names)} fields: a stray quote?",
            )


def _cells(body: bytes, form: Form, first: int, rows: int) -> Cells:
    names = [str(k) for k in range(len(form.names))]
    table = pl.read_csv(
        io.BytesIO(body),
        separator=form.separator,
        has_header=False,
        quote_char=None,
        schema=dict.fromkeys(names, pl.String),
    )
    if table.height != rows:
        raise Failure(f"{form.name}: rows {first} to {first + rows - 1} could not be told apart")
    table.columns = list(form.names)
    return Cells(table, MARKED.encode() in body, first)


def _without_headers(cells: Cells, form: Form) -> Cells:
    """Return the rows without those that are the header again, as in files that were put one below the other."""
    left = np.arange(len(cells.table))
    for name, field in zip(form.names, form.fields, strict=True):
        column = cells.table[name] if len(left) == len(cells.table) else cells.table[name].gather(left)
        text = (text_of(column, form.separator) if cells.quoted else column).str.strip_chars()
        if len(form.names) > MANY:  # a chance is out of the question
            text, field = text.str.to_lowercase(), field.lower()
        left = left[((text == field) if field else text.is_null()).fill_null(False).to_numpy()]
        if not len(left):
            return cells
    kept = np.ones(len(cells.table), bool)
    kept[left] = False
    return cells._replace(table=cells.table.filter(pl.Series(kept)), repeated=len(left))


def text_of(cells: pl.Series, separator: str) -> pl.Series:
    """Return cells as they are read by a person: without the marks of quotes, separators and line ends in them."""
    plain = cells.str.strip_prefix(MARKED)
    if plain.str.contains_any([IN_QUOTES, LINE_END]).any():
        plain = plain.str.replace_all(IN_QUOTES, separator, literal=True).str.replace_all(LINE_END, "\n", literal=True)
    return plain
