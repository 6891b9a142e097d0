"""The record of a walk, across the change from single to double precision where it needs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from luce.models.linear.place import Place
from luce.models.linear.precision import coefficients_suit_single
from luce.models.solvers import Iterate

__all__ = ["Record", "suits_single"]

Tell = Callable[[Iterate[Place]], None]


class Record:
    """The iterates of a walk, and whether it has to go on in double precision from where single precision took it.

    A walk that goes on counts its iterations on, and its first iterate replaces the last one before.
    """

    def __init__(self, callback: Tell | None, suits: Callable[[Iterate[Place]], bool]) -> None:
        self.callback, self.suits = callback, suits
        self.last: Iterate[Place] | None = None
        self.values: list[tuple[float, float]] = []
        self.goes_on = False
        self._before = 0

    def __call__(self, iterate: Iterate[Place]) -> None:
        """Take down an iterate and tell it, unless it repeats the one where single precision ended."""
        again = self.goes_on and iterate.iteration == 0
        if self.goes_on:
            iterate = replace(iterate, iteration=iterate.iteration + self._before)
        elif iterate.status != "running" and not self.suits(iterate):
            self.goes_on, self._before = True, iterate.iteration
            iterate = replace(iterate, status="running")
        if again:
            self.values.pop()
        self.last = iterate
        self.values.append((iterate.value, iterate.gradient_norm))
        if self.callback is not None and not (again and iterate.status == "running"):
            self.callback(iterate)


def suits_single(iterate: Iterate[Place], max_iter: int) -> bool:
    """Tell whether single precision was enough for a walk that ended here."""
    if iterate.status != "converged":
        return iterate.status == "limit" and iterate.iteration >= max_iter
    objective, design = iterate.point.objective, iterate.point.objective.design
    coef = objective.spread(iterate.point.parameters)[:, : design.n_features] * design.unit
    return coefficients_suit_single(coef, design.centre, design.scale)
