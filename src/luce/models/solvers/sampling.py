"""The start of a walk over many rows: the minima over samples of them, coarse to fine.

The minimum over m of N rows is off by the sampling error of m rows, about P/(2m) in the objective. A walk there costs
m/N of one over all rows, and the solver keeps what it learned of the curvature.
"""

from __future__ import annotations

from typing import TypeVar

from luce.models.solvers.protocol import Place, Sampled, Solver, Vector
from luce.models.solvers.walk import minimise

__all__ = ["start_from_samples"]

Walked = TypeVar("Walked", bound=Place)

SAMPLE_TOLERANCE = 1e-2
MOST_ITERATIONS = 20


def start_from_samples(solver: Solver[Walked], objective: Sampled[Walked], start: Vector) -> Vector:
    """Return where the walk over the finest sample ended, or `start` if there are no samples."""
    tol = SAMPLE_TOLERANCE * solver.shortfall
    for sample in objective.samples():
        start = minimise(solver, sample, start, tol=tol, max_iter=MOST_ITERATIONS).point.parameters
    return start
