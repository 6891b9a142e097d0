r"""The classifier that learns from batches, each of which is seen once.

Sequential Laplace approximation: after the batches so far, the objective's sum over their rows and its penalty are
stood for by a quadratic, ½ (θ − θ₀)ᵀ A (θ − θ₀), θ₀ its minimum. A new batch is added exactly, the sum is minimised by
the same solvers as ever, and then the batch's own Hessian at the new minimum joins A (Spiegelhalter & Lauritzen 1990,
"Sequential updating of conditional probabilities on directed graphical structures", Networks 20). To first order the
result is that of all rows at once. A is held whole where there are few parameters; else as one block a class, or, where
columns are too many for that, as a diagonal, which forgets part of what the batches had in common.
"""

from __future__ import annotations

import time
from typing import TypedDict

import numpy as np
from scipy import linalg

from luce.models.inputs.kinds import Features, Vector
from luce.models.inputs.targets import Targets
from luce.models.linear.assembly import LinearProblem, Solution
from luce.models.linear.class_order import ClassOrder
from luce.models.linear.objective import LinearObjective
from luce.models.linear.parts import Parts
from luce.models.linear.place import Place
from luce.models.solvers import HasCurvature, Newton, NewtonCG, Solver, minimise
from luce.models.solvers.protocol import Place as AnyPlace
from luce.models.solvers.protocol import Precondition, Strength

__all__ = ["Kept", "Stream"]


WHOLE_PARAMETERS = 600  # parameters whose whole quadratic is held
BLOCK_NUMBERS = 2**22  # numbers that one block a class may hold


class Kept(TypedDict):
    """The parameters that must be those of the first batch."""

    C: float
    loss: str
    fit_intercept: bool


class Stream:
    """The quadratic that the batches so far have left, θ₀ and A, and the scale of the columns, from the first batch.

    Parameters
    ----------
    n_classes, n_features : int
    """

    def __init__(self, n_classes: int, n_features: int) -> None:
        self.n_classes, self.n_features = n_classes, n_features
        self.began: Kept | None = None
        self.centre: Vector | None = None
        self.scale: Vector | None = None
        self.minimum: Vector | None = None
        self.order = ClassOrder(n_classes)
        self.curvature: Vector | None = None  # (P, P), or (rows, columns, columns), or (P,)

    def learn(
        self, X: Features, targets: Targets, parts: Parts, *, kept: Kept, tol: float, max_iter: int
    ) -> Solution[AnyPlace]:
        """Add a batch and return where the minimum has moved to.

        Parameters
        ----------
        X, targets, parts
            As for `LinearProblem`.
        kept : Kept
        tol, max_iter : float, int
        """
        begin = time.perf_counter()
        if self.began is None:
            self.began = kept
            design = LinearProblem(X, targets, parts, in_row_space=False).design
            self.centre, self.scale = design.centre, np.where(design.scale > 0, design.scale, 1.0)
        elif kept != self.began:
            began, got = dict(self.began), dict(kept)
            changed = next(name for name in got if got[name] != began[name])
            raise ValueError(
                f"{changed}: partial_fit began with {began[changed]!r}, got {got[changed]!r}; fit begins anew"
            )
        problem = LinearProblem(X, targets, parts, in_row_space=False, scaling=self._scaling())
        objective = problem.objective(np.inf)
        rows, columns = objective.coordinates.n_rows, problem.design.n_columns
        if self.minimum is None:
            self.minimum = np.zeros(objective.size)
            penalty = np.zeros(columns)
            penalty[: self.n_features] = np.square(problem.design.unit) / kept["C"]
            shares = objective.class_shares
            if ((shares <= 0) | (shares >= 1)).any():
                # a class that is still to come: its intercept would run off to where no later batch finds it; so there
                # is a prior as strong as one row of no class in particular
                penalty[self.n_features :] = 1 / self.n_classes
            self.curvature = self._empty(rows, columns)
            self._add_diagonal(np.tile(penalty, rows))
        batch = _Batch(objective, problem.total, self.minimum, self)
        whole = self.curvature is not None and self.curvature.ndim == 2
        solver: Solver[HasCurvature] = Newton() if whole else NewtonCG()
        curve: list[tuple[float, float]] = []
        last = minimise(
            solver,
            batch,
            self.minimum,
            tol=tol,
            max_iter=max_iter,
            callback=lambda iterate: curve.append((iterate.value, iterate.gradient_norm)),
        )
        self.minimum = last.point.parameters
        self._add(last.point.inner, problem.total)
        coef, intercept = problem.coefficients(objective, self.minimum)
        values, norms = np.array(curve).T
        return Solution(coef, intercept, last, values, norms, solver.name, time.perf_counter() - begin)

    def times(self, vector: Vector) -> Vector:
        """Return A·vector."""
        A = self.curvature
        assert A is not None
        if A.ndim == 1:
            return np.asarray(A * vector)
        if A.ndim == 2:
            return np.asarray(A @ vector)
        return np.asarray(np.matmul(A, vector.reshape(len(A), -1, 1)).ravel())

    def _scaling(self) -> tuple[Vector, Vector] | None:
        """Return the scale of the columns, None before the first batch."""
        return None if self.centre is None or self.scale is None else (self.centre, self.scale)

    def _empty(self, rows: int, columns: int) -> Vector:
        """Return zeros in the form in which A is held: whole, a block for each class, or the diagonal."""
        if rows * columns <= WHOLE_PARAMETERS:
            return np.zeros((rows * columns,) * 2)
        return np.zeros((rows, columns, columns) if rows * columns**2 <= BLOCK_NUMBERS else rows * columns)

    def _add_diagonal(self, diagonal: Vector) -> None:
        """Add a diagonal to A, in the form in which it is held."""
        A = self.curvature
        assert A is not None
        if A.ndim == 1:
            A += diagonal
        elif A.ndim == 2:
            A[np.diag_indices(len(A))] += diagonal
        else:
            inside = np.arange(A.shape[1])
            A[:, inside, inside] += diagonal.reshape(len(A), -1)

    def _add(self, place: Place, total: float) -> None:
        """Add a batch's Hessian, times its weight, to A in the form in which it is held."""
        A = self.curvature
        assert A is not None
        if A.ndim == 1:
            A += total * place.hessian_diagonal()
        elif A.ndim == 2:
            A += total * place.hessian()
        else:
            A += total * place.hessian_blocks()


