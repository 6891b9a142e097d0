"""The walk that all solvers share: a solver's direction, a damped step along it, and an honest reason to stop.

The objective F is smooth and convex. A solver sees it through two small protocols: `Objective.at` evaluates F at a
place and hands back a `Point`, and the point answers for its value, its gradient and the curvature there. Data never
pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Iterate", "Objective", "Point", "Solver", "minimise"]

Vector = npt.NDArray[np.float64]

ARMIJO = (
    1e-4  # the share of the decrease that the slope promises which a step must deliver (Nocedal & Wright, section 3.1)
)
SHORTEST_STEP = 1e-10
STALE = 4.0  # margin for a curvature of the point before: that of separable classes falls by a factor e a step
NEGLIGIBLE = 1e-8  # an objective below this counts as this: with separable classes and no penalty it falls for ever


class Point(Protocol):
    """What every solver may ask of the objective at one place; curvature is asked for through `Solver.needs`."""

    parameters: Vector
    value: float
    gradient: Vector


class Objective(Protocol):
    """A smooth convex function of a vector; `resolution` is the relative rounding error of its values."""

    resolution: float

    def at(self, parameters: Vector) -> Any:
        """Evaluate the function; the point has at least the attributes of `Point`."""


class Solver(Protocol):
    """One way to choose a direction of descent; made anew for each minimisation, so it may remember earlier points."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    shortfall: ClassVar[float]  # factor by which the gain that its direction promises may be too small

    def direction(self, point: Any, tol: float) -> tuple[Vector, int]:
        """Return the direction and the number of inner iterations that it took."""


@dataclass(frozen=True)
class Iterate:
    """Where a minimisation stands after an iteration.

    `inner_iterations` went into the direction taken next. `status` is "running", or the reason to stop: "converged"
    (the gradient and the gain that the next step promises are within the tolerance), "precision" (what is left to gain
    is below the rounding error of the objective's value), "stalled" (no step along the direction lowered the
    objective), "limit" (the iterations ran out). `penalty` is the part of the objective that is not smooth, which is
    not in the point's value.
    """

    iteration: int
    point: Any
    gradient_norm: float
    inner_iterations: int
    status: str
    penalty: float = 0.0

    @property
    def value(self) -> float:
        """The objective, all parts of it."""
        return float(self.point.value) + self.penalty

    @property
    def converged(self) -> bool:
        """Whether the point is a minimum, to the tolerance or to what rounding lets one see."""
        return self.status in ("converged", "precision")


def minimise(
    solver: Solver,
    objective: Objective,
    start: Vector,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[Iterate], None] | None = None,
) -> Iterate:
    """Walk down from `start` until both the gradient and what is left to gain are within `tol`.

    A small gradient alone says little where the curvature is small too: with 3000 classes, or with classes that are all
    but separable, the objective can be far above its minimum. What is left to gain is judged by the point's own bound
    on it (`gap`) where it has one that is small enough, by what the solver's curvature at an earlier point makes of it
    (`decrement`) with a margin, or else by −½⟨g, s⟩, s the solver's direction: half the squared
    Newton decrement (Boyd & Vandenberghe, section 9.5), relative to the objective.

    Parameters
    ----------
    solver : Solver
        Chooses the directions.
    objective : Objective
        The function; its points must have every attribute in ``solver.needs``.
    start : (P,) float64 array
        Where to begin.
    tol : float
        Bound on the largest entry of the gradient and on the relative decrease that the next step promises.
    max_iter : int
        Largest number of iterations.
    callback : callable, optional
        Called with each `Iterate`, the starting point (iteration 0) included.

    Returns
    -------
    Iterate
        The last iterate, its `status` telling why it is the last.

    Raises
    ------
    TypeError
        If the objective's points lack something that the solver needs.
    """
    point = objective.at(start)
    lacking = [name for name in solver.needs if not hasattr(point, name)]
    if lacking:
        raise TypeError(
            f"solver {solver.name!r} needs points with {', '.join(lacking)}; {type(point).__name__} has none"
        )
    decrement = getattr(solver, "decrement", lambda point: np.inf)
    iteration, inner, status = 0, 0, "running"
    while True:
        norm = float(np.max(np.abs(point.gradient), initial=0.0))
        enough = tol * max(abs(point.value), NEGLIGIBLE)
        if norm == 0.0 or (
            norm <= tol and (STALE * decrement(point) <= enough or getattr(point, "gap", np.inf) <= enough)
        ):
            status = "converged"
        elif status == "running" and (norm <= tol or iteration < max_iter):
            direction, inner = solver.direction(point, tol)
            to_gain = -0.5 * solver.shortfall * float(point.gradient @ direction)
            if norm <= tol and to_gain <= enough:
                status = "converged"
        if status == "running" and iteration >= max_iter:
            status = "limit"
        now = Iterate(iteration, point, norm, inner, status)
        if callback is not None:
            callback(now)
        if status != "running":
            return now
        with np.errstate(over="ignore", invalid="ignore"):  # a trial too far out is shortened
            point, status = _step(objective, point, direction)
        iteration += 1


def _step(objective: Objective, point: Any, direction: Vector) -> tuple[Any, str]:
    """Walk along the direction with step 1 if that lowers the objective enough, otherwise with a shorter one.

    Close to the minimum the change of the value drowns in rounding while the slope is still exact, so a step also
    counts when the value is level and the slope has shrunk: the approximate Wolfe condition (Hager & Zhang 2005, "A new
    conjugate gradient method with guaranteed descent and an efficient line search", section 3). Once even the promised
    decrease is below rounding, full steps go on for as long as each halves the gradient.
    """
    slope = float(point.gradient @ direction)
    level = objective.resolution * abs(point.value)
    if -level <= slope <= level:
        trial = objective.at(point.parameters + direction)
        halved = np.max(np.abs(trial.gradient)) <= 0.5 * np.max(np.abs(point.gradient))
        return (trial, "running") if halved else (point, "precision")
    step = 1.0
    while slope < 0 and step > SHORTEST_STEP:
        trial = objective.at(point.parameters + step * direction)
        trial_slope = float(trial.gradient @ direction)
        if np.isfinite(trial.value) and np.isfinite(trial_slope):
            if trial.value <= point.value + ARMIJO * step * slope:
                return trial, "running"
            if trial.value <= point.value + level and abs(trial_slope) <= (1 - 2 * ARMIJO) * -slope:
                return trial, "running"
            # F is convex, so its slope rises along the way: the secant through both slopes aims at the minimum
            step *= min(max(slope / (slope - trial_slope), 0.1), 0.5) if trial_slope > 0 else 0.5
        else:
            step *= 0.1
    return point, "stalled"
