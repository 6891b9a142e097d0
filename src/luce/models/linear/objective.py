"""The penalised mean loss of linear scores: its value, gradient, Hessian and products.

With rows x_i ∈ R^D, row weights r_i that sum to S, weights W ∈ R^(K×D), intercepts b ∈ R^K and a loss ℓ of the scores,

    F(W, b) = (1/S) Σ_i r_i ℓ(W x_i + b, t_i) + ½ λ₂ ‖W‖²       (+ λ₁ ‖W‖₁, which the solver adds)

and with p_i the probabilities, x̃ = (x, 1), by the chain rule from CONTRACT.md's ∂ℓ/∂z = p − t and H = diag p − p pᵀ,

    ∇F = (1/S) Σ_i r_i (p_i − t_i) x̃_iᵀ + λ₂ (W, 0)
    H  = (1/S) Σ_i r_i (diag p_i − p_i p_iᵀ) ⊗ x̃_i x̃_iᵀ + λ₂ I_W

Solvers walk in other parameters than (W, b): weights A of the standardised columns (`luce.models.linear.design`), of as
many rows as are free (`luce.models.linear.coordinates`). F is well shaped there whatever the units of X are; its
minimum is the same, because the penalty is carried along: λ₂ ‖W‖² = Σ (λ₂/σ_j²) A_kj², λ₁ ‖W‖₁ = Σ (λ₁/σ_j) |A_kj|.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from luce.models.linear.coordinates import Coordinates, SumZero
from luce.models.linear.design import WRITTEN_ENTRIES, DenseMatrix, Design, SparseMatrix
from luce.models.linear.duality_gap import gap
from luce.models.linear.losses import Loss
from luce.models.linear.preconditioner import (
    Precondition,
    Strength,
    add_hessian,
    in_coordinates,
    preconditioner,
    strong_cost,
)

__all__ = ["LinearObjective", "Point"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]

KEPT_CLASSES = 1000  # scores are kept at a point below that many classes; from there on products compute them again
KEPT_SCORES = 2**25  # and up to that many (256 MiB in float64)
CANCELLED = 1e3  # digits that offset columns may cost, as a factor, for products in single precision
SMALLEST_SAMPLE = 2000
SAMPLE_STEP = 8  # from one sample of the rows to the next larger one


class LinearObjective:
    """F, without the L1 part, as a function of a vector.

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
    l2 : float
        λ₂.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.linear.coordinates import SumZero
    >>> from luce.models.linear.design import Design, DenseMatrix
    >>> from luce.models.linear.losses import SoftmaxLoss
    >>> design = Design(DenseMatrix(np.array([[0.0], [1.0], [2.0]])), None, fit_intercept=True)
    >>> F = LinearObjective(design, SoftmaxLoss(np.array([0, 1, 2]), 3, n_threads=1), SumZero(3), l2=0.1)
    >>> F.size
    4
    >>> round(F.at(np.zeros(4)).value, 6)  # log 3: all classes alike
    1.098612
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
        return self.coordinates.gather(self.design.inner(coef, intercept)).ravel()

    def coefficients(self, parameters: Vector) -> tuple[Vector, Vector]:
        """Return W (K, D) and b (K,) for a parameter vector."""
        return self.design.outer(self.spread(parameters))

    def spread(self, parameters: Vector) -> Vector:
        """Return A (K, n_columns) for a parameter vector."""
        return self.coordinates.spread(parameters.reshape(self.coordinates.n_rows, self.design.n_columns))

    @cached_property
    def class_shares(self) -> Vector:
        """Mean of the (smoothed) targets of each score, (K,)."""
        target, share = self.loss.target, self.design.share.astype(np.float64)
        means = np.bincount(target, share, self.loss.n_scores) if target.ndim == 1 else share @ target
        even = 1 / self.loss.n_scores if self.loss.coupled else 0.5
        return np.asarray((1 - self.loss.smoothing) * means + self.loss.smoothing * even)

    def at(self, parameters: Vector) -> Point:
        """Evaluate F and its gradient in one pass over the rows."""
        return Point(self, parameters)

    def samples(self) -> Iterator[LinearObjective]:
        """Yield objectives over samples of the rows, coarse to fine, where there are enough rows for that to pay.

        A sample is stratified by class and drawn with a fixed seed. Its minimum is off that of all rows by its sampling
        error, so a walk that starts there has little left to do.
        """
        for count in reversed(self._sample_sizes()):
            chosen, weights = self._stratified(count)
            sample: LinearObjective = object.__new__(LinearObjective)
            sample.__dict__.update(self.__dict__)
            sample.__dict__.pop("class_shares", None)
            sample.design = self.design.sample(chosen, weights * self.design.share[chosen])
            sample.loss = self.loss.sample(chosen)
            yield sample

    def _sample_sizes(self) -> list[int]:
        needed = max(SMALLEST_SAMPLE, 10 * self.design.n_columns, 50 * self.loss.n_scores)
        sizes, count = [], self.design.n_rows // SAMPLE_STEP
        while count >= needed:
            sizes.append(count)
            count //= SAMPLE_STEP
        return sizes

    def _stratified(self, count: int) -> tuple[npt.NDArray[np.intp], Vector]:
        """Return sorted row numbers and what each stands for: a fair share of every class, at least 20 rows of it."""
        rng = np.random.default_rng(0)
        rows, target = self.design.n_rows, self.loss.target
        if target.ndim > 1:
            return np.sort(rng.choice(rows, count, replace=False)), np.ones(count)
        order = rng.permutation(rows)
        short = np.int16 if self.loss.n_scores <= 2**15 else np.int64  # sorted in a third of the time
        order = order[np.argsort(target[order].astype(short), kind="stable")]  # shuffled, one class after the other
        sizes = np.bincount(target, minlength=self.loss.n_scores)
        taken = np.minimum(sizes, np.maximum(20, sizes * count // rows))
        firsts = np.cumsum(sizes) - sizes
        chosen = np.concatenate([order[first : first + n] for first, n in zip(firsts, taken, strict=True)])
        chosen.sort()
        return chosen, (sizes / np.maximum(taken, 1))[target[chosen]]


class Point:
    """F at one place: `value` and `gradient` at once, the curvature when asked for.

    Attributes
    ----------
    parameters : (P,) float64 array
    value : float
    gradient : (P,) float64 array
    loss, loss_gradient : float, (P,) float64 array
        The same without the penalty.
    """

    def __init__(self, objective: LinearObjective, parameters: Vector) -> None:
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

    def scores_of(self, rows: npt.NDArray[np.intp]) -> Array:
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
        design = self.objective.design
        wide = (
            self.objective.loss.n_scores >= KEPT_CLASSES
            and isinstance(design.matrix, DenseMatrix)
            and design.matrix.dtype == np.float64
        )
        if not wide or design.resolution > CANCELLED * np.finfo(np.float64).eps:
            return design
        scales = design.scale[design.scale > 0]
        inside = len(scales) and scales.min() > 1e-30 and scales.max() < 1e30  # the range of single precision
        return design.single if inside else design

    def hessian(self) -> Vector:
        """Return H (P, P)."""
        objective, columns = self.objective, self.objective.design.n_columns
        coupled, rows_of_weights = objective.loss.coupled, objective.coordinates.n_rows
        hessian: Vector = np.zeros(((objective.loss.n_scores - coupled) * columns,) * 2)
        for rows, scores in self.scores(max(16, WRITTEN_ENTRIES // objective.size)):
            probabilities = objective.loss.probabilities(scores)
            add_hessian(hessian, objective.design.weighted(rows), probabilities, coupled=coupled)
        hessian = in_coordinates(hessian, objective.coordinates, columns, coupled=coupled)
        hessian[np.diag_indices(objective.size)] += np.tile(objective.ridge, rows_of_weights)
        return hessian

    def hessian_among(self, chosen: npt.NDArray[np.intp]) -> Vector:
        """Return the rows and columns of H that belong to some parameters, given in ascending order.

        The others' are never formed where avoidable.
        """
        objective, columns = self.objective, self.objective.design.n_columns
        if isinstance(objective.coordinates, SumZero):  # each parameter is a mixture of all classes
            return np.asarray(self.hessian()[np.ix_(chosen, chosen)])
        first = objective.loss.n_scores - objective.coordinates.n_rows
        classes, features = chosen // columns + first, chosen % columns
        ends = np.append(0, np.flatnonzero(np.diff(classes, append=-1)) + 1)
        parts = [slice(first, last) for first, last in pairwise(ends)]
        sparse = isinstance(objective.design.matrix, SparseMatrix)
        hessian = (self._among_sparse if sparse else self._among_dense)(classes, features, parts)
        hessian[np.diag_indices(len(chosen))] += objective.ridge[features]
        return hessian

    def _among_dense(self, classes: Array, features: Array, parts: list[slice]) -> Vector:
        objective, size = self.objective, len(classes)
        hessian: Vector = np.zeros((size, size))
        used, places = np.unique(features, return_inverse=True)
        for rows, scores in self.scores(max(16, WRITTEN_ENTRIES // max(size, 1))):
            block = objective.design.standardised(rows, columns=used)[:, places]
            block *= np.sqrt(objective.design.share[rows])[:, None]
            p = objective.loss.probabilities(scores)[:, classes]
            if len(parts) == 1:  # one class alone
                block *= np.sqrt(p * (1 - p))
                hessian += block.T @ block
                continue
            crossed = block * p
            if objective.loss.coupled:
                hessian -= crossed.T @ crossed
            else:
                crossed *= 1 - p
            for part in parts:  # a class with itself
                hessian[part, part] += block[:, part].T @ crossed[:, part]
        return hessian

    def _among_sparse(self, classes: Array, features: Array, parts: list[slice]) -> Vector:
        """Add up the products of columns that meet in a row, one pair of classes after the other."""
        objective, size = self.objective, len(classes)
        hessian: Vector = np.zeros((size, size))
        for rows, scores in self.scores():
            p = objective.loss.probabilities(scores)
            for part, other in combinations_with_replacement(parts, 2):
                k, m = classes[part.start], classes[other.start]
                if k != m and not objective.loss.coupled:
                    continue
                curvature = p[:, k] * ((k == m) - p[:, m]) * objective.design.share[rows]
                among = objective.design.between(rows, curvature, features[part], features[other])
                hessian[part, other] += among
                if k != m:
                    hessian[other, part] += among.T
        return hessian

    def blocks(self) -> Vector:
        """Return the blocks of H on its diagonal, without the penalty: one for each row of parameters, (rows, C, C)."""
        design = self.objective.design
        blocks: Vector = np.zeros((self.objective.coordinates.n_rows, design.n_columns, design.n_columns))
        for rows, scores in self.scores(max(16, WRITTEN_ENTRIES // design.n_columns)):
            block = design.standardised(rows)
            for r, weight in enumerate(self._row_weights(rows, scores).T):
                blocks[r] += (block * weight[:, None]).T @ block
        return blocks

    def diagonal(self) -> Vector:
        """Return the diagonal of H, without the penalty, (P,)."""
        design = self.objective.design
        total: Vector = np.zeros((self.objective.coordinates.n_rows, design.n_columns))
        for rows, scores in self.scores():
            total += design.squares(rows, self._row_weights(rows, scores))
        return total.ravel()

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

    def _row_weights(self, rows: slice, scores: Array) -> Array:
        """Return r/S qᵀ(diag p − p pᵀ)q for each row q of the coordinates, (n, n_rows)."""
        coordinates, p = self.objective.coordinates, self.objective.loss.probabilities(scores)
        basis = coordinates.spread(np.eye(coordinates.n_rows)).astype(p.dtype)
        if self.objective.loss.coupled:
            weights = p @ np.square(basis) - np.square(p @ basis)
        else:
            weights = (p * (1 - p)) @ np.square(basis)
        return np.asarray(np.maximum(weights, 0) * self.objective.design.share[rows, None])

    def _in_dtype(self, parameters: Vector) -> tuple[Array, Array]:
        coef, intercept = self.objective.coefficients(parameters)
        dtype = self.objective.design.matrix.dtype
        return coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)

    def _pulled_back(self, pieces: Iterator[tuple[slice, Array]], design: Design | None = None) -> Vector:
        objective = self.objective
        full = (design or objective.design).pull_back(pieces, objective.loss.n_scores)
        return objective.coordinates.gather(full).ravel()

    def _decay(self, vector: Vector) -> Vector:
        decay: Vector = vector * np.tile(self.objective.ridge, self.objective.coordinates.n_rows)
        return decay
