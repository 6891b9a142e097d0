"""The steps of the derivation taken with mistakes: each changes what a step has left behind.

Several mistakes combine as they would in somebody's code. Without a mistake the result is the contract's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import copy
from functools import lru_cache
from typing import Protocol

import numpy as np

from luce.derivation import OUTPUTS, STEPS, Given, Quantities, Step, derive, outputs
from luce.derivation.quantities import Array

__all__ = ["ChangedStep", "walk"]


class ChangedStep(Protocol):
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


@lru_cache(maxsize=256)
def _without(given: Given) -> dict[str, Array]:
    """Return what the walk without mistakes gives."""
    return _walk(given, (), OUTPUTS)


def _walk(given: Given, mistakes: Sequence[ChangedStep], wanted: Collection[str]) -> dict[str, Array]:
    """Take the steps from the first one with a mistake to the last one that is wanted."""
    first = min((_PLACES[mistake.step] for mistake in mistakes), default=len(STEPS) - 1)
    last = len(STEPS) if _OF_THE_SOFTMAX & set(wanted) else max(_AFTER_THE_LAYER, first + 1)
    q = copy(_right(given)[first])
    with np.errstate(all="ignore"):
        for place in range(first, last):
            step = STEPS[place]
            if not step.applies(q):
                continue
            if place > first:
                step.compute(q)
            for mistake in mistakes:
                if mistake.step is step:
                    mistake.change(q)
    return outputs(q)


@lru_cache(maxsize=256)
def _right(given: Given) -> tuple[Quantities, ...]:
    """Return what each step leaves behind when no mistake is made."""
    return tuple(derive(given).values())
