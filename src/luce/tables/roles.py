"""Which column plays which part: the target, or the soft targets; the row weights; those that are left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from luce.models.inputs.targets import TOLERANCE
from luce.tables.conversion import kind_of, listed, present, shortened
from luce.tables.failure import Failure
from luce.tables.labels import Labels, check_classes, counted, spelled
from luce.tables.names import nearest, plain

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
    drop, keep : collection of str
        Columns to leave out, and columns to use though they look like an index or an identifier.
    from_text : bool
        Whether the table is a text file.
    """

    source: str
    target: str
    soft: Sequence[str]
    weights: str | None
    drop: Collection[str]
    keep: Collection[str]
    from_text: bool

    @property
    def apart(self) -> set[str]:
        """Columns that are no features."""
        return {*(self.soft or [self.target]), *([self.weights] if self.weights else [])}

    @property
    def wishes(self) -> dict[str, str]:
        """How columns are to be read for their parts: labels as they are spelled, weights as numbers or not at all."""
        exact = [*self.soft, *([self.weights] if self.weights else [])]
        return ({} if self.soft else {self.target: "labels"}) | dict.fromkeys(exact, "exact")

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

    def spelled(self, table: pl.DataFrame) -> pl.Series:
        """Return the classes as text.

        Raises
        ------
        Failure
            If they are real numbers, or of a type that can't be classes.
        """
        return spelled(table[self.target], self.source, from_text=self.from_text)

    def classes_of(self, table: pl.DataFrame) -> tuple[Labels, npt.NDArray[np.int64]]:
        """Return the labels, and each row's place among them.

        Raises
        ------
        Failure
            For what can't be classes: real numbers, lists, fewer than two, what looks like an identifier.
        """
        target = self.spelled(table)
        counts = counted(target)
        check_classes(self.target, counts, self.source)
        labels = Labels.of(counts)
        return labels, labels.codes(target)

    def shares_of(self, table: pl.DataFrame, numbers: Array) -> pl.DataFrame:
        """Return the soft targets, a column for each class.

        Parameters
        ----------
        table : polars.DataFrame
        numbers : (rows,) array of int
            The rows' numbers, for errors.

        Raises
        ------
        Failure
            For probabilities that are none or don't sum to 1.
        """
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
        return pl.DataFrame(shares / sums[:, None], schema=self.soft_classes)

    @property
    def soft_classes(self) -> list[str]:
        """The classes of soft targets: the rest of their columns' names."""
        return [name[len(self.target) :] for name in self.soft]

    def _numbers(self, column: pl.Series, wanted: str, most: float, numbers: Any) -> Array:
        kind = kind_of(column.dtype)
        if kind not in ("number", "boolean", "text", "empty"):
            raise Failure(f"{self.source}: column {column.name!r} is of type {column.dtype}; {wanted}")
        column = column.cast(pl.String) if kind == "text" else column
        values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        bad = np.flatnonzero(~((values >= 0) & (values <= most + TOLERANCE) & np.isfinite(values)))
        if len(bad):
            number = numbers + bad[0] if isinstance(numbers, int) else numbers[bad[0]]
            first = column[int(bad[0]) : int(bad[0]) + 1]
            got = "no value" if first[0] is None else shortened(first)
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
    keep: Collection[str] = (),
    from_text: bool,
) -> Roles:
    """Check the options against the names of a table's columns.

    Raises
    ------
    Failure
        If a column is not there, plays two parts, or no target is named.
    """
    target, weights = _named(target, names), _named(weights, names)
    drop, keep = ([str(_named(name, names)) for name in asked] for asked in (drop, keep))
    some = ", ".join(repr(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    if target is not None and soft_target is not None:
        raise Failure("--target and --soft-target exclude each other: the targets are classes or probabilities")
    if target is None and soft_target is None:
        raise Failure(f"{source}: say which column holds the classes, --target COLUMN; there are {some}")
    numeric = all(map(_is_number, names))
    if target is not None and target not in names:
        hint = _hint(names, from_text=from_text)
        raise Failure(f"{source}: no column {target!r}{nearest(target, names)}; there are {some}{hint}")
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
        raise Failure(f"{source}: no column {weights!r} for --weights{nearest(weights, names)}; there are {some}")
    result = Roles(
        source,
        target if target is not None else soft_target or "",
        soft,
        weights,
        frozenset(drop),
        frozenset(keep),
        from_text,
    )
    if target is not None and target == weights:
        raise Failure(f"{source}: column {target!r} can't be both the target and the weights")
    for asked, verb, done in ((drop, "drop", "dropped"), (keep, "keep", "kept as a feature")):
        unknown = sorted(set(asked) - set(names))
        if unknown:
            raise Failure(
                f"{source}: no column {unknown[0]!r} to {verb}{nearest(unknown[0], names)}; there are {listed(names)}"
            )
        both = sorted(result.apart & set(asked))
        if both:
            raise Failure(f"{source}: column {both[0]!r} is the target or the weights, it can't be {done}")
    both = sorted(set(keep) & set(drop))
    if both:
        raise Failure(f"--keep and --drop exclude each other, both name column {both[0]!r}")
    return result


def _hint(names: Sequence[str], *, from_text: bool) -> str:
    """Say what may be wrong with a table in which a column is not found."""
    if len(names) == 1 and from_text:
        return ", no other: if another sign stands between fields, --separator SIGN"
    if sum(map(_is_number, names)) >= len(names) / 2:
        return "; its first row looks like data, it should hold the names"
    return ""


def _is_number(name: str) -> bool:
    return name.lstrip("-").replace(".", "", 1).isdigit()


def _named(name: str | None, names: Sequence[str]) -> str | None:
    """Return the name as the table has it: composed letters and ordinary blanks, unless it is there as it is."""
    return name if name is None or name in names else plain(name)
