"""From numbers to mistakes: which changes of the loss's steps reproduce what a function returned, exactly.

The order: nothing is wrong; one known mistake; one in the loss or in the gradient only; two of them; two of which one
is on one side only; then, of mistakes that show only where exp leaves its range, one or two more. What none explains is
narrowed down to the part of the derivative that is off.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from luce.check.calling.outputs import Returned
from luce.check.doctor.closeness import SAME_WITHIN, Case, agrees
from luce.check.doctor.deadline import Deadline
from luce.check.doctor.mistakes.catalogue import CATALOGUE
from luce.check.doctor.mistakes.entry import Mistake
from luce.check.doctor.readings import readings
from luce.check.doctor.walk import walk
from luce.check.inputs.probes import Probe
from luce.derivation.steps import layer, shift

__all__ = ["Diagnosis", "diagnose"]

MOST_MISTAKES = 2
"""Mistakes in combination that are searched."""

SECONDS = 4.0
"""Time for the pairs, where nothing else is said: all of them take one or two."""

MOST_EXTENDED = 5
"""Explanations of ordinary numbers to which a mistake is added that only extreme logits show."""


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that reproduce the numbers, and the other sets that do so as well; None where nothing does."""

    found: tuple[Mistake, ...] | None
    ties: tuple[tuple[Mistake, ...], ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the mistakes that were found."""
        return [mistake.name for mistake in self.found or ()]


def diagnose(cases: Sequence[Case], *, most: int = MOST_MISTAKES, deadline: Deadline | None = None) -> Diagnosis:
    """Return the smallest set of known mistakes that reproduces all cases.

    Parameters
    ----------
    cases : sequence of (Probe, Returned)
        What was passed and what came back.
    most : int
        How many mistakes are combined at most on ordinary probes; the extreme ones may add two.
    deadline : Deadline, optional
        After it no more pairs of mistakes are tried.

    Returns
    -------
    Diagnosis
    """
    ordinary = [case for case in cases if case[0].ordinary]
    extreme = [case for case in cases if not case[0].ordinary]
    if not any(np.isfinite(value).all() for _, returned in ordinary for value in returned.outputs.values()):
        return Diagnosis(None)
    catalogue = [*CATALOGUE, *readings(cases)]
    deadline = deadline or Deadline(SECONDS)
    found = _smallest(ordinary, most, catalogue, deadline)
    whole = [mistakes for mistakes in found if _explains(mistakes, extreme)]
    if whole:
        return Diagnosis(whole[0], tuple(whole[1:]))
    likely = [m for m in sorted(catalogue, key=lambda m: m.kind != "limit") if _changes(m, extreme)]
    beside = not any(returned.derived for _, returned in ordinary)  # what autograd derives shows the loss's alone
    silent = [m for m in likely if not _changes(m, ordinary)]
    hidden = [
        [*silent, *(m for m in likely if beside and m not in silent and _explains((*mistakes, m), ordinary))]
        for mistakes in found[:MOST_EXTENDED]
    ]
    for size in (1, 2):
        sets = (
            (*mistakes, *more)
            for mistakes, unseen in zip(found, hidden, strict=False)
            for more in itertools.combinations(unseen, size)
            if not deadline.passed
        )
        fits = [mistakes for mistakes in sets if _explains(mistakes, extreme)]
        if fits:
            return Diagnosis(next((mistakes for mistakes in fits if _breaks_alike(mistakes, extreme)), fits[0]))
    return Diagnosis(found[0]) if found else Diagnosis(None)


def _breaks_alike(mistakes: tuple[Mistake, ...], cases: Sequence[Case]) -> bool:
    """Return whether the same numbers are NaN, and not infinite; implementations of one mistake may differ in that."""
    return all(
        np.array_equal(np.isnan(walk(probe, mistakes, returned.outputs)[name]), np.isnan(value))
        for probe, returned in cases
        for name, value in returned.outputs.items()
    )


def _smallest(
    cases: Sequence[Case], most: int, catalogue: Sequence[Mistake], deadline: Deadline
) -> list[tuple[Mistake, ...]]:
    """Return all sets of mistakes that reproduce the cases with as few of them as can be, the likelier first."""
    if _explains((), cases):
        return [()]
    visible = [mistake for mistake in catalogue if _changes(mistake, cases)]
    found: list[tuple[Mistake, ...]] = [(mistake,) for mistake in visible if _explains((mistake,), cases)]
    sides = _Sides(visible, cases)
    found = found or list(sides.singles())
    if found or most < 2:
        return found
    unseen = [mistake for mistake in catalogue if mistake not in visible]
    shifts = [mistake for mistake in unseen if mistake.step is shift]
    options = [mistake for mistake in visible if mistake.built_in]  # what is done with them shows beside them only
    beside = itertools.chain(itertools.product(shifts, visible), itertools.product(options, unseen))
    for one, other in itertools.chain(itertools.combinations(visible, 2), beside):
        if deadline.passed:
            break
        if _explains((one, other), cases):
            found.append((one, other))
        elif one.step is other.step and _explains((other, one), cases):
            found.append((other, one))
    # of those that give the same numbers, the one whose mistakes alone would show in no more than is wrong
    return sorted(found, key=lambda pair: sum(map(sides.reach, pair))) or list(dict.fromkeys(sides.pairs(deadline)))


class _Sides:
    """Mistakes made in the loss only or in the gradient only, as where the two are functions of their own."""

    def __init__(self, visible: Sequence[Mistake], cases: Sequence[Case]) -> None:
        self.cases = cases
        outputs = cases[0][1]
        both = "loss" in outputs.outputs and len(outputs.outputs) > 1 and not outputs.derived
        self.sides = (("gradient", "loss"), ("loss", "gradient")) if both else ()
        self.visible = {side: [m for m in visible if _changes(m, cases, side)] for side, _ in self.sides}
        self.right = {side: _explains((), cases, side) for side, _ in self.sides}
        self.alone = {side: [m for m in self.visible[side] if _explains((m,), cases, side)] for side, _ in self.sides}

    def _within(self, mistake: Mistake, side: str, other: str) -> Mistake:
        """Return the mistake as one of this side only, where it would show on the other side too."""
        return mistake.within(side) if mistake in self.visible[other] else mistake

    def reach(self, mistake: Mistake) -> int:
        """Return in how many of loss and gradient the mistake would show if it were alone."""
        return sum(mistake in visible for visible in self.visible.values())

    def singles(self) -> Iterator[tuple[Mistake, ...]]:
        """Yield the mistakes that explain one side where the other side is right."""
        for side, other in self.sides:
            if self.right[other]:
                yield from ((self._within(mistake, side, other),) for mistake in self.alone[side])

    def pairs(self, deadline: Deadline) -> Iterator[tuple[Mistake, ...]]:
        """Yield two mistakes that explain both sides: one on each, one on both and one on one, or two on one."""
        for first, second in itertools.product(self.alone.get("loss", ()), self.alone.get("gradient", ())):
            yield self._within(first, "loss", "gradient"), self._within(second, "gradient", "loss")
        for side, other in self.sides:
            for both, one in itertools.product(self.alone[other], self.visible[side]):  # one more on this side
                if not deadline.passed and _explains((both, self._within(one, side, other)), self.cases, side):
                    yield both, self._within(one, side, other)
            if self.right[other]:
                for pair in itertools.combinations(self.visible[side], 2):
                    if not deadline.passed and _explains(pair, self.cases, side):
                        yield self._within(pair[0], side, other), self._within(pair[1], side, other)


def _explains(mistakes: tuple[Mistake, ...], cases: Sequence[Case], side: str = "") -> bool:
    """Return whether the mistakes reproduce all cases."""
    return all(_explains_case(mistakes, probe, returned, side) for probe, returned in cases)


def _on(side: str, names: Iterable[str]) -> list[str]:
    """Return those outputs that belong to the loss, to the gradient, or all."""
    return [name for name in names if not side or (name == "loss") == (side == "loss")]


def _explains_case(mistakes: tuple[Mistake, ...], probe: Probe, returned: Returned, side: str = "") -> bool:
    """Return whether the mistakes reproduce the results of one case."""
    predicted = walk(probe, mistakes, returned.outputs)
    tolerance = SAME_WITHIN[returned.dtype]
    if returned.arithmetic:
        broken = [not np.isfinite(predicted[name]).all() for name in ("loss", "gradient")]
        return all(broken) if returned.arithmetic == "OverflowError" else any(broken)
    wrong = False
    for name in _on(side, returned.outputs):
        if not agrees(predicted[name], returned.outputs[name], tolerance, _least(probe, name)):
            if name == "loss" or not (returned.derived and mistakes and "loss" in returned.outputs):
                return False
            wrong = True
    return _is_its_derivative(mistakes, probe, returned) if wrong else True


@lru_cache(maxsize=1024)
def _least(probe: Probe, name: str) -> float:
    """Return the size below which an output's differences are no more than rounding."""
    return 1e-3 * float(np.abs(walk(probe)[name]).max(initial=0.0))


def _is_its_derivative(mistakes: tuple[Mistake, ...], probe: Probe, returned: Returned) -> bool:
    """Return whether autograd's gradient is that of the loss with the mistakes: then they are in the loss alone."""
    if not np.isfinite(returned.outputs["loss"]).all():
        return True
    if "gradient" not in returned.outputs:
        return not agrees(walk(probe)["loss"], returned.outputs["loss"], SAME_WITHIN[returned.dtype])
    gradient, h = returned.outputs["gradient"], 1e-5
    above = 1.0 if probe.upstream is None else probe.upstream
    for direction in np.random.default_rng(0).normal(size=(3, *gradient.shape)):
        ends = (replace(probe, logits=probe.logits + step * direction) for step in (h, -h))
        up, down = (np.sum(above * walk(end, mistakes, ("loss",))["loss"]) for end in ends)
        size = float(np.abs(gradient).max() * np.abs(direction).sum())
        if (
            not abs((up - down) / (2 * h) - (gradient * direction).sum())
            <= max(1e-6, SAME_WITHIN[returned.dtype]) * size
        ):
            return False
    return True


def _changes(mistake: Mistake, cases: Sequence[Case], side: str = "") -> bool:
    """Return whether the mistake shows in what these cases return."""
    for probe, returned in cases:
        if mistake.step is layer and probe.layer is None:
            continue
        names = _on(side, tuple(returned.outputs) or ("loss", "gradient"))
        right, wrong = walk(probe, (), names), walk(probe, (mistake,), names)
        if any(name in right and not agrees(right[name], wrong[name], SAME_WITHIN[returned.dtype]) for name in names):
            return True
    return False
