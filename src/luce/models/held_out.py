"""What the model says about rows that it did not learn from: stratified cross-validation beside the class shares."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing

from luce.models.calibration import temperature
from luce.models.labels import plain_labels
from luce.models.targets import is_table
from luce.report.metrics import Score
from luce.softmax import softmax

__all__ = ["HeldOut", "calibrated", "gain", "held_out"]

Array = npt.NDArray[Any]


class HeldOut(NamedTuple):
    """What was said about which rows.

    Attributes
    ----------
    how : str
        How they were held out.
    rows : (n,) array of int
        Their places in the table.
    fold : (n,) array of int
        Which of the folds each was in.
    true : (n,) array of int or (n, K) array
        Codes of the classes, or the share of each class.
    weights : (n,) array or None
    log_probabilities : (n, K) array
        Of the model.
    baseline : (n, K) array
        Shares of the classes among the rows that were learnt from.
    """

    how: str
    rows: Array
    fold: Array
    true: Array
    weights: Array | None
    log_probabilities: Array
    baseline: Array


def held_out(
    estimator: Any,
    X: Any,
    y: Any,
    weights: Array | None,
    folds: int,
    seed: int,
    each: Callable[[int, int], None] = lambda done, folds: None,
    *,
    weights_name: str = "sample_weight",
) -> HeldOut | None:
    """Train on all folds but one and predict that one, for each fold; None where no class has two rows.

    A class with fewer rows than folds is spread over as many folds as it has rows, so that every training set knows it.
    A class with a single row can't be both learnt and tested: its row is always learnt from and never held out. Rows
    with soft targets are spread by their most probable class.

    Parameters
    ----------
    estimator : estimator
        Cloned for each fold.
    X, y : array, sparse matrix or data frame
        Rows and their classes, or the share of each class.
    weights : array or None
        Row weights.
    folds, seed : int
        Number of folds, at most the size of the largest class, and the seed of their shuffling.
    each : callable
        Called with the number of finished folds and of all folds.
    weights_name : str
        What the estimator's `fit` calls the weights.
    """
    soft = np.asarray(y, float) if is_table(y) else None
    labels = plain_labels(y) if soft is None else soft.argmax(axis=1)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = np.eye(len(classes))[codes] if soft is None else soft
    folds = min(folds, int(counts.max()))
    if folds < 2:
        return None
    tested = np.flatnonzero(counts[codes] > 1) if soft is None else np.arange(len(codes))
    mass = np.ones(len(codes)) if weights is None else weights
    parts = []
    for number, rows in enumerate(_folds(tested, codes, folds, seed)):
        each(number, folds)
        learnt = np.setdiff1d(np.arange(len(codes)), rows)
        options = {} if weights is None else {weights_name: weights[learnt]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            fitted = clone(estimator).fit(_safe_indexing(X, learnt), _safe_indexing(y, learnt), **options)
        known = np.average(shares[learnt], axis=0, weights=mass[learnt])
        parts.append((rows, np.full(len(rows), number), fitted.predict_log_proba(_safe_indexing(X, rows)), known))
    each(folds, folds)
    alone = int((counts == 1).sum()) if soft is None else 0
    how = f"stratified cross-validation, {folds} folds"
    if alone:
        how += f"; {alone} class{'es' if alone > 1 else ''} with a single row: learnt from, never held out"
    held = np.concatenate([rows for rows, *_ in parts])
    order = np.argsort(held)
    held = held[order]
    return HeldOut(
        how,
        held,
        np.concatenate([fold for _, fold, *_ in parts])[order],
        codes[held] if soft is None else soft[held],
        None if weights is None else weights[held],
        np.concatenate([logs for _, _, logs, _ in parts])[order],
        np.concatenate([np.broadcast_to(known, logs.shape) for _, _, logs, known in parts])[order],
    )


def calibrated(judged: HeldOut) -> tuple[Array, float]:
    """Return each row's probabilities at the temperature that suits the other folds, and that of all rows.

    Where the loss has no minimum in the temperature, as when every row is right, the temperature is 1.
    """
    found = np.empty(judged.log_probabilities.shape)
    for fold in np.unique(judged.fold):
        here = judged.fold == fold
        found[here] = softmax(judged.log_probabilities[here].astype(np.float64) / _temperature(judged, ~here))
    return found, _temperature(judged, np.ones(len(judged.fold), bool))


def gain(judged: HeldOut) -> Score:
    """Return how much lower the model's loss is than the baseline's, row by row: the mean and its standard error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        better = judged.log_probabilities - np.log(judged.baseline)
        if judged.true.ndim == 2:
            by_row = np.where(judged.true > 0, judged.true * better, 0.0).sum(axis=1)
        else:
            by_row = better[np.arange(len(better)), judged.true]
    mass = np.ones(len(by_row)) if judged.weights is None else judged.weights
    mean = float(np.average(by_row, weights=mass))
    return Score(mean, float(np.sqrt(np.sum((mass * (by_row - mean)) ** 2)) / mass.sum()))


def _temperature(judged: HeldOut, rows: Array) -> float:
    logs, true = judged.log_probabilities[rows], judged.true[rows]
    of_true = (logs * true).sum(axis=1) if true.ndim == 2 else logs[np.arange(len(logs)), true]
    if (of_true >= logs.max(axis=1, initial=-np.inf)).all():
        return 1.0
    return temperature(logs, true, None if judged.weights is None else judged.weights[rows])


def _folds(rows: Array, codes: Array, folds: int, seed: int) -> Iterator[Array]:
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = list(splitter.split(rows, codes[rows]))
    for _, test in splits:
        if len(test):
            yield rows[test]
