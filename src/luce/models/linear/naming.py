"""Columns by their names, as errors and remarks list them."""

from __future__ import annotations

from collections.abc import Sequence

from luce.models.inputs.kinds import Indices

__all__ = ["listed"]

MOST_NAMED = 8


def listed(columns: Indices, names: Sequence[str]) -> str:
    """Return the names of these columns, in quotes; of many the first ones and how many more there are."""
    shown = [repr(names[column]) for column in columns[:MOST_NAMED].tolist()]
    rest = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
