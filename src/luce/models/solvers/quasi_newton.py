"""Limited-memory BFGS whose first guess of the inverse Hessian is the objective's preconditioner."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import numpy as np

from luce.models.solvers.newton_cg import NewtonCG
from luce.models.solvers.penalties import Smooth
from luce.models.solvers.protocol import HasProducts, Objective, Penalty, Place, Precondition, Vector

__all__ = ["QuasiNewton"]

KEPT_PAIRS = 10
SLOWEST_PACE = 0.5  # powers of ten that the squared decrement falls by in a pass, or the preconditioner is renewed
PATIENCE = 30  # iterations
CHEAP_PASSES = 3.0  # passes that the strong preconditioner may cost to be taken at once


class QuasiNewton:
    """One pass over the data an iteration: the gradients seen so far correct a preconditioner.

    The two-loop recursion (Nocedal & Wright, algorithm 7.4) with the preconditioner in the middle. Where that is close
    to the inverse Hessian, as one built on a sample of many rows is, each pass gains as much as a step of conjugate
    gradients, and none is spent on evaluating the objective in between. The preconditioner is kept from place to place,
    and from a sample of the rows to all of them, until progress is slow and a new one would have paid. A walk that is
    not over after 30 iterations has a curvature that changes too much for this, and goes on as `NewtonCG`.
    """

    name: ClassVar[str] = "quasi-newton"
    needs: ClassVar[type] = HasProducts
    shortfall: ClassVar[float] = 4.0

    def __init__(self) -> None:
        self._pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=KEPT_PAIRS)
        self._last: HasProducts | None = None
        self._precondition: Precondition | None = None
        self._strong = False
        self._exact = NewtonCG()
        self._passes = self._since = self._iterations = 0
        self._first = np.inf  # the squared decrement when the preconditioner was new

    def penalty(self, objective: Objective[Place]) -> Penalty:
        """Return a penalty of 0: the objective is smooth."""
        return Smooth()

    def decrement(self, place: HasProducts) -> float:
        """Return infinity: the curvature held is that of changes, not of a place."""
        return np.inf

    def direction(self, place: HasProducts, tol: float) -> tuple[Vector, int]:
        """Return a direction of descent and the number of preconditioners built, or of Hessian-vector products."""
        self._remember(place)
        self._passes += 1
        self._since += 1
        if self._iterations > PATIENCE:
            return self._exact.direction(place, tol)
        cost = place.strong_preconditioner_cost
        step = None if self._precondition is None else self._inverse_times(place.gradient, self._precondition)
        if step is not None and self._since > max(3.0, cost if self._strong else 1.0):
            pace = np.log10(self._first / max(float(place.gradient @ step), 1e-300)) / (self._since - 1)
            step = step if pace >= SLOWEST_PACE else None
        if step is not None:
            return -step, 0
        self._strong = self._strong or cost < max(CHEAP_PASSES, self._passes)
        self._precondition = place.preconditioner("strong" if self._strong else "weak")
        self._pairs.clear()
        self._since = 1
        step = self._inverse_times(place.gradient, self._precondition)
        self._first = max(float(place.gradient @ step), 1e-300)
        return -step, 1

    def _remember(self, place: HasProducts) -> None:
        """Take down the change of parameters and gradient since the last place."""
        last, self._last = self._last, place
        self._iterations += 1
        if last is None:
            return
        if last.objective is not place.objective:
            self._pairs.clear()  # from a sample to more rows: other gradients
            self._iterations = 1
            return
        moved, change = place.parameters - last.parameters, place.gradient - last.gradient
        curvature = float(moved @ change)
        if curvature > 1e-12 * float(np.linalg.norm(moved) * np.linalg.norm(change)):
            self._pairs.append((moved, change, curvature))

    def _inverse_times(self, gradient: Vector, precondition: Precondition) -> Vector:
        """Return the approximate inverse Hessian times a gradient, by the two-loop recursion."""
        left, lengths = gradient.copy(), []
        for moved, change, curvature in reversed(self._pairs):
            lengths.append(float(moved @ left) / curvature)
            left -= lengths[-1] * change
        step = precondition(left)
        for (moved, change, curvature), length in zip(self._pairs, reversed(lengths), strict=True):
            step += (length - float(change @ step) / curvature) * moved
        return step
