"""Columns by their names: of the estimator that was fitted to them, and as errors and remarks list them."""

from __future__ import annotations

from collections.abc import Sequence

from luce.models.inputs.kinds import Indices

__all__ = ["column_names", "listed"]

MOST_COLUMNS = 8


def column_names(fitted: object, count: int) -> list[str]:
    """Return the names of the columns that an estimator was fitted to; x0, x1 and so on where they had none."""
    names = getattr(fitted, "feature_names_in_", None)
    return [f"x{j}" for j in range(count)] if names is None else [str(name) for name in names]


def listed(columns: Indices, names: Sequence[str]) -> str:
    """Return the names of these columns, in quotes; of many the first ones and how many more there are."""
    shown = [repr(names[column]) for column in columns[:MOST_COLUMNS].tolist()]
    rest = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
