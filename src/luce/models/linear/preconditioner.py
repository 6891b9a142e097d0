"""The Hessian written out, and approximations of its inverse that precondition conjugate gradients.

A preconditioner need only have the Hessian's shape, so it may be built from few rows, in single precision. Rows are
chosen with probabilities that follow their curvature r (1 − Σ p²): rows that the model is certain of have none, and
where all rows count, some ten times as many rows as unknowns give condition numbers of two or three.

* weak: one average curvature c in place of every diag p − p pᵀ, hence I ⊗ (c·Gram + ridge): one Gram matrix for all
  points, one factor for all classes. c = ½ would bound H (diag p − p pᵀ ≤ ½ (I − 11ᵀ/K): Böhning 1992, "Multinomial
  logistic regression algorithm"); conjugate gradients only care for the shape, so c is the mean eigenvalue,
  (1 − Σp²)/(K − 1) averaged over the rows.
* strong: the whole Hessian where that costs few products; else each class's own block Σ r p_k (1 − p_k) x̃'x̃'ᵀ,
  without the cross terms between classes, which count for little where probabilities are peaked; or the diagonals of
  those blocks where columns are too many for a Gram matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg

from luce.blas import shared_out
from luce.models.linear.coordinates import Coordinates
from luce.models.linear.design import GRAM_COLUMNS, WRITTEN_ENTRIES, Design

if TYPE_CHECKING:
    from luce.models.linear.objective import Point

__all__ = ["Precondition", "Strength", "add_hessian", "in_coordinates", "preconditioner", "strong_cost"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]
Strength = Literal["weak", "strong"]
Precondition = Callable[[Vector], Vector]

WHOLE_HESSIAN = 1200  # most parameters whose Hessian is factored as a preconditioner
WHOLE_COST = 10.0  # Hessian-vector products that building it may cost; blocks of classes are cheaper
CURVATURES = 2**26  # most curvatures p(1 − p) that are held to choose a class's rows by
BLOCK_NUMBERS = 2**24  # most numbers that blocks of classes may hold
FASTER = 4.0  # at how many times the speed of a narrow product a wide one in single precision runs
ROWS_PER_UNKNOWN = 30  # in the sample on which the whole Hessian is built, at least
CLASS_ROWS = 10  # and on which the block of a class is built, whose weight is in fewer rows
CARRIED = 5.0  # rows of a class's block, as a multiple of those that carry its weight


def preconditioner(point: Point, strength: Strength) -> Precondition:
    """Return a map close to H⁻¹ at a point, symmetric and positive definite."""
    if strength == "weak":
        return _average(point)
    design = point.objective.design
    if design.n_columns > GRAM_COLUMNS:
        return _diagonals(point)
    return _whole(point) if _whole_cost(point) <= WHOLE_COST else _class_blocks(point)


def strong_cost(point: Point) -> float:
    """Return what the strong preconditioner costs to build, in Hessian-vector products."""
    objective = point.objective
    columns, classes = objective.design.n_columns, objective.loss.n_scores
    if columns > GRAM_COLUMNS:
        return 2.0
    whole = _whole_cost(point)
    if whole <= WHOLE_COST:
        return 1 + whole
    if classes * columns**2 > BLOCK_NUMBERS or objective.design.n_rows * classes > CURVATURES:
        return float("inf")
    rows = min(objective.design.n_rows, CLASS_ROWS * columns)
    return 1 + classes * columns**2 * float(rows + columns) / (FASTER * _product(point))


def _whole_cost(point: Point) -> float:
    """Return what the whole Hessian costs in Hessian-vector products, infinite for too many parameters."""
    size = float(point.objective.size)
    if size > WHOLE_HESSIAN:
        return float("inf")
    return (_sample_rows(point) * size**2 + size**3 / 3) / (FASTER * _product(point))


def _product(point: Point) -> float:
    """Return the operations of a Hessian-vector product."""
    design = point.objective.design
    return 4.0 * design.n_rows * point.objective.loss.n_scores * design.n_columns


def _sample_rows(point: Point) -> int:
    """Return how many rows the whole Hessian is built on: for a product's time, but enough for its size."""
    affordable = int(FASTER * _product(point) / point.objective.size**2)
    return min(point.objective.design.n_rows, max(ROWS_PER_UNKNOWN * point.objective.design.n_columns, affordable))


