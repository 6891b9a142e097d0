"""Newton's method with Hessian-vector products alone: the system is solved by preconditioned conjugate gradients."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from luce.models.solvers.penalties import Smooth
from luce.models.solvers.protocol import HasProducts, Objective, Penalty, Place, Precondition, Vector

__all__ = ["NewtonCG"]

WEAK_BUDGET = 0.25  # of the strong preconditioner's cost is spent on the weak one first
MOST_PRODUCTS = 500  # in one direction; a truncated solution is still a direction of descent


class NewtonCG:
    """Solve H s ≈ −g by conjugate gradients, only as exactly as the distance to the minimum deserves.

    The residual is asked to fall by min(½, √(‖g‖/‖g₀‖)), g₀ the first gradient seen, which gives superlinear
    convergence (Nocedal & Wright, theorem 7.2), and never further than a tenth of what the tolerance on the gradient
    leaves. An objective offers two preconditioners; the stronger and dearer one is taken up once the cheap one has
    needed a quarter of the products that the strong one costs to build (``place.strong_preconditioner_cost``). It is
    kept from place to place, and from a sample of the rows to all of them, until it needs twice the products for a
    digit that it needed at first.
    """

    name: ClassVar[str] = "newton-cg"
    needs: ClassVar[type] = HasProducts
    shortfall: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._first_norm: float | None = None
        self._strong = False
        self._spent = 0
        self._pace = np.inf  # products per factor of 10 in the residual, when the preconditioner was new
        self._precondition: Precondition | None = None

    def penalty(self, objective: Objective[Place]) -> Penalty:
        """Return a penalty of 0: the objective is smooth."""
        return Smooth()

    def decrement(self, place: HasProducts) -> float:
        """Return infinity: conjugate gradients keep no curvature."""
        return np.inf

    def direction(self, place: HasProducts, tol: float) -> tuple[Vector, int]:
        """Return a direction of descent and the number of Hessian-vector products that it took."""
        norm = float(np.max(np.abs(place.gradient)))
        if self._first_norm is None:
            self._first_norm = norm
        forcing = min(0.5, max(np.sqrt(norm / self._first_norm), 0.1 * tol / norm))
        if not self._strong and self._spent >= WEAK_BUDGET * place.strong_preconditioner_cost:
            self._strong, self._precondition = True, None
        if self._precondition is None:
            self._precondition, self._pace = place.preconditioner("strong" if self._strong else "weak"), np.inf
        precondition = self._precondition
        step = np.zeros_like(place.gradient)
        residual = -place.gradient
        solved = precondition(residual)
        search = solved.copy()
        energy = first_energy = float(residual @ solved)
        products = 0
        while products < MOST_PRODUCTS and energy > forcing**2 * first_energy:
            product = place.hvp(search)
            products += 1
            curvature = float(search @ product)
            if curvature <= 0:  # the Hessian has none left along here beyond rounding
                break
            length = energy / curvature
            step += length * search
            residual -= length * product
            solved = precondition(residual)
            energy, previous = float(residual @ solved), energy
            search = solved + (energy / previous) * search
        self._spent += products
        pace = products / max(-0.5 * np.log10(max(energy, 1e-300) / first_energy), 0.5) if first_energy > 0 else 0.0
        if not self._strong or pace > 2 * self._pace + 1:
            self._precondition = None
        self._pace = min(self._pace, pace)
        return (step if step.any() else search), products
