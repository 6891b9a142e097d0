"""The softmax classifier beside the linear classifiers that other losses give, on the same folds."""

from __future__ import annotations

import html
import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from luce.cross_entropy import cross_entropy_and_grad
from luce.models.classifier import SoftmaxClassifier
from luce.models.labels import plain_labels
from luce.models.rows import checked_weights, placed
from luce.sigmoid import sigmoid_cross_entropy_and_grad

__all__ = ["Comparison", "Curve", "Row", "Score", "compare"]

Array = npt.NDArray[Any]


class Score(NamedTuple):
    """A measure over the folds and its standard error; NaN where there is none."""

    value: float
    error: float


class Row(NamedTuple):
    """The measures of one model."""

    model: str
    accuracy: Score
    log_loss: Score
    reciprocal_rank: Score
    auc: Score
    f1: Score
    fit_time: Score


class Curve(NamedTuple):
    """A loss and its derivative at given margins."""

    loss: Array
    gradient: Array


class _Kind(NamedTuple):
    """A built-in model: the estimator of (C, random_state), its loss of the margin, that one's formula and line."""

    build: Callable[[float, Any], Any]
    curve: Callable[[Array], Curve]
    formula: str
    line: str


class _Measure(NamedTuple):
    """How a measure is shown: its heading, the best of several, what a value is multiplied by, its digits."""

    heading: str
    best: Callable[[list[float]], float]
    unit: float = 1
    digits: int = 4


MEASURES = {
    "accuracy": _Measure("accuracy", max),
    "log_loss": _Measure("log loss", min),
    "reciprocal_rank": _Measure("reciprocal rank", max),
    "auc": _Measure("macro AUC", max),
    "f1": _Measure("macro F1", max),
    "fit_time": _Measure("fit time, ms", min, 1e3, 1),
}

# of the built-in models in their order, then of the user's own
COLOURS = ("#c2410c", "#2563a8", "#334155", "#3f7f73", "#b9892b", "#8b5cf6", "#be185d", "#4d7c0f", "#0891b2", "#78716c")
GREY = "#64748b"

SVC_ITERATIONS = 20_000  # LIBLINEAR's own limit of 1000 is passed by data as small as digits


def _softmax(m: Array) -> Curve:
    loss, grad = cross_entropy_and_grad(np.stack([m, 0 * m], axis=-1), np.zeros(m.shape, np.int64), reduction="none")
    return Curve(loss, grad[..., 0])


def _sigmoid(m: Array) -> Curve:
    scores = np.stack([m / 2, -m / 2], axis=-1)
    loss, grad = sigmoid_cross_entropy_and_grad(scores, np.broadcast_to([1.0, 0.0], scores.shape), reduction="none")
    return Curve(loss.sum(axis=-1), (grad[..., 0] - grad[..., 1]) / 2)


def _hinge(m: Array) -> Curve:
    return Curve(np.maximum(0, 1 - m), np.where(m < 1, -1.0, 0.0))


def _squared_hinge(m: Array) -> Curve:
    short = np.maximum(0, 1 - m)
    return Curve(short**2, -2 * short)


def _squared_error(m: Array) -> Curve:
    return Curve((1 - m) ** 2, -2 * (1 - m))


