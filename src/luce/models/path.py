"""The path of a classifier over the strength of its penalty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from luce.models.classifier import SoftmaxClassifier
from luce.models.fitting import (
    keep,
    keep_statistics,
    problem_for,
    rows_and_targets,
    separation_of,
    statistics_of,
    warn_of_walk,
)
from luce.models.inputs.kinds import Array, Features, Labels, Vector, Weights
from luce.models.inputs.targets import are_several_labels
from luce.models.linear.assembly import LinearProblem, Solution
from luce.models.linear.naming import column_names
from luce.models.linear.place import Place
from luce.models.parameters import check_parameters
from luce.optional import needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RegularizationPath", "softmax_path", "strengths_of", "walk"]


@dataclass(frozen=True)
class RegularizationPath:
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
        """Number of coefficients that are not 0, (n,)."""
        return np.array([np.count_nonzero(model.coef_) for model in self.models])

    def plot(self, axes: Sequence[Axes] | None = None) -> Array:
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
            plt = needed("matplotlib.pyplot", "RegularizationPath.plot")
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
    X: Features, y: Labels, *, Cs: int | Sequence[float] = 10, sample_weight: Weights = None, **parameters: Any
) -> RegularizationPath:
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
    RegularizationPath

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
    >>> from luce.models.path import softmax_path
    >>> path = softmax_path(*load_iris(return_X_y=True), Cs=[0.01, 0.1, 1.0], l1_ratio=1.0)
    >>> path.n_nonzero.tolist()
    [1, 2, 4]
    """
    if "C" in parameters:
        raise TypeError("softmax_path takes Cs, the strengths to walk over, and no C")
    model = SoftmaxClassifier(**parameters)
    check_parameters(model)
    strengths = strengths_of(Cs)
    checked, targets = rows_and_targets(model, X, y, sample_weight)
    problem = problem_for(model, checked, targets, in_row_space=not model.standard_errors)
    names, multilabel = column_names(model, checked.shape[1]), are_several_labels(y, model.loss)
    models = []
    for C, solution in zip(strengths, walk(problem, strengths, model), strict=True):
        fitted = clone(model).set_params(C=float(C))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(fitted, name, getattr(model, name))
        keep(fitted, solution, targets.classes, multilabel)
        separable = separation_of(fitted, problem, solution, names)
        if model.standard_errors:
            keep_statistics(fitted, statistics_of(fitted, problem, solution, separable, names))
        warn_of_walk(solution, model.tol, separable)
        models.append(fitted)
    return RegularizationPath(strengths, models)


def strengths_of(Cs: int | Sequence[float]) -> Vector:
    """Return inverse strengths of the penalty in ascending order.

    Parameters
    ----------
    Cs : int or sequence of float
        Inverse strengths, or how many of them between 1e-4 and 1e4.

    Raises
    ------
    ValueError
        For strengths that are not positive, or none.
    """
    if isinstance(Cs, Integral):
        if Cs < 1:
            raise ValueError(f"Cs must be at least 1 value, got {Cs!r}")
        return np.logspace(-4, 4, int(Cs))
    strengths = np.sort(np.atleast_1d(np.asarray(Cs, np.float64)))
    if strengths.ndim != 1 or not len(strengths) or not (strengths > 0).all():
        raise ValueError(f"Cs must be positive numbers or how many of them, got {Cs!r}")
    return strengths


def walk(problem: LinearProblem, strengths: Vector, model: SoftmaxClassifier) -> Iterator[Solution[Place]]:
    """Yield the solution for each strength, each search starting where the one before ended."""
    start = None
    for C in strengths:
        solution = problem.solve(float(C), solver=model.solver, tol=model.tol, max_iter=model.max_iter, start=start)
        if solution.last.status == "interrupted":
            raise KeyboardInterrupt
        start = solution.coef, solution.intercept
        yield solution
