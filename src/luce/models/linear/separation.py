"""Whether classes are separable, so that without a penalty the objective has no minimum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from luce.models.inputs.kinds import Indices
from luce.models.linear.naming import listed
from luce.models.linear.place import Place
from luce.models.solvers import Newton

__all__ = ["Separation", "separation"]

LARGEST_HESSIAN = 2000  # parameters up to which the Hessian is formed for it (32 MB)
GROWS = 0.1  # share of the largest standardised coefficient of the direction at which a column is named


class Separation(NamedTuple):
    """How classes are separable, and the columns whose coefficients grow without bound; empty where all of them do."""

    kind: str
    columns: Indices

    def said(self, names: Sequence[str]) -> str:
        """Return what completes the sentence "the classes are ..."."""
        return self.kind + (f" along {listed(self.columns, names)}" if len(self.columns) else "")


def separation(place: Place) -> Separation | None:
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
        return Separation("linearly separable", np.empty(0, np.intp))
    if objective.size > LARGEST_HESSIAN:
        return None
    direction, _ = Newton().direction(place, 0.0)
    coef, intercept = (part.astype(design.matrix.dtype) for part in objective.coefficients(direction))
    moved = np.concatenate(
        [loss.margins(design.scores(rows, coef, intercept), codes[rows]) for rows, _ in place.scores()]
    )
    most = moved.max(axis=0)
    if ((most > 0.1) & (moved.min(axis=0) > -1e-3 * most)).any():
        weight = np.abs(coef).max(axis=0) * design.scale
        grow = np.flatnonzero(weight > GROWS * weight.max(initial=0.0))
        kind = "separable but for rows on the boundary between them (quasi-separable)"
        return Separation(kind, grow if len(grow) < len(weight) else grow[:0])
    return None
