"""Values' shapes: a value with every digit as 9. Columns of numbers and dates have few; a shape says how to read it."""

from __future__ import annotations

import polars as pl

__all__ = ["normal", "shapes"]

# signs that look alike: minus signs, apostrophes, blanks
ALIKE = {
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
    """Return the values with plain minus signs, apostrophes and blanks, raised digits in units, no dash for cents."""
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
