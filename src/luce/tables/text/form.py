"""The form of a text file: where its header is, what stands between fields, what the columns are called."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from luce.tables.failure import Failure
from luce.tables.names import plain_names
from luce.tables.text.options import FormOptions

__all__ = ["DECIMALS", "NUMBER", "WHOLE", "Form", "form_of"]

SEPARATORS = ",;\t|"
LOOKED_AT = 200  # records by which the separator is found
DECLARED = re.compile(r'^"?sep=(.)"?$|^"?sep=\\t"?$', re.I)  # Excel's first line
WHOLE, DECIMALS = re.compile(r"[-+]?\d+"), re.compile(r"\d+")
NUMBER = re.compile(r"^[-+]?[\d.,]*\d[\d.,]*(e[-+]?\d+)?$", re.I)


@dataclass(frozen=True)
class Form:
    """What the beginning of a text file tells.

    Attributes
    ----------
    name : str
        The table's name in errors.
    names : sequence of str
        The columns' names, no two alike.
    separator : str
        What stands between fields.
    begin : int
        Characters up to the first row.
    lines : int
        Lines up to the first row.
    header : str
        The header's place, for errors.
    fields : sequence of str
        The header as it stands in the file, field by field.
    options : FormOptions
    remarks : sequence of str
        What was guessed.
    """

    name: str
    names: Sequence[str]
    separator: str
    begin: int
    lines: int
    header: str
    fields: Sequence[str]
    options: FormOptions
    remarks: Sequence[str]


class _Dialect(NamedTuple):
    separator: str
    escape: str | None  # what stands before a quote inside quotes, where it is not doubled


class _Record(NamedTuple):
    line: int  # its first one, from 0
    end: int  # the line after it
    fields: Sequence[str]


def form_of(head: str, options: FormOptions, name: str, *, whole: bool) -> Form:
    """Return the form of a text that begins like this, or is this as a `whole`.

    Raises
    ------
    Failure
        If there is no header, two columns have the same name, or other lines stand above the header.
    """
    lines = _lines(head)
    lines = lines if whole or len(lines) == 1 else lines[:-1]
    start, separator, remarks = options.skip_lines, options.separator, []
    if options.skip_lines and start >= len(lines):
        raise Failure(f"{name}: no line is left after --skip-lines {options.skip_lines}")
    declared = next((k for k in range(start, min(len(lines), start + 3)) if lines[k].strip()), start)
    if declared < len(lines) and (found := DECLARED.match(lines[declared].strip("\n "))):
        start, separator = declared + 1, separator or found[1] or "\t"
    dialect = _dialect(lines[start:], options.comment, separator or SEPARATORS)
    records = _records(lines, start, dialect, options.comment)
    at, skipped = _header(records, name)
    header, rows = records[at], records[at + 1 :]
    if "".join(lines[header.line : header.end]).count('"') % 2 and header.end > header.line + 1:
        raise Failure(f"{name}: line {header.line + 1}: a quote opens in the header and is never closed")
    if dialect.separator == " ":
        remarks.append("fields are separated by blanks (--separator)")
    if skipped:
        remarks.append(f"{skipped} comment line{'s' if skipped > 1 else ''} (#) above the header left out")
    fields = _as_wide_as_rows([field.strip() for field in header.fields], rows, remarks)
    begin = sum(len(line) for line in lines[: header.end])
    place = f"line {header.line + 1}"
    names = _named(fields, name, place, remarks)
    return Form(name, names, dialect.separator, begin, header.end, place, fields, options, remarks)


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _records(lines: Sequence[str], start: int, dialect: _Dialect, comment: str | None) -> list[_Record]:
    """Return the first records that hold anything, by the csv module, whatever else is odd about them."""
    separator, escape = dialect
    reader = csv.reader(iter(lines[start:]), delimiter=separator, escapechar=escape, skipinitialspace=True)
    records, line = [], start
    try:
        for fields in reader:
            end = start + reader.line_num
            if any(field.strip() for field in fields) and not (comment and lines[line].startswith(comment)):
                records.append(_Record(line, end, [field for field in fields if field] if separator == " " else fields))
                if len(records) >= LOOKED_AT:
                    break
            line = end
    except csv.Error:  # a field beyond its limit: a quote that is not closed; the rows will tell where
        pass
    return records


def _dialect(lines: Sequence[str], comment: str | None, separators: str) -> _Dialect:
    """Return the separator that gives most records the same number of fields, the header among them.

    Blanks are taken for separators only where nothing else is one and all records agree.
    """
    best, chosen = (-1.0, 0, 0), _Dialect(separators[0] if len(separators) == 1 else ",", None)
    escapes = (None, "\\") if any('\\"' in line for line in lines) else (None,)
    for dialect in (_Dialect(separator, escape) for escape in escapes for separator in separators):
        widths = [len(record.fields) for record in _records(lines, 0, dialect, comment)]
        if not widths or max(widths) == 1:
            continue
        width, alike = max(Counter(width for width in widths if width > 1).items(), key=lambda found: found[1])
        first = next(k for k, found in enumerate(widths) if found > 1)
        score = (alike / len(widths) - 0.05 * first, -first, width)
        if score > best:
            best, chosen = score, dialect
    if best[0] < 0 and separators == SEPARATORS:
        widths = [len(record.fields) for record in _records(lines, 0, _Dialect(" ", None), comment)]
        if len(widths) > 1 and min(widths[1:]) == max(widths) > 1 and widths[0] in (max(widths), max(widths) - 1):
            return _Dialect(" ", None)
    return chosen


def _header(records: Sequence[_Record], name: str) -> tuple[int, int]:
    """Return which record is the header, and how many lines of comments stand above it."""
    if not records:
        raise Failure(f"{name}: the table is empty")
    widths = [len(record.fields) for record in records]
    common = Counter(widths).most_common(1)[0][0]
    at = 0
    while at + 1 < len(records) and records[at].fields[0].lstrip().startswith("#") and widths[at] != common:
        at += 1
    skipped = sum(record.end - record.line for record in records[:at])
    first = next(k for k in range(at, len(records)) if widths[k] == common) if common in widths[at:] else at
    header, candidate = records[at], records[first]
    if first == at:
        _check_names(records, at, name)
    if first == at or widths[at] > common or _is_data(candidate):
        return at, skipped
    named = 1 < widths[at] == common - 1 and {*widths[at + 1 :]} == {common}  # but for the rows' names, as R writes
    if named and not any(_is_data(record) for record in records[at + 1 :]):
        return at, skipped
    raise Failure(
        f"{name}: line {candidate.line + 1} has {common} fields, the first line that holds anything ({_shown(header)}) "
        f"has {widths[at]}: --skip-lines {candidate.line} takes line {candidate.line + 1} for the header"
    )


def _check_names(records: Sequence[_Record], at: int, name: str) -> None:
    """Raise for a header that looks like a title, which a spreadsheet has filled up with separators."""
    named = [sum(bool(field.strip()) for field in record.fields) for record in records]
    later = next((k for k in range(at + 1, len(records)) if named[k] > named[at]), at)
    if len(records[at].fields) > 2 and 2 * named[at] <= len(records[at].fields) < 2 * named[later]:
        header = records[later]
        if not _is_data(header) and any(map(_is_data, records[later + 1 :])):
            raise Failure(
                f"{name}: the first line that holds anything ({_shown(records[at])}) names {named[at]} of its "
                f"{len(header.fields)} columns: --skip-lines {header.line} takes line {header.line + 1} for the header"
            )


def _is_data(record: _Record) -> bool:
    return any(NUMBER.match(field.strip()) for field in record.fields)


def _as_wide_as_rows(names: list[str], rows: Sequence[_Record], remarks: list[str]) -> list[str]:
    """Return the names with one more where all rows have one field more, without an empty last one that none has."""
    if len(names) > 1 and not names[-1] and rows and all(len(row.fields) == len(names) - 1 for row in rows):
        return names[:-1]
    if len(names) < 2 or not rows or any(len(row.fields) != len(names) + 1 for row in rows):
        return names
    if not any(row.fields[-1].strip() for row in rows):
        return [*names, ""]
    if not _begin_with_names(rows):
        return names  # and the rows will tell
    remarks.append("rows have one field more than the header: the first, without a name, is their name, as R writes")
    return ["", *names]


def _begin_with_names(rows: Sequence[_Record]) -> bool:
    """Tell whether the first fields may be rows' names, not halves of 1,5 or of text in single quotes."""
    if any(field.startswith("'") and not field.endswith("'") for row in rows for field in row.fields):
        return False
    first, second = ([row.fields[k].strip() for row in rows] for k in (0, 1))
    if len({*first}) < len(first):
        return False
    halves = all(map(WHOLE.fullmatch, first)) and all(map(DECIMALS.fullmatch, second)) and len({*map(len, second)}) == 1
    return not halves or all(int(name) < int(following) for name, following in pairwise(first))


def _named(names: Sequence[str], name: str, place: str, remarks: list[str]) -> list[str]:
    """Return the names made plain, columns without one by their position where there are several."""
    names = plain_names(names)
    empty = [k for k, column in enumerate(names) if not column]
    if len(empty) > 1:
        for k in empty:
            names[k] = f"column {k + 1}"
        shown = ", ".join(repr(names[k]) for k in empty[:4]) + (", …" if len(empty) > 4 else "")
        remarks.append(f"{len(empty)} columns without a name are called {shown}")
    twice = next((column for column, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        data = "; that looks like data, it should hold the names" if all(map(NUMBER.match, names)) else ""
        raise Failure(f"{name}: two columns are called {twice!r} ({place}{data})")
    return list(names)


def _shown(record: _Record) -> str:
    text = record.fields[0].strip()
    return f"line {record.line + 1}, {text[:24] + '…' if len(text) > 25 else text!r}"
