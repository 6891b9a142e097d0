"""The classes of a table: which spellings are one class, their order, a number for each, and what an unknown one means.

Labels keep the spelling that they have in the table. Two spellings are one class where all labels are numbers (1 and
1.0, but not 7 and 07) or all are true and false, and the spellings mean the same; or where nobody sees a difference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.tables.conversion import shown
from luce.tables.failure import Failure
from luce.tables.names import composed

__all__ = ["Labels", "alike", "check_classes", "counted", "spelled"]

MOST_TOLD = 3
MANY_CLASSES = 1000  # beyond, a target that is mostly distinct is taken for an identifier
NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d*)?")  # 07 is none: it may be another code than 7
TARGETS = pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Datetime, pl.Time  # and integers
DECIMAL_COMMA = r"^([-+]?\d*),(\d+)$"


class Labels:
    """Class labels in their order, each in the spelling that most rows have.

    Parameters
    ----------
    names : sequence of str

    Attributes
    ----------
    names : list of str

    Examples
    --------
    >>> import polars as pl
    >>> from luce.tables.labels import Labels
    >>> labels = Labels.of({"10": 3, "9": 2, "9.0": 1})
    >>> labels.names, labels.codes(pl.Series(["10.0", "9", "x", None])).tolist()
    (['9', '10'], [1, 0, -1, -1])
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._meaning = _meaning(self.names)
        self._codes = {self._meaning(name): code for code, name in enumerate(self.names)}

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Labels:
        """Gather spellings of the same class, by how many rows have each, and put the classes in order."""
        meaning = _meaning(counts)
        spellings: dict[Any, str] = {}
        for name in sorted(counts, key=lambda name: (-counts[name], name)):
            spellings.setdefault(meaning(name), name)
        return cls([spellings[key] for key in sorted(spellings)])

    def __len__(self) -> int:
        return len(self.names)

    def codes(self, column: pl.Series) -> npt.NDArray[np.int64]:
        """Return the number of each row's class, -1 where it is missing or unknown; `column` is text."""
        found = column.drop_nulls().unique().to_list()
        codes = [self._code(name) for name in found]
        return column.replace_strict(found, codes, default=-1, return_dtype=pl.Int64).to_numpy()

    def typed(self) -> pl.Series:
        """Return the labels as integers, floats or booleans where they are written as these are, else as text."""
        for dtype in (pl.Int64, pl.Float64):
            values = pl.Series(self.names, dtype=pl.String).cast(dtype, strict=False)
            if not values.null_count() and values.cast(pl.String).to_list() == self.names:
                return values
        if set(self.names) <= {"false", "true"}:
            return pl.Series([name == "true" for name in self.names])
        return pl.Series(self.names, dtype=pl.String)

    def nearest(self, name: str) -> str | None:
        """Return the label that differs from an unknown one by blanks, case and punctuation alone, if there is one."""
        from difflib import SequenceMatcher

        plain = _plain(name)
        alike = [known for known in self.names if plain and _plain(known) == plain]
        return max(alike, key=lambda known: SequenceMatcher(None, known, name).ratio(), default=None)

    def _code(self, name: str) -> int:
        try:
            return self._codes.get(self._meaning(name), -1)
        except ValueError:  # no number among numbers
            return -1


def spelled(column: pl.Series, source: str, *, from_text: bool) -> pl.Series:
    """Return a target as text, what is missing as null.

    Parameters
    ----------
    column : polars.Series
    source : str
        The table's name in errors.
    from_text : bool
        Whether the table is a text file: text that is all numbers then stands for numbers.

    Raises
    ------
    Failure
        If it holds real numbers, or values of a type that can't be classes.
    """
    dtype = column.dtype
    if dtype.is_float() or dtype.is_decimal():
        numbers = column.cast(pl.Float64)
        numbers = numbers.set(numbers.is_nan(), None)
        _check_whole(numbers, column.name, source)
        column = column.set(numbers.is_null(), None)
    elif not (dtype.is_integer() or dtype in TARGETS):
        raise Failure(f"{source}: column {column.name!r} is of type {dtype}, not classes")
    text = shown(column)
    if from_text and dtype == pl.String:
        numbers = text.str.replace(DECIMAL_COMMA, "$1.$2").cast(pl.Float64, strict=False)
        if numbers.null_count() == text.null_count():
            _check_whole(numbers, column.name, source)
    return text


def check_classes(name: str, counts: Mapping[str, int], source: str) -> None:
    """Raise `Failure` for fewer than two classes, or more than 1000 in fewer than twice as many rows."""
    distinct, rows = len(counts), sum(counts.values())
    if distinct > MANY_CLASSES and 2 * distinct > rows:
        raise Failure(
            f"{source}: column {name!r} holds {distinct:,} distinct values in {rows:,} rows: "
            "that looks like an identifier, not classes"
        )
    if distinct < 2:
        what = f"one class only ({next(iter(counts))!r})" if counts else "no value at all"
        raise Failure(f"{source}: column {name!r} holds {what}; a classifier needs two classes or more")


def alike(names: Sequence[str]) -> list[str]:
    """Say which classes differ in case, in blanks or in punctuation behind them alone: one class in two spellings?

    Examples
    --------
    >>> from luce.tables.labels import alike
    >>> alike(["Blue", "blue", "dark_red", "dark red.", "-1", "1", "<5", ">5"])
    ["classes that are spelled almost alike: 'Blue' and 'blue'; 'dark red.' and 'dark_red'"]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        folded = re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", name.casefold())
        groups.setdefault(re.sub(r"\s*[.,;:]+$", "", folded), []).append(name)
    several = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    more = f"; and {len(several) - MOST_TOLD} more" if len(several) > MOST_TOLD else ""
    return [f"classes that are spelled almost alike: {'; '.join(several[:MOST_TOLD])}{more}"] if several else []


def counted(column: pl.Series) -> Counter[str]:
    """Return how many rows have each value of a text column, missing ones aside."""
    counts = column.drop_nulls().alias("label").value_counts(name="rows")
    return Counter(dict(zip(counts["label"].to_list(), counts["rows"].to_list(), strict=True)))


def _check_whole(numbers: pl.Series, name: str, source: str) -> None:
    odd = numbers.filter((numbers != numbers.round()) | ~numbers.is_finite()).drop_nulls()
    if len(odd):
        raise Failure(f"{source}: column {name!r} holds real numbers ({odd[0]:g}, …), not classes")


def _meaning(names: Sequence[str] | Mapping[str, int]) -> Callable[[str], Any]:
    """Return what tells whether two labels are the same class, and orders them."""
    if all(NUMBER.fullmatch(name) for name in names):
        return _number
    if {name.lower() for name in names} <= {"false", "true"}:
        return str.lower
    return composed


def _number(name: str) -> Decimal:
    if not NUMBER.fullmatch(name):
        raise ValueError(name)
    return Decimal(name)


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())
