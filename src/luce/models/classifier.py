"""The softmax classifier (multinomial logistic regression) as a scikit-learn estimator."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from luce.models.objective import SoftmaxObjective
from luce.models.solvers import SOLVERS, Iterate, minimise
from luce.softmax import log_softmax, softmax

__all__ = ["SoftmaxClassifier"]

Array = npt.NDArray[Any]

FULL_HESSIAN = 2000  # parameters up to which solver="auto" may form the Hessian (32 MB)
# and the multiplications in forming it up to which it does: iris, wine and breast cancer are far below (2e4 to 5e5) and
# faster with it; digits (6e8) and 20000 × 60 × 7 (3e9) took 4 and 5 times as long with it as with products alone
HESSIAN_WORK = 1e8


class SoftmaxClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    r"""Linear softmax classifier: the objective of scikit-learn's ``LogisticRegression``, minimised by its curvature.

    .. math:: C \sum_i r_i\, \ell(W x_i + b, y_i) + \tfrac12 \lVert W \rVert^2,
              \qquad \ell(z, y) = \log \sum_k e^{z_k} - z_y

    The intercept b is not penalised. With two classes the model has one row of coefficients, the log-odds of
    ``classes_[1]``, and the penalty is on that row, as in scikit-learn. Columns are centred and scaled inside the
    solver, which changes neither the objective nor its minimum: features need no scaling for the method to converge.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty; ``numpy.inf`` for none.
    fit_intercept : bool, default=True
        Whether each class has an intercept.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes every class weigh the same in total.
    tol : float, default=1e-6
        Stop when no entry of the gradient of the mean objective (the one above divided by C Σr), taken per standard
        deviation of its column, is larger, and the next step promises no larger relative decrease of the objective.
    max_iter : int, default=100
        Largest number of Newton iterations.
    solver : {"auto", "newton", "newton-cg"}, default="auto"
        "newton" forms and factors the Hessian, "newton-cg" takes Hessian-vector products alone, "auto" chooses by size.
    warm_start : bool, default=False
        Start from the present coefficients where their shape and classes fit.
    verbose : int, default=0
        1 writes a line per iteration to standard error.
    n_threads : int or None, default=None
        Threads of the loss kernels and of the matrix products; None leaves both at their own settings.

    Attributes
    ----------
    classes_ : (K,) array
        Class labels, sorted. A class whose rows all have weight 0 is not among them.
    coef_ : (K, D) array, (1, D) for two classes
        Coefficients, of X's dtype; for three and more classes each column sums to 0 to rounding.
    intercept_ : (K,) array, (1,) for two classes
        Intercepts; for three and more classes they sum to 0. Zeros without `fit_intercept`.
    n_iter_ : (1,) int32 array
        Iterations taken (at least 1).
    loss_curve_ : (n_iter_ + 1,) float64 array
        The mean objective (see `tol`) at the start and after each iteration.
    grad_norm_ : float
        Largest entry of the gradient at the end, as `tol` measures it.
    solver_ : str
        The solver that ran.
    n_features_in_ : int
    feature_names_in_ : (D,) array of str
        Only where X had string column names.

    See Also
    --------
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
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        solver: str = "auto",
        warm_start: bool = False,
        verbose: int = 0,
        n_threads: int | None = None,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_threads = n_threads

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, callback: Callable[[Iterate], None] | None = None
    ) -> SoftmaxClassifier:
        """Minimise the objective over (W, b).

        Parameters
        ----------
        X : (N, D) array-like
            float32 stays float32, everything else becomes float64.
        y : (N,) array-like
            Class labels of any kind.
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
            negative weights.

        Warns
        -----
        ConvergenceWarning
            If the tolerance was not reached, or if the classes are separable and there is no penalty: then no minimum
            exists.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        X, codes, weights = self._numbered(X, y, sample_weight)
        n_classes = len(self._classes)
        with threadpool_limits(self.n_threads) if self.n_threads is not None else nullcontext():
            objective = SoftmaxObjective(
                X,
                codes,
                n_classes,
                sample_weight=weights,
                penalty=self._penalty(len(X) if weights is None else float(weights.sum()), n_classes),
                fit_intercept=self.fit_intercept,
                n_threads=self.n_threads,
            )
            solver = SOLVERS[self._choose_solver(objective)]()
            curve: list[float] = []

            def record(iterate: Iterate) -> None:
                curve.append(iterate.point.value)
                if self.verbose:
                    _write_line(iterate)
                if callback is not None:
                    callback(iterate)

            last = minimise(
                solver,
                objective,
                self._start(objective),
                tol=self.tol,
                max_iter=self.max_iter,
                callback=record,
            )
        coef, intercept = objective.coefficients(last.point.parameters)
        self.classes_ = self._classes
        del self._classes
        if n_classes == 2:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        self.coef_ = coef.astype(X.dtype)
        self.intercept_ = intercept.astype(X.dtype)
        self.n_iter_ = np.array([max(last.iteration, 1)], dtype=np.int32)
        self.loss_curve_ = np.array(curve if len(curve) > 1 else curve * 2)
        self.grad_norm_ = last.gradient_norm
        self.solver_ = solver.name
        self._warn(last, X, codes)
        return self

    def decision_function(self, X: Any) -> Array:
        """Return the scores: (N, K), or (N,) log-odds of ``classes_[1]`` for two classes."""
        check_is_fitted(self)
        return self._scores(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row, (N,)."""
        codes = self._codes(self.decision_function(X))
        predicted: Array = self.classes_[codes]
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the classes, (N, K), in the order of `classes_`."""
        return np.asarray(softmax(self._logits(X), n_threads=self.n_threads))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities, (N, K), exact also where a probability underflows."""
        return np.asarray(log_softmax(self._logits(X), n_threads=self.n_threads))

    def _logits(self, X: Any) -> Array:
        scores = self.decision_function(X)
        return np.stack([np.zeros_like(scores), scores], axis=1) if scores.ndim == 1 else scores

    def _check_parameters(self) -> None:
        if not (isinstance(self.C, Real) and self.C > 0):
            raise ValueError(f"C must be a positive number or inf, got {self.C!r}")
        if not (isinstance(self.tol, Real) and 0 <= self.tol < np.inf):
            raise ValueError(f"tol must be a number >= 0, got {self.tol!r}")
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1):
            raise ValueError(f"max_iter must be an integer >= 1, got {self.max_iter!r}")
        if self.solver != "auto" and self.solver not in SOLVERS:
            raise ValueError(f"solver must be 'auto' or one of {sorted(SOLVERS)}, got {self.solver!r}")
        if not (self.n_threads is None or (isinstance(self.n_threads, Integral) and self.n_threads >= 1)):
            raise ValueError(f"n_threads must be None or an integer >= 1, got {self.n_threads!r}")

    def _numbered(self, X: Array, y: Array, sample_weight: Any) -> tuple[Array, npt.NDArray[np.int64], Array | None]:
        """Return the rows that count, their classes as numbers, their weights; set `_classes`."""
        weights: Array | None = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            counts = weights > 0
            if not counts.all():
                X, y, weights = X[counts], y[counts], weights[counts]
        self._classes, codes = np.unique(y, return_inverse=True)
        if len(self._classes) < 2:
            what = f"one class: {self._classes[0]!r}" if len(self._classes) else "no row of positive weight"
            raise ValueError(f"a classifier needs at least two classes, the data hold {what}")
        if self.class_weight is not None:
            weights = np.ones(len(X)) if weights is None else weights
            weights = weights * self._class_weights(y, codes, weights)[codes]
            if not (weights > 0).all():
                raise ValueError(f"class weights must be positive, got {self.class_weight!r}")
        return X, codes.astype(np.int64, copy=False), weights

    def _class_weights(self, y: Array, codes: Array, weights: Array) -> Array:
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            return np.asarray(weights.sum() / (len(self._classes) * np.bincount(codes, weights=weights)))
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}")
        return np.asarray(compute_class_weight(self.class_weight, classes=self._classes, y=y))

    def _penalty(self, total_weight: float, n_classes: int) -> float:
        """λ of the mean objective; doubled for two classes, see `luce.models.objective`."""
        return (2.0 if n_classes == 2 else 1.0) / (float(self.C) * total_weight)

    def _scores(self, X: Array) -> Array:
        scores: Array = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    @staticmethod
    def _codes(scores: Array) -> Array:
        return (scores > 0).astype(np.intp) if scores.ndim == 1 else np.argmax(scores, axis=1)

    def _choose_solver(self, objective: SoftmaxObjective) -> str:
        if self.solver != "auto":
            return self.solver
        small = objective.size <= FULL_HESSIAN and len(objective.X) * float(objective.size) ** 2 <= HESSIAN_WORK
        return "newton" if small else "newton-cg"

    def _start(self, objective: SoftmaxObjective) -> npt.NDArray[np.float64]:
        fits = (
            self.warm_start
            and hasattr(self, "coef_")
            and np.array_equal(self.classes_, self._classes)
            and self.coef_.shape[1] == objective.X.shape[1]
        )
        if not fits:
            return objective.start()
        if objective.n_classes == 2:
            return objective.start(np.vstack([-self.coef_, self.coef_]) / 2, np.array([-0.5, 0.5]) * self.intercept_)
        return objective.start(self.coef_, self.intercept_)

    def _warn(self, last: Iterate, X: Array, codes: Array) -> None:
        if np.isinf(self.C) and np.array_equal(self._codes(self._scores(X)), codes):
            warnings.warn(
                "The classes are linearly separable and there is no penalty (C=inf): the objective has no minimum, the "
                f"coefficients grow without bound and were stopped after {last.iteration} iterations. Set a finite C.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif not last.converged:
            advice = {
                "limit": "Raise max_iter, lower C (a stronger penalty is easier), or accept a larger tol.",
                "stalled": "No step along the solver's direction lowers the objective: look for extreme values.",
            }[last.status]
            warnings.warn(
                f"Did not converge to tol={self.tol:g}: after {last.iteration} iterations of {self.solver_!r} the "
                f"gradient's largest entry is {last.gradient_norm:.2g}. {advice}",
                ConvergenceWarning,
                stacklevel=3,
            )


def _write_line(iterate: Iterate) -> None:
    print(
        f"iteration {iterate.iteration:3d}  objective {iterate.point.value:.9f}  gradient {iterate.gradient_norm:.2e}  "
        f"inner {iterate.inner_iterations}",
        file=sys.stderr,
    )
