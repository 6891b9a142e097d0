"""The proof of a change: a copy with it is run, and the change counts only if the whole examination finds it right."""

from __future__ import annotations

import difflib
import io
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, replace

from luce.check.calling.call import Call
from luce.check.calling.callables import as_callable
from luce.check.doctor.closeness import SAME_WITHIN, Case, agrees, distance, is_right
from luce.check.doctor.deadline import Deadline
from luce.check.doctor.examination import Examination
from luce.check.doctor.mistakes.catalogue import CATALOGUE
from luce.check.doctor.repair.candidates import candidates
from luce.check.doctor.repair.source import Edit, Source
from luce.check.doctor.walk import walk

__all__ = ["Proven", "prove"]

MOST_REPAIRS = 3
MOST_TRIED = 2500  # changes of a text: two seconds or three of NumPy, so that the same is found on any machine
SECONDS = 3.0  # at most, for slow functions
GOOD = 1e-6  # up to which an output is taken for right at first sight; the examination judges after that
WIDER = 0.45  # how much dearer a change may be than the cheapest one that is right, and still be weighed against it
MOST_RIGHT = 6
FAR = 2.2  # from which cost on a change is too far from the text to make another convention of it
CONVENTION = 0.5  # how much dearer a change is that is right by another convention only

Outputs = frozenset[str]


@dataclass(frozen=True)
class Proven:
    """Changes of somebody's function with which it is right, in the order in which they were found.

    Attributes
    ----------
    before, after : Source
        The function as it was, and with the changes.
    edits : tuple of Edit
    sources : tuple of Source
        What each of the edits was made in.
    examination : Examination
        Of the changed copy.
    """

    before: Source
    after: Source
    edits: tuple[Edit, ...]
    sources: tuple[Source, ...]
    examination: Examination


def prove(examination: Examination, fn: object, seconds: float | None = None) -> Proven | None:
    """Return the smallest changes of the function's text with which it is right, up to three; None if none was found.

    Parameters
    ----------
    examination : Examination
        Of the function as it is.
    fn : callable
    seconds : float, optional
        How long to try at most.
    """
    try:
        source = Source(fn)
    except (OSError, TypeError, SyntaxError, IndexError, KeyError, ValueError):
        return None
    until = Deadline(seconds or SECONDS)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # what the code prints, it prints once
        return _proven(examination, source, until)


def _proven(examination: Examination, source: Source, until: Deadline) -> Proven | None:
    """Try changes up to a deadline."""
    edits: list[Edit] = []
    sources = [source]
    trial = _Trial(examination, source)
    if not trial.wrong or not trial.runs_alike():
        return None
    for _ in range(MOST_REPAIRS):
        right, step = trial.best(until)
        chosen = trial.chosen(right)
        if chosen is not None:
            return Proven(source, trial.source.after(chosen[0]), (*edits, chosen[0]), tuple(sources), chosen[1])
        if step is None:
            return None
        edits.append(step)
        trial = _Trial(examination, trial.source.after(step), trial.less(step))
        sources.append(trial.source)
    return None


