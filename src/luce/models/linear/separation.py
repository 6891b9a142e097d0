"""Whether classes are separable, so that without a penalty the objective has no minimum."""

from __future__ import annotations

import numpy as np

from luce.models.linear.place import Place
from luce.models.solvers import Newton

__all__ = ["separation"]

LARGEST_HESSIAN = 2000  # parameters up to which the Hessian is formed for it (32 MB)


def separation(place: Place) -> str | None:
    """Say whether the classes are separable at the end of a walk, completely or but for rows on the boundary.

    Complete separation shows in the scores: every row's class has the largest one, or, for sigmoids, some class has all
    its own rows above 0 and all others below. Otherwise the walk goes on along the Newton step, which then lowers no
    row's margin and raises some (Albert & Anderson 1984, "On the existence of maximum likelihood estimates in logistic
    regression models", Biometrika 71).
    """
    objective = place.objective
    loss, design, codes = objective.loss, objective.design, objective.loss.codes()
    if codes is None:
        return None
    least = np.min([loss.margins(scores, codes[rows]).min(axis=0) for rows, scores in place.scores()], axis=0)
    if least.max() > 0:
        return "linearly separable"
    if objective.size > LARGEST_HESSIAN:
        return None
    direction, _ = Newton().direction(place, 0.0)
    coef, intercept = (part.astype(design.matrix.dtype) for part in objective.coefficients(direction))
    moved = np.concatenate(
        [loss.margins(design.scores(rows, coef, intercept), codes[rows]) for rows, _ in place.scores()]
    )
    most = moved.max(axis=0)
    if ((most > 0.1) & (moved.min(axis=0) > -1e-3 * most)).any():
        return "separable but for rows on the boundary between them (quasi-separable)"
    return None
