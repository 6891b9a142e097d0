"""The walk that all solvers share: a solver's direction, a damped step along it, and an honest reason to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from luce.models.solvers.protocol import Objective, Place, Solver, Vector, lacking

__all__ = ["Iterate", "minimise"]

Walked = TypeVar("Walked", bound=Place)
There = TypeVar("There", bound=Place, covariant=True)

STALE_MARGIN = 4.0  # margin for a curvature of the place before: that of separable classes falls by a factor e a step
NEGLIGIBLE_VALUE = 1e-8  # a smaller objective counts as this: of separable classes without a penalty it falls for ever


@dataclass(frozen=True)
class Iterate(Generic[There]):
    """Where a minimisation stands after an iteration.

    `inner_iterations` went into the direction taken next. `status` is "running", or the reason to stop: "converged"
    (the gradient and the gain that the next step promises are within the tolerance), "precision" (what is left to gain
    is below the rounding error of the objective's value), "stalled" (no step along the direction lowered the
    objective), "limit" (the iterations ran out). `penalty` is the part of the objective that is not smooth, which is
    not in the point's value.
    """

    iteration: int
    point: There
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
    solver: Solver[Walked],
    objective: Objective[Walked],
    start: Vector,
    *,
    tol: float,
    max_iter: int,
    callback: Callable[[Iterate[Walked]], None] | None = None,
) -> Iterate[Walked]:
    """Walk down from `start` until both the gradient and what is left to gain are within `tol`.

    A small gradient alone says little where the curvature is small too: with 3000 classes, or with classes that are all
    but separable, the objective can be far above its minimum. What is left to gain is judged by the place's own bound
    on it (`gap`) where it has one that is small enough, by what the solver's curvature at an earlier place makes of it
    (`decrement`) with a margin, or else by −½⟨g, s⟩, s the solver's direction: half the squared Newton decrement (Boyd
    & Vandenberghe, section 9.5), relative to the objective.

    Parameters
    ----------
    solver : Solver
        Chooses the directions.
    objective : Objective
        The function; its places must have every member of ``solver.needs``.
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
        If the objective's places lack something that the solver needs.
    """
    place = objective.at(start)
    missing = lacking(place, solver.needs)
    if missing:
        raise TypeError(
            f"solver {solver.name!r} needs places with {', '.join(missing)}; {type(place).__name__} has none"
        )
    penalty = solver.penalty(objective)
    iteration, inner, status = 0, 0, "running"
    while True:
        norm = float(np.max(np.abs(penalty.steepest(place)), initial=0.0))
        added = penalty.value(place.parameters)
        enough = tol * max(abs(place.value + added), NEGLIGIBLE_VALUE)
        if norm == 0.0 or (norm <= tol and (STALE_MARGIN * solver.decrement(place) <= enough or place.gap <= enough)):
            status = "converged"
        elif status == "running" and (norm <= tol or iteration < max_iter):
            direction, inner = solver.direction(place, tol)
            promised = penalty.promised(place, direction)
            if norm <= tol and -0.5 * solver.shortfall * promised <= enough:
                status = "converged"
        if status == "running" and iteration >= max_iter:
            status = "limit"
        now = Iterate(iteration, place, norm, inner, status, added)
        if callback is not None:
            callback(now)
        if status != "running":
            return now
        with np.errstate(over="ignore", invalid="ignore"):  # a trial too far out is shortened
            place, status = penalty.step(objective, place, direction, promised)
        iteration += 1
