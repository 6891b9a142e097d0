"""From rows and parts to the minimum: which space, precision and solver, put together in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from luce.blas import blas_threads
from luce.models.inputs.kinds import Features, Vector
from luce.models.inputs.targets import Targets
from luce.models.linear.dense_matrix import NARROW
from luce.models.linear.design import Design, as_matrix
from luce.models.linear.objective import LinearObjective
from luce.models.linear.parts import Parts
from luce.models.linear.place import KEPT_CLASSES, Place
from luce.models.linear.record import Record, suits_single
from luce.models.linear.row_space import RowSpace, pays
from luce.models.linear.separation import Separation, separation
from luce.models.solvers import SOLVERS, Iterate, ProximalNewton, minimise, start_from_samples

__all__ = ["SOLVER_NAMES", "LinearProblem", "Solution"]


SOLVER_NAMES = ("auto", *sorted(SOLVERS), ProximalNewton.name)
FULL_HESSIAN = 2000  # parameters up to which solver="auto" may form the Hessian (32 MB)
HESSIAN_WORK = 3e6  # and the multiplications in forming it up to which it does
ROWS_PER_PARAMETER = 20  # from which on the Hessian of a sample of the rows is close to that of all of them
SINGLE_ITERATIONS = 30  # of a walk in single precision; a longer one goes on in double
SERIAL_WORK = 1.5e7  # multiplications in a product with X below which threads of the BLAS wait more than they work


@dataclass(frozen=True)
class Solution:
    """Where a minimisation ended: W (K, D) and b (K,), or (1, D) and (1,) for two classes, and how it went."""

    coef: Vector
    intercept: Vector
    last: Iterate[Place]
    loss_curve: Vector
    grad_norm_curve: Vector
    solver: str
    seconds: float


class LinearProblem:
    """The mean objective over given rows for any strength of the penalty.

    Parameters
    ----------
    X : (N, D) array, csr or csc matrix of float32 or float64
    found : Targets
        Which rows count, and their weights.
    parts : Parts
        Loss, free weights and penalty.
    in_row_space : bool
        Whether fewer rows than features may be solved in the space of the rows.
    scaling : (μ, σ) or None
        Of the columns, where it is given beforehand.
    """

    def __init__(
        self,
        X: Features,
        found: Targets,
        parts: Parts,
        *,
        in_row_space: bool = True,
        scaling: tuple[Vector, Vector] | None = None,
    ) -> None:
        if found.rows is not None:
            X = X[found.rows]
        self.parts, self.total = parts, found.total
        self._row_space = None
        smooth = not parts.penalty.l1_ratio
        if in_row_space and smooth and not sparse.issparse(X) and pays(X, found.weights, parts.fit_intercept):
            self._row_space = RowSpace(X, found.weights, parts.fit_intercept)
            X = self._row_space.rows
        # the compiled products bring their own threads along
        compiled = parts.loss.n_scores <= NARROW and (sparse.issparse(X) or X.flags.c_contiguous)
        self._serial = compiled or _entries(X) * parts.loss.n_scores < SERIAL_WORK
        with self._threads():
            self.design = Design(as_matrix(X, parts.n_threads), found.weights, parts.fit_intercept, scaling)

    def objective(self, C: float) -> LinearObjective:
        """Return the mean objective, C Σ r ℓ + penalty divided by C Σ r."""
        l2, l1 = self.parts.penalty.strengths(C, self.total)
        return LinearObjective(self.design, self.parts.loss, self.parts.coordinates, l2=l2, l1=l1)

    def solve(
        self,
        C: float,
        *,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        start: tuple[Vector, Vector] | None = None,
        callback: Callable[[Iterate[Place]], None] | None = None,
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
        record = Record(callback, lambda iterate: not single or suits_single(iterate, max_iter))
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
            coef, intercept = self.coefficients(objective, record.last)
        curve, norms = np.array(record.values).T
        return Solution(coef, intercept, record.last, curve, norms, name, time.perf_counter() - begin)

    def coefficients(self, objective: LinearObjective, last: Iterate[Place]) -> tuple[Vector, Vector]:
        """Return (W, b) in the space of the data."""
        coef, intercept = self.parts.coordinates.shown(*objective.coefficients(last.point.parameters))
        return (coef, intercept) if self._row_space is None else self._row_space.back(coef, intercept)

    def in_double(self, C: float, solution: Solution) -> Place:
        """Return where a walk ended, evaluated in float64 also where float32 was enough for the walk."""
        place = solution.last.point
        if self.design.matrix.dtype != np.float64:
            self.design = self.design.widened()
        if place.objective.design.matrix.dtype != np.float64:
            place = self.objective(C).at(place.parameters)
        return place

    def separation(self, solution: Solution) -> Separation | None:
        """Say whether the classes are separable at the end of a walk."""
        found = separation(solution.last.point)
        if found is None or self._row_space is None:
            return found
        return found._replace(columns=found.columns[:0])  # those of the row space have no names

    def _start(self, objective: LinearObjective, start: tuple[Vector, Vector] | None) -> Vector:
        if start is None:
            return objective.start()
        shown = start if self._row_space is None else self._row_space.into(*start)
        return objective.start(*self.parts.coordinates.taken(*shown))

    def _chosen(self, objective: LinearObjective) -> str:
        if self.parts.penalty.l1_ratio:
            return ProximalNewton.name
        if objective.size <= FULL_HESSIAN and self.design.n_rows * float(objective.size) ** 2 <= HESSIAN_WORK:
            return "newton"
        many_rows = self.design.n_rows >= ROWS_PER_PARAMETER * objective.size
        return "quasi-newton" if many_rows or self.parts.loss.n_scores >= KEPT_CLASSES else "newton-cg"

    def _threads(self) -> AbstractContextManager[Any]:
        return blas_threads(1 if self._serial else self.parts.n_threads)


def _minimise(name: str, objective: LinearObjective, start: Vector, cold: bool, **options: Any) -> Iterate[Place]:
    """Walk down by the solver of this name; a cold walk of a smooth objective begins on samples of the rows."""
    if name == ProximalNewton.name:
        return minimise(ProximalNewton(), objective, start, **options)
    method = SOLVERS[name]()
    place = start_from_samples(method, objective, start) if cold else start
    return minimise(method, objective, place, **options)


def _entries(X: Features) -> float:
    return float(getattr(X, "nnz", X.size))
