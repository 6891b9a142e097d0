"""The softmax classifier (multinomial logistic regression) as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.utils.metaestimators import available_if

from luce.models.base import LinearClassifier
from luce.models.fit_warnings import SortedRowsWarning
from luce.models.fitting import (
    keep,
    keep_statistics,
    parts_for,
    problem_for,
    rows_and_targets,
    separation_of,
    statistics_of,
    warn_of_walk,
)
from luce.models.inputs.kinds import Array, ClassWeights, Features, Labels, Weights
from luce.models.inputs.labels import plain_labels
from luce.models.inputs.targets import Targets, are_several_labels, is_table
from luce.models.linear.information import check_size
from luce.models.linear.naming import column_names
from luce.models.linear.place import Place
from luce.models.linear.stream import Kept, Stream
from luce.models.parameters import check_parameters
from luce.models.progress import LiveLine
from luce.models.solvers import Iterate

__all__ = ["SoftmaxClassifier"]


class SoftmaxClassifier(LinearClassifier):
    r"""Linear softmax classifier with the objective of scikit-learn's ``LogisticRegression``, by second-order methods.

    .. math:: C \sum_i r_i\, \ell(W x_i + b, y_i) + \tfrac{1 - a}2 \lVert W \rVert^2 + a \lVert W \rVert_1,
              \qquad \ell(z, y) = \log \sum_k e^{z_k} - z_y

    with a = `l1_ratio`. The intercept b is not penalised. With two classes the model has one row of coefficients, the
    log-odds of ``classes_[1]``, and the penalty is on that row, as in scikit-learn. Columns are centred and scaled
    inside the solver, which changes neither the objective nor its minimum: features need no scaling for the method to
    converge.

    Targets are labels of any kind, or a table (N, K) with the probability of every class in each row (soft labels).

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty; ``numpy.inf`` for none.
    l1_ratio : float, default=0.0
        Share a of the L1 penalty: 0 for L2 alone, 1 for L1 alone, between them the elastic net.
    fit_intercept : bool, default=True
        Whether each class has an intercept.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes every class weigh the same in total.
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly: over all classes, or over 0 and 1 with the sigmoid loss.
    loss : {"softmax", "sigmoid"}, default="softmax"
        "sigmoid" trains one binary cross-entropy a class on the same scores: one-vs-rest for labels, and independent
        labels where y is a table of zeros and ones. For labels of two classes it is the same model as "softmax".
    standard_errors : bool, default=False
        Whether to compute `covariance_`, which `summary` needs: time grows with the cube of the coefficients' number.
    tol : float, default=1e-6
        Stop when no entry of the gradient of the mean objective (the one above divided by C Σr), taken per standard
        deviation of its column, is larger, and what is left to gain is no larger a share of the objective.
    max_iter : int, default=100
        Largest number of iterations.
    solver : {"auto", "newton", "newton-cg", "quasi-newton", "proximal-newton"}, default="auto"
        "newton" factors the Hessian, "newton-cg" takes Hessian-vector products alone, "quasi-newton" gradients
        alone, corrected by a preconditioner that is built on a sample of the rows. With an L1 penalty it is
        "proximal-newton". "auto" chooses by size.
    warm_start : bool, default=False
        Start from the present coefficients where their shape and classes fit.
    verbose : int, default=0
        1 shows a live line on standard error: iteration, objective, bound on what is left to gain, time. An interrupt
        (Ctrl-C) then ends the fit with the coefficients reached, and a warning; without `verbose` the interrupt passes
        on, and the estimator is fitted all the same.
    n_threads : int or None, default=None
        Threads of the kernels and, where they are large, of the matrix products; None leaves both at their own
        settings.

    Attributes
    ----------
    classes_ : (K,) array
        Class labels, sorted; the names of y's columns, or 0 … K−1, where y is a table. A class whose rows all have
        weight 0 is not among them.
    coef_ : (K, D) array, (1, D) for two classes
        Coefficients, in float64 also where X is float32; with the softmax loss and no L1 penalty each column sums to 0
        over three and more classes, to rounding.
    intercept_ : (K,) array, (1,) for two classes
        Intercepts; with the softmax loss and three and more classes they sum to 0. Zeros without `fit_intercept`.
    n_iter_ : (1,) int32 array
        Iterations taken (at least 1).
    loss_curve_, grad_norm_curve_ : float64 arrays
        The mean objective (see `tol`) and the largest entry of its gradient at the start and after each iteration. With
        many rows the fit starts from the minimum over a sample of them.
    grad_norm_ : float
        The last entry of `grad_norm_curve_`.
    gap_ : float
        Upper bound on the mean objective above its minimum (a duality gap); infinite without a penalty, and after
        `partial_fit`.
    solver_ : str
        The solver that ran.
    fit_seconds_ : float
        Time that the fit took, in seconds.
    multilabel_ : bool
        Whether each class is a label of its own.
    temperature_ : float
        The number by which scores are divided before they become probabilities: 1, until `calibrate` sets it.
    covariance_ : (K·(D + 1), K·(D + 1)) float64 array
        Covariance of the coefficients, each class's weights followed by its intercept. Only with `standard_errors`.
    standard_errors_ : (K, D + 1) float64 array
        Square roots of the diagonal of `covariance_`, each class's intercept last. Only with `standard_errors`.
    n_features_in_ : int
    feature_names_in_ : (D,) array of str
        Only where X had string column names.

    See Also
    --------
    luce.SoftmaxClassifierCV : chooses C and l1_ratio by cross-validation.
    luce.linear_cross_entropy : the loss being minimised, with its derivatives.

    References
    ----------
    D. Böhning (1992), "Multinomial logistic regression algorithm", Ann. Inst. Statist. Math. 44.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from luce.models.classifier import SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifier().fit(X, y)
    >>> round(float(model.score(X, y)), 4)
    0.9733
    >>> model.predict_proba(X[:1]).round(2).tolist()
    [[0.98, 0.02, 0.0]]
    >>> bool(model.gap_ < 1e-6)
    True
    """

    _stream: Stream | None

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        class_weight: ClassWeights | str | None = None,
        label_smoothing: float = 0.0,
        loss: str = "softmax",
        standard_errors: bool = False,
        tol: float = 1e-6,
        max_iter: int = 100,
        solver: str = "auto",
        warm_start: bool = False,
        verbose: int = 0,
        n_threads: int | None = None,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.loss = loss
        self.standard_errors = standard_errors
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_threads = n_threads

    def fit(
        self,
        X: Features,
        y: Labels,
        sample_weight: Weights = None,
        *,
        callback: Callable[[Iterate[Place]], None] | None = None,
    ) -> SoftmaxClassifier:
        """Minimise the objective over (W, b).

        Parameters
        ----------
        X : (N, D) array-like, data frame or sparse matrix
            float32 stays float32, everything else becomes float64; CSR and CSC stay sparse.
        y : (N,) array-like, or (N, K) table
            Class labels of any kind; or the probability of each class in each row; or, for ``loss="sigmoid"``, a label
            0 or 1 (or its probability) for each class.
        sample_weight : (N,) array-like or None
            Non-negative row weights; a row of weight 0 counts as absent.
        callback : callable, optional
            Called with a `luce.models.solvers.Iterate` at the start and after each iteration.

        Returns
        -------
        SoftmaxClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            For parameters out of range, NaN or infinity in X, labels that are no classes, fewer than two classes,
            probabilities that do not sum to 1, negative weights; with `standard_errors`, for constant or collinear
            columns or separable classes without a penalty.

        Warns
        -----
        ConvergenceWarning
            If the tolerance was not reached and rounding still leaves something to gain, or if the classes are
            separable and there is no penalty: then no minimum exists.
        """
        check_parameters(self)
        X, targets = rows_and_targets(self, X, y, sample_weight)
        problem = problem_for(self, X, targets, in_row_space=not self.standard_errors)
        if self.standard_errors:
            check_size(problem.objective(self.C).size)
        multilabel, names = are_several_labels(y, self.loss), column_names(self, X.shape[1])
        live = LiveLine() if self.verbose else None

        def tell(iterate: Iterate[Place]) -> None:
            if live is not None:
                live(iterate)
            if callback is not None:
                callback(iterate)

        solution = problem.solve(
            self.C,
            solver=self.solver,
            tol=self.tol,
            max_iter=self.max_iter,
            start=self._start(targets, X.shape[1], multilabel),
            callback=tell if live is not None or callback is not None else None,
        )
        interrupted = solution.last.status == "interrupted"
        separable = separation_of(self, problem, solution, names)
        statistics = None
        if self.standard_errors and not interrupted:
            statistics = statistics_of(self, problem, solution, separable, names)
        keep(self, solution, targets.classes, multilabel)
        self._stream = None
        if statistics is not None:
            keep_statistics(self, statistics)
        if interrupted and not self.verbose:
            raise KeyboardInterrupt
        warn_of_walk(solution, self.tol, separable)
        return self

    def _without_l1(self) -> bool:
        """Tell that there is no L1 penalty, without which there is a `partial_fit`."""
        if self.l1_ratio:
            raise AttributeError("partial_fit has no L1 penalty, set l1_ratio=0")
        return True

    @available_if(_without_l1)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Features, y: Labels, classes: Labels = None, sample_weight: Weights = None
    ) -> SoftmaxClassifier:
        """Learn from a batch of rows that is not needed again: streams larger than memory.

        The objective over all rows so far is the batch's own part, exactly, plus the quadratic that the earlier batches
        left; see `luce.models.linear.stream`. One pass over the data comes close to `fit` on all of them, if each batch
        is a fair sample of the rows: shuffle rows that are sorted, by class above all. Of rows that were far on the
        right side of a boundary the quadratic says little, so batches of other classes may move it past them. `fit`
        begins anew, and a first `partial_fit` after `fit` too.

        Parameters
        ----------
        X : (n, D) array-like or sparse matrix
            The scale of its columns is taken from the first batch, which should be no mere handful of rows.
        y : (n,) labels, or (n, K) table
        classes : (K,) array-like or None
            All labels that will ever occur, or the names of a table's columns; needed at the first call where y holds
            labels.
        sample_weight : (n,) array-like or None

        Returns
        -------
        SoftmaxClassifier
            The estimator itself.

        Raises
        ------
        ValueError
            For a first call without classes, labels that are not among them, other classes than before,
            other C, loss or intercept than before, ``class_weight="balanced"``, whose weights no batch knows, or
            `standard_errors`.
        AttributeError
            With an L1 penalty.

        Warns
        -----
        ConvergenceWarning
            If the tolerance was not reached on this batch.
        SortedRowsWarning
            Once, if classes that were frequent before are absent from so many rows that the rows must be sorted.
        """
        check_parameters(self)
        first = getattr(self, "_stream", None) is None
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' is not known before all rows are: give partial_fit a dict")
        if self.standard_errors:
            raise ValueError("standard_errors need all rows at once: partial_fit has none, set standard_errors=False")
        known = self._known_classes(classes, y, first)
        X, targets = rows_and_targets(self, X, y, sample_weight, classes=known, reset=first)
        stream = getattr(self, "_stream", None) or Stream(len(targets.classes), X.shape[1])
        kept = Kept(C=self.C, loss=self.loss, fit_intercept=self.fit_intercept)
        solution = stream.learn(X, targets, parts_for(self, targets), kept=kept, tol=self.tol, max_iter=self.max_iter)
        keep(self, solution, targets.classes, are_several_labels(y, self.loss))
        self._stream = stream
        warn_of_walk(solution, self.tol)
        absent = stream.order.forgotten(targets.target)
        if absent:
            warnings.warn(SortedRowsWarning(self.classes_[absent].tolist()), stacklevel=2)
        return self

    def _known_classes(self, classes: Labels, y: Labels, first: bool) -> Array | None:
        """Return the classes of a batch, checked against those of the first one; None where its table names them."""
        if first:
            if classes is None and not hasattr(self, "classes_") and not is_table(y):
                raise ValueError("classes must be given at the first call of partial_fit")
            if classes is None:
                return getattr(self, "classes_", None)
            return (
                np.asarray(classes) if is_table(y) else np.unique(plain_labels(classes))
            )  # a table's columns have an order
        if classes is not None and not np.array_equal(np.unique(plain_labels(classes)), np.sort(self.classes_)):
            raise ValueError(f"classes: {classes!r} are not those of the first call, {self.classes_!r}")
        known: Array = self.classes_
        return known

    def _start(self, targets: Targets, columns: int, multilabel: bool) -> tuple[Array, Array] | None:
        """Return the present coefficients to start from, None where they do not fit or are not wanted."""
        fits = (
            self.warm_start
            and hasattr(self, "coef_")
            and np.array_equal(self.classes_, targets.classes)
            and self.multilabel_ == multilabel
            and self.coef_.shape[1] == columns
        )
        if not fits:
            return None
        return self.dense_coef(), self.intercept_
