"""Newton's method with the full Hessian, for objectives whose Hessian fits in memory and is worth factoring."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.linalg import lapack

from luce.models.solvers.penalties import Smooth
from luce.models.solvers.protocol import HasHessian, Objective, Penalty, Place, Vector

__all__ = ["Newton"]

RIDGE = 1e-11  # relative to a unit diagonal: far above the Hessian's rounding, far below curvature that matters
LARGEST_RIDGE = 1e3


class Newton:
    """Solve H s = −g by Cholesky at every place: quadratic convergence, indifferent to how parameters are mixed.

    The Hessian is brought to a unit diagonal first (van der Sluis 1969: within a factor P of the best diagonal scaling)
    and gets a ridge of 1e-11, more only where it is not positive definite to rounding: directions without curvature
    then get no step instead of a random one.
    """

    name: ClassVar[str] = "newton"
    needs: ClassVar[type] = HasHessian
    shortfall: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._factor = self._scale = np.empty(0)

    def penalty(self, objective: Objective[Place]) -> Penalty:
        """Return a penalty of 0: the objective is smooth."""
        return Smooth()

    def decrement(self, place: HasHessian) -> float:
        """Return about ½ gᵀH⁻¹g with the Hessian of an earlier place, infinity without one."""
        if not self._factor.size:
            return np.inf
        return 0.5 * float(place.gradient @ self._solved(place.gradient))

    def direction(self, place: HasHessian, tol: float) -> tuple[Vector, int]:
        """Return −H⁻¹g and 1, the number of factorisations."""
        hessian = place.hessian()
        diagonal = np.diagonal(hessian).copy()
        largest = float(diagonal.max(initial=0.0))
        curved = diagonal > np.finfo(np.float64).tiny  # however large others are: each is a sum of squares
        scale = 1 / np.sqrt(np.where(curved, diagonal, max(largest, np.finfo(np.float64).tiny)))
        hessian *= scale
        hessian *= scale[:, None]
        ridge = RIDGE
        while ridge < LARGEST_RIDGE:
            np.fill_diagonal(hessian, 1 + ridge)
            factor, failed = lapack.dpotrf(hessian, lower=True)
            if not failed:
                self._factor, self._scale = factor, scale
                return -self._solved(place.gradient), 1
            ridge *= 100
        return -(scale**2) * place.gradient, 1  # not a number somewhere: the step shows whether anything can be gained

    def _solved(self, vector: Vector) -> Vector:
        solved, _ = lapack.dpotrs(self._factor, self._scale * vector, lower=True)
        return np.asarray(self._scale * solved)
