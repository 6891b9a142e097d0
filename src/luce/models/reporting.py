"""The page about a fitted classifier: what it learnt from, how it does on other rows, what it weighs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from luce.models.design import as_matrix
from luce.models.held_out import HeldOut, calibrated, gain, held_out
from luce.models.rows import checked_weights
from luce.models.targets import targets
from luce.report import facts
from luce.report.page import write_page

if TYPE_CHECKING:
    from luce.models.prediction import LinearClassifier

__all__ = ["held_out_facts", "no_better", "report"]

Array = npt.NDArray[Any]
MOST_VALUES = 2**22  # cells of the table that the page may look rows up in


def report(
    model: LinearClassifier,
    path: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    test: Sequence[Any] | None,
    folds: int,
    seed: int,
    title: str,
) -> None:
    """Write the page; parameters as `luce.SoftmaxClassifier.report` documents them."""
    if sparse.issparse(X):
        X = X.tocsr()  # type: ignore[attr-defined]
    if model.multilabel_:
        raise ValueError("report: the page is about one label a row; this model has several")
    weights = checked_weights(sample_weight, X)
    if weights is not None:
        there = np.flatnonzero(weights > 0)
        X, y, weights = _safe_indexing(X, there), _safe_indexing(y, there), weights[there]
    found = targets(y, None, None, loss="softmax", dtype=np.float64, classes=model.classes_)
    if test is not None:
        judged: HeldOut | None = _on_test_rows(model, found.target, weights, test, seed)
    elif folds:
        judged = held_out(clone(model), X, y, weights, folds, seed)
    else:
        judged = None
    table = X if test is None else test[0]
    names = model._terms()
    notes = [] if judged is None else no_better(judged)
    errors = getattr(model, "standard_errors_", None)
    numeric: Any = X if sparse.issparse(X) else np.asarray(X)
    numeric = numeric if numeric.dtype == np.float32 else numeric.astype(np.float64, copy=False)
    even = np.full(numeric.shape[0], 1 / numeric.shape[0])
    counts = np.bincount(found.target, minlength=len(model.classes_)) if found.target.ndim == 1 else found.target.sum(0)
    page = facts.Facts(
        title=title,
        data=facts.Data("training data", "class", [str(c) for c in model.classes_.tolist()], counts, numeric.shape[0]),
        model=facts.Model(
            type(model).__name__,
            {name: value for name, value in model.get_params().items() if value is not None},
            model.solver_,
            model.fit_seconds_,
            int(model.n_iter_[0]),
            model.loss_curve_,
            model.grad_norm_curve_,
            model.gap_,
            notes,
        ),
        coefficients=facts.Coefficients(
            names,
            model.dense_coef(),
            model.intercept_,
            None if errors is None else errors[:, :-1],
            as_matrix(numeric).moments(even, True)[1],
        ),
        held_out=judged and held_out_facts(judged, model.loss, judged.rows + 1, _texts(table, judged, names)),
    )
    write_page(Path(path), page)


def held_out_facts(judged: HeldOut, loss: str, numbers: Array, rows: Any, weighted: str = "") -> facts.HeldOut:
    """Return what the page shows of rows that were held out, calibrated out of fold for the softmax loss."""
    after, temperature = calibrated(judged) if loss == "softmax" else (None, None)
    return facts.HeldOut(
        how=judged.how + weighted,
        true=judged.true,
        probabilities=np.exp(judged.log_probabilities.astype(np.float64)),
        baseline=judged.baseline,
        row_numbers=numbers,
        calibrated=after,
        temperature=temperature,
        rows=rows,
        weights=judged.weights,
    )


def no_better(judged: HeldOut) -> list[str]:
    """Say so if the model is no better than the shares of the classes."""
    better = gain(judged)
    if better.value > 2 * better.error:
        return []
    return [
        "No better than the class shares alone: on held-out rows the log loss is lower by "
        f"{better.value:.4f} ± {better.error:.4f}."
    ]


def _on_test_rows(
    model: LinearClassifier, learnt: Array, learnt_weights: Array | None, test: Sequence[Any], seed: int
) -> HeldOut:
    X, y, *rest = test
    weights = np.asarray(rest[0], np.float64) if rest and rest[0] is not None else None
    before, model.temperature_ = model.temperature_, 1.0
    try:
        logs = model.predict_log_proba(X)
    finally:
        model.temperature_ = before
    found = targets(y, None, None, loss="softmax", dtype=np.float64, classes=model.classes_)
    shares = np.eye(len(model.classes_))[learnt] if learnt.ndim == 1 else learnt
    baseline = np.average(shares, axis=0, weights=learnt_weights)
    fold = np.random.default_rng(seed).integers(0, 5, len(logs))
    return HeldOut(
        "test rows",
        np.arange(len(logs)),
        fold,
        found.target,
        weights,
        logs,
        np.broadcast_to(baseline, logs.shape),
    )


def _texts(table: Any, judged: HeldOut, names: Sequence[str]) -> dict[str, list[str]] | None:
    """Return the values of the judged rows as text, where the table is not too large for that."""
    if sparse.issparse(table) or len(judged.rows) * len(names) > MOST_VALUES:
        return None
    values = np.asarray(_safe_indexing(table, judged.rows))
    return {name: [f"{value:.6g}" for value in values[:, j].astype(float)] for j, name in enumerate(names)}
