"""Which spellings of a value count as missing, and cells as values: blanks and marks taken off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from luce.tables.text.quotes import MARKED
from luce.tables.text.records import text_of

__all__ = ["USUAL", "Missing", "Source", "cleaned", "cleaned_and_counted", "missing_of"]

USUAL = ("NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "\\N", "?")


class Missing(NamedTuple):
    """The words that count as missing, and whether they do in quotes, too; an empty cell always does."""

    words: tuple[str, ...] = USUAL
    quoted: bool = False

    @property
    def numeric(self) -> bool:
        """Whether one of them is a number, as -999 is."""
        return _any_number(self.words)


class Source(NamedTuple):
    """What cells of a piece of a file are like: whether quotes are marked in them, and the file's separator."""

    quoted: bool
    separator: str


def missing_of(given: Sequence[str] | None) -> Missing:
    """Return what ``--missing`` asks for: the usual words without it, no word at all for none alone."""
    if given is None:
        return Missing()
    return Missing(() if tuple(given) == ("none",) else tuple(dict.fromkeys(given)), True)


def cleaned(cells: pl.Series, missing: Missing, source: Source) -> pl.Series:
    """Return the cells' text without blanks around it, null where it is missing."""
    return cleaned_and_counted(cells, missing, source)[0]


def cleaned_and_counted(cells: pl.Series, missing: Missing, source: Source) -> tuple[pl.Series, Counter[str]]:
    """Return the cells' text as `cleaned` does, and how often each word for a missing value occurs.

    Empty cells in quotes count as the word ''.
    """
    text = _text(cells, source)
    absent = _absent(text, cells, missing, source)
    if not absent.any():
        return text, Counter()
    counts = text.filter(absent).value_counts()
    return text.set(absent, None), Counter(dict(counts.iter_rows()))


def _text(cells: pl.Series, source: Source) -> pl.Series:
    text = (text_of(cells, source.separator) if source.quoted else cells).str.strip_chars()
    if text.str.starts_with('="').any():  # as Excel writes text that looks like a number
        text = text.str.replace(r'^="(.*)"$', "$1")
    return text


def _absent(text: pl.Series, cells: pl.Series, missing: Missing, source: Source) -> pl.Series:
    absent = text.is_in(["", *missing.words])
    if source.quoted and not missing.quoted:
        absent &= ~cells.str.starts_with(MARKED) | (text.str.len_bytes() == 0)
    return absent.fill_null(False)


@lru_cache(maxsize=64)
def _any_number(words: tuple[str, ...]) -> bool:
    return pl.Series(words, dtype=pl.String).cast(pl.Float64, strict=False).is_not_nan().any() is True
