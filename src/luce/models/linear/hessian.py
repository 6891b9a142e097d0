"""The Hessian of the mean loss written out: whole, among some parameters, or parts of it on the diagonal."""

from __future__ import annotations

from itertools import combinations_with_replacement, pairwise

import numpy as np

from luce.models.inputs.kinds import Array, Indices, Vector
from luce.models.linear.coordinates import SumZero
from luce.models.linear.matrix import WRITTEN_ENTRIES
from luce.models.linear.sparse_matrix import SparseMatrix
from luce.models.linear.terms import Scored, Terms

__all__ = ["among", "blocks", "diagonal", "in_coordinates", "whole"]


def whole(place: Scored) -> Vector:
    """Return H (P, P), the penalty included."""
    objective, columns = place.objective, place.objective.design.n_columns
    hessian: Vector = np.zeros((objective.loss.free_scores * columns,) * 2)
    for rows, scores in place.scores(max(16, WRITTEN_ENTRIES // objective.size)):
        probabilities = objective.loss.probabilities(scores)
        objective.loss.add_hessian(hessian, objective.design.weighted(rows), probabilities)
    hessian = in_coordinates(hessian, objective)
    hessian[np.diag_indices(objective.size)] += np.tile(objective.ridge, objective.coordinates.n_rows)
    return hessian


def among(place: Scored, chosen: Indices) -> Vector:
    """Return the rows and columns of H that belong to some parameters, given in ascending order."""
    objective, columns = place.objective, place.objective.design.n_columns
    if isinstance(objective.coordinates, SumZero):  # each parameter is a mixture of all classes
        return np.asarray(whole(place)[np.ix_(chosen, chosen)])
    first = objective.loss.n_scores - objective.coordinates.n_rows
    classes, features = chosen // columns + first, chosen % columns
    ends = np.append(0, np.flatnonzero(np.diff(classes, append=-1)) + 1)
    parts = [slice(first, last) for first, last in pairwise(ends)]
    sparse = isinstance(objective.design.matrix, SparseMatrix)
    hessian = (_among_sparse if sparse else _among_dense)(place, classes, features, parts)
    hessian[np.diag_indices(len(chosen))] += objective.ridge[features]
    return hessian


def blocks(place: Scored) -> Vector:
    """Return the blocks of H on its diagonal, without the penalty: one for each row of parameters, (rows, C, C)."""
    objective, design = place.objective, place.objective.design
    found: Vector = np.zeros((objective.coordinates.n_rows, design.n_columns, design.n_columns))
    for rows, scores in place.scores(max(16, WRITTEN_ENTRIES // design.n_columns)):
        block = design.standardised(rows)
        for r, weight in enumerate(_row_weights(objective, rows, scores).T):
            found[r] += (block * weight[:, None]).T @ block
    return found


def diagonal(place: Scored) -> Vector:
    """Return the diagonal of H, without the penalty, (P,)."""
    objective = place.objective
    total: Vector = np.zeros((objective.coordinates.n_rows, objective.design.n_columns))
    for rows, scores in place.scores():
        total += objective.design.squares(rows, _row_weights(objective, rows, scores))
    return total.ravel()


def in_coordinates(hessian: Vector, objective: Terms) -> Vector:
    """Return QᵀHQ, given the part of H over the free scores, which sees Q as `Loss.changed` says."""
    coordinates, columns = objective.coordinates, objective.design.n_columns
    change = objective.loss.changed(coordinates.spread(np.eye(coordinates.n_rows)))
    scores, size = len(change), coordinates.n_rows * columns
    if np.array_equal(np.abs(change), np.ones((1, 1))) or np.array_equal(change, np.eye(scores)):
        return hessian  # ±1 on both sides, or nothing to change
    half = change.T @ hessian.reshape(scores, -1)
    return np.asarray(np.matmul(change.T, half.reshape(-1, scores, columns)).reshape(size, size))


def _among_dense(place: Scored, classes: Array, features: Array, parts: list[slice]) -> Vector:
    """Add up the products of the chosen columns of dense rows, a block of rows at a time."""
    objective, size = place.objective, len(classes)
    hessian: Vector = np.zeros((size, size))
    used, places = np.unique(features, return_inverse=True)
    for rows, scores in place.scores(max(16, WRITTEN_ENTRIES // max(size, 1))):
        block = objective.design.standardised(rows, columns=used)[:, places]
        block *= np.sqrt(objective.design.share[rows])[:, None]
        objective.loss.add_among(hessian, block, objective.loss.probabilities(scores)[:, classes], parts)
    return hessian


def _among_sparse(place: Scored, classes: Array, features: Array, parts: list[slice]) -> Vector:
    """Add up the products of columns that meet in a row, one pair of classes after the other."""
    objective, size = place.objective, len(classes)
    hessian: Vector = np.zeros((size, size))
    for rows, scores in place.scores():
        p = objective.loss.probabilities(scores)
        for part, other in combinations_with_replacement(parts, 2):
            k, m = classes[part.start], classes[other.start]
            curvature = objective.loss.between(p, k, m)
            if curvature is None:
                continue
            weights = curvature * objective.design.share[rows]
            found = objective.design.between(rows, weights, features[part], features[other])
            hessian[part, other] += found
            if k != m:
                hessian[other, part] += found.T
    return hessian


def _row_weights(objective: Terms, rows: slice, scores: Array) -> Array:
    """Return r/S qᵀHq for each row q of the coordinates, H of the scores of a row, (n, n_rows)."""
    coordinates, p = objective.coordinates, objective.loss.probabilities(scores)
    basis = coordinates.spread(np.eye(coordinates.n_rows)).astype(p.dtype)
    return np.asarray(np.maximum(objective.loss.along(p, basis), 0) * objective.design.share[rows, None])
