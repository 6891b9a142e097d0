"""A text file as a table: its form from its beginning, its columns' readings from all of it, then its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import polars as pl

from luce.tables.conversion import listed
from luce.tables.failure import Failure
from luce.tables.files import TableFile
from luce.tables.names import nearest, plain
from luce.tables.text.characters import characters
from luce.tables.text.deciding import Decision, decide, hints_of
from luce.tables.text.evidence import Evidence, take
from luce.tables.text.form import form_of
from luce.tables.text.margins import MOST, Margins, leading, margins
from luce.tables.text.missing import Missing, Source, missing_of
from luce.tables.text.options import FormOptions, ReadingOptions
from luce.tables.text.reading import Reading, plainly, typed
from luce.tables.text.records import Cells, records

__all__ = ["Survey", "TextTable"]

CHARACTERS, MOST_CHARACTERS = 2**22, 2**25  # bytes of a batch
WIDE = 2**11  # and at least so many a column: each of them costs the same however few rows there are
HEAD = 2**18  # characters in which the header is looked for
MOST_HEAD = 2**26
EDGE = 2  # columns in which totals are named

Each = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Survey:
    """What all rows together tell.

    Attributes
    ----------
    readings : mapping of str to Reading
    remarks : mapping of str to list of str
        Of the columns that there is something to say about.
    notes : sequence of str
        Remarks on the table.
    margins : Margins
    rows : int
    spellings : mapping of str to list of str
        The words for missing values that occur in each column.
    given : bool
        Whether the readings are a model's: then a value that contradicts them is an error.
    all_rows : bool
        Whether no row is left out as units or for repeating the header.
    """

    readings: Mapping[str, Reading]
    remarks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    margins: Margins = field(default_factory=Margins)
    rows: int = 0
    spellings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    given: bool = False
    all_rows: bool = False


class _Gathered(NamedTuple):
    columns: Mapping[str, Evidence]
    head: pl.DataFrame  # the first and the last few rows as text
    tail: pl.DataFrame
    rows: int


class TextTable:
    """A table in a text file.

    Parameters
    ----------
    file : TableFile
    options : FormOptions

    Attributes
    ----------
    name : str
        What errors call it.
    columns : list of str
    total : int
        Bytes of the file.

    Raises
    ------
    Failure
        If it is no text, or has no header that can be understood.
    """

    def __init__(self, file: TableFile, options: FormOptions) -> None:
        self.name, self.total, self._file, self._options = file.name, file.size, file, options
        head, whole = "", True
        with file.open() as (stream, _):
            for piece in characters(stream, options.encoding, file.name, HEAD):
                head += piece
                if len(head) >= HEAD and (head.count("\n") > 1 or len(head) > MOST_HEAD):
                    whole = False
                    break
        self.form = form_of(head, options, file.name, whole=whole)
        self.columns = list(self.form.names)
        self._kept: list[Cells] | None = None
        self._odd: Counter[str] = Counter()
        self._units = self._repeated = 0

    def survey(
        self,
        options: ReadingOptions,
        wishes: Mapping[str, str],
        *,
        keep: bool,
        each: Each | None = None,
        all_rows: bool = False,
    ) -> Survey:
        """Read all rows and decide how each column is read.

        Parameters
        ----------
        options : ReadingOptions
        wishes : mapping of str to str
            What `decide` should know of columns that are labels, weights, soft targets.
        keep : bool
            Whether to keep the rows in memory, so that they need not be read again.
        each : callable, optional
            Called with how much of `total` is done, `total` and how many rows that is.
        all_rows : bool
            Whether no row is left out as units or totals.
        """
        seen = self._gathered(missing_of(options.missing), keep=keep, each=each, all_rows=all_rows)
        choose = partial(self._decided, options, {**self._asked(options), **wishes})
        edges, columns = Margins(), seen.columns
        if not all_rows:
            source = Source(True, self.form.separator)
            edges = margins(seen.head, seen.tail, seen.rows, columns, choose, source)
            aside = pl.concat([seen.head.head(edges.top), seen.tail.tail(edges.bottom)])
            if len(aside):
                columns = {name: of.without(aside[name], source) for name, of in columns.items()}
        decisions = choose(columns)
        remarks = {name: [*_missing_words(columns[name]), *made.remarks] for name, made in decisions.items()}
        return Survey(
            {name: made.reading for name, made in decisions.items()},
            {name: said for name, said in remarks.items() if said},
            [*self.form.remarks, *self._repeats(), *edges.remarks],
            edges,
            seen.rows,
            {name: sorted(word for word in of.spellings if word) for name, of in columns.items()},
            all_rows=all_rows,
        )

    def _gathered(self, missing: Missing, *, keep: bool, each: Each | None, all_rows: bool) -> _Gathered:
        """Read all rows and count what there is in each column."""
        seen = {name: Evidence(missing, edge=k < EDGE) for k, name in enumerate(self.columns)}
        head = tail = pl.DataFrame(schema=dict.fromkeys(self.columns, pl.String))
        rows, kept = 0, []
        for done, cells in self._cells(all_rows):
            take(seen, cells.table, Source(cells.quoted, self.form.separator))
            head = pl.concat([head, cells.table[:MOST]])[:MOST]
            tail = pl.concat([tail, cells.table[-MOST:]])[-MOST:]
            rows += len(cells.table)
            if keep:
                kept.append(cells)
            if each is not None:
                each(done, self.total, rows)
        if not rows:
            raise Failure(f"{self.name}: the table has a header and no rows")
        self._kept = kept if keep else None
        return _Gathered(seen, head, tail, rows)

    def rows(self, survey: Survey, each: Each | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows as values, batch by batch.

        Raises
        ------
        Failure
            If a value contradicts a reading that was given.
        """
        count, top = 0, survey.margins.top
        last = None if survey.given else survey.rows - survey.margins.bottom
        self._odd, self._units = Counter(), 0
        for done, cells in self._cells(survey.all_rows):
            if survey.given and not survey.all_rows and cells.first == 1:
                first = cells.table[: min(MOST, len(cells.table) - 1)]
                top = self._units = leading(first, survey.readings, Source(cells.quoted, self.form.separator))
            before = cells.first - 1
            begin, end = max(top - before, 0), len(cells.table) if last is None else max(last - before, 0)
            table = self._values(cells, survey, begin)[begin:end]
            yield table
            count += len(table)
            if each is not None:
                each(done, self.total, count)
        if not count:
            raise Failure(f"{self.name}: the table has a header and no rows")

    def _values(self, cells: Cells, survey: Survey, skip: int) -> pl.DataFrame:
        """Return cells as values; the first `skip` rows are no data and contradict nothing."""
        columns, quick = {}, plainly(cells.table, survey.readings)
        for column in cells.table.iter_columns():
            reading = survey.readings.get(column.name)
            if reading is None or column.name in quick:
                columns[column.name] = quick.get(column.name, column)
                continue
            found = typed(column, reading, Source(cells.quoted, self.form.separator))
            place = found.strange(reading, skip) if survey.given else None
            if place is not None and found.text is not None:
                raise self._contradiction(column.name, reading, cells.first + place, str(found.text[place]))
            if found.odd is not None:
                self._odd[column.name] += int(found.odd[skip:].sum())
            columns[column.name] = found.values
        return pl.DataFrame(columns)

    def remarks(self) -> list[str]:
        """Return what there is to say about rows that have been read with a model's readings."""
        which = "row holds" if self._units == 1 else f"{self._units} rows hold"
        units = f"the first {which} no data but units or descriptions: left out (--all-rows)"
        return (
            self._repeats()
            + [units] * bool(self._units)
            + [
                f"column {name!r}: {count:,} value{'s' if count > 1 else ''} of another kind missing, as in training"
                for name, count in self._odd.items()
                if count
            ]
        )

    def _repeats(self) -> list[str]:
        which = "1 row repeats" if self._repeated == 1 else f"{self._repeated} rows repeat"
        return [f"{which} the header: left out (--all-rows)"] if self._repeated else []

    def _contradiction(self, column: str, reading: Reading, row: int, value: str) -> Failure:
        shown = value if len(value) <= 24 else value[:23] + "…"
        saw = {"boolean": "true and false", "time": "times of day"}.get(reading.kind, f"{reading.kind}s")
        return Failure(
            f"{self.name}: row {row}: column {column!r} holds text ({shown!r}) where the model saw {saw}; "
            f"--missing {shown!r} takes it as missing"
        )

    def _decided(
        self, options: ReadingOptions, wishes: Mapping[str, str], seen: Mapping[str, Evidence]
    ) -> dict[str, Decision]:
        hints = hints_of(
            [of for name, of in seen.items() if wishes.get(name) not in ("text", "labels")],
            self.form.separator,
            options.decimal,
            options.dates,
        )
        made = {name: decide(of, hints, wishes.get(name)) for name, of in seen.items()}
        for name in (name for name, wish in wishes.items() if wish == "number"):
            if seen[name].present and made[name].reading.kind != "number":
                example = next(iter(seen[name].examples.values()), "")
                raise Failure(f"{self.name}: column {name!r} holds no number ({example!r}): --number can't be")
        return made

    def _asked(self, options: ReadingOptions) -> dict[str, str]:
        texts = {self._column(name, "--text"): "text" for name in options.text}
        return texts | {self._column(name, "--number"): "number" for name in options.number}

    def _column(self, name: str, option: str) -> str:
        found = next((column for column in self.columns if column in (name, plain(name))), None)
        if found is None:
            near = nearest(name, self.columns)
            raise Failure(f"{self.name}: no column {name!r} for {option}{near}; there are {listed(self.columns)}")
        return found

    def _cells(self, all_rows: bool) -> Iterator[tuple[int, Cells]]:
        """Yield the rows as text, with how many bytes of the file are done."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            while kept:
                yield self.total, kept.pop(0)
            return
        self._repeated = 0
        with self._file.open() as (stream, below):
            size = max(CHARACTERS, min(WIDE * len(self.columns), MOST_CHARACTERS))
            pieces = characters(stream, self._options.encoding, self.name, size)
            for cells in records(_after(pieces, self.form.begin), self.form, all_rows=all_rows):
                self._repeated += cells.repeated
                yield below.tell(), cells


def _after(pieces: Iterator[str], begin: int) -> Iterator[str]:
    for piece in pieces:
        if begin < len(piece):
            yield piece[begin:]
        begin = max(begin - len(piece), 0)


def _missing_words(seen: Evidence) -> list[str]:
    words = [f"{word!r} ({count:,})" for word, count in seen.spellings.most_common(4) if word]
    return [f"{', '.join(words)} counted as missing (--missing)"] if words else []
