"""From converted columns to the features that the classifier sees: scikit-learn's transformers, names and levels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from luce.report.facts import Column
from luce.tables.columns import MOST_LEVELS, NUMBERS, rare

__all__ = ["feature_names", "levels_of", "preparation", "respelled", "unseen"]


def preparation(columns: Collection[Column], rows: int) -> ColumnTransformer:
    """Return the transformer for columns as planned on that many rows."""
    numbers = [column.name for column in columns if column.used and column.kind in NUMBERS]
    texts = [column.name for column in columns if column.used and column.kind == "text"]
    number = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("standardise", StandardScaler()),
        ]
    )
    text = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=rare(rows),
        max_categories=MOST_LEVELS,
        sparse_output=False,
    )
    return ColumnTransformer([("numbers", number, numbers), ("text", text, texts)])


def feature_names(prepared: Any) -> list[str]:
    """Return the features' names in the reader's words: `width`, `width missing`, `colour = red`, `colour rare`."""
    names = []
    for part, fitted, columns in prepared.transformers_:
        if part == "numbers" and len(columns):
            marked = fitted["impute"].indicator_.features_
            names += [*columns, *(f"{columns[k]} missing" for k in marked)]
        elif part == "text" and len(columns):
            for column, levels, pooled in zip(columns, fitted.categories_, fitted.infrequent_categories_, strict=True):
                rare_ones = set() if pooled is None else set(pooled.tolist())
                kept = [level for level in levels.tolist() if level not in rare_ones]
                names += [f"{column} missing" if level is None else f"{column} = {level}" for level in kept]
                names += [f"{column} rare"] if rare_ones else []
    return names


def levels_of(prepared: Any) -> dict[str, list[str]]:
    """Return the levels of each text column that training saw, rare ones too."""
    for part, fitted, columns in prepared.transformers_:
        if part == "text" and len(columns):
            return {
                column: [level for level in levels.tolist() if level is not None]
                for column, levels in zip(columns, fitted.categories_, strict=True)
            }
    return {}


def respelled(features: pl.DataFrame, table: pl.DataFrame, levels: dict[str, list[str]]) -> pl.DataFrame:
    """Return the features with levels that are numbers in `table`, 1, written as training saw them: 1.0."""
    columns = []
    for name, known in levels.items():
        values = features[name]
        if table[name].dtype.is_numeric():
            other = values + ".0"
            columns.append(values.zip_with(values.is_in(known) | ~other.is_in(known), other))
    return features.with_columns(columns)


def unseen(features: pl.DataFrame, levels: dict[str, list[str]]) -> dict[str, int]:
    """Return how many values of each text column training did not see, those of columns that have any."""
    strange = {name: int((~features[name].drop_nulls().is_in(known)).sum()) for name, known in levels.items()}
    return {name: count for name, count in strange.items() if count}
