"""The terms of an objective: rows, a loss of their scores, free weights and penalties, in a solver's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

import numpy as np

from luce.models.inputs.kinds import Array, Indices, Vector
from luce.models.linear.coordinates import Coordinates
from luce.models.linear.design import Design
from luce.models.linear.losses import Loss

__all__ = ["Scored", "Terms"]


class Terms:
    """The parts of a linear objective, and the way between parameters and coefficients.

    Parameters
    ----------
    design : Design
        The rows.
    loss : Loss
        Of the scores of these rows.
    coordinates : Coordinates
        Which rows of weights the parameters stand for.
    l2, l1 : float
        λ₂ and λ₁ ≥ 0.

    Attributes
    ----------
    size : int
        Length of the parameter vector.
    ridge : (n_columns,) float64 array
        λ₂/σ², 0 for the intercept.
    lasso : (size,) float64 array
        λ₁/σ for each parameter, 0 for intercepts.
    resolution : float
        Relative rounding error to expect of a value.
    """

    def __init__(
        self, design: Design, loss: Loss, coordinates: Coordinates, *, l2: float = 0.0, l1: float = 0.0
    ) -> None:
        self.design, self.loss, self.coordinates = design, loss, coordinates
        self.size = coordinates.n_rows * design.n_columns
        self.resolution, self.l2 = design.resolution, l2
        self.ridge: Vector = np.zeros(design.n_columns)
        self.ridge[: design.n_features] = l2 * design.unit**2
        lasso: Vector = np.zeros(design.n_columns)
        lasso[: design.n_features] = l1 * design.unit
        self.lasso: Vector = np.tile(lasso, coordinates.n_rows)

    def start(self, coef: Array | None = None, intercept: Array | None = None) -> Vector:
        """Return the parameters of (W, b), by default of zero; what the coordinates leave out is lost."""
        if coef is None:
            return np.zeros(self.size)
        return self.coordinates.gather(self.design.to_standardised(coef, intercept)).ravel()

    def coefficients(self, parameters: Vector) -> tuple[Vector, Vector]:
        """Return W (K, D) and b (K,) for a parameter vector."""
        return self.design.to_user(self.spread(parameters))

    def spread(self, parameters: Vector) -> Vector:
        """Return A (K, n_columns) for a parameter vector."""
        return self.coordinates.spread(parameters.reshape(self.coordinates.n_rows, self.design.n_columns))

    @cached_property
    def class_shares(self) -> Vector:
        """Mean of the (smoothed) targets of each score, (K,)."""
        return self.loss.mean_targets(self.design.share.astype(np.float64))


class Scored(Protocol):
    """Terms at one place: parameters whose scores are known."""

    @property
    def objective(self) -> Terms:
        """The terms."""

    def scores(self, most_rows: int = ...) -> Iterator[tuple[slice, Array]]:
        """Yield blocks of rows with their scores."""

    def scores_of(self, rows: Indices) -> Array:
        """Return the scores of some rows."""
