"""The words of a fit's warnings: that it did not converge, that there is no minimum, that rows came sorted by class."""

from __future__ import annotations

from collections.abc import Sequence

from luce.models.inputs.kinds import Labels
from luce.models.linear.assembly import Solution
from luce.models.solvers.protocol import Place

__all__ = ["SortedRowsWarning", "named", "of_unbounded", "of_walk"]

MOST_CLASSES = 5  # classes that a remark names

ADVICE = {
    "limit": "Raise max_iter, lower C (a stronger penalty is easier), or accept a larger tol.",
    "stalled": "No step along the solver's direction lowers the objective: look for extreme values.",
}


def of_walk(solution: Solution[Place], tol: float, separable: str | None) -> str | None:
    """Return why a walk ended where it did, None where it converged.

    Parameters
    ----------
    solution : Solution
    tol : float
    separable : str or None
        How the classes are separable, where there is no penalty.
    """
    last = solution.last
    if last.status == "interrupted":
        return f"Interrupted after {last.iteration} iterations; the model holds the coefficients reached."
    if separable:
        return (
            f"The classes are {separable} and there is no penalty (C=inf): the objective has no minimum, the "
            f"coefficients grow without bound and were stopped after {last.iteration} iterations. Set a finite C."
        )
    if last.converged:
        return None
    return (
        f"Did not converge to tol={tol:g}: after {last.iteration} iterations of {solution.solver!r} the "
        f"gradient's largest entry is {last.gradient_norm:.2g}. {ADVICE[last.status]}"
    )


class SortedRowsWarning(UserWarning):
    """Rows that come batch by batch seem to be sorted by class: these were frequent before and came no more."""

    def __init__(self, absent: Labels) -> None:
        self.absent = absent
        super().__init__(
            f"partial_fit: the rows seem to be sorted by class: {named(absent)}, frequent before, came no more."
            " What earlier batches taught of such classes fades: shuffle the rows, or mix old ones into each batch."
        )


def named(classes: Sequence[object]) -> str:
    """Return the first few classes of a list, and whether there are others."""
    return ", ".join(map(repr, classes[:MOST_CLASSES])) + (" and others" if len(classes) > MOST_CLASSES else "")


def of_unbounded(separable: str) -> str:
    """Return why classes that are separable have no standard errors without a penalty."""
    return f"standard_errors: the classes are {separable}, their coefficients unbounded; set a finite C"