class _Trial:
    """The trial of changes of one text of a function."""

    def __init__(self, examination: Examination, source: Source, mistakes: Sequence[object] | None = None) -> None:
        self.examination, self.source = examination, source
        self.mistakes = tuple(examination.diagnosis.found or ()) if mistakes is None else tuple(mistakes)
        self.first = next((case for case in examination.cases if _wrong_outputs(case)), examination.cases[0])
        if mistakes is not None:
            self.first = self._run(None) or self.first
        self.wrong = _wrong_outputs(self.first)
        self.by_convention = [
            walk(self.first.probe, (mistake,), self.first.returned.outputs)
            for mistake in CATALOGUE
            if mistake.kind == "convention"
        ]

    def runs_alike(self) -> bool:
        """Return whether a copy of the unchanged text gives the same numbers: else its surroundings are not at hand."""
        copied = self._run(None)
        if copied is None or copied.returned.outputs.keys() != self.first.returned.outputs.keys():
            return False
        return all(
            agrees(value, copied.returned.outputs[name], SAME_WITHIN[copied.returned.dtype])
            for name, value in self.first.returned.outputs.items()
        )

    def best(self, until: Deadline) -> tuple[list[Edit], Edit | None]:
        """Return the changes with which the first case is right, the best first; and one that mends a part of it."""
        right: list[Edit] = []
        step: Edit | None = None
        for edit in candidates(self.source, self.examination.call, self.first)[:MOST_TRIED]:
            if until.passed or len(right) >= MOST_RIGHT or (right and edit.cost > right[0].cost + WIDER):
                break
            case = self._run(edit)
            if case is None or not self._keeps_what_is_right(case):
                continue
            wrong = _wrong_outputs(case)
            if not wrong and not self._wrong_elsewhere(edit):
                right.append(edit)
            elif wrong and wrong <= self.wrong and edit.cost < FAR and self._by_a_convention(case):
                right.append(replace(edit, cost=edit.cost + CONVENTION))
            elif step is None and (wrong < self.wrong or self._one_mistake_less(case) is not None):
                step = edit
        return sorted(right, key=lambda edit: (edit.cost, -self._likeness(edit))), step

    def _keeps_what_is_right(self, case: Case) -> bool:
        """Return whether the same is returned, and what was right before has its shape still."""
        now, before = case.returned.outputs, self.first.returned.outputs
        return now.keys() == before.keys() and all(
            now[name].shape == before[name].shape for name in before if name not in self.wrong
        )

    def _likeness(self, edit: Edit) -> float:
        """Return how much of the text stays."""
        old = self.source.units[edit.unit].text[edit.start : edit.end]
        return difflib.SequenceMatcher(None, old, edit.new, autojunk=False).ratio()

    def less(self, edit: Edit) -> Sequence[object]:
        """Return the mistakes that are left after a change."""
        case = self._run(edit)
        left = None if case is None else self._one_mistake_less(case)
        return self.mistakes if left is None else left

    def chosen(self, right: Sequence[Edit]) -> tuple[Edit, Examination] | None:
        """Return the first change that the whole examination finds right, rather one that extreme logits survive."""
        first: tuple[Edit, Examination] | None = None
        for edit in right:
            examined = self.examined(edit)
            if examined is not None:
                if all(map(is_right, examined.extremes)):
                    return edit, examined
                first = first or (edit, examined)
        return first

    def examined(self, edit: Edit) -> Examination | None:
        """Return the examination of the changed copy if it is right, be it by a convention; else None."""
        with suppress(Exception):
            old = self.examination
            found = Examination(self._call(edit), old.told, old.sizes, old.descent)
            if found.right:
                return found
            if found.explained(1) and not found.behaviours and not found.n_mistakes():
                return found
        return None

    def _call(self, edit: Edit | None) -> Call:
        """Return the call of a copy."""
        return replace(self.examination.call, fn=as_callable(self.source.copy(edit)).function)

    def _run(self, edit: Edit | None) -> Case | None:
        """Run a copy on the first probe; None where it fails."""
        with suppress(Exception):
            call = self._call(edit)
            return self.examination.case_of(self.first.probe, call)
        return None

    def _by_a_convention(self, case: Case) -> bool:
        """Return whether the numbers are right by another convention."""
        outputs, tolerance = case.returned.outputs, SAME_WITHIN[case.returned.dtype]
        return any(
            all(agrees(predicted[name], value, tolerance) for name, value in outputs.items())
            for predicted in self.by_convention
        )

    def _wrong_elsewhere(self, edit: Edit) -> bool:
        """Return whether another case is wrong after a change; the whole examination is asked for few of them only."""
        with suppress(Exception):
            call = self._call(edit)
            return any(_wrong_outputs(self.examination.case_of(case.probe, call)) for case in self.examination.cases)
        return True

    def _one_mistake_less(self, case: Case) -> Sequence[object] | None:
        """Return the mistakes without the one that a change has undone, if the numbers are those of the others."""
        for k in range(len(self.mistakes) if len(self.mistakes) > 1 else 0):
            rest = self.mistakes[:k] + self.mistakes[k + 1 :]
            predicted = walk(case.probe, rest, case.returned.outputs)  # type: ignore[arg-type]
            tolerance = SAME_WITHIN[case.returned.dtype]
            if all(agrees(predicted[name], value, tolerance) for name, value in case.returned.outputs.items()):
                return rest
        return None


def _wrong_outputs(case: Case) -> Outputs:
    """Return the names of the outputs that are wrong."""
    if case.returned.arithmetic:
        return frozenset({"arithmetic"})
    return frozenset(n for n, value in case.returned.outputs.items() if not distance(case.probe, n, value) <= GOOD)
