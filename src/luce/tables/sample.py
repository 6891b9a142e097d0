"""Rows drawn from a stream: which ones follows from the seed and their numbers, not from the batches."""

from __future__ import annotations

import numpy as np
import polars as pl

from luce.models.inputs.kinds import Array

__all__ = ["Sample", "draws"]


def draws(numbers: Array, seed: int) -> Array:
    """Return a number in [0, 1) for each row, uniform and the same in every pass.

    SplitMix64 of the row's number (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA).

    Examples
    --------
    >>> import numpy as np
    >>> from luce.tables.sample import draws
    >>> drawn = draws(np.arange(10_000), seed=0)
    >>> round(float(drawn.mean()), 2), bool((draws(np.array([7]), seed=0) == drawn[7]).all())
    (0.5, True)
    """
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        z = start + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


class Sample:
    """The rows with the smallest keys, at most so many.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._parts: list[pl.DataFrame] = []
        self._keys, self._numbers = np.empty(0), np.empty(0, np.int64)
        self.limit = np.inf  # keys that large are not in the sample

    def add(self, rows: pl.DataFrame, keys: Array, numbers: Array) -> None:
        """Take the rows of a batch into account."""
        near = np.flatnonzero(keys < self.limit)
        self._parts.append(rows[near])
        self._keys, self._numbers = np.append(self._keys, keys[near]), np.append(self._numbers, numbers[near])
        if len(self._keys) > 2 * self.most:
            self._prune()

    def taken(self) -> tuple[pl.DataFrame, Array]:
        """Return the rows in their order, and their numbers."""
        if len(self._keys) > self.most:
            self._prune()
        return pl.concat(self._parts), self._numbers

    def _prune(self) -> None:
        self.limit = float(np.partition(self._keys, self.most)[self.most])
        kept = np.flatnonzero(self._keys < self.limit)
        self._parts = [pl.concat(self._parts)[kept]]
        self._keys, self._numbers = self._keys[kept], self._numbers[kept]