KINDS = {
    "softmax": _Kind(lambda C, _: SoftmaxClassifier(C=C), _softmax, r"$\log(1+e^{-m})$", "-"),
    "sigmoid": _Kind(
        lambda C, _: SoftmaxClassifier(loss="sigmoid", C=C),
        _sigmoid,
        r"$2\,\log(1+e^{-m/2})$",
        "--",
    ),
    "svm-crammer-singer": _Kind(
        lambda C, seed: LinearSVC(multi_class="crammer_singer", C=C, max_iter=SVC_ITERATIONS, random_state=seed),
        _hinge,
        r"$\max(0,\,1-m)$",
        "-",
    ),
    "svm-ovr": _Kind(
        lambda C, seed: LinearSVC(C=C, max_iter=SVC_ITERATIONS, random_state=seed),
        _squared_hinge,
        r"$\max(0,\,1-m)^2$",
        "-.",
    ),
    "ridge": _Kind(
        lambda C, seed: RidgeClassifier(alpha=1 / (2 * C), random_state=seed), _squared_error, r"$(1-m)^2$", ":"
    ),
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` returns: prints as a table, shows itself in a notebook, plots itself.

    Attributes
    ----------
    models : tuple of str
        Names, in the order of the rows.
    folds : (models, folds, 6) array
        The measures of each fold, in the order of `Row`'s fields; NaN where one is not defined. All models met the same
        folds: the differences of two, fold by fold, tell more than the errors of their rows.
    n_rows, n_classes : int
        Size of the data; a row of weight 0 counts as absent.
    """

    models: tuple[str, ...]
    folds: Array
    n_rows: int
    n_classes: int

    @property
    def rows(self) -> tuple[Row, ...]:
        """A `Row` for each model: mean over the folds (fit time: median) and standard error."""
        return tuple(
            Row(name, *(_score(values, field) for values, field in zip(of_model.T, MEASURES, strict=True)))
            for name, of_model in zip(self.models, self.folds, strict=True)
        )

    def losses(self, margins: npt.ArrayLike) -> dict[str, Curve]:
        r"""Return loss and derivative of each built-in model of the comparison against the margin.

        The margin is the score of the true class minus the best other, :math:`m = z_y - \max_{k \ne y} z_k`. With two
        classes each loss depends on m alone:

        ==================  ===================  =======================
        model               loss                 derivative
        ==================  ===================  =======================
        softmax             log(1 + exp(−m))     −σ(−m)
        sigmoid             2 log(1 + exp(−m/2)) −σ(−m/2)
        svm-crammer-singer  max(0, 1 − m)        −1 where m < 1, else 0
        svm-ovr             max(0, 1 − m)²       −2 max(0, 1 − m)
        ridge               (1 − m)²             −2 (1 − m)
        ==================  ===================  =======================

        svm-ovr and ridge are drawn as scikit-learn fits them to two classes: a single score, which is the margin, and
        targets ±1. With a single score the sigmoid's loss is the softmax's; its curve is that of one-vs-rest, a sigmoid
        for each class, at the scores m/2 and −m/2. In general a score for each class makes 2 f(m/2) of f(m): the same
        curve with both axes doubled.

        Parameters
        ----------
        margins : array_like
            Margins, of any shape.

        Returns
        -------
        dict of str to Curve
            ``loss`` and ``gradient`` of the margins' shape, by name of the model.
        """
        m = np.asarray(margins, np.float64)
        return {name: KINDS[name].curve(m) for name in self.models if name in KINDS}

    def __str__(self) -> str:
        lines = [["", *(f"{measure.heading} " for measure in MEASURES.values())]]
        lines += [[name, *(text + " *"[best] for text, best in cells)] for name, cells in self._table()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
        ]
        return "\n".join([*texts, "", f"* best of its column; {self._caption()}"])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{measure.heading}</th>" for measure in MEASURES.values())
        body = "".join(
            f"<tr><th>{html.escape(name)}</th>"
            + "".join(f"<td><b>{text}</b></td>" if best else f"<td>{text}</td>" for text, best in cells)
            + "</tr>"
            for name, cells in self._table()
        )
        return (
            f"<table><caption>bold: best of its column; {self._caption()}</caption>"
            f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame`: a row for each model, a column for each measure and one for its error.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = _needed("pandas", "to_frame")
        rows = np.array([row[1:] for row in self.rows])  # (models, measures, 2)
        columns = [name for field in MEASURES for name in (field, f"{field}_error")]
        return pandas.DataFrame(rows.reshape(len(rows), -1), pandas.Index(self.models, name="model"), columns)

    def plot(self, ax: Any = None) -> Any:
        """Draw the measures with their standard errors, and beside them losses and derivatives against the margin.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes of a grid (as ``plt.subplots`` makes them) whose place the panels take; None makes a figure.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If `ax` has no place in a grid.
        """
        pyplot = _needed("matplotlib.pyplot", "plot")
        if ax is None:
            figure = pyplot.figure(figsize=(11, 4.8), layout="constrained")
            place = figure.add_gridspec(1, 1)[0]
        else:
            figure, place = ax.figure, ax.get_subplotspec()
            if place is None:
                raise ValueError("ax: expected axes of a grid, as plt.subplots makes them, got axes of a free place")
            ax.set_axis_off()
        colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate([*KINDS, *self._own()])}
        m = np.linspace(-3, 4, 701)
        curves = self.losses(m)
        halves = place.subgridspec(1, 2 if curves else 1, width_ratios=(1.7, 1) if curves else None)
        self._plot_measures(figure, halves[0].subgridspec(2, 3), colours)
        if curves:
            _plot_curves(figure, halves[1].subgridspec(2, 1), m, curves, colours)
        return figure

    def _plot_measures(self, figure: Any, grid: Any, colours: Mapping[str, str]) -> None:
        first = None
        for index, (field, measure) in enumerate(MEASURES.items()):
            panel = first = figure.add_subplot(grid[divmod(index, 3)], sharey=first)
            for place, row in enumerate(self.rows):
                value, error = getattr(row, field)
                if np.isfinite(value):
                    x, half = measure.unit * value, measure.unit * np.nan_to_num(error)
                    panel.errorbar(x, place, xerr=half, fmt="o", ms=5, lw=1.6, color=colours[row.model])
                else:
                    sides = panel.get_yaxis_transform()
                    panel.text(
                        0.5, place, _shown(value, measure), transform=sides, color=GREY, ha="center", va="center"
                    )
            panel.set_title(f"{measure.heading} {'↑' if measure.best is max else '↓'}", fontsize=9)
            panel.set_yticks(range(len(self.models)), self.models)
            for label, name in zip(panel.get_yticklabels(), self.models, strict=True):
                label.set_color(colours[name])
            panel.set_ylim(len(self.models) - 0.5, -0.5)
            panel.tick_params(labelsize=8, length=0, labelleft=index % 3 == 0)
            panel.locator_params(axis="x", nbins=3)
            _plain(panel)
            if index == 4:
                panel.set_xlabel(self._caption(), fontsize=8, color=GREY)

    def _own(self) -> list[str]:
        return [name for name in self.models if name not in KINDS]

    def _table(self) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
        """Names, and for each measure the text of its cell and whether its value is the best as far as it is shown."""
        columns = []
        for field, measure in MEASURES.items():
            scores = [getattr(row, field) for row in self.rows]
            known = [score.value for score in scores if not np.isnan(score.value)]
            best = _shown(measure.best(known), measure) if len(known) > 1 else None
            values = [_shown(score.value, measure) for score in scores]
            errors = ["" if np.isnan(score.error) else f" ± {_shown(score.error, measure)}" for score in scores]
            columns.append([(v + e, v == best) for v, e in zip(values, errors, strict=True)])
        for name, *cells in zip(self.models, *columns, strict=True):
            yield name, cells

    def _caption(self) -> str:
        n_folds = self.folds.shape[1]
        folds = f"mean ± standard error over {n_folds} folds, fit time: median" if n_folds > 1 else "one split"
        return f"{folds}; {self.n_rows} rows, {self.n_classes} classes"


