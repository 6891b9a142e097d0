"""The page that a classifier's method `report` writes, from the data that it was fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from os import PathLike
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from luce.models.evaluation.held_out import HeldOutPredictions, cross_validated
from luce.models.inputs.kinds import Array, DenseOrSparse, Features, Labels, Weights
from luce.models.inputs.rows import checked_weights
from luce.models.inputs.targets import checked_targets
from luce.models.linear.design import as_matrix
from luce.models.linear.naming import column_names
from luce.report.builder import FittedClassifier, class_names, facts_of, held_out_of
from luce.report.facts import Data, Model
from luce.report.page import write_page

__all__ = ["ReportedClassifier", "write_classifier_page"]

MOST_CELLS = 2**22  # cells of the table that the page may look rows up in
CALIBRATION_FOLDS = 5  # over which the temperature of test rows is fitted


class ReportedClassifier(FittedClassifier, Protocol):
    """The attributes of a fitted linear classifier that its page reads."""

    multilabel_: bool
    temperature_: float
    n_features_in_: int
    solver_: str
    fit_seconds_: float
    n_iter_: Array
    loss_curve_: Array
    grad_norm_curve_: Array
    gap_: float

    def get_params(self) -> Mapping[str, object]:
        """Return the parameters by name."""

    def predict_log_proba(self, X: object) -> Array:
        """Return the logarithms of the probabilities, (N, K)."""


def write_classifier_page(
    classifier: ReportedClassifier,
    path: str | PathLike[str],
    learnt: tuple[object, object, object],
    *,
    test: Sequence[object] | None,
    folds: int,
    seed: int,
    title: str,
) -> None:
    """Write the page; `learnt` is (X, y, sample_weight), the rest as `luce.SoftmaxClassifier.report` documents it."""
    if classifier.multilabel_:
        raise ValueError("report: the page is about one label a row; this model has several")
    X, y, weights, numbers = _counted(*learnt)
    found = checked_targets(y, None, None, loss="softmax", dtype=np.float64, classes=classifier.classes_)
    if test is not None:
        predictions: HeldOutPredictions | None = _on_test_rows(classifier, found.target, weights, test, seed)
    else:
        predictions = cross_validated(clone(classifier), X, y, weights, folds, seed) if folds else None
    numeric: DenseOrSparse = X if sparse.issparse(X) else np.asarray(X)
    numeric = numeric if numeric.dtype == np.float32 else numeric.astype(np.float64, copy=False)
    even = np.full(numeric.shape[0], 1 / numeric.shape[0])
    counts = found.target.sum(0)
    if found.target.ndim == 1:
        counts = np.bincount(found.target, minlength=len(classifier.classes_))
    names = column_names(classifier, classifier.n_features_in_)
    held_out = None
    if predictions is not None:
        texts = _texts(X if test is None else test[0], predictions.rows, names)
        numbers = numbers[predictions.rows] if test is None else predictions.rows + 1
        held_out = held_out_of(predictions, classifier.loss, numbers, texts)
    facts = facts_of(
        classifier,
        title=title,
        data=Data("training data", "class", class_names(classifier), counts, numeric.shape[0]),
        model=_model(classifier),
        feature_names=names,
        scales=as_matrix(numeric).moments(even, True)[1],
        held_out=held_out,
    )
    write_page(Path(path), facts)


def _counted(X: Features, y: Labels, sample_weight: Weights) -> tuple[Features, Labels, Array | None, Array]:
    """Return the rows of positive weight, and their numbers from 1 among all rows."""
    if sparse.issparse(X):
        X = X.tocsr()  # type: ignore[attr-defined]
    weights = checked_weights(sample_weight, X)
    if weights is None:
        return X, y, None, np.arange(1, len(y) + 1)
    there = np.flatnonzero(weights > 0)
    return _safe_indexing(X, there), _safe_indexing(y, there), weights[there], there + 1


def _model(classifier: ReportedClassifier) -> Model:
    """Return the facts about the training of a classifier."""
    return Model(
        type(classifier).__name__,
        {name: value for name, value in classifier.get_params().items() if value is not None},
        classifier.solver_,
        classifier.fit_seconds_,
        int(classifier.n_iter_[0]),
        classifier.loss_curve_,
        classifier.grad_norm_curve_,
        classifier.gap_,
    )


def _on_test_rows(
    classifier: ReportedClassifier, learnt: Array, learnt_weights: Array | None, test: Sequence[object], seed: int
) -> HeldOutPredictions:
    """Return the uncalibrated predictions of test rows, (X, y) or (X, y, weights)."""
    X, y, *rest = test
    weights = np.asarray(rest[0], np.float64) if rest and rest[0] is not None else None
    uncalibrated = copy(classifier)
    uncalibrated.temperature_ = 1.0
    logs = uncalibrated.predict_log_proba(X)
    found = checked_targets(y, None, None, loss="softmax", dtype=np.float64, classes=classifier.classes_)
    shares = np.eye(len(classifier.classes_))[learnt] if learnt.ndim == 1 else learnt
    baseline = np.average(shares, axis=0, weights=learnt_weights)
    return HeldOutPredictions(
        "test rows",
        np.arange(len(logs)),
        np.random.default_rng(seed).integers(0, CALIBRATION_FOLDS, len(logs)),
        found.target,
        weights,
        logs,
        np.broadcast_to(baseline, logs.shape),
    )


def _texts(table: object, rows: Array, names: Sequence[str]) -> dict[str, list[str]] | None:
    """Return the values of some rows as text, where the table is not too large for that."""
    if sparse.issparse(table) or len(rows) * len(names) > MOST_CELLS:
        return None
    values = np.asarray(_safe_indexing(table, rows))
    return {name: [f"{value:.6g}" for value in values[:, j].astype(float)] for j, name in enumerate(names)}
