"""The search for the way in which a function is meant to be called, and for what explains its numbers there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from luce.check.calling.errors import NotRunnable, place_of
from luce.check.calling.ways import ways_of_calling
from luce.check.doctor.deadline import Deadline
from luce.check.doctor.examination import Examination, Sizes
from luce.check.doctor.repair.proof import Proven, prove
from luce.derivation.quantities import OptionValue

__all__ = ["Search", "Ways"]

SIZES_TO_TRY: tuple[Sizes, ...] = ((None, None), (None, 10), (None, 3), (None, 2), (5, 5))
"""Rows and classes to try, one after the other, where a function runs on no probe: it may have a size built in."""

SECONDS_OF_WAYS, SECONDS_OF_PAIRS = 3.0, 2.5
"""Time for more ways of calling once it runs in one, and for two mistakes at once in all of them."""

LIKELIEST_WAYS = 3
"""Ways of calling in which two mistakes are looked for."""


class Ways(TypedDict):
    """What is said of how a function is called, as :func:`luce.check.calling.ways.ways_of_calling` takes it."""

    task: str | None
    framework: str | None
    target: str | None
    layout: str | None
    dtype: str
    fixed: Mapping[str, OptionValue]


class Search:
    """The search in one function.

    Parameters
    ----------
    fn : callable
    ways : Ways
    told : mapping
        Options that it is said to have built in.
    descent : bool
        Whether it returns minus the gradient on purpose.
    repairs : bool
        Whether changes of its text are tried.
    """

    def __init__(
        self, fn: object, ways: Ways, told: Mapping[str, OptionValue], descent: bool, repairs: bool = True
    ) -> None:
        self.fn, self.ways, self.told, self.descent, self.repairs = fn, ways, told, descent, repairs
        self._proven: dict[int, Proven | None] = {}

    def proven(self, examination: Examination) -> Proven | None:
        """Return the changes with which the function, called as in an examination, is right."""
        if not self.repairs:
            return None
        if id(examination) not in self._proven:
            self._proven[id(examination)] = prove(examination, self.fn)
        return self._proven[id(examination)]

    def _mended_in_one_place(self, examination: Examination) -> bool:
        """Return whether one change makes it right: then it is not looked for which two mistakes give its numbers."""
        found = self.proven(examination)
        return found is not None and len(found.edits) == 1

    def outcome(self, rows: int | None, classes: int | None) -> Examination | str:
        """Return the likeliest examination, of the first sizes for which the function runs, or why it does not run."""
        said = bool(rows or classes)
        failure = ""
        ran: list[Examination] = []
        for sizes in [(rows, classes)] if said else SIZES_TO_TRY:
            examinations, why = self._examinations(sizes)
            failure = failure or why
            ran = ran or examinations
            if any(e.call.usual or e.explained(1) for e in examinations):
                if sizes != (None, None) and not said:
                    what = f"{sizes[1]} classes" if sizes[0] is None else "as many rows as classes"
                    examinations[0].notes.append(f"it runs for {what} only; otherwise {failure}")
                return likeliest(examinations, self._mended_in_one_place)
            if why.startswith("it "):  # it ran, and what it returned can't be judged
                break
        return ran[0] if ran else failure or "no way to call it was found"

    def _examinations(self, sizes: Sizes) -> tuple[list[Examination], str]:
        """Examine it in all ways until it is right in one; return also why the first call that failed did."""
        examinations: list[Examination] = []
        failure, deadline = "", Deadline(SECONDS_OF_WAYS)
        try:
            for call in ways_of_calling(self.fn, **self.ways):
                first = examinations[0].call if examinations else call
                if (call.framework, call.derives) != (first.framework, first.derives):
                    break
                if examinations and deadline.passed:
                    break
                try:
                    examination = Examination(call, self.told, sizes, self.descent)
                except NotRunnable as error:
                    if call.usual and not failure.startswith("it returns"):
                        failure = str(error)
                    if error.final:
                        break
                except Exception as error:
                    failure = failure or place_of(error, self.fn)
                else:
                    examinations.append(examination)
                    if examination.right and call.usual:
                        break
        except NotRunnable as error:
            failure = str(error)
        return examinations, failure


def likeliest(
    examinations: Sequence[Examination], mended: Callable[[Examination], bool] = lambda examination: False
) -> Examination:
    """Return the way of calling that is right, or takes the fewest mistakes to explain; the usual ways come first.

    What is right of one row may be one mistake away from right of a batch. A function of one row, or of another layout,
    is taken for one only where more than one mistake would be needed otherwise. `mended` says whether one change of its
    text makes a function right that is called in this way; what no single mistake explains is asked for that first.
    """
    usual = [e for e in examinations if e.call.usual]
    batch, rows = ([e for e in usual if e.call.rowwise == one] for one in (False, True))
    others = sorted((e for e in examinations if not e.call.usual), key=lambda e: (e.call.rowwise, not e.right))
    right = [e for e in rows if e.right]
    first = (*right, *batch) if usual and usual[0].call.task == "softmax" else (*batch, *right)
    best = next((e for e in first if e.explained(1)), None)
    deadline = Deadline(SECONDS_OF_PAIRS)
    if best is not None and best in right:
        _note_batch(best, batch, deadline)
    tried = (e for e in (*rows, *others) if e.telling() and (e.right or best is None))
    other = next((e for e in tried if e.explained(1)), None)
    likely = sorted(usual, key=lambda e: -e.n_right()) if best is None else usual  # of W's two shapes, say
    if best is None and other is None:
        best = next((e for e in likely[:1] if not e.half_precise() and mended(e)), None)
        if best is not None:
            best.explained(2, deadline=Deadline(SECONDS_OF_PAIRS))  # what two mistakes it was that one change mends
    if best is None and other is not None:
        deadline = Deadline(SECONDS_OF_PAIRS)
        best = next(
            (e for e in batch[:LIKELIEST_WAYS] if e.explained(2, deadline=deadline) and e.n_mistakes() <= 1), other
        )
    if best is None:  # numbers of float64 may have been computed in float32
        deadline = Deadline(SECONDS_OF_PAIRS)
        ways = [*((e, False) for e in likely[:LIKELIEST_WAYS]), *((e, True) for e in likely[:1])]
        best = next((e for e, coarse in ways if e.explained(2, coarse, deadline)), (likely or others)[0])
    if other is not None and other is not best and not best.right and not other.n_mistakes():
        best.notes.append(f"it is right if it is meant to be called as {other.call.describe()}")
    return best


def _note_batch(of_a_row: Examination, batch: Sequence[Examination], deadline: Deadline) -> None:
    """Add what a function that is right of one row does wrong with a batch."""
    wrong = next((e for e in batch[:LIKELIEST_WAYS] if e.explained(2, deadline=deadline) and e.n_mistakes() == 1), None)
    for mistake in wrong.diagnosis.found or () if wrong else ():
        if mistake.kind == "mistake":
            said = f"Of one row it is right, of a batch not. {mistake.said}"
            of_a_row.behaviours.append(replace(mistake, kind="limit", said=said))
