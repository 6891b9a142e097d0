"""Training on a table larger than memory, in two passes.

The first pass counts classes and draws two samples of rows: one that is held out and judged at the end, and one that
says what is done with each column (levels, medians, means). The second pass learns from every row that is not held out,
batch by batch, and forgets it (`SoftmaxClassifier.partial_fit`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.pipeline import Pipeline

from luce.models.evaluation.held_out import HeldOutPredictions
from luce.tables.batches import Batches
from luce.tables.columns import check_classes, class_values, converted, plan
from luce.tables.failure import Failure
from luce.tables.preparation import preparation
from luce.tables.roles import Roles
from luce.tables.sample import Sample, draws
from luce.tables.text import retyped
from luce.tables.training.in_memory import scales_of
from luce.tables.training.progress import Progress
from luce.tables.training.record import Training

__all__ = ["train_stream"]

Array = npt.NDArray[Any]

SAMPLED_ROWS, SAMPLED_CELLS = 100_000, 2_000_000  # of each of the two samples, at most
CELLS = 2_000_000  # of the features of a batch
MOST_CLASSES = 100_000
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
    data, at = first.sample.taken()
    if not len(data):
        raise Failure(f"{roles.source}: no row to learn from")
    data = first.typed(data)
    columns = plan(data, roles.apart, roles.drop, at)
    if not any(column.used for column in columns):
        raise Failure(f"{roles.source}: no column left to learn from")
    texts = [column.name for column in columns if column.used and column.kind == "text"]
    features = converted(data, columns, roles.source)
    prepare = preparation(columns, len(data)).fit(features)
    scales = scales_of(prepare, features, columns)
    most = max(CELLS // max(len(prepare.get_feature_names_out()), len(first.classes)), 1)
    curve: list[float] = []
    shares, rows = np.zeros(len(first.classes)), 0
    for batch, numbers in _second_pass(batches, roles, first, texts, most, progress):
        X = prepare.transform(converted(batch, columns, roles.source))
        y, weights = _targets(roles, batch, numbers, first.classes), roles.weights_of(batch)
        mass = np.ones(len(X)) if weights is None else weights
        given = y.to_numpy() if roles.soft else np.eye(len(first.classes))[np.searchsorted(first.classes, y)]
        if rows:
            curve.append(float(np.average(-(given * classifier.predict_log_proba(X)).sum(axis=1), weights=mass)))
        try:
            classifier.partial_fit(X, y, classes=None if roles.soft else first.classes, sample_weight=weights)
        except ValueError as error:
            raise Failure(f"{roles.source}: {error}") from error
        shares += mass @ given
        rows += len(X)
    seconds = time.perf_counter() - begin
    pipeline = Pipeline([("prepare", prepare), ("classify", classifier)])
    table, held = first.held.taken()
    judged, notes = None, []
    if len(table):
        progress.say("judging held-out rows")
        typed = first.typed(table, texts)
        y = _targets(roles, typed, held, first.classes)
        known = np.ones(len(table), bool) if roles.soft else np.isin(y, first.classes)
        if not known.all():
            notes.append(f"{int((~known).sum())} held-out rows have classes that no other row has: not judged.")
        table, held = table.filter(known), held[known]
        features, weights = converted(typed.filter(known), columns, roles.source), roles.weights_of(typed)
        judged = HeldOutPredictions(
            "drawn at random and not learnt from",
            np.arange(len(table)),
            np.arange(len(table)) % FOLDS,
            y.to_numpy() if roles.soft else np.searchsorted(first.classes, y[known]),
            None if weights is None else weights[known],
            np.concatenate([pipeline.predict_log_proba(part) for part in features.iter_slices(most)]),
            np.broadcast_to(shares / shares.sum(), (len(table), len(shares))),
        )
    elif share:
        notes.append("No row was drawn to be held out: nothing is known of other rows.")
    return Training(
        roles,
        columns,
        pipeline,
        shares if roles.soft else np.array([first.counts[label] for label in first.classes.tolist()]),
        rows,
        first.without_target,
        first.without_weight,
        seconds,
        parameters,
        np.array(curve),
        np.empty(0),
        scales,
        judged,
        table,
        held,
        notes=notes,
        streamed=True,
    )


class _FirstPass:
    """What has to be known of all rows before the first is learnt from."""

    def __init__(self, batches: Batches, roles: Roles, share: float, seed: int, progress: Progress) -> None:
        self.batches, self.roles, self.seed = batches, roles, seed
        most = max(min(SAMPLED_ROWS, SAMPLED_CELLS // len(batches.columns)), 100)
        self.held, self.sample = Sample(most), Sample(most)
        self.without_target = self.without_weight = 0
        counts: Counter[Any] = Counter()
        numeric = [*roles.soft, *([roles.weights] if roles.weights else [])]
        as_text = [name for name in batches.columns if name not in numeric]
        number = 1
        for batch in batches.read(as_text=as_text, each=partial(progress.batch, "first pass")):
            numbers = np.arange(number, number + len(batch))
            number += len(batch)
            targeted, counting = roles.counting(batch, int(numbers[0]))
            self.without_target += int((~targeted).sum())
            self.without_weight += int((targeted & ~counting).sum())
            batch, numbers = batch.filter(counting), numbers[counting]
            if roles.soft:
                roles.targets_of(batch, numbers)
            else:
                values = batch[roles.target]
                counts.update(values.to_list() if batches.separator else class_values(values, roles.source).to_list())
            if len(counts) > MOST_CLASSES:
                check_classes(roles.target, [], len(counts), number - 1, roles.source)
            batch = batch.with_columns(pl.col(numeric).cast(pl.Float64))
            drawn = draws(numbers, seed)
            self.held.add(batch.filter(drawn < share), drawn[drawn < share], numbers[drawn < share])
            learnt = drawn >= share
            self.sample.add(batch.filter(learnt), 1 - drawn[learnt], numbers[learnt])
        table, _ = self.held.taken()
        if self.without_weight and not len(table) + len(self.sample.taken()[0]):
            raise roles.weightless()
        self.limit = min(share, self.held.limit)
        self.text_classes = False
        self.counts = {} if roles.soft else self._counts(counts, table)
        self.classes = np.array(sorted(self.counts)) if not roles.soft else _names(roles)
        if not roles.soft:
            rows = sum(self.counts.values())
            check_classes(roles.target, list(self.counts)[:1], len(self.counts), rows, roles.source)

    def typed(self, table: pl.DataFrame, texts: Any = ()) -> pl.DataFrame:
        """Return a sample with the types that its columns have as a whole."""
        if self.batches.separator is None or not len(table):
            return table
        as_text = [*texts, *([self.roles.target] if self.text_classes else [])]
        return retyped(table, self.batches.separator, self.batches.path, as_text)

    def _counts(self, counts: Counter[Any], held: pl.DataFrame) -> dict[Any, int]:
        """Return the classes of the rows to learn from, with their types and counts."""
        target = self.roles.target
        values = held[target] if self.batches.separator else class_values(held[target], self.roles.source)
        counts.subtract(values.to_list())
        labels = pl.Series(target, list(counts))
        found = labels
        if self.batches.separator and len(labels):
            found = class_values(
                retyped(labels.to_frame(), self.batches.separator, self.batches.path)[target], self.roles.source
            )
            self.text_classes = found.dtype == pl.String
            found = labels if self.text_classes else found
        totals: Counter[Any] = Counter()  # 1 and 1.0 are one class
        for label, given in zip(labels, found, strict=True):
            totals[given] += counts[label]
        return {label: count for label, count in totals.items() if count > 0}


def _second_pass(
    batches: Batches, roles: Roles, first: _FirstPass, texts: list[str], most: int, progress: Progress
) -> Iterator[tuple[pl.DataFrame, Array]]:
    """Yield the rows to learn from and their numbers, `most` at a time."""
    as_text = [*texts, *([roles.target] if first.text_classes else [])]
    number = 1
    for batch in batches.read(as_text=as_text, each=partial(progress.batch, "learning")):
        numbers = np.arange(number, number + len(batch))
        number += len(batch)
        learnt = roles.counting(batch)[1] & (draws(numbers, first.seed) >= first.limit)
        batch, numbers = batch.filter(learnt), numbers[learnt]
        for begin in range(0, len(batch), most):
            yield batch[begin : begin + most], numbers[begin : begin + most]


def _targets(roles: Roles, table: pl.DataFrame, numbers: Array, classes: Array) -> Any:
    if roles.soft:
        return roles.targets_of(table, numbers)
    values = class_values(table[roles.target], roles.source).to_numpy()
    return values.astype(str) if classes.dtype.kind == "U" else values


def _names(roles: Roles) -> Array:
    return np.array([name[len(roles.target) :] for name in roles.soft])
