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

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg

from luce._core import lasso_descent
from luce.models.solvers.walk import ARMIJO, NEGLIGIBLE, SHORTEST_STEP, Iterate, Objective, Vector

__all__ = ["ProximalNewton"]

RIDGE = 1e-12  # relative, for columns that repeat each other
LARGEST_SET = 4000  # parameters whose Hessian is formed at a time (128 MB)
FEWEST_SWEEPS = 30  # before a factorisation; from then on as many as it costs, a third of the parameters
MOST_ROUNDS = 30  # of sweeps and a factorisation


class ProximalNewton:
    """The walk for objectives with a `lasso` vector of l ≥ 0; points need ``hessian_among``."""

    name = "proximal-newton"

    def minimise(
        self,
        objective: Any,
        start: Vector,
        *,
        tol: float,
        max_iter: int,
        callback: Callable[[Iterate], None] | None = None,
    ) -> Iterate:
        """Walk down from `start`; parameters and result as for `luce.models.solvers.minimise`.

        The gradient's norm is that of the subgradient nearest to 0, and the point's value is without the absolute
        values: `Iterate.penalty` holds those.
        """
        lasso: Vector = objective.lasso
        point, iteration, status, sweeps = objective.at(start), 0, "running", 0
        while True:
            steepest = subgradient(point.parameters, point.gradient, lasso)
            norm = float(np.max(np.abs(steepest), initial=0.0))
            penalty = float(lasso @ np.abs(point.parameters))
            enough = tol * max(abs(point.value + penalty), NEGLIGIBLE)
            if norm == 0.0 or (norm <= tol and point.gap <= enough):
                status = "converged"
            elif status == "running" and (norm <= tol or iteration < max_iter):
                direction, sweeps = self._direction(point, lasso, steepest, norm)
                promised = _promised(point, direction, lasso, penalty)
                if norm <= tol and -promised <= enough:
                    status = "converged"
            if status == "running" and iteration >= max_iter:
                status = "limit"
            now = Iterate(iteration, point, norm, sweeps, status, penalty)
            if callback is not None:
                callback(now)
            if status != "running":
                return now
            with np.errstate(over="ignore", invalid="ignore"):
                point, status = self._step(objective, point, direction, lasso, penalty, promised)
            iteration += 1

    def _direction(self, point: Any, lasso: Vector, steepest: Vector, norm: float) -> tuple[Vector, int]:
        working = np.flatnonzero((point.parameters != 0) | (steepest != 0))
        if len(working) > LARGEST_SET:
            kept = np.argsort(-np.abs(steepest[working]), kind="stable")[:LARGEST_SET]
            working = np.sort(working[kept])
        hessian = np.ascontiguousarray(point.hessian_among(working))
        here, gradient, lasso = point.parameters[working], point.gradient[working], lasso[working]
        moved, most, sweeps = here.copy(), max(FEWEST_SWEEPS, len(working) // 3), 0
        for _ in range(MOST_ROUNDS):
            done = lasso_descent(hessian, gradient, lasso, here, moved, 0.01 * norm, most)
            sweeps += int(done)
            if done < most:
                break
            _hold_signs(hessian, gradient + hessian @ (moved - here), lasso, moved)
        direction = np.zeros_like(point.parameters)
        direction[working] = moved - here
        return direction, sweeps

    @staticmethod
    def _step(
        objective: Objective, point: Any, direction: Vector, lasso: Vector, penalty: float, promised: float
    ) -> tuple[Any, str]:
        """Shorten the step until it delivers a share of what the model promises; level values count near the end."""
        ahead = point.parameters + direction
        value = point.value + penalty
        level = objective.resolution * abs(value)
        if promised >= -level:
            trial = objective.at(ahead)
            before = np.max(np.abs(subgradient(point.parameters, point.gradient, lasso)))
            after = np.max(np.abs(subgradient(ahead, trial.gradient, lasso)))
            return (trial, "running") if after <= 0.5 * before else (point, "precision")
        step = 1.0
        while step > SHORTEST_STEP:
            there = point.parameters + step * direction
            trial = objective.at(there)
            found = trial.value + float(lasso @ np.abs(there))
            if np.isfinite(found) and found <= value + ARMIJO * step * promised + level:
                return trial, "running"
            step *= 0.5
        return point, "stalled"


def _promised(point: Any, direction: Vector, lasso: Vector, penalty: float) -> float:
    """Return the change of slope and absolute values along a step: twice what is left to gain, where it is small."""
    return float(point.gradient @ direction) + float(lasso @ np.abs(point.parameters + direction)) - penalty


def _hold_signs(hessian: Vector, slope: Vector, lasso: Vector, x: Vector) -> None:
    """Move x to the minimum over the entries that are not 0, or until the first of them with a penalty becomes 0."""
    there = np.flatnonzero(x)
    scale = 1 / np.sqrt(np.maximum(np.diagonal(hessian)[there], np.finfo(np.float64).tiny))
    scaled = hessian[np.ix_(there, there)] * scale * scale[:, None]
    scaled[np.diag_indices(len(there))] += RIDGE
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


def subgradient(parameters: Vector, gradient: Vector, lasso: Vector) -> Vector:
    """Return the subgradient of smooth + Σ l |θ| that is nearest to 0."""
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - lasso, 0)
    return np.where(parameters != 0, gradient + lasso * np.sign(parameters), at_zero)