def compare(
    X: Any,
    y: Any,
    *,
    models: Iterable[str] | Mapping[str, Any] | None = None,
    C: float = 1.0,
    cv: Any = 5,
    scale: bool = True,
    sample_weight: Any = None,
    groups: Any = None,
    random_state: Any = 0,
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
    counted = np.ones(len(y), bool) if weights is None else weights > 0
    classes = np.unique(y[counted])
    if len(classes) < 2:
        raise ValueError(f"y: expected at least two classes among the rows of positive weight, got {classes.tolist()}")
    estimators = _estimators(models, float(C), random_state, weighted=weights is not None)
    if isinstance(cv, Integral):
        cv = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    splits = [
        tuple(rows[counted[rows]] for rows in map(np.arange(len(y)).__getitem__, split))
        for split in check_cv(cv, y, classifier=True).split(X, y, groups)
    ]
    for number, (train, test) in enumerate(splits, 1):
        lacking = np.setdiff1d(classes, y[train])
        if len(lacking):
            raise ValueError(f"cv: the training rows of fold {number} lack the classes {lacking.tolist()}")
        if not len(test):
            raise ValueError(f"cv: fold {number} has no held-out row of positive weight")
    results = Parallel(n_jobs=n_jobs)(
        delayed(_fold)(
            estimators, X, y, weights, classes, train, test, scale, f"fold {number}/{len(splits)}" if verbose else ""
        )
        for number, (train, test) in enumerate(splits, 1)
    )
    measures, unconverged = (np.stack(parts, axis=1) for parts in zip(*results, strict=True))
    for name, count in zip(estimators, unconverged.sum(axis=1), strict=True):
        if count:
            warnings.warn(
                f"{name!r} did not converge in {count} of {len(splits)} folds", ConvergenceWarning, stacklevel=2
            )
    return Comparison(tuple(estimators), measures, int(counted.sum()), len(classes))


def _estimators(
    models: Iterable[str] | Mapping[str, Any] | None, C: float, random_state: Any, *, weighted: bool
) -> dict[str, Any]:
    """Return the estimators by name."""
    if isinstance(models, str):
        models = [models]
    if models is None:
        models = KINDS.keys()
    wanted: dict[str, Any] = dict(models) if isinstance(models, Mapping) else {name: name for name in models}
    if not wanted:
        raise ValueError("models: expected at least one, got none")
    for name, model in wanted.items():
        if isinstance(model, str):
            if model not in KINDS:
                raise ValueError(f"models: expected names among {list(KINDS)}, got {model!r}")
            wanted[name] = KINDS[model].build(C, random_state)
        elif name in KINDS:
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


def _fold(
    estimators: Mapping[str, Any],
    X: Any,
    y: Array,
    weights: Array | None,
    classes: Array,
    train: Array,
    test: Array,
    scale: bool,
    label: str,
) -> tuple[Array, Array]:
    """Return the measures of each model on one fold, (models, 6), and whether its fit did not converge."""
    X_train, X_test = X[train], X[test]
    train_weights, test_weights = (None, None) if weights is None else (weights[train], weights[test])
    if scale:
        scaler = StandardScaler(with_mean=not issparse(X)).fit(X_train, sample_weight=train_weights)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    given = {} if weights is None else {"sample_weight": train_weights}
    rows, unconverged = [], []
    for name, estimator in estimators.items():
        model = clone(estimator)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            start = time.perf_counter()
            model.fit(X_train, y[train], **given)
            seconds = time.perf_counter() - start
        for warning in caught:
            if not issubclass(warning.category, ConvergenceWarning):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        unconverged.append(any(issubclass(warning.category, ConvergenceWarning) for warning in caught))
        rows.append([*_measures(name, model, X_test, y[test], test_weights, classes), seconds])
        if label:
            print(f"{label}  {name}  accuracy {rows[-1][0]:.4f}  {1e3 * seconds:.1f} ms", file=sys.stderr)
    return np.array(rows), np.array(unconverged)


def _measures(name: str, model: Any, X: Any, y: Array, weights: Array | None, classes: Array) -> list[float]:
    """Return the measures of a fitted model but for its time, in the order of `MEASURES`."""
    predicted = model.predict(X)
    at = np.arange(len(y)), np.searchsorted(classes, y)
    scores = np.asarray((model.decision_function if hasattr(model, "decision_function") else model.predict_proba)(X))
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    if scores.shape[1] != len(classes):
        raise ValueError(f"models: {name!r} gives {scores.shape[1]} scores a row, the data have {len(classes)} classes")
    with np.errstate(divide="ignore"):  # a probability of 0 for what happened: the loss is infinite
        if hasattr(model, "predict_log_proba"):
            log_loss = -np.average(model.predict_log_proba(X)[at], weights=weights)
        elif hasattr(model, "predict_proba"):
            log_loss = -np.average(np.log(model.predict_proba(X)[at]), weights=weights)
        else:
            log_loss = np.nan
    # Of each class, its score minus the best other: the same whatever a row adds to all of its scores.
    two_best = np.partition(scores, -2, axis=1)[:, -2:]
    margins = scores - np.where(scores == two_best[:, 1:], two_best[:, :1], two_best[:, 1:])
    present = np.unique(at[1])
    return [
        accuracy_score(y, predicted, sample_weight=weights),
        log_loss,
        np.average(1 / (scores >= scores[at][:, None]).sum(axis=1), weights=weights),
        np.mean([roc_auc_score(at[1] == k, margins[:, k], sample_weight=weights) for k in present])
        if len(present) > 1
        else np.nan,
        f1_score(y, predicted, average="macro", sample_weight=weights),
    ]


def _score(values: Array, field: str) -> Score:
    """Return the middle of a measure over the folds where it is defined, and its standard error."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Score(np.nan, np.nan)
    middle, factor = (np.median, np.sqrt(np.pi / 2)) if field == "fit_time" else (np.mean, 1.0)
    spread = known.std(ddof=1) if len(known) > 1 and np.isfinite(known).all() else np.nan
    return Score(float(middle(known)), float(factor * spread / np.sqrt(len(known))))


def _shown(value: float, measure: _Measure) -> str:
    return "–" if np.isnan(value) else f"{measure.unit * value:.{measure.digits}f}"


def _needed(module: str, method: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        raise ImportError(f"Comparison.{method} needs {package}: pip install {package}") from error


def _plot_curves(figure: Any, grid: Any, m: Array, curves: Mapping[str, Curve], colours: Mapping[str, str]) -> None:
    above = figure.add_subplot(grid[0])
    below = figure.add_subplot(grid[1], sharex=above)
    for name, curve in curves.items():
        style = {"color": colours[name], "ls": KINDS[name].line, "lw": 2 if name == "softmax" else 1.5}
        above.plot(m, curve.loss, **style)
        below.plot(m, curve.gradient, label=f"{name}: {KINDS[name].formula}", **style)
    for panel, title, limits in ((above, "loss", (-0.2, 5)), (below, "its derivative", (-4.2, 1.2))):
        panel.set_title(title, fontsize=9)
        panel.set_ylim(*limits)
        panel.set_xlim(m[0], m[-1])
        panel.axvline(0, color=GREY, lw=0.8, ls=":")
        panel.tick_params(labelsize=8, length=0)
        _plain(panel)
    above.tick_params(labelbottom=False)
    below.set_xlabel("margin m: score of the true class minus the best other", fontsize=8, color=GREY)
    below.legend(
        fontsize=7, loc="lower right", borderaxespad=0.2, handlelength=1.8, facecolor="w", edgecolor="w", framealpha=1
    )


def _plain(panel: Any) -> None:
    panel.grid(color="#e2e8f0", lw=0.7)
    panel.set_axisbelow(True)
    panel.spines[:].set_visible(False)
