"""The penalties beside a smooth objective, none or weighted absolute values, each with its step along a direction."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from luce.models.solvers.protocol import Objective, Place, Vector

__all__ = ["AbsoluteValues", "Smooth", "subgradient"]

AnyPlace = TypeVar("AnyPlace", bound=Place)

ARMIJO = 1e-4  # share of the promised decrease that a step must deliver (Nocedal & Wright, section 3.1)
SHORTEST_STEP = 1e-10


class Smooth:
    """No penalty: the objective is smooth."""

    def value(self, parameters: Vector) -> float:
        """Return 0."""
        return 0.0

    def steepest(self, place: Place) -> Vector:
        """Return the gradient."""
        return place.gradient

    def promised(self, place: Place, direction: Vector) -> float:
        """Return the slope along a direction."""
        return float(place.gradient @ direction)

    def step(
        self, objective: Objective[AnyPlace], place: AnyPlace, direction: Vector, promised: float
    ) -> tuple[AnyPlace, str]:
        """Walk along the direction with step 1 if that lowers the objective enough, otherwise with a shorter one.

        Close to the minimum the change of the value drowns in rounding while the slope is still exact, so a step also
        counts when the value is level and the slope has shrunk: the approximate Wolfe condition (Hager & Zhang 2005,
        "A new conjugate gradient method with guaranteed descent and an efficient line search", section 3). Once even
        the promised decrease is below rounding, full steps go on for as long as each halves the gradient.
        """
        level = objective.resolution * abs(place.value)
        if -level <= promised <= level:
            trial = objective.at(place.parameters + direction)
            halved = np.max(np.abs(trial.gradient)) <= 0.5 * np.max(np.abs(place.gradient))
            return (trial, "running") if halved else (place, "precision")
        step = 1.0
        while promised < 0 and step > SHORTEST_STEP:
            trial = objective.at(place.parameters + step * direction)
            trial_slope = float(trial.gradient @ direction)
            if np.isfinite(trial.value) and np.isfinite(trial_slope):
                if trial.value <= place.value + ARMIJO * step * promised:
                    return trial, "running"
                if trial.value <= place.value + level and abs(trial_slope) <= (1 - 2 * ARMIJO) * -promised:
                    return trial, "running"
                # F is convex, so its slope rises along the way: the secant through both slopes aims at the minimum
                step *= min(max(promised / (promised - trial_slope), 0.1), 0.5) if trial_slope > 0 else 0.5
            else:
                step *= 0.1
        return place, "stalled"


class AbsoluteValues:
    """The penalty Σ l |θ|.

    Parameters
    ----------
    lasso : (P,) float64 array
        l ≥ 0.
    """

    def __init__(self, lasso: Vector) -> None:
        self.lasso = lasso

    def value(self, parameters: Vector) -> float:
        """Return Σ l |θ|."""
        return float(self.lasso @ np.abs(parameters))

    def steepest(self, place: Place) -> Vector:
        """Return the subgradient of the sum that is nearest to 0."""
        return subgradient(place.parameters, place.gradient, self.lasso)

    def promised(self, place: Place, direction: Vector) -> float:
        """Return the change of slope and absolute values along a step: near the end, twice what is left to gain."""
        ahead = float(place.gradient @ direction) + self.value(place.parameters + direction)
        return ahead - self.value(place.parameters)

    def step(
        self, objective: Objective[AnyPlace], place: AnyPlace, direction: Vector, promised: float
    ) -> tuple[AnyPlace, str]:
        """Shorten the step until it delivers a share of what the model promises; level values count near the end."""
        ahead = place.parameters + direction
        value = place.value + self.value(place.parameters)
        level = objective.resolution * abs(value)
        if promised >= -level:
            trial = objective.at(ahead)
            halved = np.max(np.abs(self.steepest(trial))) <= 0.5 * np.max(np.abs(self.steepest(place)))
            return (trial, "running") if halved else (place, "precision")
        step = 1.0
        while step > SHORTEST_STEP:
            there = place.parameters + step * direction
            trial = objective.at(there)
            found = trial.value + self.value(there)
            if np.isfinite(found) and found <= value + ARMIJO * step * promised + level:
                return trial, "running"
            step *= 0.5
        return place, "stalled"


def subgradient(parameters: Vector, gradient: Vector, lasso: Vector) -> Vector:
    """Return the subgradient of smooth + Σ l |θ| that is nearest to 0."""
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - lasso, 0)
    return np.where(parameters != 0, gradient + lasso * np.sign(parameters), at_zero)
