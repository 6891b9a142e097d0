"""All pairs: few combinations of many factors in which every two values of two factors meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeVar

__all__ = ["all_pairs"]

Value = TypeVar("Value")

Place = tuple[str, int]
"""A factor and the place of one of its values."""


def all_pairs(factors: Mapping[str, Sequence[Value]]) -> list[dict[str, Value]]:
    """Choose rows greedily until each pair of values of two factors occurs in one of them.

    Examples
    --------
    >>> len(all_pairs({"a": [0, 1], "b": [0, 1], "c": [0, 1]}))
    4
    """
    names = list(factors)
    order = {name: i for i, name in enumerate(names)}
    missing = {
        ((a, i), (b, j)): None
        for a, b in combinations(names, 2)
        for i in range(len(factors[a]))
        for j in range(len(factors[b]))
    }  # a dict for its order: the rows are the same in every process

    def pair(first: Place, second: Place) -> tuple[Place, Place]:
        return (first, second) if order[first[0]] < order[second[0]] else (second, first)

    rows = []
    while missing:
        (a, i), (b, j) = next(iter(missing))
        row = {a: i, b: j}
        for name in names:
            if name not in row:
                gains = [
                    sum(pair((name, k), other) in missing for other in row.items()) for k in range(len(factors[name]))
                ]
                row[name] = gains.index(max(gains))
        for first, second in combinations(((n, row[n]) for n in names), 2):
            missing.pop((first, second), None)
        rows.append({name: factors[name][row[name]] for name in names})
    return rows
