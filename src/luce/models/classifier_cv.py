"""The classifier whose penalty is chosen by cross-validation."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import NamedTuple, Protocol

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, make_scorer
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)

from luce._cross_entropy import cross_entropy
from luce.models.base import LinearClassifier
from luce.models.classifier import SoftmaxClassifier
from luce.models.evaluation.cross_validation import Fold, LabelledRows, judge_folds, splits
from luce.models.evaluation.score import standard_error
from luce.models.fitting import forget_statistics, keep, problem_for
from luce.models.inputs.data import checked_data
from luce.models.inputs.kinds import Array, ClassWeights, Features, Labels, Vector, Weights
from luce.models.inputs.targets import are_several_labels, checked_targets, is_table
from luce.models.parameters import check_parameters
from luce.models.path import strengths_of, walk

__all__ = ["SoftmaxClassifierCV"]


class SoftmaxClassifierCV(LinearClassifier):
    """`luce.SoftmaxClassifier` whose penalty is chosen by cross-validation.

    Parameters
    ----------
    Cs : int or sequence of float, default=10
        Inverse strengths to try, or how many of them between 1e-4 and 1e4.
    l1_ratios : sequence of float, default=(0.0,)
        Shares of the L1 penalty to try.
    cv : int, splitter or iterable, default=None
        Folds; None for 5, stratified where y holds labels.
    scoring : str, callable or None, default=None
        The score to maximise, in scikit-learn's terms; None for the mean log-likelihood of the held-out rows.
    rule : {"best", "one standard error"}, default="best"
        "one standard error" takes the strongest penalty whose score is within one standard error (over folds) of the
        best (Breiman, Friedman, Olshen & Stone 1984, *Classification and Regression Trees*, section 3.4.3).
    n_jobs : int or None, default=None
        Folds at a time, in processes.
    verbose : int, default=0
        1 writes a line for each fold to standard error.
    fit_intercept, class_weight, label_smoothing, loss, standard_errors, tol, max_iter, solver, n_threads
        As for `luce.SoftmaxClassifier`.

    Attributes
    ----------
    C_, l1_ratio_ : float
        The chosen inverse strength and share of the L1 penalty.
    Cs_, l1_ratios_ : float64 arrays
        All that were tried.
    scores_ : (n_l1_ratios, n_Cs, n_folds) float64 array
        The score of the held-out rows of each fold.
    best_score_ : float
        Mean score over the folds of the chosen penalty.
    coef_, intercept_, classes_, n_iter_, gap_, …
        As for `luce.SoftmaxClassifier`, of the fit to all rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from luce.models.classifier_cv import SoftmaxClassifierCV
    >>> model = SoftmaxClassifierCV(Cs=[0.01, 1.0, 100.0]).fit(*load_iris(return_X_y=True))
    >>> model.C_
    100.0
    """

    def __init__(
        self,
        *,
        Cs: int | Sequence[float] = 10,
        l1_ratios: Sequence[float] = (0.0,),
        cv: object = None,
        scoring: object = None,
        rule: str = "best",
        fit_intercept: bool = True,
        class_weight: ClassWeights | str | None = None,
        label_smoothing: float = 0.0,
        loss: str = "softmax",
        standard_errors: bool = False,
        tol: float = 1e-6,
        max_iter: int = 100,
        solver: str = "auto",
        n_jobs: int | None = None,
        verbose: int = 0,
        n_threads: int | None = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.loss = loss
        self.standard_errors = standard_errors
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.n_threads = n_threads

    def fit(self, X: Features, y: Labels, sample_weight: Weights = None, **params: object) -> SoftmaxClassifierCV:
        """Choose the penalty and fit all rows with it.

        Parameters
        ----------
        X, y, sample_weight
            As for `luce.SoftmaxClassifier.fit`; the weights count in the folds' scores too.
        **params
            Passed to the splitter and the scorer where metadata routing is enabled.

        Returns
        -------
        SoftmaxClassifierCV
            The estimator itself.

        Raises
        ------
        ValueError
            For parameters out of range, and whatever the classifier refuses.

        Warns
        -----
        ConvergenceWarning
            If the fit to all rows did not converge, or some fits to the folds did not.
        """
        _raise_for_params(params, self, "fit")
        strengths, ratios = strengths_of(self.Cs), self._checked_ratios()
        if self.rule not in ("best", "one standard error"):
            raise ValueError(f"rule must be 'best' or 'one standard error', got {self.rule!r}")
        for ratio in ratios:
            check_parameters(self._model(1.0, float(ratio)))
        X, y, weights = checked_data(self, X, y, sample_weight)
        routed_split, routed_score = self._routed(weights, params)
        found = checked_targets(y, weights, self.class_weight, loss=self.loss, dtype=X.dtype)
        table = np.asarray(y) if is_table(y) else np.ravel(y)
        rows = LabelledRows(X, table, weights, found.classes)
        folds = splits(self.cv, X, table, classifier=not is_table(y), weights=weights, **routed_split)
        folds = [fold for fold in folds if len(fold.test)]
        if not folds:
            raise ValueError("cv: no fold has a held-out row of positive weight")
        if not is_table(y):
            _warn_of_classes_to_come(table, found.classes, folds)
        scoring = _Scoring(self.scoring, routed_score)
        judges = [
            partial(_judge_fold, self._model(1.0, float(ratio)), rows, strengths, scoring, bool(self.verbose))
            for ratio in ratios
        ]
        results = judge_folds(judges, folds, n_jobs=self.n_jobs)
        scores = np.array([[found for found, _ in of_ratio] for of_ratio in results]).swapaxes(1, 2)
        at = self._chosen(scores)
        unfinished = sum(count for of_ratio in results for _, count in of_ratio)
        if unfinished:
            warnings.warn(
                f"{unfinished} of {scores.size} fits to the folds did not converge to tol={self.tol:g}: raise max_iter",
                ConvergenceWarning,
                stacklevel=2,
            )
        model = self._model(float(strengths[at[1]]), float(ratios[at[0]])).fit(X, y, weights)
        forget_statistics(self)
        self.__dict__.update({name: value for name, value in vars(model).items() if name.endswith("_")})
        self.Cs_, self.l1_ratios_, self.scores_ = strengths, ratios, scores
        self.C_, self.l1_ratio_, self.best_score_ = model.C, model.l1_ratio, float(scores.mean(axis=2)[at])
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Say where metadata go: to `fit`, the splitter and the scorer."""
        router = MetadataRouter(owner=self).add_self_request(self)
        if hasattr(self.cv, "get_metadata_routing"):
            router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        if self.scoring is not None:
            router.add(
                scorer=get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring,
                method_mapping=MethodMapping().add(caller="fit", callee="score"),
            )
        return router

    def _model(self, C: float, l1_ratio: float) -> SoftmaxClassifier:
        """Return the unfitted classifier with this penalty."""
        return SoftmaxClassifier(
            C=C,
            l1_ratio=l1_ratio,
            fit_intercept=self.fit_intercept,
            class_weight=self.class_weight,
            label_smoothing=self.label_smoothing,
            loss=self.loss,
            standard_errors=self.standard_errors,
            tol=self.tol,
            max_iter=self.max_iter,
            solver=self.solver,
            n_threads=self.n_threads,
        )

    def _checked_ratios(self) -> Vector:
        """Return `l1_ratios` as an array; ValueError for what is no share."""
        ratios = np.atleast_1d(np.asarray(self.l1_ratios, np.float64))
        if ratios.ndim != 1 or not len(ratios) or not ((ratios >= 0) & (ratios <= 1)).all():
            raise ValueError(f"l1_ratios must be numbers between 0 and 1, got {self.l1_ratios!r}")
        return ratios

    def _routed(
        self, sample_weight: Weights, params: Mapping[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Return the metadata of the splitter and those of the scorer."""
        if not _routing_enabled():
            return {}, {"sample_weight": sample_weight}
        routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
        split = dict(routed.splitter.split) if hasattr(routed, "splitter") else {}
        score = dict(routed.scorer.score) if hasattr(routed, "scorer") else {"sample_weight": sample_weight}
        return split, score

    def _chosen(self, scores: Vector) -> tuple[int, int]:
        """Return the places of the chosen l1_ratio and C, by the mean scores and the rule."""
        means = scores.mean(axis=2)
        if np.isnan(means).all():
            raise ValueError(f"scoring={self.scoring!r} gives NaN for every strength of the penalty")
        means = np.nan_to_num(means, nan=-np.inf)
        best = np.unravel_index(int(np.argmax(means)), means.shape)
        ratio, C = int(best[0]), int(best[1])
        folds = scores.shape[2]
        if self.rule == "one standard error" and folds > 1:
            error = standard_error(scores[ratio, C])
            C = int(np.flatnonzero(means[ratio] >= means[ratio, C] - error)[0])
        return ratio, C


class _Scorer(Protocol):
    """What is read of one of scikit-learn's scorers."""

    _response_method: str
    _sign: int
    _kwargs: Mapping[str, object]

    def __call__(self, model: object, X: object, y: object) -> float: ...


class _Scoring(NamedTuple):
    """The score that is maximised, in scikit-learn's terms, and the metadata that the scorer takes, row by row."""

    scoring: object
    metadata: Mapping[str, object]

    def scorer(self, rows: Array, classes: Array | None) -> Callable[..., float]:
        """Return a function of model, X and y of some of the rows; `classes` are those of a label a row."""
        chosen: Callable[..., float] = _log_likelihood
        if self.scoring is not None:
            scorer: _Scorer = get_scorer(self.scoring)
            if not hasattr(scorer, "_score_func"):  # a function of the user's own, which knows no weights
                return scorer
            chosen = scorer if classes is None else _told_of(classes, scorer)
        given = {name: np.asarray(values)[rows] for name, values in self.metadata.items() if values is not None}
        return partial(chosen, **given)


def _judge_fold(
    model: SoftmaxClassifier, rows: LabelledRows, strengths: Vector, scoring: _Scoring, verbose: bool, fold: Fold
) -> tuple[list[float], int]:
    """Return the score of the held-out rows for each strength, and how many fits did not converge."""
    train, test = rows.take(fold.train), rows.take(fold.test)
    X, classes = train.X, rows.classes
    found = checked_targets(train.y, train.weights, model.class_weight, loss=model.loss, dtype=X.dtype, classes=classes)
    problem = problem_for(model, X, found)
    several = are_several_labels(rows.y, model.loss)
    score, scores, unfinished = scoring.scorer(fold.test, None if several else classes), [], 0
    fitted = clone(model)
    fitted.n_features_in_ = X.shape[1]
    for solution in walk(problem, strengths, model):
        keep(fitted, solution, classes, several)
        try:
            scores.append(float(score(fitted, test.X, test.y)))
        except ValueError as error:
            held = np.unique(test.y).tolist() if test.y.ndim == 1 else "several labels a row"
            raise ValueError(
                f"scoring={scoring.scoring!r} fails on held-out rows with the classes {held} of {classes.tolist()}:"
                f" {error}"
            ) from error
        unfinished += not solution.last.converged
    if verbose:
        best = f"best {max(scores):.5g} at C={strengths[int(np.argmax(scores))]:.4g}"
        print(f"fold {fold.number} of {fold.of}, l1_ratio {model.l1_ratio:g}: {best}", file=sys.stderr)
    return scores, unfinished


def _told_of(classes: Array, scorer: _Scorer) -> _Scorer:
    """Return a scorer of probabilities that knows which classes their columns are, whichever the rows hold."""
    judge = getattr(scorer, "_score_func", None)
    if judge is None or scorer._response_method != "predict_proba" or "labels" not in signature(judge).parameters:
        return scorer
    options = {"labels": classes, **scorer._kwargs}
    told: _Scorer = make_scorer(judge, response_method="predict_proba", greater_is_better=scorer._sign > 0, **options)
    return told


def _warn_of_classes_to_come(labels: Array, classes: Array, folds: Sequence[Fold]) -> None:
    """Warn if folds hold out classes that their training rows lack: the scores judge what could not be learnt."""
    lacking = {
        fold.number: there
        for fold in folds
        if len(there := np.setdiff1d(np.intersect1d(labels[fold.test], classes), labels[fold.train]))
    }
    if lacking:
        number, there = next(iter(lacking.items()))
        warnings.warn(
            f"cv: the training rows of {len(lacking)} of {len(folds)} folds lack classes of their held-out rows (fold"
            f" {number}: {there.tolist()}), which no strength of the penalty can predict; shuffle the rows, or use"
            " fewer folds",
            UserWarning,
            stacklevel=3,
        )


def _log_likelihood(model: SoftmaxClassifier, X: Features, y: Array, sample_weight: Weights = None) -> float:
    """Return the weighted mean log-likelihood of the rows."""
    logs = model.predict_log_proba(X)
    if model.multilabel_:
        scores = model.decision_function(X)
        each = y * logs + (1 - y) * (logs - scores)  # log(1 − p) = log p − score
        return float(np.average(each.sum(axis=1), weights=sample_weight))
    found = checked_targets(y, None, None, loss="softmax", dtype=logs.dtype, classes=model.classes_)
    losses = cross_entropy(logs, found.target, reduction="none")
    return -float(np.average(losses, weights=sample_weight))
