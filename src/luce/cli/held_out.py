"""How well the model does on rows that it did not see: stratified cross-validation beside the class shares."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

__all__ = ["HeldOut", "Score", "held_out"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Score:
    """Means over the held-out rows with their standard errors."""

    accuracy: float
    accuracy_error: float
    log_loss: float
    log_loss_error: float


@dataclass(frozen=True)
class HeldOut:
    """The result of a cross-validation: `true` and `predicted` are class numbers of the `rows` that were held out."""

    folds: int
    rows: int
    single_classes: int
    model: Score
    baseline: Score
    true: Array
    predicted: Array


def held_out(
    pipeline: Any, table: pl.DataFrame, target: Array, folds: int, seed: int, each: Callable[[int, int], None]
) -> HeldOut | None:
    """Train on all folds but one and predict that one, for each fold; None where no class has two rows.

    A class with fewer rows than folds is spread over as many folds as it has rows, so that every training set knows it.
    A class with a single row can't be both learnt and tested: its row is always learnt from and never held out.

    Parameters
    ----------
    pipeline : estimator
        Cloned for each fold.
    table, target : polars.DataFrame, array
        Rows and their classes.
    folds, seed : int
        Number of folds, at most the size of the largest class, and the seed of their shuffling.
    each : callable
        Called with the number of finished folds and of all folds.
    """
    classes, codes, counts = np.unique(target, return_inverse=True, return_counts=True)
    folds = min(folds, int(counts.max()))
    if folds < 2:
        return None
    tested = np.flatnonzero(counts[codes] > 1)
    truth, guessed, losses, shares_guessed, shares_losses = [], [], [], [], []
    for number, rows in enumerate(_folds(tested, codes, folds, seed)):
        each(number, folds)
        learnt = np.setdiff1d(np.arange(len(codes)), rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            fitted = clone(pipeline).fit(table[learnt], target[learnt])
        logs = fitted.predict_log_proba(table[rows])
        truth.append(codes[rows])
        guessed.append(np.argmax(logs, axis=1))
        losses.append(-logs[np.arange(len(rows)), codes[rows]])
        known = np.bincount(codes[learnt], minlength=len(classes))
        shares_guessed.append(np.full(len(rows), np.argmax(known)))
        shares_losses.append(-np.log(known[codes[rows]] / len(learnt)))
    each(folds, folds)
    true, predicted = np.concatenate(truth), np.concatenate(guessed)
    return HeldOut(
        folds,
        len(true),
        int((counts == 1).sum()),
        _score(true == predicted, np.concatenate(losses)),
        _score(true == np.concatenate(shares_guessed), np.concatenate(shares_losses)),
        true,
        predicted,
    )


def _folds(rows: Array, codes: Array, folds: int, seed: int) -> Iterator[Array]:
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = list(splitter.split(rows, codes[rows]))
    for _, test in splits:
        if len(test):
            yield rows[test]


def _score(right: Array, losses: Array) -> Score:
    root = np.sqrt(len(right))
    return Score(
        float(right.mean()), float(right.std() / root), float(losses.mean(dtype=np.float64)), float(losses.std() / root)
    )
