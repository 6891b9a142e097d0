"""The steps of a fit that a classifier, its path and its cross-validation share.

Data and parameters become a problem; of its solution an estimator keeps the attributes, with the statistics that follow
from them, and says what the user should know.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from luce.models.base import LinearClassifier
from luce.models.fit_warnings import of_unbounded, of_walk
from luce.models.inputs.data import checked_data
from luce.models.inputs.kinds import Array, Features, Labels, Weights
from luce.models.inputs.targets import Targets, checked_targets
from luce.models.linear.assembly import LinearProblem, Solution
from luce.models.linear.information import Statistics, information
from luce.models.linear.parts import Parts, parts_of
from luce.models.linear.place import Place
from luce.models.parameters import Parameters
from luce.models.solvers.protocol import Place as AnyPlace

__all__ = [
    "forget_statistics",
    "keep",
    "keep_statistics",
    "parts_for",
    "problem_for",
    "rows_and_targets",
    "separation_of",
    "statistics_of",
    "warn_of_walk",
]

STATISTICS = (
    "covariance_",
    "standard_errors_",
    "log_likelihood_",
    "null_log_likelihood_",
    "degrees_of_freedom_",
    "observations_",
)
"""The attributes that only a fit with standard errors leaves."""


def rows_and_targets(
    model: Parameters,
    X: Features,
    y: Labels,
    sample_weight: Weights,
    *,
    classes: Array | None = None,
    reset: bool = True,
) -> tuple[Features, Targets]:
    """Return the checked rows of a fit and their targets, `classes` where they are known beforehand."""
    X, y, weights = checked_data(model, X, y, sample_weight, reset=reset)
    return X, checked_targets(y, weights, model.class_weight, loss=model.loss, dtype=X.dtype, classes=classes)


def parts_for(model: Parameters, targets: Targets) -> Parts:
    """Return the loss, the free weights and the penalty that a model's parameters stand for."""
    return parts_of(
        targets,
        loss=model.loss,
        l1_ratio=model.l1_ratio,
        fit_intercept=model.fit_intercept,
        label_smoothing=model.label_smoothing,
        n_threads=model.n_threads,
    )


def problem_for(model: Parameters, X: Features, targets: Targets, *, in_row_space: bool = True) -> LinearProblem:
    """Return the problem that a fit with these parameters minimises."""
    return LinearProblem(X, targets, parts_for(model, targets), in_row_space=in_row_space)


def keep(fitted: LinearClassifier, solution: Solution[AnyPlace], classes: Array, multilabel: bool) -> None:
    """Set the attributes of an estimator to a solution; statistics of an earlier fit are forgotten."""
    forget_statistics(fitted)
    fitted.classes_ = classes
    fitted.multilabel_ = multilabel
    fitted.temperature_ = 1.0
    fitted.coef_, fitted.intercept_ = solution.coef, solution.intercept
    fitted.n_iter_ = np.array([max(solution.last.iteration, 1)], dtype=np.int32)
    fitted.loss_curve_ = solution.loss_curve
    fitted.grad_norm_curve_ = solution.grad_norm_curve
    fitted.grad_norm_ = solution.last.gradient_norm
    fitted.gap_ = solution.last.point.gap
    fitted.solver_ = solution.solver
    fitted.fit_seconds_ = solution.seconds


def separation_of(
    model: Parameters, problem: LinearProblem, solution: Solution[Place], names: Sequence[str]
) -> str | None:
    """Return in words how the classes are separable; None where they are not, or where a penalty makes it harmless.

    Parameters
    ----------
    model : Parameters
    problem : LinearProblem
    solution : Solution
        Of this problem.
    names : sequence of str
        Of the columns.
    """
    if np.isfinite(model.C) or solution.last.status == "interrupted":
        return None
    found = problem.separation(solution)
    return None if found is None else found.said(names)


def statistics_of(
    model: Parameters, problem: LinearProblem, solution: Solution[Place], separable: str | None, names: Sequence[str]
) -> Statistics:
    """Return the statistics that follow from a solution.

    Parameters
    ----------
    model, problem, solution, names
        As for `separation_of`.
    separable : str or None
        From `separation_of`.

    Raises
    ------
    ValueError
        If there are none: for separable classes without a penalty, and whatever `information` refuses.
    """
    if separable is not None:
        raise ValueError(of_unbounded(separable))
    return information(problem.in_double(model.C, solution), problem.total, names)


def keep_statistics(fitted: LinearClassifier, found: Statistics) -> None:
    """Set the attributes of an estimator to the statistics of its solution."""
    rows, columns = fitted.coef_.shape
    fitted.covariance_ = found.covariance if fitted.fit_intercept else found.covariance_without_intercepts(rows)
    fitted.standard_errors_ = np.sqrt(np.maximum(np.diagonal(fitted.covariance_), 0)).reshape(rows, columns + 1)
    fitted.log_likelihood_, fitted.null_log_likelihood_ = found.log_likelihood, found.null_log_likelihood
    fitted.degrees_of_freedom_, fitted.observations_ = found.degrees_of_freedom, found.total


def forget_statistics(fitted: LinearClassifier) -> None:
    """Remove the attributes that only a fit with standard errors leaves."""
    for name in STATISTICS:
        fitted.__dict__.pop(name, None)


def warn_of_walk(solution: Solution[AnyPlace], tol: float, separable: str | None = None) -> None:
    """Warn the caller's caller if a walk ended without a minimum, or was interrupted."""
    text = of_walk(solution, tol, separable)
    if text is not None:
        warnings.warn(text, ConvergenceWarning, stacklevel=3)
