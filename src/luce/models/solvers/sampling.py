"""A good place to start: the minima over samples of the rows, coarse to fine.

The minimum over m of N rows is off by the sampling error of m rows, some P/2m of the objective. Walking there costs m/N
of a walk over all rows, and what the solver learned of the curvature stays with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from luce.models.solvers.walk import Objective, Solver, Vector, minimise

__all__ = ["Sampled", "start_from_samples"]

TOLERANCE = 1e-2
MOST_ITERATIONS = 20


class Sampled(Protocol):
    """An objective that is a sum over many rows."""

    def samples(self) -> Iterable[Objective]:
        """Yield objectives over samples of the rows, in the same parameters, coarse to fine."""


def start_from_samples(solver: Solver, objective: Sampled, start: Vector) -> Vector:
    """Return where the walk over the finest sample ended, or `start` if there are no samples."""
    tol = TOLERANCE * solver.shortfall
    for sample in objective.samples():
        start = minimise(solver, sample, start, tol=tol, max_iter=MOST_ITERATIONS).point.parameters
    return start
