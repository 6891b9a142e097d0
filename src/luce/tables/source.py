"""The table that is learnt from where none is given: Iris."""

from __future__ import annotations

import polars as pl

__all__ = ["iris"]


def iris() -> pl.DataFrame:
    """Return Fisher's Iris, whose target is `species`."""
    from sklearn.datasets import load_iris

    flowers = load_iris()
    data = pl.DataFrame(flowers.data, schema=list(flowers.feature_names))
    return data.with_columns(species=pl.Series(flowers.target_names[flowers.target].tolist()))
