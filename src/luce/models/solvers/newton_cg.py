"""Newton's method with Hessian-vector products alone: the system is solved by preconditioned conjugate gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from luce.models.solvers.descent import Vector

__all__ = ["NewtonCG"]

MOST_PRODUCTS = 500  # in one direction; a truncated solution is still a direction of descent


class NewtonCG:
    """Solve H s ≈ −g by conjugate gradients, only as exactly as the distance to the minimum deserves.

    The residual is asked to fall by min(½, √(‖g‖/‖g₀‖)), g₀ the first gradient seen, which gives superlinear
    convergence (Nocedal & Wright, theorem 7.2), and never further than a tenth of what the tolerance on the gradient
    leaves. An objective offers two preconditioners; the stronger and dearer one is taken up once the cheap one has
    needed more products than the strong one costs to build (``point.strong_preconditioner_cost``, in products).
    """

    name: ClassVar[str] = "newton-cg"
    needs: ClassVar[tuple[str, ...]] = ("hvp", "preconditioner", "strong_preconditioner_cost")

    def __init__(self) -> None:
        self._first_norm: float | None = None
        self._strong = False

    def direction(self, point: Any, tol: float) -> tuple[Vector, int]:
        """Return a direction of descent and the number of Hessian-vector products that it took."""
        norm = float(np.max(np.abs(point.gradient)))
        if self._first_norm is None:
            self._first_norm = norm
        forcing = min(0.5, max(np.sqrt(norm / self._first_norm), 0.1 * tol / norm))
        precondition = point.preconditioner(strong=self._strong)
        step = np.zeros_like(point.gradient)
        residual = -point.gradient
        solved = precondition(residual)
        search = solved.copy()
        energy = first_energy = float(residual @ solved)
        products = 0
        while products < MOST_PRODUCTS and energy > forcing**2 * first_energy:
            product = point.hvp(search)
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
        if products > point.strong_preconditioner_cost:
            self._strong = True
        return (step if step.any() else search), products
