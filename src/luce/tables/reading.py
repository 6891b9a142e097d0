"""A whole table in memory, in one call."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from luce.tables.batches import Batches
from luce.tables.text.options import FormOptions, ReadingOptions

__all__ = ["read_table"]


def read_table(path: Path, options: ReadingOptions | None = None, form: FormOptions | None = None) -> pl.DataFrame:
    r"""Read a table with named columns: text, packed or not, or Parquet.

    Parameters
    ----------
    path : Path
        The file; ``-`` for standard input.
    options : ReadingOptions, optional
        How columns of text are read, where that is not left to their values.
    form : FormOptions, optional
        How a text file is written, where that is not found out.

    Returns
    -------
    polars.DataFrame
        At least one row and one column, names made plain (`luce.tables.names`).

    Raises
    ------
    Failure
        If there is no such file, it is no table, or it is empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> import tempfile
    >>> from luce.tables.reading import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     _ = path.write_text('when;price\n31.12.2024;"1.163,74 €"\n1.1.2025;12,50 €\n')
    ...     read_table(path).rows()
    [(datetime.date(2024, 12, 31), 1163.74), (datetime.date(2025, 1, 1), 12.5)]
    """
    batches = Batches(path, form)
    batches.survey(options or ReadingOptions(), {}, keep=True)
    return batches.whole()
