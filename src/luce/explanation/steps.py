"""The steps of a case in their order: with their values and numbers, and without those of options that are not used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts import parts_of
from luce.explanation.quantities import Values
from luce.explanation.remarks import remarks_on
from luce.explanation.shown import SCORE, Shown, Slot, entry, filled, shown
from luce.explanation.step import Part, Step

__all__ = ["Steps"]


class Steps(Sequence[Step]):
    """The steps of a case, by their places and by their names.

    Its attributes are told by :class:`~luce.explanation.Derivation`, which adds the faces.
    """

    def __init__(
        self, case: Case, *, digits: int = 4, only: tuple[str, ...] = (), values: Values | None = None
    ) -> None:
        self.case, self.digits, self._only = case, digits, only
        self.values = Values(case) if values is None else values  # those of the same numbers, where they are known
        parts = parts_of(case, self.values)
        every = [step for part in parts for step in part.steps]
        self.unused = tuple(dict.fromkeys(step.option for step in every if step.option and not case.says(step.option)))
        self.left_out = {step.name: step.instead for step in every if step.option and not case.says(step.option)}
        self.parts = tuple(self._finished(part) for part in parts if not only or part.key in only)
        self.steps = tuple(step for part in self.parts for step in part.steps)
        self._by_name = {step.name: step for step in self.steps}
        self.remarks = remarks_on(case, self.values)

    def _finished(self, part: Part) -> Part:
        """Return the part with the steps whose option is used, with their values and numbers."""
        score = "u" if self.case.scaled else "z"
        steps = tuple(
            replace(
                step,
                formula=step.formula.replace(SCORE, score),
                symbol=step.symbol.replace(SCORE, score),
                template=step.template.replace(SCORE, score),
                notes=tuple(replace(note, formula=note.formula.replace(SCORE, score)) for note in step.notes),
                follows=tuple(map(self._in_place_of, step.follows)),
                part=part.key,
                compute=partial(self.values.__getitem__, step.name),
                fill=self.fill,
            )
            for step in part.steps
            if step.name not in self.left_out
        )
        return replace(part, steps=steps)

    def _in_place_of(self, name: str) -> str:
        """Return the step that stands for one that is left out."""
        while name in self.left_out:
            name = self.left_out[name]
        return name

    def shown(self, slot: Slot) -> Shown:
        """Return the number in a place, rounded to the digits that are shown."""
        with mp.workdps(self.case.digits):
            return shown(entry(self.values, slot), self.digits)

    def fill(self, template: str) -> str:
        """Return a template with its numbers."""
        return filled(template, self.shown)

    def __getitem__(self, name: str | int | slice) -> Step:  # type: ignore[override]
        if not isinstance(name, str):
            return self.steps[name]  # type: ignore[return-value]
        if name not in self._by_name:
            raise KeyError(f"no step {name!r}; the steps are {', '.join(self._by_name)}")
        return self._by_name[name]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def has(self, name: str) -> bool:
        """Return whether there is a step of this name."""
        return name in self._by_name

    def keys(self) -> tuple[str, ...]:
        """Return the names of the steps in their order."""
        return tuple(self._by_name)
