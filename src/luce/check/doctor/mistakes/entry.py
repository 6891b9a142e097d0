"""An entry of the catalogue: the words that are said of a mistake, and the change of one step that it is.

An entry is a function that changes what a step of the derivation has left behind; its docstring is what is said of it::

    @mistake(step=shift, name="shift by the minimum", fix="z.max(axis=1, keepdims=True)")
    @formulas(computed="exp(z − min z)", right="exp(z − max z)")
    def shift_by_the_minimum(q: Quantities) -> None:
        "The minimum is subtracted, not the maximum: a row with a wide spread overflows."
        q.m = q.u.min(axis=1, keepdims=True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partialmethod

from luce.derivation import Quantities, Step

__all__ = ["Change", "Finding", "Formulas", "Mistake", "Subject", "formulas"]

Change = Callable[[Quantities], None]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is said of a function.

    Attributes
    ----------
    name : str
    said : str
        A sentence.
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
class Formulas:
    """A change with what it computes and what would be right."""

    change: Change
    computed: str
    right: str


def formulas(*, computed: str, right: str) -> Callable[[Change], Formulas]:
    """Say which formula the decorated change computes, and which one is right."""
    return lambda change: Formulas(change, computed, right)


class Subject(list[Mistake]):
    """The mistakes of one subject. Of two that give the same numbers, the one that stands first is the commoner."""

    def _enter(self, kind: str, *, step: Step, name: str, fix: str, unless: str = "") -> Callable[[Formulas], Mistake]:
        """Enter the decorated change of a step, under its formulas."""

        def enter(entry: Formulas) -> Mistake:
            said = " ".join((entry.change.__doc__ or "").split())
            mistake = Mistake(
                name=name,
                said=said,
                computed=entry.computed,
                right=entry.right,
                fix=fix,
                kind=kind,
                step=step,
                change=entry.change,
                unless=unless,
            )
            self.append(mistake)
            return mistake

        return enter

    mistake = partialmethod(_enter, "mistake")
    convention = partialmethod(_enter, "convention")
    limit = partialmethod(_enter, "limit")
