"""Columns that number or name the rows: an index, an identifier.

They measure nothing, and tell the class wherever the table was once sorted by class. What gives them away:

* the name, where most values are distinct: pandas' and R's names of an index, `id`, `customer_id`, `PassengerId`;
* whole numbers of which none comes twice though their range is so narrow that measurements would repeat. Of n
  independent whole numbers from a range of S, n²/2S pairs are equal on average, and more where they are not spread
  evenly; with 5 expected and none seen, that is a chance of e⁻⁵ at most. Row numbers pass whatever became of the rows:
  shuffled, filtered, sampled down to n²/10 of them. Populations and prices in cents have ranges far too wide to fail.

Whole numbers that are mostly distinct and pass both are kept, with a remark if they alone tell the class.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["MANY_DISTINCT", "index_reason", "long_codes", "tells_the_class"]

MANY_DISTINCT = 10  # rows from which on "no value twice" means something
EXPECTED = 5.0  # equal pairs among measurements in the same range
CORE = 0.05  # share of the rows at either end that don't count for the range: a few sentinels
NAMES = re.compile(
    "ids?|index|idx|rows?|rowid|rownames?|rownum|rownumber|rownr|rowno|record|recno|obs|no|nr|sno|slno|srno"
    "|serialno|serialnumber|uid|uuid|guid|oid|pk|key|unnamed|indexlevel"
)
ENDS = {"id", "ids", "uuid", "guid"}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
NAMELESS = re.compile(r"[\W_]*|\.\.\.\d+|level_\d+")  # readr's and pandas' names of what has none
EXACT = 2**53  # from there on floating-point numbers don't tell all whole numbers apart
BETTER = 4  # times fewer mistakes than the most frequent class makes: then a column tells the class alone


def index_reason(name: str, values: pl.Series) -> str | None:
    """Say why a column is an index or an identifier, or return None.

    Parameters
    ----------
    name : str
    values : polars.Series
        Its values, missing ones left out: whole numbers of any type, or text.

    Examples
    --------
    >>> import polars as pl
    >>> from luce.tables.identifiers import index_reason
    >>> index_reason("PassengerId", pl.Series([871, 5, 12_000, 33, 7, 600, 41, 99_999, 2, 300]))
    'an identifier by its name, 10 distinct values in 10 rows'
    >>> index_reason("n", pl.Series([*range(0, 40, 3), *range(1, 40, 3)]))
    'numbers the rows: 27 whole numbers from 0 to 39, no value twice'
    >>> index_reason("cents", pl.Series([871, 5, 12_000, 33, 7, 600, 41, 99_999, 2, 300]))
    """
    rows, distinct = len(values), values.n_unique()
    if rows < MANY_DISTINCT or 2 * distinct < rows:
        return None
    if names_rows(name):
        return f"an identifier by its name, {distinct:,} distinct values in {rows:,} rows"
    if distinct < rows or values.dtype == pl.String:
        return None
    ordered = np.sort(values.to_numpy())
    aside = int(CORE * rows)
    core = ordered[aside : rows - aside]
    if len(core) ** 2 < 2 * EXPECTED * (int(core[-1]) - int(core[0]) + 1):
        return None
    return f"numbers the rows: {rows:,} whole numbers from {int(ordered[0])} to {int(ordered[-1])}, no value twice"


def long_codes(values: pl.Series) -> str | None:
    """Say that integers of many digits may be codes: if no value comes twice, or rounding makes some of them equal.

    Parameters
    ----------
    values : polars.Series
        Integers, missing ones left out.
    """
    largest = max((abs(edge) for edge in (values.min(), values.max()) if isinstance(edge, int)), default=0)
    if largest < EXACT or len(values) < MANY_DISTINCT:
        return None
    distinct, left = values.n_unique(), values.cast(pl.Float64).n_unique()
    if left == distinct < len(values):
        return None
    what = f"only {left:,} of {distinct:,} are told apart" if left < distinct else "no value twice"
    return f"whole numbers of {len(str(largest))} digits, {what}: if they are codes, --text or --drop"


def names_rows(name: str) -> bool:
    """Tell whether a column's name is that of an index or an identifier."""
    words = [word.lower() for word in WORD.findall(name)]
    if NAMELESS.fullmatch(name) or NAMES.fullmatch("".join(words)):
        return True
    return bool(words) and (words[-1] in ENDS or words[0] == "id")


def tells_the_class(values: npt.NDArray[Any], codes: npt.NDArray[np.int64]) -> float | None:
    """Return the share of rows whose class is that of the row before it in the order of a column, if that is much.

    Each row is predicted from its neighbour, so none takes part in its own prediction. None where the mistakes are not
    fewer than a quarter of those of always saying the most frequent class.

    Parameters
    ----------
    values : (n,) array
    codes : (n,) array of int
        Classes.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.tables.identifiers import tells_the_class
    >>> tells_the_class(np.arange(100), np.arange(100) // 50), tells_the_class(np.arange(100), np.arange(100) % 2)
    (0.9898989898989899, None)
    """
    if len(values) < MANY_DISTINCT or 2 * len(np.unique(values)) < len(values):
        return None
    ordered = codes[np.argsort(values, kind="stable")]
    right = float(np.mean(ordered[1:] == ordered[:-1]))
    most = float(np.bincount(codes).max() / len(codes))
    return right if (1 - right) * BETTER < 1 - most else None
