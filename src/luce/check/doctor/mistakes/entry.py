"""An entry of the catalogue: the words that are said of a mistake, and the change of one step that it is.

An entry is a function that changes what a step of the derivation has left behind; its docstring is what is said of it::

    @mistake(name="shift by the minimum", fix="z.max(axis=1, keepdims=True)")
    @at(step=shift, computed="exp(z − min z)", right="exp(z − max z)")
    def shift_by_the_minimum(q: Quantities) -> None:
        "The minimum is subtracted, not the maximum: a row with a wide spread overflows."
        q.m = q.u.min(axis=1, keepdims=True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partialmethod

from luce.derivation import Quantities, Step

__all__ = ["Change", "Deviation", "Finding", "Mistake", "Subject", "at"]

Change = Callable[[Quantities], None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding about a function: what was computed, what would be right, and what to change.

    Attributes
    ----------
    name : str
    said : str
        What is wrong, in a sentence or two.
    computed, right : str
        The formula that was computed, and the one that should be.
    fix : str
        The line to change.
    kind : {"mistake", "convention", "limit"}
        A convention is right by another definition, a limit is right in a narrower range of logits.
    """

    name: str
    said: str
    computed: str
    right: str
    fix: str
    kind: str = "mistake"


@dataclass(frozen=True, kw_only=True)
class Mistake(Finding):
    """A finding that can be made on purpose, as a change of one step of the derivation.

    Attributes
    ----------
    step : Step
        The step after which it is made.
    change : callable
        Changes the quantities that the step has left behind.
    only : {"", "loss", "gradient"}
        What it is made in, where it is not made in loss and gradient alike.
    unless : str
        The option that makes a convention a mistake when it was said.
    built_in : bool
        Whether it is an option in use that was not said.
    """

    step: Step
    change: Change
    only: str = ""
    unless: str = ""
    built_in: bool = False

    def within(self, output: str) -> Mistake:
        """Return the same mistake made in the ``"loss"`` or in the ``"gradient"`` only."""
        return replace(self, name=f"{self.name}, in the {output} only", only=output)


@dataclass(frozen=True)
class Deviation:
    """A change of one step, with what is then computed and what would be right."""

    change: Change
    step: Step
    computed: str
    right: str


def at(*, step: Step, computed: str, right: str) -> Callable[[Change], Deviation]:
    """Say after which step the decorated change is made, what is then computed, and what would be right."""
    return lambda change: Deviation(change, step, computed, right)


class Subject(list[Mistake]):
    """The mistakes of one subject. Of two that give the same numbers, the one that stands first is the commoner."""

    def _enter(self, kind: str, *, name: str, fix: str, unless: str = "") -> Callable[[Deviation], Mistake]:
        """Enter the decorated deviation, which is called so and is mended so."""

        def enter(found: Deviation) -> Mistake:
            said = " ".join((found.change.__doc__ or "").split())
            mistake = Mistake(
                name=name,
                said=said,
                computed=found.computed,
                right=found.right,
                fix=fix,
                kind=kind,
                step=found.step,
                change=found.change,
                unless=unless,
            )
            self.append(mistake)
            return mistake

        return enter

    mistake = partialmethod(_enter, "mistake")
    convention = partialmethod(_enter, "convention")
    limit = partialmethod(_enter, "limit")