def add_hessian(hessian: Array, block: Array, probabilities: Array, *, coupled: bool) -> None:
    """Add Σ H_i ⊗ x̃x̃ᵀ of a block of rows, over all classes but the last where the classes are coupled.

    There H_i = diag p − p pᵀ vanishes along shifts common to all classes, so that its other rows and columns determine
    it. With U_i = p_i ⊗ x̃_i the sum is Σ_k x̃ᵀdiag(p_k)x̃ − UᵀU.
    """
    columns = block.shape[1]
    classes = hessian.shape[0] // columns
    p = probabilities[:, :classes].astype(block.dtype, copy=False)
    if classes == 1:
        crossed = block * np.sqrt(p * (1 - p))
        hessian += crossed.T @ crossed
        return
    blocks = hessian.reshape(classes, columns, classes, columns)
    weighted = p if coupled else p * (1 - p)
    crossed = (weighted[:, :, None] * block[:, None, :]).reshape(len(block), -1)
    if coupled:
        hessian -= crossed.T @ crossed
    diagonal = (block.T @ crossed).reshape(columns, classes, columns)
    for k in range(classes):
        blocks[k, :, k, :] += diagonal[:, k, :]


def in_coordinates(hessian: Vector, coordinates: Coordinates, columns: int, *, coupled: bool) -> Vector:
    """Return QᵀHQ, given the part of H that `add_hessian` sums up: Tᵀ H T with T = Q_(1…K−1) − 1·Q_K where coupled."""
    basis = coordinates.spread(np.eye(coordinates.n_rows))
    change = basis[:-1] - basis[-1] if coupled else basis
    classes, size = len(change), coordinates.n_rows * columns
    if np.array_equal(np.abs(change), np.ones((1, 1))) or np.array_equal(change, np.eye(classes)):
        return hessian  # ±1 on both sides, or nothing to change
    half = change.T @ hessian.reshape(classes, -1)
    return np.asarray(np.matmul(change.T, half.reshape(-1, classes, columns)).reshape(size, size))


def _average(point: Point) -> Precondition:
    objective, design = point.objective, point.objective.design
    spread = float(sum(_row_curvature(point, rows, scores).sum(dtype=np.float64) for rows, scores in point.scores()))
    free = objective.loss.n_scores - 1 if objective.loss.coupled else objective.loss.n_scores
    curvature = max(spread / free, float(np.finfo(np.float64).tiny) ** 0.5)
    shape = (objective.coordinates.n_rows, design.n_columns)
    gram = design.gram
    if gram.ndim == 1:
        inverse = 1 / (curvature * np.maximum(gram, np.finfo(np.float64).eps) + objective.ridge)
        return lambda vector: np.asarray(vector.reshape(shape) * inverse).ravel()
    factor = _factored(curvature * gram, objective.ridge)
    return lambda vector: np.asarray(linalg.cho_solve(factor, vector.reshape(shape).T, check_finite=False).T).ravel()


def _whole(point: Point) -> Precondition:
    objective, design = point.objective, point.objective.design
    coupled = objective.loss.coupled
    curvature = np.concatenate([_row_curvature(point, rows, scores) for rows, scores in point.scores()])
    rows, factors = _chosen(curvature, _sample_rows(point))
    classes = objective.loss.n_scores - coupled
    hessian = np.zeros((classes * design.n_columns,) * 2, np.float32)
    probabilities = objective.loss.probabilities(point.scores_of(rows))
    for part, block in _weighted(design, rows, design.share[rows] * factors, len(hessian)):
        add_hessian(hessian, block, probabilities[part], coupled=coupled)
    whole = in_coordinates(hessian.astype(np.float64), objective.coordinates, design.n_columns, coupled=coupled)
    factor = _factored(whole, np.tile(objective.ridge, objective.coordinates.n_rows), float(np.finfo(np.float32).eps))
    return lambda vector: np.asarray(linalg.cho_solve(factor, vector, check_finite=False))


