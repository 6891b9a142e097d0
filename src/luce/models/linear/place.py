"""An objective at one place: value and gradient from one pass over the rows, the curvature when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from luce.models.inputs.kinds import Array, Indices, Vector
from luce.models.linear import hessian
from luce.models.linear.dense_matrix import DenseMatrix
from luce.models.linear.design import Design
from luce.models.linear.duality_gap import gap
from luce.models.linear.preconditioner import preconditioner, strong_cost
from luce.models.linear.terms import Terms
from luce.models.solvers.protocol import Precondition, Strength

__all__ = ["Place"]


KEPT_CLASSES = 1000  # scores are kept at a place below that many classes; from there on products compute them again
KEPT_SCORES = 2**25  # and up to that many (256 MiB in float64)
MOST_CANCELLED = 1e3  # digits that offset columns may cost, as a factor, for products in single precision


class Place:
    """F at one place: `value` and `gradient` at once, the curvature when asked for.

    Attributes
    ----------
    parameters : (P,) float64 array
    value : float
    gradient : (P,) float64 array
    loss, loss_gradient : float, (P,) float64 array
        The same without the penalty.
    """

    def __init__(self, objective: Terms, parameters: Vector) -> None:
        self.objective, self.parameters = objective, parameters
        self._coef, self._intercept = self._in_dtype(parameters)
        rows, scores = objective.design.n_rows, objective.loss.n_scores
        kept = scores < KEPT_CLASSES and rows * scores <= KEPT_SCORES
        self._kept = np.empty((rows, scores), objective.design.matrix.dtype) if kept else None
        self._filled = False
        loss = 0.0

        def derivatives() -> Iterator[tuple[slice, Array]]:
            nonlocal loss
            for rows, scores in self.scores():
                value, piece = objective.loss.value_and_grad(scores, rows, objective.design.share[rows])
                loss += value
                yield rows, piece

        gradient = self._pulled_back(derivatives())
        self._filled = kept
        decay = self._decay(parameters)
        self.loss, self.loss_gradient = loss, gradient
        self.value: float = loss + 0.5 * float(parameters @ decay)
        self.gradient: Vector = gradient + decay

    def scores(self, most_rows: int = 2**62, design: Design | None = None) -> Iterator[tuple[slice, Array]]:
        """Yield blocks of rows with their scores, kept from the first pass where there is room."""
        design = self.objective.design if design is None else design
        coef = self._coef.astype(design.matrix.dtype, copy=False)
        intercept = self._intercept.astype(design.matrix.dtype, copy=False)
        for whole in design.blocks(self.objective.loss.n_scores):
            step = max(1, min(most_rows, whole.stop - whole.start))
            for first in range(whole.start, whole.stop, step):
                rows = slice(first, min(first + step, whole.stop))
                if self._filled and self._kept is not None:
                    yield rows, self._kept[rows]
                else:
                    out = None if self._kept is None else self._kept[rows]
                    yield rows, design.scores(rows, coef, intercept, out)

    def scores_of(self, rows: Indices) -> Array:
        """Return the scores of some rows."""
        if self._filled and self._kept is not None:
            return np.asarray(self._kept[rows])
        part = self.objective.design.matrix.take(rows)
        return part.scores(slice(0, len(rows)), self._coef, self._intercept)

    def hvp(self, vector: Vector) -> Vector:
        """Return H·vector in one pass over the rows; H is never formed.

        With very many classes it is in single precision: a direction need not be exact, the gradient it answers is.
        """
        objective, design = self.objective, self._product_design
        dtype = design.matrix.dtype
        coef, intercept = (part.astype(dtype, copy=False) for part in objective.coefficients(vector))

        def derivatives() -> Iterator[tuple[slice, Array]]:
            for rows, scores in self.scores(design=design):
                tangent = design.scores(rows, coef, intercept)
                yield rows, objective.loss.hvp(scores, rows, design.share[rows], tangent)

        return self._pulled_back(derivatives(), design) + self._decay(vector)

    @property
    def _product_design(self) -> Design:
        """Return the design that products use: in single precision where classes are many and the columns allow it."""
        design = self.objective.design
        wide = (
            self.objective.loss.n_scores >= KEPT_CLASSES
            and isinstance(design.matrix, DenseMatrix)
            and design.matrix.dtype == np.float64
        )
        if not wide or design.resolution > MOST_CANCELLED * np.finfo(np.float64).eps:
            return design
        scales = design.scale[design.scale > 0]
        inside = len(scales) and scales.min() > 1e-30 and scales.max() < 1e30  # the range of single precision
        return design.single if inside else design

    def hessian(self) -> Vector:
        """Return H (P, P)."""
        return hessian.whole(self)

    def hessian_among(self, chosen: Indices) -> Vector:
        """Return the rows and columns of H that belong to some parameters, given in ascending order.

        The others' are never formed where avoidable.
        """
        return hessian.among(self, chosen)

    def hessian_blocks(self) -> Vector:
        """Return the blocks of H on its diagonal, without the penalty: one for each row of parameters, (rows, C, C)."""
        return hessian.blocks(self)

    def hessian_diagonal(self) -> Vector:
        """Return the diagonal of H, without the penalty, (P,)."""
        return hessian.diagonal(self)

    def preconditioner(self, strength: Strength) -> Precondition:
        """Return a map close to H⁻¹, symmetric and positive definite; see `luce.models.linear.preconditioner`."""
        return preconditioner(self, strength)

    @cached_property
    def gap(self) -> float:
        """An upper bound on the objective above its minimum, L1 part included; see `luce.models.linear.duality_gap`."""
        return gap(self)

    @property
    def strong_preconditioner_cost(self) -> float:
        """What building the strong preconditioner costs, in Hessian-vector products; infinite where it does not fit."""
        return strong_cost(self)

    def _in_dtype(self, parameters: Vector) -> tuple[Array, Array]:
        """Return (W, b) for parameters in the dtype of the products."""
        coef, intercept = self.objective.coefficients(parameters)
        dtype = self.objective.design.matrix.dtype
        return coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)

    def _pulled_back(self, pieces: Iterator[tuple[slice, Array]], design: Design | None = None) -> Vector:
        """Return the derivative in the parameters for the derivatives in the scores."""
        objective = self.objective
        full = (design or objective.design).pull_back(pieces, objective.loss.n_scores)
        return objective.coordinates.gather(full).ravel()

    def _decay(self, vector: Vector) -> Vector:
        """Return the ridge times a vector: the gradient of the penalty."""
        decay: Vector = vector * np.tile(self.objective.ridge, self.objective.coordinates.n_rows)
        return decay
