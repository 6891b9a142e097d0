"""The strength of the penalty: a path over it, and its choice by cross-validation."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed

from luce.cross_entropy import cross_entropy
from luce.models.classifier import STATISTICS, SoftmaxClassifier
from luce.models.prediction import LinearClassifier
from luce.models.problem import Problem, Solution
from luce.models.targets import Targets, is_table, targets

__all__ = ["Path", "SoftmaxClassifierCV", "softmax_path"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Fitted classifiers from the strongest penalty to the weakest.

    Attributes
    ----------
    Cs : (n,) float64 array
        Inverse strengths, ascending.
    models : list of SoftmaxClassifier
        One for each.
    """

    Cs: Vector
    models: list[SoftmaxClassifier]

    @property
    def coefs(self) -> Array:
        """Coefficients, (n, K, D)."""
        return np.stack([model.dense_coef() for model in self.models])

    @property
    def intercepts(self) -> Array:
        """Intercepts, (n, K)."""
        return np.stack([model.intercept_ for model in self.models])

    @property
    def n_nonzero(self) -> npt.NDArray[np.int64]:
        """How many coefficients are not 0, (n,)."""
        return np.array([np.count_nonzero(model.coef_) for model in self.models])

    def plot(self, axes: Any = None) -> Any:
        """Draw the coefficients against C, one panel a class.

        Parameters
        ----------
        axes : sequence of matplotlib axes or None
            One for each row of coefficients; None for a new figure.

        Returns
        -------
        array of matplotlib axes

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        coefs = self.coefs
        if axes is None:
            try:
                import matplotlib.pyplot as plt
            except ModuleNotFoundError as error:
                raise ImportError("Path.plot needs matplotlib: pip install matplotlib") from error
            rows = coefs.shape[1]
            size = (3.2 * min(rows, 4), 2.6 * -(-rows // 4))
            _, grid = plt.subplots(
                -(-rows // 4), min(rows, 4), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
            )
            axes = grid.ravel()
            for spare in axes[rows:]:
                spare.set_visible(False)
            axes = axes[:rows]
        classes = self.models[0].classes_
        labels = classes if coefs.shape[1] > 1 else classes[1:]
        for k, axis in enumerate(axes):
            axis.axhline(0, color="0.7", linewidth=0.8)
            axis.plot(self.Cs, coefs[:, k], linewidth=1)
            axis.set(xscale="log", title=str(labels[k]), xlabel="C")
        return np.asarray(axes)


def softmax_path(
    X: Any, y: Any, *, Cs: int | Sequence[float] = 10, sample_weight: Any = None, **parameters: Any
) -> Path:
    """Fit a classifier for each strength of the penalty, each one starting where the one before ended.

    Parameters
    ----------
    X, y, sample_weight
        As for `luce.SoftmaxClassifier.fit`.
    Cs : int or sequence of float
        Inverse strengths, or how many of them between 1e-4 and 1e4.
    **parameters
        Those of `luce.SoftmaxClassifier`, C aside.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        For strengths that are not positive, and whatever the classifier refuses.

    References
    ----------
    J. Friedman, T. Hastie, R. Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
    descent", J. Stat. Softw. 33: why to walk from the strongest penalty to the weakest.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from luce.models.selection import softmax_path
    >>> path = softmax_path(*load_iris(return_X_y=True), Cs=[0.01, 0.1, 1.0], l1_ratio=1.0)
    >>> path.n_nonzero.tolist()
    [1, 2, 4]
    """
    if "C" in parameters:
        raise TypeError("softmax_path takes Cs, the strengths to walk over, and no C")
    model = SoftmaxClassifier(**parameters)
    model._check_parameters()
    strengths = _strengths(Cs)
    checked, found = model._data(X, y, sample_weight)
    problem = Problem(checked, found, in_row_space=not model.standard_errors, **model._options())
    models = []
    for C, solution in zip(strengths, _walk(problem, strengths, model), strict=True):
        fitted = clone(model).set_params(C=float(C))
        _keep(fitted, model, problem, solution, found, y)
        models.append(fitted)
    return Path(strengths, models)


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
        What to maximise, in scikit-learn's terms; None for the mean log-likelihood of the held-out rows.
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
        What was chosen.
    Cs_, l1_ratios_ : float64 arrays
        What was tried.
    scores_ : (n_l1_ratios, n_Cs, n_folds) float64 array
    best_score_ : float
        The mean over folds of what was chosen.
    coef_, intercept_, classes_, n_iter_, gap_, …
        As for `luce.SoftmaxClassifier`, of the fit to all rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from luce.models.selection import SoftmaxClassifierCV
    >>> model = SoftmaxClassifierCV(Cs=[0.01, 1.0, 100.0]).fit(*load_iris(return_X_y=True))
    >>> model.C_
    100.0
    """

    def __init__(
        self,
        *,
        Cs: int | Sequence[float] = 10,
        l1_ratios: Sequence[float] = (0.0,),
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        fit_intercept: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> SoftmaxClassifierCV:
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
        strengths, ratios = _strengths(self.Cs), self._checked_ratios()
        if self.rule not in ("best", "one standard error"):
            raise ValueError(f"rule must be 'best' or 'one standard error', got {self.rule!r}")
        for ratio in ratios:
            self._model(1.0, float(ratio))._check_parameters()
        X, y, weights = self._checked(X, y, sample_weight)
        routed_split, routed_score = self._routed(weights, params)
        found = targets(y, weights, self.class_weight, loss=self.loss, dtype=X.dtype)
        table = np.asarray(y) if is_table(y) else np.ravel(y)
        splitter = check_cv(self.cv, table, classifier=not is_table(y))
        folds = list(splitter.split(X, table, **routed_split))
        if weights is not None:  # rows of weight 0 are not judged
            folds = [(train, np.asarray(test)[weights[test] > 0]) for train, test in folds]
            folds = [(train, test) for train, test in folds if len(test)]
        if not is_table(y):
            _warn_of_classes_to_come(table, found.classes, folds)
        work = Parallel(n_jobs=self.n_jobs)
        results = work(
            delayed(_judge_fold)(
                self._model(1.0, float(ratio)),
                X,
                table,
                weights,
                found.classes,
                strengths,
                train,
                test,
                self.scoring,
                {name: np.asarray(values)[test] for name, values in routed_score.items() if values is not None},
                f"fold {number + 1} of {len(folds)}, l1_ratio {ratio:g}" if self.verbose else None,
            )
            for ratio in ratios
            for number, (train, test) in enumerate(folds)
        )
        scores = np.array([score for score, _ in results]).reshape(len(ratios), len(folds), len(strengths))
        scores = scores.swapaxes(1, 2)
        at = self._chosen(scores)
        unfinished = sum(count for _, count in results)
        if unfinished:
            warnings.warn(
                f"{unfinished} of {scores.size} fits to the folds did not converge to tol={self.tol:g}: raise max_iter",
                ConvergenceWarning,
                stacklevel=2,
            )
        model = self._model(float(strengths[at[1]]), float(ratios[at[0]])).fit(X, y, weights)
        for name in STATISTICS:
            self.__dict__.pop(name, None)
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
        ratios = np.atleast_1d(np.asarray(self.l1_ratios, np.float64))
        if ratios.ndim != 1 or not len(ratios) or not ((ratios >= 0) & (ratios <= 1)).all():
            raise ValueError(f"l1_ratios must be numbers between 0 and 1, got {self.l1_ratios!r}")
        return ratios

    def _routed(self, sample_weight: Any, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if not _routing_enabled():
            return {}, {"sample_weight": sample_weight}
        routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
        split = dict(routed.splitter.split) if hasattr(routed, "splitter") else {}
        score = dict(routed.scorer.score) if hasattr(routed, "scorer") else {"sample_weight": sample_weight}
        return split, score

    def _chosen(self, scores: Vector) -> tuple[int, int]:
        means = scores.mean(axis=2)
        if np.isnan(means).all():
            raise ValueError(f"scoring={self.scoring!r} gives NaN for every strength of the penalty")
        means = np.nan_to_num(means, nan=-np.inf)
        best = np.unravel_index(int(np.argmax(means)), means.shape)
        ratio, C = int(best[0]), int(best[1])
        folds = scores.shape[2]
        if self.rule == "one standard error" and folds > 1:
            error = scores[ratio, C].std(ddof=1) / np.sqrt(folds)
            C = int(np.flatnonzero(means[ratio] >= means[ratio, C] - error)[0])
        return ratio, C


def _strengths(Cs: Any) -> Vector:
    if isinstance(Cs, Integral):
        if Cs < 1:
            raise ValueError(f"Cs must be at least 1 value, got {Cs!r}")
        return np.logspace(-4, 4, int(Cs))
    strengths = np.sort(np.atleast_1d(np.asarray(Cs, np.float64)))
    if strengths.ndim != 1 or not len(strengths) or not (strengths > 0).all():
        raise ValueError(f"Cs must be positive numbers or how many of them, got {Cs!r}")
    return strengths


def _walk(problem: Problem, strengths: Vector, model: SoftmaxClassifier) -> Iterator[Solution]:
    start = None
    for C in strengths:
        solution = problem.solve(float(C), solver=model.solver, tol=model.tol, max_iter=model.max_iter, start=start)
        if solution.last.status == "interrupted":
            raise KeyboardInterrupt
        start = solution.coef, solution.intercept
        yield solution


def _keep(
    fitted: SoftmaxClassifier,
    model: SoftmaxClassifier,
    problem: Problem,
    solution: Solution,
    found: Targets,
    y: Any,
) -> None:
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(fitted, name, getattr(model, name))
    fitted._keep(solution, found.classes, model._several_labels(y))
    if model.standard_errors:
        fitted._keep_statistics(fitted._statistics(problem, solution))
    fitted._warn(problem, solution)


def _judge_fold(
    model: SoftmaxClassifier,
    X: Any,
    y: Array,
    weights: Array | None,
    classes: Array,
    strengths: Vector,
    train: Array,
    test: Array,
    scoring: Any,
    score_params: dict[str, Any],
    saying: str | None,
) -> tuple[list[float], int]:
    """Return the score of the held-out rows for each strength, and how many fits did not converge."""
    part = None if weights is None else weights[train]
    found = targets(y[train], part, model.class_weight, loss=model.loss, dtype=X.dtype, classes=classes)
    problem = Problem(X[train], found, **model._options())
    scorer: Callable[..., float] = _log_likelihood if scoring is None else get_scorer(scoring)
    if not (scoring is None or hasattr(scorer, "_score_func")):  # a plain function: it knows no weights
        score_params = {}
    if not model._several_labels(y):
        scorer = _told_of(classes, scorer)
    scores, unfinished = [], 0
    fitted = clone(model)
    fitted.n_features_in_ = X.shape[1]
    for solution in _walk(problem, strengths, model):
        fitted._keep(solution, classes, model._several_labels(y))
        try:
            scores.append(float(scorer(fitted, X[test], y[test], **score_params)))
        except ValueError as error:
            held = np.unique(y[test]).tolist() if y.ndim == 1 else "several labels a row"
            raise ValueError(
                f"scoring={scoring!r} fails on held-out rows with the classes {held} of {classes.tolist()}: {error}"
            ) from error
        unfinished += not solution.last.converged
    if saying:
        print(f"{saying}: best {max(scores):.5g} at C={strengths[int(np.argmax(scores))]:.4g}", file=sys.stderr)
    return scores, unfinished


def _told_of(classes: Array, scorer: Any) -> Any:
    """Return a scorer of probabilities that knows which classes their columns are, whichever the rows hold."""
    judge = getattr(scorer, "_score_func", None)
    if judge is None or scorer._response_method != "predict_proba" or "labels" not in signature(judge).parameters:
        return scorer
    options = {"labels": classes, **scorer._kwargs}
    return make_scorer(judge, response_method="predict_proba", greater_is_better=scorer._sign > 0, **options)


def _warn_of_classes_to_come(labels: Array, classes: Array, folds: Sequence[tuple[Array, Array]]) -> None:
    """Say so if folds hold out classes that their training rows lack: the scores judge what could not be learnt."""
    lacking = {
        number: there
        for number, (train, test) in enumerate(folds, 1)
        if len(there := np.setdiff1d(np.intersect1d(labels[test], classes), labels[train]))
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


def _log_likelihood(model: SoftmaxClassifier, X: Any, y: Array, sample_weight: Any = None) -> float:
    """Return the weighted mean log-likelihood of the rows."""
    logs = model.predict_log_proba(X)
    if model.multilabel_:
        scores = model.decision_function(X)
        each = y * logs + (1 - y) * (logs - scores)  # log(1 − p) = log p − score
        return float(np.average(each.sum(axis=1), weights=sample_weight))
    found = targets(y, None, None, loss="softmax", dtype=logs.dtype, classes=model.classes_)
    losses = cross_entropy(logs, found.target, reduction="none")
    return -float(np.average(losses, weights=sample_weight))