def _class_blocks(point: Point) -> Precondition:
    objective, design = point.objective, point.objective.design
    classes, columns = objective.loss.n_scores, design.n_columns
    weights = np.empty((classes, design.n_rows), np.float32)
    for rows, scores in point.scores():
        p = objective.loss.probabilities(scores)
        np.multiply((p * (1 - p)).T, design.share[rows], out=weights[:, rows])
    blocks = np.zeros((classes, columns, columns), np.float32)
    step = max(64, 2 * WRITTEN_ENTRIES // columns)
    work = classes * float(columns) ** 2 * (columns + min(design.n_rows, CLASS_ROWS * columns))
    with shared_out(work, design.matrix.n_threads) as share:
        order = np.random.default_rng(0).permutation(design.n_rows)
        share(lambda k: _thin(weights[k], columns, order), range(classes))
        used = np.flatnonzero(weights.any(axis=0))
        for first in range(0, len(used), step):
            some = used[first : first + step]
            share(partial(_add_block, blocks, design.standardised(some, np.float32), weights[:, some]), range(classes))
        share(lambda k: _invert(blocks[k], objective.ridge), range(classes))

    def solve(vector: Vector) -> Vector:
        inner = objective.spread(vector).astype(np.float32)
        return objective.coordinates.gather(np.matmul(blocks, inner[:, :, None])[:, :, 0].astype(np.float64)).ravel()

    return solve


def _thin(weights: Array, columns: int, order: npt.NDArray[np.intp]) -> None:
    """Overwrite the weights of a class's rows by 0 for all but some five times as many as carry the weight."""
    total = float(weights.sum(dtype=np.float64))
    carrying = total**2 / max(float(weights @ weights), np.finfo(np.float64).tiny)
    chosen, factors = _chosen(weights, int(min(CLASS_ROWS * columns, columns + CARRIED * carrying)), order)
    kept = weights[chosen] * factors
    weights[...] = 0
    weights[chosen] = kept


def _add_block(blocks: Array, block: Array, weights: Array, k: int) -> None:
    """Add the rows that class k gives weight to its block."""
    taken = np.flatnonzero(weights[k])
    piece = block[taken] * np.sqrt(weights[k, taken, None])
    blocks[k] += piece.T @ piece


def _invert(block: Array, diagonal: Vector) -> None:
    """Overwrite a block in single precision by the inverse of block + diag(diagonal)."""
    factor = _factored(block, diagonal.astype(np.float32), float(np.finfo(np.float32).eps))
    invert: Any = linalg.get_lapack_funcs("potri", (factor[0],))
    lower = invert(factor[0], lower=True)[0]
    block[...] = np.tril(lower) + np.tril(lower, -1).T


def _diagonals(point: Point) -> Precondition:
    objective, design = point.objective, point.objective.design
    total = np.zeros((objective.loss.n_scores, design.n_columns))
    for rows, scores in point.scores():
        p = objective.loss.probabilities(scores)
        total += design.squares(rows, p * (1 - p) * design.share[rows, None])
    total += objective.ridge
    total = np.maximum(total, np.finfo(np.float64).eps * total.max())
    inverse = 1 / total
    return lambda vector: objective.coordinates.gather(objective.spread(vector) * inverse).ravel()


def _weighted(design: Design, rows: npt.NDArray[np.intp], weights: Array, width: int) -> Iterator[tuple[slice, Array]]:
    """Yield blocks of √weight x̃' in single precision, as few rows as keep `width` numbers a row in the cache."""
    roots = np.sqrt(weights).astype(np.float32)
    step = max(64, 2 * WRITTEN_ENTRIES // width)
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        yield part, design.standardised(rows[part], np.float32) * roots[part, None]


def _row_curvature(point: Point, rows: slice, scores: Array) -> Array:
    """Return r/S times the trace of each row's Hessian in the scores."""
    p = point.objective.loss.probabilities(scores)
    if point.objective.loss.coupled:
        spread = 1 - np.einsum("ij,ij->i", p, p)
    else:
        spread = np.einsum("ij,ij->i", p, 1 - p)
    return np.asarray(point.objective.design.share[rows] * np.maximum(spread, 0))


def _chosen(weights: Array, most: int, order: npt.NDArray[np.intp] | None = None) -> tuple[npt.NDArray[np.intp], Array]:
    """Choose about `most` rows with probabilities that follow their weights, and say how many rows each stands for.

    Systematic sampling with a fixed start, after a shuffle with a fixed seed; large weights are certain to be taken.
    """
    weights = weights.astype(np.float64)
    total = weights.sum()
    if len(weights) <= most or not total > 0:
        counts = np.flatnonzero(weights > 1e-9 * weights.max(initial=0.0))
        return counts, np.ones(len(counts))
    chances = np.minimum(1, weights * (most / total))
    if order is None:
        order = np.random.default_rng(0).permutation(len(weights))
    walked = np.cumsum(chances[order]) + 0.5
    taken = np.sort(order[np.diff(np.floor(walked), prepend=0.0) > 0])
    return taken, 1 / chances[taken]


def _factored(matrix: Vector, diagonal: Vector, ridge: float = 1e-11) -> tuple[Any, bool]:
    """Return the Cholesky factor of matrix + diag(diagonal), with what ridge makes it positive definite."""
    inside = np.diag_indices(len(matrix))
    matrix[inside] += diagonal
    largest = max(float(matrix[inside].max()), np.finfo(np.float64).tiny)
    empty = matrix[inside] <= np.finfo(np.float64).tiny
    matrix[inside] = np.where(empty, largest, matrix[inside] * (1 + ridge))
    ridge = max(ridge, 1e-9)
    while ridge < 1e3:
        try:
            factor: tuple[Any, bool] = linalg.cho_factor(matrix, lower=True, check_finite=False)
            return factor
        except linalg.LinAlgError:
            matrix[inside] *= 1 + ridge
            ridge *= 100
    return np.eye(len(matrix)), True  # not a number somewhere: the plain gradient, and the step shows what it is worth
