"""Training on a table larger than memory, in two passes.

The first pass counts classes and draws two samples of rows: one that is held out and judged at the end, and one that
says what is done with each column (levels, medians, means). The second pass learns from every row that is not held out,
batch by batch, and forgets it (`SoftmaxClassifier.partial_fit`).
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from luce.models.evaluation.held_out import HeldOutPredictions
from luce.models.fit_warnings import SortedRowsWarning, named
from luce.models.inputs.kinds import Array
from luce.report.facts import Column
from luce.tables.batches import Batches
from luce.tables.columns import plan
from luce.tables.conversion import converted
from luce.tables.failure import Failure
from luce.tables.labels import Labels, check_classes, counted
from luce.tables.preparation import Preparation, learn_preparation, rare
from luce.tables.roles import Roles
from luce.tables.sample import Sample, draws
from luce.tables.training.in_memory import notes_of, scales_of
from luce.tables.training.progress import Progress
from luce.tables.training.record import Training

__all__ = ["train_stream"]


SAMPLED_ROWS, SAMPLED_CELLS = 100_000, 2_000_000  # of each of the two samples, at most
CELLS = 2_000_000  # of the features of a batch
MOST_CLASSES = 100_000
MOST_NOTES = 5  # on batches
FOLDS = 5  # over which the temperature is fitted


def train_stream(
    batches: Batches,
    roles: Roles,
    classifier: Any,
    parameters: Mapping[str, Any],
    *,
    share: float,
    seed: int,
    progress: Progress,
) -> Training:
    """Train on all rows that have a target and a weight, but the `share` of them that is held out.

    Raises
    ------
    Failure
        As `train` of `in_memory`; and where a column turns out to hold what the sample of it did not show.
    """
    begin = time.perf_counter()
    first = _FirstPass(batches, roles, share, seed, progress)
    columns, features = _planned(first)
    preparation = learn_preparation(features, rare(len(features)))
    scales = scales_of(preparation, preparation.transform(features, sparse=preparation.is_sparse(len(features))))
    most = max(CELLS // max(len(preparation), len(first.classes)), 1)
    learnt = _Learnt(first, columns, preparation, classifier)
    for batch, numbers in _second_pass(batches, roles, first, most, progress):
        learnt.add(batch, numbers)
    classifier.classes_ = np.array(first.classes)
    seconds = time.perf_counter() - begin
    progress.say("judging held-out rows")
    judged, table, held, notes = _judged(first, columns, preparation, classifier, learnt.shares, most)
    if share and judged is None and not notes:
        notes.append("No row was drawn to be held out: nothing is known of other rows.")
    return Training(
        roles,
        columns,
        preparation,
        classifier,
        learnt.shares if roles.soft else first.rows_by_class,
        learnt.rows,
        first.without_target,
        first.without_weight,
        seconds,
        parameters,
        np.array(learnt.curve),
        np.empty(0),
        scales,
        judged,
        table,
        held,
        notes=[*learnt.notes, *notes],
        streamed=True,
    )


def _planned(first: _FirstPass) -> tuple[list[Column], pl.DataFrame]:
    """Decide from the sample what is done with each column, and return its rows in that form."""
    roles = first.roles
    data, at = first.sample.taken()
    if not len(data):
        raise Failure(f"{roles.source}: no row to learn from")
    codes = first.targets_of(data, at)[1]
    columns = plan(data, roles.source, apart=roles.apart, drop=roles.drop, keep=roles.keep, classes=codes, numbers=at)
    return columns, converted(data, columns, roles.source)


class _Learnt:
    """A classifier that learns batch after batch: each one's loss beforehand, the mass of the classes, the rows."""

    def __init__(self, first: _FirstPass, columns: list[Column], preparation: Preparation, classifier: Any) -> None:
        self.first, self.columns, self.preparation, self.classifier = first, columns, preparation, classifier
        self.curve: list[float] = []
        self.shares, self.rows = np.zeros(len(first.classes)), 0
        self.notes: list[str] = []

    def add(self, batch: pl.DataFrame, numbers: Array) -> None:
        """Learn a batch."""
        roles, classes = self.first.roles, np.arange(len(self.first.classes))
        features = converted(batch, self.columns, roles.source)
        X = self.preparation.transform(features, sparse=self.preparation.is_sparse(len(features)))
        y, codes = self.first.targets_of(batch, numbers)
        weights = roles.weights_of(batch)
        mass = np.ones(len(features)) if weights is None else weights
        given = y.to_numpy() if roles.soft else np.eye(len(classes))[codes]
        if self.rows:
            losses = -(given * self.classifier.predict_log_proba(X)).sum(axis=1)
            self.curve.append(float(np.average(losses, weights=mass)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.classifier.partial_fit(X, y, classes=None if roles.soft else classes, sample_weight=weights)
            except ValueError as error:
                raise Failure(f"{roles.source}: {error}") from error
        if len(self.notes) < MOST_NOTES:
            self.notes += notes_of(caught, f"Rows {numbers[0]:,} to {numbers[-1]:,}: ")
        for absent in (warned.message.absent for warned in caught if isinstance(warned.message, SortedRowsWarning)):
            names = named([self.first.classes[code] for code in absent])
            self.notes.append(
                f"The rows seem to be sorted by class: {names}, frequent before, came no more in rows"
                f" {numbers[0]:,} to {numbers[-1]:,}. What was learnt of such classes fades: shuffle the table's"
                " rows, or train without --stream."
            )
        self.shares += mass @ given
        self.rows += len(features)


def _judged(
    first: _FirstPass,
    columns: list[Column],
    preparation: Preparation,
    classifier: Any,
    shares: Array,
    most: int,
) -> tuple[HeldOutPredictions | None, pl.DataFrame, Array, list[str]]:
    """Return what the model says about the held-out rows, these rows, their numbers, and what there is to note."""
    roles = first.roles
    table, held = first.held.taken()
    if not len(table):
        return None, table, held, []
    y, codes = first.targets_of(table, held)
    known = codes >= 0
    alone = int((~known).sum())
    which = "row has a class" if alone == 1 else "rows have classes"
    notes = [f"{alone} held-out {which} that no other row has: not judged."] if alone else []
    if not known.any():
        return None, table[:0], held[:0], notes
    features, weights = converted(table.filter(known), columns, roles.source), roles.weights_of(table)
    parts = [classifier.predict_log_proba(preparation.transform(part)) for part in features.iter_slices(most)]
    judged = HeldOutPredictions(
        "drawn at random and not learnt from",
        np.arange(known.sum()),
        np.arange(known.sum()) % FOLDS,
        y.to_numpy() if roles.soft else codes[known],
        None if weights is None else weights[known],
        np.concatenate(parts),
        np.broadcast_to(shares / shares.sum(), (known.sum(), len(shares))),
    )
    return judged, table.filter(known), held[known], notes


class _FirstPass:
    """What has to be known of all rows before the first is learnt from."""

    def __init__(self, batches: Batches, roles: Roles, share: float, seed: int, progress: Progress) -> None:
        self.batches, self.roles, self.seed = batches, roles, seed
        most = max(min(SAMPLED_ROWS, SAMPLED_CELLS // len(batches.columns)), 100)
        self.held, self.sample = Sample(most), Sample(most)
        self.without_target = self.without_weight = 0
        counts: Counter[Any] = Counter()
        numeric = [*roles.soft, *([roles.weights] if roles.weights else [])]
        number = 1
        for batch in batches.read(each=partial(progress.batch, "first pass")):
            numbers = np.arange(number, number + len(batch))
            number += len(batch)
            targeted, counting = roles.counting(batch, int(numbers[0]))
            self.without_target += int((~targeted).sum())
            self.without_weight += int((targeted & ~counting).sum())
            batch, numbers = batch.filter(counting), numbers[counting]
            if roles.soft:
                roles.shares_of(batch, numbers)
            else:
                counts.update(counted(roles.spelled(batch)))
            if len(counts) > MOST_CLASSES:
                check_classes(roles.target, counts, roles.source)
            batch = batch.with_columns(pl.col(numeric).cast(pl.Float64))
            drawn = draws(numbers, seed)
            self.held.add(batch.filter(drawn < share), drawn[drawn < share], numbers[drawn < share])
            learnt = drawn >= share
            self.sample.add(batch.filter(learnt), 1 - drawn[learnt], numbers[learnt])
        table, _ = self.held.taken()
        if self.without_weight and not len(table) + len(self.sample.taken()[0]):
            raise roles.weightless()
        self.limit = min(share, self.held.limit)
        if roles.soft:
            self.classes = roles.soft_classes
        else:
            self._learn_classes(counts, table)

    def _learn_classes(self, counts: Counter[str], held: pl.DataFrame) -> None:
        """Gather the classes of the rows to learn from, and how many rows have each."""
        if len(held):
            counts.subtract(counted(self.roles.spelled(held)))
        counts = +counts
        check_classes(self.roles.target, counts, self.roles.source)
        self.roles.spelled(pl.DataFrame({self.roles.target: list(counts)}))  # all are numbers, but not in every batch
        self.labels = Labels.of(counts)
        self.classes = self.labels.names
        codes = self.labels.codes(pl.Series(list(counts)))
        self.rows_by_class = np.bincount(codes, list(counts.values())).astype(np.int64)

    def targets_of(self, table: pl.DataFrame, numbers: Array) -> tuple[Any, Array]:
        """Return what the classifier learns, and each row's class, of soft targets the most probable."""
        if self.roles.soft:
            shares = self.roles.shares_of(table, numbers)
            return shares, shares.to_numpy().argmax(axis=1)
        codes = self.labels.codes(self.roles.spelled(table))
        return codes, codes


def _second_pass(
    batches: Batches, roles: Roles, first: _FirstPass, most: int, progress: Progress
) -> Iterator[tuple[pl.DataFrame, Array]]:
    """Yield the rows to learn from and their numbers, `most` at a time."""
    number = 1
    for batch in batches.read(each=partial(progress.batch, "learning")):
        numbers = np.arange(number, number + len(batch))
        number += len(batch)
        learnt = roles.counting(batch)[1] & (draws(numbers, first.seed) >= first.limit)
        batch, numbers = batch.filter(learnt), numbers[learnt]
        for begin in range(0, len(batch), most):
            yield batch[begin : begin + most], numbers[begin : begin + most]
