"""Values' shapes: a value with every digit as 9. Columns of numbers and dates have few; a shape says how to read it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.tables.names import INVISIBLE

__all__ = ["by_shape", "digits", "normal", "shapes", "width"]

Array = npt.NDArray[Any]

DIGITS = ("０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९")  # full-width, Arabic, Persian, Devanagari
# signs that look alike: minus signs, apostrophes, blanks, digits; marks that nobody sees
ALIKE = {
    **{sign: str(value) for script in DIGITS for value, sign in enumerate(script)},
    **dict.fromkeys(INVISIBLE, ""),
    "．": ".",
    "，": ",",
    "％": "%",
    "：": ":",
    "／": "/",
    "٫": ".",
    "٬": ",",
    "٪": "%",
    "\u2212": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\ufe63": "-",
    "\uff0d": "-",
    "\u2019": "'",
    "\u02bc": "'",
    "\u00b4": "'",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
    "\u2007": " ",
}


def normal(values: pl.Series) -> pl.Series:
    """Return the values with plain signs, digits and blanks, raised digits in units, no dash for cents."""
    if (values.str.len_bytes() != values.str.len_chars()).any():
        values = values.str.replace_many(list(ALIKE), list(ALIKE.values())).str.strip_chars()
    if values.str.contains(r"[.,]-{1,2}$").any():  # 12.- in Switzerland, 12,- in the north
        values = values.str.replace(r"([0-9])[.,]-{1,2}$", "$1")
    if values.str.contains(r"\d *[a-zA-Z/]*(?:m|ft|in)[23]$").any():
        values = values.str.replace(r"(\d *[a-zA-Z/]*(?:m|ft|in))2$", "${1}²").str.replace(
            r"(\d *[a-zA-Z/]*(?:m|ft|in))3$", "${1}³"
        )
    return values


def shapes(values: pl.Series) -> pl.Series:
    """Return each value's shape: as many characters, digits as 9, but a 0 before a decimal sign.

    Parameters
    ----------
    values : polars.Series
        As `normal` returns them.

    Examples
    --------
    >>> import polars as pl
    >>> from luce.tables.text.shapes import shapes
    >>> shapes(pl.Series(["1,163.74", "31 Jan 2024", "0,5"])).to_list()
    ['9,999.99', '99 Jan 9999', '0,9']
    """
    if not values.str.contains_any(["0.", "0,"]).any():
        return values.str.replace_all(r"[0-9]", "9")
    marked = values.str.replace(r"^([^0-9]*)0([.,])", "${1}\x02${2}").str.replace_all(r"[0-9]", "9")
    return marked.str.replace("\x02", "0", literal=True)


def by_shape(values: pl.Series) -> list[tuple[str, Array]]:
    """Return the shapes of values that are `normal`, and where each is."""
    frame = pl.DataFrame({"shape": shapes(values), "place": np.arange(len(values))}).drop_nulls()
    groups = frame.group_by("shape").agg("place")
    return [(shape, at.to_numpy()) for shape, at in zip(groups["shape"].to_list(), groups["place"], strict=True)]


def digits(values: pl.Series, place: tuple[int, int]) -> Array:
    """Return the whole number that stands in one place, from its begin to its end, of values of one shape."""
    return np.asarray(values.str.slice(place[0], width(place)).cast(pl.Int64).to_numpy())


def width(place: tuple[int, int]) -> int:
    """Return how many characters a place has."""
    return place[1] - place[0]
