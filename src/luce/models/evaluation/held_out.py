"""The predictions of a model for rows that it did not learn from, beside the shares of the classes alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing

from luce._softmax import softmax
from luce.models.evaluation.calibration import temperature
from luce.models.evaluation.cross_validation import Fold, judge_folds, stratified_folds
from luce.models.evaluation.score import Score
from luce.models.inputs.kinds import Array, Labels
from luce.models.inputs.labels import plain_labels
from luce.models.inputs.targets import is_table

__all__ = ["HeldOutPredictions", "calibrated", "cross_validated", "gain_over_shares"]


class HeldOutPredictions(NamedTuple):
    """The predictions of rows that were not learnt from, with the truth about them.

    Attributes
    ----------
    method : str
        How the rows were held out.
    rows : (n,) array of int
        Their places in the table.
    fold : (n,) array of int
        Number of the fold of each; the temperature of a fold's rows is fitted to the other folds.
    true : (n,) array of int or (n, K) array
        Codes of the classes, or the share of each class.
    weights : (n,) array or None
        Weights of the rows.
    log_probabilities : (n, K) array
        Logarithms of the probabilities that the model gave.
    baseline : (n, K) array
        Shares of the classes among the rows that were learnt from.
    """

    method: str
    rows: Array
    fold: Array
    true: Array
    weights: Array | None
    log_probabilities: Array
    baseline: Array


def cross_validated(
    estimator: object,
    X: object,
    y: Labels,
    weights: Array | None,
    folds: int,
    seed: int,
    each: Callable[[int, int], None] | None = None,
    *,
    weights_name: str = "sample_weight",
) -> HeldOutPredictions | None:
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
    each : callable, optional
        Called with the number of finished folds and of all folds.
    weights_name : str
        Name of the weights among the arguments of the estimator's `fit`.
    """
    soft = np.asarray(y, float) if is_table(y) else None
    labels = plain_labels(y) if soft is None else soft.argmax(axis=1)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    folds = min(folds, int(counts.max()))
    if folds < 2:
        return None
    tested = np.flatnonzero(counts[codes] > 1) if soft is None else np.arange(len(codes))
    parts = stratified_folds(codes, tested, folds, seed)
    (logs,) = judge_folds(
        [partial(_log_probabilities, estimator, X, y, weights, weights_name)], parts, n_jobs=1, each=each
    )
    shares = np.eye(len(classes))[codes] if soft is None else soft
    mass = np.ones(len(codes)) if weights is None else weights
    known = [np.average(shares[fold.train], axis=0, weights=mass[fold.train]) for fold in parts]
    alone = int((counts == 1).sum()) if soft is None else 0
    held = np.concatenate([fold.test for fold in parts])
    fold_of = np.repeat(np.arange(len(parts)), [len(fold.test) for fold in parts])
    order = np.argsort(held)
    held, fold_of = held[order], fold_of[order]
    return HeldOutPredictions(
        _method(folds, alone),
        held,
        fold_of,
        codes[held] if soft is None else soft[held],
        None if weights is None else weights[held],
        np.concatenate(logs)[order],
        np.stack(known)[fold_of],
    )


def calibrated(predictions: HeldOutPredictions) -> tuple[Array, float]:
    """Return each row's probabilities at the temperature that suits the other folds, and that of all rows.

    Where the loss has no minimum in the temperature, as when every row is right, the temperature is 1.
    """
    found = np.empty(predictions.log_probabilities.shape)
    for fold in np.unique(predictions.fold):
        here = predictions.fold == fold
        logs = predictions.log_probabilities[here].astype(np.float64)
        found[here] = softmax(logs / _temperature(predictions, ~here))
    return found, _temperature(predictions, np.ones(len(predictions.fold), bool))


def gain_over_shares(predictions: HeldOutPredictions) -> Score:
    """Return how much lower the model's loss is than that of the class shares alone, paired by row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        better = predictions.log_probabilities - np.log(predictions.baseline)
        if predictions.true.ndim == 2:
            by_row = np.where(predictions.true > 0, predictions.true * better, 0.0).sum(axis=1)
        else:
            by_row = better[np.arange(len(better)), predictions.true]
    return Score.over_rows(by_row, predictions.weights)


def _log_probabilities(
    estimator: object, X: object, y: object, weights: Array | None, weights_name: str, fold: Fold
) -> Array:
    """Return what a copy of the estimator, fitted to the other rows, says of the fold's."""
    options = {} if weights is None else {weights_name: weights[fold.train]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        fitted = clone(estimator).fit(_safe_indexing(X, fold.train), _safe_indexing(y, fold.train), **options)
    logs: Array = fitted.predict_log_proba(_safe_indexing(X, fold.test))
    return logs


def _method(folds: int, alone: int) -> str:
    """Return the method in words; `alone` is the number of classes with a single row."""
    method = f"stratified cross-validation, {folds} folds"
    if alone:
        method += f"; {alone} class{'es' if alone > 1 else ''} with a single row: learnt from, never held out"
    return method


def _temperature(predictions: HeldOutPredictions, rows: Array) -> float:
    """Return the temperature of some rows, 1 where every row is right, so that the loss has no minimum in it."""
    logs, true = predictions.log_probabilities[rows], predictions.true[rows]
    of_true = (logs * true).sum(axis=1) if true.ndim == 2 else logs[np.arange(len(logs)), true]
    if (of_true >= logs.max(axis=1, initial=-np.inf)).all():
        return 1.0
    return temperature(logs, true, None if predictions.weights is None else predictions.weights[rows])
