"""The page's steps for every set of options that its reader may choose, and which of their pieces follow no edit.

An explanation is written for the options that were said. The page has the steps of the others, too, hidden: each piece
of it (a formula, a note, a table) knows the sets of options that it is right for. What depends on the numbers in
another way than by places for them is found by writing the explanation with other numbers: it is marked, as no script
mends it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from luce.explanation.case import Case
from luce.explanation.quantities import Values
from luce.explanation.step import Step
from luce.explanation.steps import Steps

__all__ = ["EDITED", "Piece", "Variants"]

EDITED = ("temperature", "label_smoothing", "weight")
"""The options that the reader may choose; a set of them is a sum of powers of two by their places."""


class Piece(NamedTuple):
    """A piece of a step, the sets of options it is right for, and whether it holds for the written numbers alone."""

    content: Any
    step: Step
    derivation: Steps
    when: tuple[int, ...]
    shown: bool
    static: bool


class Variants:
    """An explanation with every set of options.

    Parameters
    ----------
    derivation : Steps
        With the options that were said.
    editable : bool
        Whether there is anything to choose.
    """

    def __init__(self, derivation: Steps, *, editable: bool) -> None:
        self.said = sum(1 << k for k, name in enumerate(EDITED) if derivation.case.says(name))
        every = range(1 << len(EDITED)) if editable else (self.said,)
        masks = [mask for mask in every if mask & self.said == self.said]  # what was said stays said
        self.by_mask = {
            mask: derivation
            if mask == self.said
            else _again(derivation, _with(derivation.case, mask), derivation.values)
            for mask in masks
        }
        fullest = max(masks)
        self.fullest = self.by_mask[fullest]
        self.probes = {
            mask: [_again(derivation, case) for case in _other_numbers(self.by_mask[mask].case)] if editable else []
            for mask in {self.said, fullest}
        }

    def presence(self, name: str) -> tuple[tuple[int, ...], bool]:
        """Return the sets of options that a step is there for, and whether it is shown as the page is written."""
        when = tuple(mask for mask, derivation in self.by_mask.items() if derivation.has(name))
        return when, self.said in when

    def pieces(self, name: str, of: Callable[[Step], Iterable[Hashable]]) -> list[Piece]:
        """Return the pieces of one kind that a step has under any set of options, each once."""
        found: dict[Hashable, list[int]] = {}
        place: dict[Hashable, int] = {}
        for mask, derivation in self.by_mask.items():
            for k, content in enumerate(of(derivation[name]) if derivation.has(name) else ()):
                found.setdefault(content, []).append(mask)
                place[content] = max(place.get(content, 0), k)
        return [
            Piece(
                content,
                self._shown_by(masks)[name],
                self._shown_by(masks),
                tuple(sorted(masks)),
                self.said in masks,
                any(self._moves(name, content, of, mask) for mask in self.probes if mask in masks),
            )
            for content, masks in sorted(found.items(), key=lambda item: place[item[0]])
        ]

    def _shown_by(self, masks: list[int]) -> Steps:
        return self.by_mask[self.said if self.said in masks else masks[0]]

    def _moves(self, name: str, content: Hashable, of: Callable[[Step], Iterable[Hashable]], mask: int) -> bool:
        """Return whether other numbers would have another piece here."""
        return any(not probe.has(name) or content not in tuple(of(probe[name])) for probe in self.probes[mask])


def _again(derivation: Steps, case: Case, values: Values | None = None) -> Steps:
    """Return the derivation of another case; `values` where its numbers are the same."""
    only = tuple(part.key for part in derivation.parts)
    return Steps(case, digits=derivation.digits, only=only, values=values)


def _with(case: Case, mask: int) -> Case:
    """Return the case with a set of options said: those that were not, with their defaults."""
    defaults = {"temperature": 1.0, "label_smoothing": 0.0, "weight": np.ones(case.n_classes)}
    added = {name: defaults[name] for k, name in enumerate(EDITED) if mask >> k & 1}
    return replace(case, options={**added, **case.options})


def _other_numbers(case: Case) -> Iterator[Case]:
    """Yield the case with numbers that nothing should depend on but by places for them."""
    turned, low = case.scores[:, ::-1] * 40 + np.arange(case.n_classes), np.full_like(case.scores, -900.0)
    for z in (turned, low, np.zeros_like(case.scores)):
        layer = case.given.layer
        if layer is not None:
            layer = (layer[0], 0 * layer[1], z[case.row])
        yield replace(case, scores=z, given=replace(case.given, logits=z, layer=layer))
    chosen = {"temperature": 1e-4, "label_smoothing": 0.5, "weight": np.arange(case.n_classes) + 0.5}
    yield replace(case, given=replace(case.given, options={**case.given.options, **chosen}))
    if case.of_class is not None and case.n_classes > 1:
        other = (case.of_class + 1) % case.n_classes
        target = np.array(case.given.target)
        target[case.row] = other
        yield replace(case, of_class=other, given=replace(case.given, target=target))
    elif case.of_class is None and np.ndim(case.given.target) == 2:
        target = np.array(case.given.target)[:, ::-1] * 0.5
        yield replace(case, given=replace(case.given, target=target))
