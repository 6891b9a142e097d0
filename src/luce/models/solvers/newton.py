"""Newton's method with the full Hessian, for objectives whose Hessian fits in memory and is worth factoring."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import linalg

from luce.models.solvers.descent import Vector

__all__ = ["Newton"]

RIDGE = 1e-11  # relative to a unit diagonal: far above the Hessian's rounding, far below curvature that matters
LARGEST_RIDGE = 1e3


class Newton:
    """Solve H s = −g by Cholesky at every point: quadratic convergence, indifferent to how parameters are mixed.

    The Hessian is brought to a unit diagonal first (van der Sluis 1969: within a factor P of the best diagonal scaling)
    and gets a ridge of 1e-11, more only where it is not positive definite to rounding: directions without curvature
    then get no step instead of a random one.
    """

    name: ClassVar[str] = "newton"
    needs: ClassVar[tuple[str, ...]] = ("hessian",)

    def direction(self, point: Any, tol: float) -> tuple[Vector, int]:
        """Return −H⁻¹g and 1, the number of factorisations."""
        hessian = point.hessian()
        diagonal = np.diagonal(hessian).copy()
        largest = float(diagonal.max(initial=0.0))
        curved = diagonal > np.finfo(np.float64).tiny  # however large others are: each is a sum of squares
        scale = 1 / np.sqrt(np.where(curved, diagonal, max(largest, np.finfo(np.float64).tiny)))
        hessian *= scale
        hessian *= scale[:, None]
        ridge = RIDGE
        while ridge < LARGEST_RIDGE:
            np.fill_diagonal(hessian, 1 + ridge)
            try:
                factor = linalg.cho_factor(hessian, lower=True, check_finite=False)
            except linalg.LinAlgError:
                ridge *= 100
                continue
            step: Vector = -scale * linalg.cho_solve(factor, scale * point.gradient, check_finite=False)
            return step, 1
        return -(scale**2) * point.gradient, 1  # not a number somewhere: the step shows whether anything can be gained
