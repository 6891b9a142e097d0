"""The steps of the derivation taken with mistakes: each changes what a step has left behind.

Several mistakes combine as they would in somebody's code. Without a mistake the result is the contract's.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from typing import Protocol

import numpy as np

from luce.derivation import OUTPUTS, STEPS, Given, Quantities, Step, derive, outputs
from luce.derivation.quantities import Array

__all__ = ["ChangedStep", "after", "walk"]


class ChangedStep(Hashable, Protocol):
    """A mistake as far as the walk knows it: a change of what one step leaves, perhaps in one output only."""

    @property
    def step(self) -> Step: ...  # noqa: D102

    @property
    def only(self) -> str: ...  # noqa: D102

    def change(self, q: Quantities) -> None: ...  # noqa: D102


_PLACES = {step: place for place, step in enumerate(STEPS)}
_AFTER_THE_LAYER = 1 + [step.name for step in STEPS].index("layer")
_OF_THE_SOFTMAX = {"softmax", "jacobian", "vjp"}


def walk(given: Given, mistakes: Iterable[ChangedStep] = (), wanted: Collection[str] = OUTPUTS) -> dict[str, Array]:
    """Compute everything that a function could return, with the mistakes made on the way.

    A mistake that is made in the loss only, or in the gradient only, leaves the other as it is.

    Parameters
    ----------
    given : Given
        A probe, for instance.
    mistakes : iterable of Mistake
    wanted : collection of str
        Those of :data:`luce.derivation.OUTPUTS` that are needed; others may be left out.

    Returns
    -------
    dict of str to ndarray of float64

    Examples
    --------
    >>> from luce.check.inputs.probes import ORDINARY
    >>> walk(ORDINARY[0])["gradient"].shape
    (7, 5)
    """
    mistakes = tuple(mistakes)
    if not mistakes:
        return dict(_without(given))
    if any(mistake.only for mistake in mistakes):
        loss, rest = (_walk(given, [m for m in mistakes if m.only != other], wanted) for other in ("gradient", "loss"))
        return {**rest, "loss": loss["loss"]}
    return _walk(given, mistakes, wanted)


def after(given: Given, step: Step, mistake: ChangedStep | None = None) -> Quantities:
    """Return what has been computed after a step, with a mistake made in it or before it.

    Examples
    --------
    >>> from luce.check.inputs.probes import ORDINARY
    >>> from luce.derivation.steps import shift
    >>> bool((after(ORDINARY[0], shift).m == ORDINARY[0].logits.max(axis=1, keepdims=True)).all())
    True
    """
    states = _with(given, mistake) if mistake is not None else _right(given)
    return copy(states[_PLACES[step]])


@lru_cache(maxsize=256)
def _without(given: Given) -> dict[str, Array]:
    """Return what the walk without mistakes gives."""
    return _walk(given, (), OUTPUTS)


def _walk(given: Given, mistakes: Sequence[ChangedStep], wanted: Collection[str]) -> dict[str, Array]:
    """Take the steps from the first one with a mistake to the last one that is wanted.

    Of two mistakes in different steps the way to the later one is known from the earlier mistake's other pairs.
    """
    ordered = sorted(mistakes, key=lambda mistake: _PLACES[mistake.step])
    first = _PLACES[ordered[0].step] if ordered else len(STEPS) - 1
    last = len(STEPS) if _OF_THE_SOFTMAX & set(wanted) else max(_AFTER_THE_LAYER, first + 1)
    states = _right(given)
    if len(ordered) == 2 and ordered[0].step is not ordered[1].step:
        states, first = _with(given, ordered.pop(0)), _PLACES[ordered[-1].step]
    q = copy(states[first])
    for _ in _steps(q, ordered, first, max(last, first + 1)):
        pass
    return outputs(q)


def _steps(q: Quantities, mistakes: Sequence[ChangedStep], first: int, last: int) -> Iterator[Quantities]:
    """Take steps, the first of which is taken but for its mistakes; yields after each."""
    with np.errstate(all="ignore"):
        for place in range(first, last):
            step = STEPS[place]
            if step.applies(q):
                if place > first:
                    step.compute(q)
                for mistake in mistakes:
                    if mistake.step is step:
                        mistake.change(q)
            yield q


@lru_cache(maxsize=2048)
def _with(given: Given, mistake: ChangedStep) -> tuple[Quantities, ...]:
    """Return what each step leaves behind when one mistake is made."""
    right, first = _right(given), _PLACES[mistake.step]
    q = copy(right[first])
    return (*right[:first], *(copy(state) for state in _steps(q, (mistake,), first, len(STEPS))))


@lru_cache(maxsize=256)
def _right(given: Given) -> tuple[Quantities, ...]:
    """Return what each step leaves behind when no mistake is made."""
    return tuple(derive(given).values())
