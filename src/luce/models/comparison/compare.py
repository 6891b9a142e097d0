"""Cross-validation of the softmax classifier beside the linear classifiers of other losses."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import has_fit_parameter

from luce.models.comparison.built_in import BUILT_IN
from luce.models.comparison.result import Comparison
from luce.models.evaluation import metrics
from luce.models.evaluation.cross_validation import Fold, LabelledRows, judge_folds, splits
from luce.models.inputs.labels import plain_labels
from luce.models.inputs.rows import checked_weights, placed

__all__ = ["compare"]

Array = npt.NDArray[Any]


def compare(
    X: object,
    y: object,
    *,
    models: Iterable[str] | Mapping[str, object] | None = None,
    C: float = 1.0,
    cv: object = 5,
    scale: bool = True,
    sample_weight: object = None,
    groups: object = None,
    random_state: object = 0,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Comparison:
    r"""Cross-validate the softmax classifier beside the linear classifiers that other losses give.

    All minimise :math:`C \sum_i \ell(z_i, y_i) + \tfrac12 \lVert W \rVert^2` over linear scores
    :math:`z = W x + b`, and differ in the loss. With :math:`t_k = 1` for the true class and −1 for the others:

    softmax
        :math:`\log \sum_k e^{z_k} - z_y`; `luce.SoftmaxClassifier`.
    sigmoid
        :math:`\sum_k \log(1 + e^{-t_k z_k})`, a sigmoid for each class against the rest; with two classes there is one
        score, and it is the softmax classifier.
    svm-crammer-singer
        :math:`\max(0,\, 1 - z_y + \max_{k \ne y} z_k)` [1]_; scikit-learn's ``LinearSVC``.
    svm-ovr
        :math:`\sum_k \max(0,\, 1 - t_k z_k)^2`, one-vs-rest [2]_; ``LinearSVC`` with its own loss [3]_. Both
        support-vector machines penalise the intercept too.
    ridge
        :math:`\sum_k (t_k - z_k)^2`, least squares one-vs-rest [2]_; ``RidgeClassifier`` with ``alpha=1/(2C)``.

    The same C is not the same strength of penalty in effect, since the losses have different sizes: a fair verdict
    takes each model at its own best C (see the last example).

    Parameters
    ----------
    X : (N, D) array-like or sparse matrix
        Features.
    y : (N,) array-like
        Class labels of any kind.
    models : iterable of str or mapping, optional
        Names of the built-in models above; or a mapping of names to estimators with ``decision_function`` or
        ``predict_proba``, a value may also be the name of a built-in model. None: all five.
    C : float, default=1.0
        Inverse strength of the penalty of the built-in models.
    cv : int, splitter or iterable of (train, test), default=5
        An int: that many stratified and shuffled folds.
    scale : bool, default=True
        Standardise the features by the training rows of each fold; sparse ones are not centred.
    sample_weight : (N,) array-like, optional
        Non-negative row weights for scaling, fitting and measuring; a row of weight 0 counts as absent.
    groups : (N,) array-like, optional
        Groups for splitters that take them.
    random_state : int, RandomState or None, default=0
        Seed of the folds of an int `cv` and of the solvers that draw.
    n_jobs : int, optional
        Folds at a time, each in a process of its own; as in scikit-learn. Fit times are comparable with None only.
    verbose : bool, default=False
        Write a line for each fit to standard error.

    Returns
    -------
    Comparison
        For each model, over the held-out rows of each fold: accuracy; log loss, where there are probabilities; mean
        reciprocal rank of the true class by score, a tie taking the worst rank [4]_; macro AUC, the area under the ROC
        curve of each class k against the rest by :math:`z_k - \max_{j \ne k} z_j`, mean over the classes (by
        :math:`z_k` alone rows can't be compared for softmax and Crammer–Singer: their losses do not change when a row
        adds the same to all of its scores); macro F1, the mean over the classes of Dice's coefficient
        :math:`2\,TP / (2\,TP + FP + FN)` [5]_; and the time of ``fit``. Each is the mean over k folds, with the
        standard error :math:`s / \sqrt k`; the time is the median, with the error
        :math:`\sqrt{\pi / 2}\, s / \sqrt k` that a normal sample's median has. Training sets overlap, so the
        errors are too small rather than too large [6]_. Folds where a measure is not defined are left out of it.

    Raises
    ------
    ValueError
        For data, weights or parameters out of range, fewer than two classes, an unknown model, a fold whose training
        rows lack a class.
    TypeError
        For an entry of `models` that is no classifier.

    Warns
    -----
    ConvergenceWarning
        Once for each model that did not converge, with the number of folds.

    References
    ----------
    .. [1] K. Crammer, Y. Singer (2001), "On the algorithmic implementation of multiclass kernel-based vector machines",
       J. Mach. Learn. Res. 2, 265–292.
    .. [2] R. Rifkin, A. Klautau (2004), "In defense of one-vs-all classification", J. Mach. Learn. Res. 5, 101–141.
    .. [3] R.-E. Fan, K.-W. Chang, C.-J. Hsieh, X.-R. Wang, C.-J. Lin (2008), "LIBLINEAR: a library for large linear
       classification", J. Mach. Learn. Res. 9, 1871–1874.
    .. [4] E. M. Voorhees (1999), "The TREC-8 question answering track report", Proc. TREC-8, 77–82.
    .. [5] L. R. Dice (1945), "Measures of the amount of ecologic association between species", Ecology 26, 297–302.
    .. [6] Y. Bengio, Y. Grandvalet (2004), "No unbiased estimator of the variance of k-fold cross-validation",
       J. Mach. Learn. Res. 5, 1089–1105.

    Examples
    --------
    >>> import luce
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> result = luce.compare(X, y, models=["softmax", "ridge"])
    >>> print(result)
                     accuracy           log loss ...
    softmax  0.9...
    ridge    0.8...                 – ...
    <BLANKLINE>
    * best of its column; mean ± standard error over 5 folds, fit time: median; 150 rows, 3 classes
    >>> result.rows[1].log_loss
    Score(value=nan, error=nan)

    Each at the best C of a few, chosen inside each training set:

    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.svm import LinearSVC
    >>> grid = {"C": [0.1, 1.0, 10.0]}
    >>> tuned = luce.compare(
    ...     X,
    ...     y,
    ...     models={
    ...         "softmax, tuned": GridSearchCV(luce.SoftmaxClassifier(), grid),
    ...         "svm, tuned": GridSearchCV(LinearSVC(), grid),
    ...     },
    ... )
    >>> tuned.models
    ('softmax, tuned', 'svm, tuned')
    """
    if not (isinstance(C, Real) and 0 < C < np.inf):
        raise ValueError(f"C must be a positive finite number, got {C!r}")
    with placed(X):
        X, y = check_X_y(X, plain_labels(y), accept_sparse="csr", dtype=[np.float64, np.float32])
    check_classification_targets(y)
    weights = checked_weights(sample_weight, X)
    counted = y if weights is None else y[weights > 0]
    rows = LabelledRows(X, y, weights, np.unique(counted))
    if len(rows.classes) < 2:
        found = rows.classes.tolist()
        raise ValueError(f"y: expected at least two classes among the rows of positive weight, got {found}")
    estimators = _estimators(models, float(C), random_state, weighted=weights is not None)
    if isinstance(cv, Integral):
        cv = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    folds = splits(cv, X, y, weights=weights, groups=groups)
    _check_folds(folds, rows)
    (results,) = judge_folds([partial(_judge_fold, estimators, rows, scale, verbose)], folds, n_jobs=n_jobs)
    measures, unconverged = (np.stack(parts, axis=1) for parts in zip(*results, strict=True))
    for name, count in zip(estimators, unconverged.sum(axis=1), strict=True):
        if count:
            text = f"{name!r} did not converge in {count} of {len(folds)} folds"
            warnings.warn(text, ConvergenceWarning, stacklevel=2)
    return Comparison(tuple(estimators), measures, len(counted), len(rows.classes))


def _estimators(
    models: Iterable[str] | Mapping[str, object] | None, C: float, random_state: object, *, weighted: bool
) -> dict[str, object]:
    """Return the estimators by name."""
    if isinstance(models, str):
        models = [models]
    if models is None:
        models = BUILT_IN.keys()
    wanted: dict[str, object] = dict(models) if isinstance(models, Mapping) else {name: name for name in models}
    if not wanted:
        raise ValueError("models: expected at least one, got none")
    for name, model in wanted.items():
        if isinstance(model, str):
            if model not in BUILT_IN:
                raise ValueError(f"models: expected names among {list(BUILT_IN)}, got {model!r}")
            wanted[name] = BUILT_IN[model].build(C, random_state)
        elif name in BUILT_IN:
            raise ValueError(f"models: {name!r} is the name of a built-in model, give an estimator of your own another")
        elif isinstance(model, type) or not (
            hasattr(model, "fit") and (hasattr(model, "decision_function") or hasattr(model, "predict_proba"))
        ):
            raise TypeError(
                f"models: expected classifiers with decision_function or predict_proba, got {model!r} for {name!r}"
            )
        if weighted and not has_fit_parameter(wanted[name], "sample_weight"):
            raise ValueError(f"sample_weight: the model {name!r} takes no weights")
    return wanted


def _check_folds(folds: Sequence[Fold], rows: LabelledRows) -> None:
    """Raise ValueError for a fold that lacks a class to learn or a row to judge."""
    for fold in folds:
        lacking = np.setdiff1d(rows.classes, rows.y[fold.train])
        if len(lacking):
            raise ValueError(f"cv: the training rows of fold {fold.number} lack the classes {lacking.tolist()}")
        if not len(fold.test):
            raise ValueError(f"cv: fold {fold.number} has no held-out row of positive weight")


def _judge_fold(
    estimators: Mapping[str, object], rows: LabelledRows, scale: bool, verbose: bool, fold: Fold
) -> tuple[Array, Array]:
    """Return the measures of each model on one fold, (models, 6), and whether its fit did not converge."""
    train, test = rows.take(fold.train), rows.take(fold.test)
    if scale:
        scaler = StandardScaler(with_mean=not issparse(rows.X)).fit(train.X, sample_weight=train.weights)
        train, test = train._replace(X=scaler.transform(train.X)), test._replace(X=scaler.transform(test.X))
    found, unconverged = [], []
    for name, estimator in estimators.items():
        model, seconds, converged = _timed_fit(estimator, train)
        unconverged.append(not converged)
        found.append([*_measures(name, model, test), seconds])
        if verbose:
            told = f"accuracy {found[-1][0]:.4f}  {1e3 * seconds:.1f} ms"
            print(f"fold {fold.number}/{fold.of}  {name}  {told}", file=sys.stderr)
    return np.array(found), np.array(unconverged)


def _timed_fit(estimator: object, train: LabelledRows) -> tuple[Any, float, bool]:
    """Return a fitted copy, the seconds it took, and whether it converged; other warnings pass."""
    model = clone(estimator)
    given = {} if train.weights is None else {"sample_weight": train.weights}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        start = time.perf_counter()
        model.fit(train.X, train.y, **given)
        seconds = time.perf_counter() - start
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return model, seconds, not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def _measures(name: str, model: Any, test: LabelledRows) -> list[float]:
    """Return the measures of a fitted model but for its time, in the order of `MEASURES`."""
    classes = test.classes
    met = metrics.outcomes(np.searchsorted(classes, test.y), test.weights)
    scores = np.asarray(
        (model.decision_function if hasattr(model, "decision_function") else model.predict_proba)(test.X)
    )
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    if scores.shape[1] != len(classes):
        raise ValueError(f"models: {name!r} gives {scores.shape[1]} scores a row, the data have {len(classes)} classes")
    if not np.isfinite(scores).all():
        raise ValueError(f"models: {name!r} gives scores that are NaN or infinite")
    predicted = model.predict(test.X)
    labels = np.unique(np.concatenate([classes, predicted]))  # a model may say what is no class
    codes = np.searchsorted(labels, predicted)
    labelled = met._replace(true=np.searchsorted(labels, test.y))
    return [
        metrics.accuracy(codes, labelled).value,
        _log_loss(model, test.X, met),
        metrics.reciprocal_rank(scores, met).value,
        metrics.macro_auc(_margins(scores), met).value,
        metrics.macro_f1(codes, labelled, len(labels)).value,
    ]


def _log_loss(model: Any, X: object, met: metrics.Outcomes) -> float:
    """Return the log loss, NaN for a model without probabilities; infinite where what happened has probability 0."""
    at = np.arange(len(met.true)), met.true
    if hasattr(model, "predict_log_proba"):
        return metrics.log_loss(model.predict_log_proba(X)[at], met).value
    if not hasattr(model, "predict_proba"):
        return np.nan
    with np.errstate(divide="ignore"):
        return metrics.log_loss(np.log(model.predict_proba(X)[at]), met).value


def _margins(scores: Array) -> Array:
    """Return each class's score minus the best other: the same whatever a row adds to all of its scores."""
    two_best = np.partition(scores, -2, axis=1)[:, -2:]
    return np.asarray(scores - np.where(scores == two_best[:, 1:], two_best[:, :1], two_best[:, 1:]))
