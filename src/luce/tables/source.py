"""The table to learn from: a file, or Iris without one."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from luce.tables.reading import read_table

__all__ = ["table_to_learn"]


def table_to_learn(path: Path | None, target: str | None) -> pl.DataFrame:
    """Return the table at `path`, its target as it is spelled there; or Fisher's Iris, whose target is `species`."""
    if path is not None:
        return read_table(path, as_text=() if target is None else (target,))
    from sklearn.datasets import load_iris

    iris = load_iris()
    data = pl.DataFrame(iris.data, schema=list(iris.feature_names))
    return data.with_columns(species=pl.Series(iris.target_names[iris.target].tolist()))