class _Batch:
    """The batch's mean loss plus the quadratic of the earlier ones, divided by the batch's weight."""

    def __init__(self, inner: LinearObjective, total: float, centre: Vector, stream: Stream) -> None:
        self.inner, self.total, self.centre, self.stream = inner, total, centre, stream
        self.resolution = inner.resolution

    def at(self, parameters: Vector) -> _BatchPlace:
        return _BatchPlace(self, parameters)


class _BatchPlace:
    """Value, gradient and curvature of a `_Batch`."""

    strong_preconditioner_cost = float("inf")
    gap = float("inf")

    def __init__(self, objective: _Batch, parameters: Vector) -> None:
        self.objective, self.parameters = objective, parameters
        self.inner = self.objective.inner.at(parameters)
        moved = parameters - self.objective.centre
        pull = self.objective.stream.times(moved) / self.objective.total
        self.value = self.inner.value + 0.5 * float(moved @ pull)
        self.gradient: Vector = self.inner.gradient + pull

    def hvp(self, vector: Vector) -> Vector:
        return self.inner.hvp(vector) + self.objective.stream.times(vector) / self.objective.total

    def hessian(self) -> Vector:
        assert self.objective.stream.curvature is not None
        return self.inner.hessian() + self.objective.stream.curvature / self.objective.total

    def preconditioner(self, strength: Strength) -> Precondition:
        A = self.objective.stream.curvature
        assert A is not None
        if A.ndim == 1:
            whole = self.inner.hessian_diagonal() + A / self.objective.total
            inverse = 1 / np.maximum(whole, np.finfo(np.float64).eps * whole.max())
            return lambda vector: vector * inverse
        blocks = self.inner.hessian_blocks() + A / self.objective.total
        size = np.einsum("kjj->kj", blocks)
        size += 1e-9 * size.max()
        factors = [linalg.cho_factor(block, lower=True) for block in blocks]
        return lambda vector: np.concatenate(
            [linalg.cho_solve(f, part) for f, part in zip(factors, vector.reshape(len(A), -1), strict=True)]
        )
