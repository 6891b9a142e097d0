"""From data and targets to the minimum: which rows, loss, coordinates and solver, put together in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from luce.blas import blas_threads
from luce.models.inputs.targets import Targets
from luce.models.linear.coordinates import Coordinates, LogOdds, SumZero, Whole
from luce.models.linear.dense_matrix import NARROW
from luce.models.linear.design import Design, as_matrix
from luce.models.linear.losses import SigmoidLoss, SoftmaxLoss
from luce.models.linear.objective import LinearObjective
from luce.models.linear.place import KEPT_CLASSES, Place
from luce.models.linear.precision import coefficients_suit_single
from luce.models.linear.row_space import RowSpace, pays
from luce.models.solvers import SOLVERS, Iterate, ProximalNewton, minimise, start_from_samples

__all__ = ["SOLVER_NAMES", "Problem", "Solution"]

Array = npt.NDArray[Any]

SOLVER_NAMES = ("auto", *sorted(SOLVERS), ProximalNewton.name)
FULL_HESSIAN = 2000  # parameters up to which solver="auto" may form the Hessian (32 MB)
HESSIAN_WORK = 3e6  # and the multiplications in forming it up to which it does
ROWS_PER_PARAMETER = 20  # from which on the Hessian of a sample of the rows is close to that of all of them
SINGLE_ITERATIONS = 30  # of a walk in single precision; a longer one goes on in double
LARGEST_MASS = 1e307  # of C Σ r, whose inverse is the strength of the penalty
SERIAL_WORK = 1.5e7  # multiplications in a product with X below which threads of the BLAS wait more than they work


@dataclass(frozen=True)
class Solution:
    """Where a minimisation ended: W (K, D) and b (K,), or (1, D) and (1,) for two classes, and how it went."""

    coef: Array
    intercept: Array
    last: Iterate
    loss_curve: npt.NDArray[np.float64]
    grad_norm_curve: npt.NDArray[np.float64]
    solver: str
    seconds: float


class Problem:
    """The mean objective over given rows for any strength of the penalty.

    Parameters
    ----------
    X : (N, D) array, csr or csc matrix of float32 or float64
    found : Targets
    loss : {"softmax", "sigmoid"}
    l1_ratio : float
        Share of the L1 penalty.
    fit_intercept : bool
    label_smoothing : float
    n_threads : int or None
    in_row_space : bool
        Whether fewer rows than features may be solved in the space of the rows.
    scaling : (μ, σ) or None
        Of the columns, where it is given beforehand.
    """

    def __init__(
        self,
        X: Any,
        found: Targets,
        *,
        loss: str = "softmax",
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        label_smoothing: float = 0.0,
        n_threads: int | None = None,
        in_row_space: bool = True,
        scaling: tuple[Array, Array] | None = None,
    ) -> None:
        if found.rows is not None:
            X = X[found.rows]
        self.l1_ratio, self.n_threads, self.total = float(l1_ratio), n_threads, found.total
        self.n_classes = len(found.classes)
        many = found.target.ndim == 2 and loss == "sigmoid"
        self.binary = self.n_classes == 2 and not many
        softmax = loss == "softmax" or self.binary
        kind = SoftmaxLoss if softmax else SigmoidLoss
        self._coordinates: Coordinates
        if self.binary:
            self._coordinates = LogOdds()
        else:
            self._coordinates = SumZero(self.n_classes) if softmax and not l1_ratio else Whole(self.n_classes)
        self._sums_to_zero = softmax and not self.binary
        self._row_space = None
        if in_row_space and not l1_ratio and not sparse.issparse(X) and pays(X, found.weights, fit_intercept):
            self._row_space = RowSpace(X, found.weights, fit_intercept)
            X = self._row_space.rows
        # the compiled products bring their own threads along
        compiled = self.n_classes <= NARROW and (sparse.issparse(X) or X.flags.c_contiguous)
        self._serial = compiled or _entries(X) * self.n_classes < SERIAL_WORK
        with self._threads():
            self.design = Design(as_matrix(X, n_threads), found.weights, fit_intercept, scaling)
        self._loss = kind(found.target, self.n_classes, label_smoothing=label_smoothing, n_threads=n_threads)

    def objective(self, C: float) -> LinearObjective:
        """Return the mean objective, C Σ r ℓ + penalty divided by C Σ r."""
        mass = C * self.total
        if not (np.inf == C or 1 / LARGEST_MASS <= mass <= LARGEST_MASS):
            raise ValueError(
                f"C: {C:g} times {self.total:g}, the sum of the row weights, is {mass:g}; computed with are"
                f" {1 / LARGEST_MASS:g} to {LARGEST_MASS:g}, and inf for no penalty"
            )
        strength = 1 / mass
        return LinearObjective(
            self.design,
            self._loss,
            self._coordinates,
            l2=(1 - self.l1_ratio) * strength,
            l1=self.l1_ratio * strength,
        )

    def solve(
        self,
        C: float,
        *,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        start: tuple[Array, Array] | None = None,
        callback: Callable[[Iterate], None] | None = None,
    ) -> Solution:
        """Minimise.

        Parameters
        ----------
        C, solver, tol, max_iter : float, str, float, int
            As for `luce.SoftmaxClassifier`.
        start : (W, b) or None
            As a `Solution` holds them; None for zeros.
        callback : callable, optional
            Called with each `Iterate`.

        Returns
        -------
        Solution
            After a KeyboardInterrupt, the last iterate with status "interrupted", if there is one.
        """
        begin = time.perf_counter()
        objective = self.objective(C)
        name = self._chosen(objective) if solver == "auto" else solver
        single = self.design.matrix.dtype == np.float32
        most = min(max_iter, SINGLE_ITERATIONS) if single else max_iter
        record = _Record(callback, lambda iterate: not single or self._suits(iterate, max_iter))
        with self._threads():
            try:
                place = self._start(objective, start)
                last = _minimise(name, objective, place, start is None, tol=tol, max_iter=most, callback=record)
                if record.goes_on:
                    self.design = self.design.widened()
                    objective, place, left = self.objective(C), last.point.parameters, max_iter - last.iteration
                    last = _minimise(name, objective, place, False, tol=tol, max_iter=left, callback=record)
            except KeyboardInterrupt:
                if record.last is None:
                    raise
                record.last = replace(record.last, status="interrupted")
            assert record.last is not None
            last = record.last
            coef, intercept = self.coefficients(objective, last)
        curve, norms = np.array(record.values).T
        return Solution(coef, intercept, last, curve, norms, name, time.perf_counter() - begin)

    def coefficients(self, objective: LinearObjective, last: Iterate) -> tuple[Array, Array]:
        """Return (W, b) in the space of the data."""
        coef, intercept = objective.coefficients(last.point.parameters)
        if self.binary:
            coef, intercept = coef[1:], intercept[1:]
        elif self._sums_to_zero:
            intercept = intercept - intercept.mean()
        return (coef, intercept) if self._row_space is None else self._row_space.back(coef, intercept)

    def in_double(self, C: float, solution: Solution) -> Place:
        """Return where a walk ended, evaluated in float64 also where float32 was enough for the walk."""
        point: Place = solution.last.point
        if self.design.matrix.dtype != np.float64:
            self.design = self.design.widened()
        if point.objective.design.matrix.dtype != np.float64:
            point = self.objective(C).at(point.parameters)
        return point

    def separation(self, solution: Solution) -> str | None:
        """Say whether the classes are separable at the end of a walk, completely or but for rows on the boundary.

        Complete separation shows in the scores: every row's class has the largest one, or, for sigmoids, some class has
        all its own rows above 0 and all others below. Otherwise the walk goes on along
        the Newton step, which then lowers no row's margin and raises some (Albert & Anderson 1984, "On the existence of
        maximum likelihood estimates in logistic regression models", Biometrika 71).
        """
        point, target = solution.last.point, self._loss.target
        if target.ndim > 1 and self._loss.coupled and np.array_equal(target, target.round()):
            target = target.argmax(axis=1)  # labels, written as a table
        if target.ndim > 1 or self._loss.smoothing:
            return None
        margins = _margins if self._loss.coupled else _signed
        least = np.min([margins(scores, target[rows]).min(axis=0) for rows, scores in point.scores()], axis=0)
        if least.max() > 0:
            return "linearly separable"
        objective = point.objective
        if objective.size > FULL_HESSIAN:
            return None
        direction, _ = SOLVERS["newton"]().direction(point, 0.0)
        coef, intercept = (part.astype(self.design.matrix.dtype) for part in objective.coefficients(direction))
        moved = np.concatenate(
            [margins(self.design.scores(rows, coef, intercept), target[rows]) for rows, _ in point.scores()]
        )
        most = moved.max(axis=0)
        if ((most > 0.1) & (moved.min(axis=0) > -1e-3 * most)).any():
            return "separable but for rows on the boundary between them (quasi-separable)"
        return None

    def _start(self, objective: LinearObjective, start: tuple[Array, Array] | None) -> Any:
        if start is None:
            return objective.start()
        coef, intercept = start if self._row_space is None else self._row_space.into(*start)
        if self.binary:
            coef, intercept = np.vstack([0 * coef, coef]), np.concatenate([0 * intercept, intercept])
        return objective.start(coef, intercept)

    def _chosen(self, objective: LinearObjective) -> str:
        if self.l1_ratio:
            return ProximalNewton.name
        if objective.size <= FULL_HESSIAN and self.design.n_rows * float(objective.size) ** 2 <= HESSIAN_WORK:
            return "newton"
        many_rows = self.design.n_rows >= ROWS_PER_PARAMETER * objective.size
        return "quasi-newton" if many_rows or self.n_classes >= KEPT_CLASSES else "newton-cg"

    def _suits(self, iterate: Iterate, max_iter: int) -> bool:
        """Tell whether single precision was enough for a walk that ended here."""
        if iterate.status != "converged":
            return iterate.status == "limit" and iterate.iteration >= max_iter
        design = self.design
        coef = iterate.point.objective.spread(iterate.point.parameters)[:, : design.n_features] * design.unit
        return coefficients_suit_single(coef, design.centre, design.scale)

    def _threads(self) -> AbstractContextManager[Any]:
        return blas_threads(1 if self._serial else self.n_threads)


class _Record:
    """What a walk tells as it goes, and whether it has to go on in double precision where single took it.

    Then its iterations are counted on, and the place where it goes on is the one where it had come to.
    """

    def __init__(self, callback: Callable[[Iterate], None] | None, suits: Callable[[Iterate], bool]) -> None:
        self.callback, self.suits = callback, suits
        self.last: Iterate | None = None
        self.values: list[tuple[float, float]] = []
        self.goes_on = False
        self._before = 0

    def __call__(self, iterate: Iterate) -> None:
        again = self.goes_on and iterate.iteration == 0
        if self.goes_on:
            iterate = replace(iterate, iteration=iterate.iteration + self._before)
        elif iterate.status != "running" and not self.suits(iterate):
            self.goes_on, self._before = True, iterate.iteration
            iterate = replace(iterate, status="running")
        if again:
            self.values.pop()
        self.last = iterate
        self.values.append((iterate.value, iterate.gradient_norm))
        if self.callback is not None and not (again and iterate.status == "running"):
            self.callback(iterate)


def _minimise(name: str, objective: LinearObjective, start: Any, cold: bool, **options: Any) -> Iterate:
    """Walk down by the solver of this name; a cold walk of a smooth objective begins on samples of the rows."""
    if name == ProximalNewton.name:
        return ProximalNewton().minimise(objective, start, **options)
    method = SOLVERS[name]()
    place = start_from_samples(method, objective, start) if cold else start
    return minimise(method, objective, place, **options)


def _margins(scores: Array, codes: Array) -> Array:
    """Return each row's score of its class less the best other one, (n, 1)."""
    rows = np.arange(len(scores))
    chosen = scores[rows, codes]
    others = scores.copy()
    others[rows, codes] = -np.inf
    return np.asarray(chosen - others.max(axis=1))[:, None]


def _signed(scores: Array, codes: Array) -> Array:
    """Return each score, with the other sign where it is not the row's class, (n, K)."""
    own = codes[:, None] == np.arange(scores.shape[1])
    return np.where(own, scores, -scores)


def _entries(X: Any) -> float:
    return float(getattr(X, "nnz", X.size))
