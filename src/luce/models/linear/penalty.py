"""The elastic net of a strength that C gives, as shares of the mean objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ElasticNet"]

LARGEST_MASS = 1e307  # of C Σ r, whose inverse is the strength of the penalty


@dataclass(frozen=True)
class ElasticNet:
    """(1 − a)/2 ‖W‖² + a ‖W‖₁, divided by C Σ r.

    Attributes
    ----------
    l1_ratio : float
        a, the share of the L1 part.
    """

    l1_ratio: float = 0.0

    def strengths(self, C: float, total: float) -> tuple[float, float]:
        """Return λ₂ and λ₁ for rows of this total weight.

        Raises
        ------
        ValueError
            If C Σ r leaves the range that is computed with.
        """
        mass = C * total
        if not (np.inf == C or 1 / LARGEST_MASS <= mass <= LARGEST_MASS):
            raise ValueError(
                f"C: {C:g} times {total:g}, the sum of the row weights, is {mass:g}; computed with are"
                f" {1 / LARGEST_MASS:g} to {LARGEST_MASS:g}, and inf for no penalty"
            )
        strength = 1 / mass
        return (1 - self.l1_ratio) * strength, self.l1_ratio * strength
