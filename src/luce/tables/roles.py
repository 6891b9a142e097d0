"""Which column plays which part: the target, or the soft targets; the row weights; those that are left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.models.inputs.targets import TOLERANCE
from luce.tables.columns import classes_of, listed, present
from luce.tables.failure import Failure

__all__ = ["Roles", "roles"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Roles:
    """The parts of a table's columns.

    Attributes
    ----------
    source : str
        The table's name in errors.
    target : str
        The column of the classes, or what soft targets' names begin with.
    soft : sequence of str
        The columns of soft targets; empty where there is a target.
    weights : str or None
        The column of the row weights.
    drop : collection of str
        Columns to leave out.
    """

    source: str
    target: str
    soft: Sequence[str]
    weights: str | None
    drop: Collection[str]

    @property
    def apart(self) -> set[str]:
        """Columns that are no features."""
        return {*(self.soft or [self.target]), *([self.weights] if self.weights else [])}

    @property
    def shown(self) -> str:
        """The target's name for a reader."""
        return f"{self.target}…" if self.soft else self.target

    def with_target(self, table: pl.DataFrame) -> Array:
        """Tell which rows have a target: soft targets count as absent where all of them are."""
        if not self.soft:
            return np.asarray(present(table[self.target]).to_numpy())
        return np.asarray(np.any([present(table[name]).to_numpy() for name in self.soft], axis=0))

    def counting(self, table: pl.DataFrame, first: int = 1) -> tuple[Array, Array]:
        """Tell which rows have a target, and which of them a weight that is not 0; `first` numbers the first row."""
        weights = self.weights_of(table, first)
        targeted = self.with_target(table)
        return targeted, targeted if weights is None else targeted & (weights > 0)

    def weightless(self) -> Failure:
        """Say that no row counts."""
        return Failure(f"{self.source}: every row with a target has weight 0 in {self.weights!r}")

    def weights_of(self, table: pl.DataFrame, first: int = 1) -> Array | None:
        """Return the row weights, `first` the number of the first row in errors.

        Raises
        ------
        Failure
            If one is missing, negative, infinite or no number.
        """
        if self.weights is None:
            return None
        return self._numbers(table[self.weights], "a weight must be a number from 0 up", np.inf, first)

    def targets_of(self, table: pl.DataFrame, numbers: Array) -> Any:
        """Return the classes of rows that have one, an array; or the soft targets, a data frame with a column a class.

        Parameters
        ----------
        table : polars.DataFrame
        numbers : (rows,) array of int
            The rows' numbers, for errors.

        Raises
        ------
        Failure
            For what can't be classes, or probabilities that don't sum to 1.
        """
        if not self.soft:
            return classes_of(table[self.target], self.source)
        shares = np.stack([self._numbers(table[name], "a probability is needed", 1, numbers) for name in self.soft], 1)
        sums = shares.sum(axis=1)
        off = np.flatnonzero(np.abs(sums - 1) > TOLERANCE)
        if len(off):
            raise Failure(
                f"{self.source}: row {numbers[off[0]]}: the probabilities in {self.target!r}… sum to {sums[off[0]]:.6g}"
                ", not 1"
            )
        if not len(shares):
            raise Failure(f"{self.source}: the columns {self.target!r}… hold no value at all")
        return pl.DataFrame(shares / sums[:, None], schema=[name[len(self.target) :] for name in self.soft])

    def _numbers(self, column: pl.Series, wanted: str, most: float, numbers: Any) -> Array:
        values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        bad = np.flatnonzero(~((values >= 0) & (values <= most + TOLERANCE) & np.isfinite(values)))
        if len(bad):
            number = numbers + bad[0] if isinstance(numbers, int) else numbers[bad[0]]
            got = "no value" if column[int(bad[0])] is None else repr(column[int(bad[0])])
            raise Failure(f"{self.source}: row {number}: column {column.name!r} holds {got}; {wanted}")
        return np.asarray(values)


def roles(
    names: Sequence[str],
    source: str,
    *,
    target: str | None,
    soft_target: str | None,
    weights: str | None,
    drop: Collection[str],
) -> Roles:
    """Check the options against the names of a table's columns.

    Raises
    ------
    Failure
        If a column is not there, plays two parts, or no target is named.
    """
    some = ", ".join(repr(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    if target is not None and soft_target is not None:
        raise Failure("--target and --soft-target exclude each other: the targets are classes or probabilities")
    if target is None and soft_target is None:
        raise Failure(f"{source}: say which column holds the classes, --target COLUMN; there are {some}")
    numeric = all(name.lstrip("-").replace(".", "", 1).isdigit() for name in names)
    if target is not None and target not in names:
        hint = "; its first row looks like data, it should hold the names" if numeric else ""
        raise Failure(f"{source}: no column {target!r}; there are {some}{hint}")
    if numeric and any("." in name for name in names):
        raise Failure(f"{source}: the first row looks like data ({some}), it should hold the columns' names")
    soft = [name for name in names if soft_target and name.startswith(soft_target) and name not in drop]
    soft = [name for name in soft if name != weights]
    if soft_target is not None and len(soft) < 2:
        found = f"only {soft[0]!r} does" if soft else "none does"
        raise Failure(f"{source}: --soft-target needs two columns or more that begin with {soft_target!r}; {found}")
    if soft_target in soft:
        raise Failure(
            f"{source}: the name of column {soft_target!r} leaves no class after --soft-target's {soft_target!r}"
        )
    if weights is not None and weights not in names:
        raise Failure(f"{source}: no column {weights!r} for --weights; there are {some}")
    unknown = sorted(set(drop) - set(names))
    if unknown:
        raise Failure(f"{source}: no column {unknown[0]!r} to drop; there are {listed(names)}")
    result = Roles(source, target or soft_target or "", soft, weights, frozenset(drop))
    if target is not None and target == weights:
        raise Failure(f"{source}: column {target!r} can't be both the target and the weights")
    both = sorted(result.apart & set(drop))
    if both:
        raise Failure(f"{source}: column {both[0]!r} is the target or the weights, it can't be dropped")
    return result
