r"""Proximal Newton with working sets, for a smooth objective plus Σ l_j |θ_j|.

Each iteration takes the parameters that are not 0 or whose gradient exceeds their l (the working set), forms the
Hessian among them, minimises the quadratic model with its absolute values by coordinate descent, and walks along the
step (Lee, Sun & Saunders 2014, "Proximal Newton-type methods for minimizing composite functions", SIAM J. Optim. 24).
Parameters outside the set are 0 at the minimum if their gradients stay within l, which the next pass checks.

Coordinate descent finds the signs soon, and the values slowly where columns are correlated. So once its sweeps have
cost as much as a factorisation, the model is minimised over the parameters that are not 0, their signs held, and the
sweeps go on from there.
"""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np
from scipy import linalg

from luce.matrices import lasso_descent
from luce.models.solvers.penalties import AbsoluteValues
from luce.models.solvers.protocol import HasHessianAmong, Objective, Penalised, Penalty, Place, Vector, lacking

__all__ = ["ProximalNewton"]

COLLINEAR_RIDGE = 1e-12  # relative, for columns that repeat each other
LARGEST_SET = 4000  # parameters whose Hessian is formed at a time (128 MB)
FEWEST_SWEEPS = 30  # before a factorisation; from then on as many as it costs, a third of the parameters
MOST_ROUNDS = 30  # of sweeps and a factorisation


class ProximalNewton:
    """The quadratic model with its absolute values, minimised by coordinate descent on a working set."""

    name: ClassVar[str] = "proximal-newton"
    needs: ClassVar[type] = HasHessianAmong
    shortfall: ClassVar[float] = 2.0  # the model's promise counts whole

    def __init__(self) -> None:
        self._penalty = AbsoluteValues(np.empty(0))

    def penalty(self, objective: Objective[Place]) -> Penalty:
        """Return the absolute values, weighted by the objective's `lasso`."""
        if lacking(objective, Penalised):
            raise TypeError(f"solver {self.name!r} needs an objective with lasso; {type(objective).__name__} has none")
        self._penalty = AbsoluteValues(cast("Penalised[Place]", objective).lasso)
        return self._penalty

    def decrement(self, place: HasHessianAmong) -> float:
        """Return infinity: the model is made anew at each place."""
        return np.inf

    def direction(self, place: HasHessianAmong, tol: float) -> tuple[Vector, int]:
        """Return the step to the minimum of the model and the number of sweeps that it took."""
        lasso, steepest = self._penalty.lasso, self._penalty.steepest(place)
        norm = float(np.max(np.abs(steepest), initial=0.0))
        working = np.flatnonzero((place.parameters != 0) | (steepest != 0))
        if len(working) > LARGEST_SET:
            kept = np.argsort(-np.abs(steepest[working]), kind="stable")[:LARGEST_SET]
            working = np.sort(working[kept])
        hessian = np.ascontiguousarray(place.hessian_among(working))
        here, gradient, lasso = place.parameters[working], place.gradient[working], lasso[working]
        moved, most, sweeps = here.copy(), max(FEWEST_SWEEPS, len(working) // 3), 0
        for _ in range(MOST_ROUNDS):
            done = lasso_descent(hessian, gradient, lasso, here, moved, 0.01 * norm, most)
            sweeps += int(done)
            if done < most:
                break
            _hold_signs(hessian, gradient + hessian @ (moved - here), lasso, moved)
        direction = np.zeros_like(place.parameters)
        direction[working] = moved - here
        return direction, sweeps


def _hold_signs(hessian: Vector, slope: Vector, lasso: Vector, x: Vector) -> None:
    """Move x to the minimum over the entries that are not 0, or until the first of them with a penalty becomes 0."""
    there = np.flatnonzero(x)
    scale = 1 / np.sqrt(np.maximum(np.diagonal(hessian)[there], np.finfo(np.float64).tiny))
    scaled = hessian[np.ix_(there, there)] * scale * scale[:, None]
    scaled[np.diag_indices(len(there))] += COLLINEAR_RIDGE
    try:
        factor = linalg.cho_factor(scaled, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return
    before = x[there]
    downhill = scale * (slope[there] + lasso[there] * np.sign(before))
    step = -scale * linalg.cho_solve(factor, downhill, check_finite=False)
    crossing = np.where((lasso[there] > 0) & (before * (before + step) < 0), -before / step, np.inf)
    length = float(np.min(crossing, initial=1.0))
    x[there] = np.where(crossing == length, 0.0, before + length * step)
