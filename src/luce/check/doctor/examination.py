"""The examination of a function that is called in one way: it is run on the probes, and mistakes are searched for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from luce.check.calling.call import Call
from luce.check.calling.errors import NotRunnable, place_of
from luce.check.doctor.closeness import RIGHT_WITHIN, SAME_WITHIN, Case, agrees, distance, error_of, is_right
from luce.check.doctor.deadline import Deadline
from luce.check.doctor.diagnosis import Diagnosis, diagnose
from luce.check.doctor.mistakes import behaviours
from luce.check.doctor.mistakes.entry import Finding
from luce.check.inputs import probes
from luce.check.inputs.probes import Probe
from luce.derivation.quantities import OptionValue

__all__ = ["Examination", "Sizes"]

Sizes = tuple[int | None, int | None]
"""The numbers of rows and classes that a function has built in."""

MISUSED = (IndexError, KeyError, RuntimeError)
"""What a label out of range raises."""

OPTIONS_TOGETHER = (("weight", "ignore_index"), ("label_smoothing", "ignore_index"), ("label_smoothing", "weight"))
"""Options that are tried in pairs, too."""


class Examination:
    """A function called in one way: what it returned, and what follows from that.

    Parameters
    ----------
    call : Call
    told : mapping
        Options that the function is said to have built in.
    sizes : tuple
        The numbers of rows and classes, where they are not the probes' own.
    descent : bool
        Whether it returns minus the gradient on purpose.

    Attributes
    ----------
    cases : list of Case
        What it returned for ordinary probes.
    behaviours : list of Finding
        What shows when it is called, and not in the numbers of one call.
    notes : list of str
    right : bool
        Whether all ordinary cases are right, and nothing was found in its behaviour.
    diagnosis : Diagnosis
        Of the last search.

    Raises
    ------
    NotRunnable
        When it can't be called in this way; its own exceptions for the first probe come through.
    """

    def __init__(self, call: Call, told: Mapping[str, OptionValue], sizes: Sizes, descent: bool) -> None:
        self.call, self.descent, self.sizes, self.told = call, descent, sizes, told
        self.said = {**call.defaults, **told}
        self.behaviours: list[Finding] = []
        self.notes: list[str] = []
        self.cases: list[Case] = []
        self._try_probes()
        if not self.cases:
            raise NotRunnable(self.notes[0].partition(": ")[2])
        if self.cases[0].returned.dtype in ("float16", "bfloat16"):  # too narrow for small probabilities
            self.cases = [case for case in self.cases if case.probe.name != probes.SMALL.name]
        if not self.behaviours:
            self._try_options()
        if self.cases[0].returned.overwritten:
            self.behaviours.append(behaviours.INPUT_OVERWRITTEN)
        self.right = not self.behaviours and all(map(is_right, self.cases))
        self.diagnosis = Diagnosis(())
        self._searched: dict[tuple[int, bool], Diagnosis] = {}

    def case_of(self, probe: Probe, call: Call | None = None) -> Case:
        """Run the function on a probe, in which the options that were said are in use."""
        call = call or self.call
        probe = probes.resized(probe, *self.sizes)
        if probe.layer is not None and "b" not in call.roles:
            x, W, b = probe.layer
            probe = replace(probe, layer=(x, W, 0 * b), logits=x @ W.T)
        options = {**self.said, **probe.options}
        target = probe.target
        if "ignore_index" in self.said and probe.target.ndim == 1 and "ignore_index" not in probe.options:
            target = np.where(np.arange(len(target)) == len(target) // 2, self.said["ignore_index"], target)
        probe = probes.shared(replace(probe, options=options, target=target, rowwise=call.rowwise))
        returned = call(probe)
        each = np.shape(returned.outputs.get("loss", 0.0)) == (len(probe.logits),)
        if call.task == "loss" and each and "reduction" not in self.said:
            probe = probes.shared(replace(probe, options={**options, "reduction": "none"}))
        if self.descent and "gradient" in returned.outputs:
            returned.outputs["gradient"] = -returned.outputs["gradient"]
        return Case(probe, returned)

    @cached_property
    def extremes(self) -> list[Case]:
        """What it returns for logits that leave the range of exp."""
        found: list[Case] = []
        if {*self.behaviours} - {behaviours.LABELS_ONE_TOO_HIGH} or self.call.task == "layer":
            return found
        for probe in probes.EXTREME:
            try:
                found.append(self.case_of(probe))
            except Exception as error:
                self.notes.append(f"{probe.name}: {place_of(error, self.call.fn)}")
        return found

    def telling(self) -> bool:
        """Return whether it returns more than zeros, as a loss does that finds one class only."""
        return any(value.any() for case in self.cases for value in case.returned.outputs.values())

    def explained(self, most: int, coarse: bool = False, deadline: Deadline | None = None) -> bool:
        """Look for at most so many mistakes that explain everything, and return whether some were found.

        ``coarse`` takes numbers of float64 for computed in float32; after the deadline no more pairs are tried.
        """
        if (most, coarse) not in self._searched:
            self._searched[most, coarse] = self._search(most, coarse, deadline)
        self.diagnosis = self._searched[most, coarse]
        if self.diagnosis.found is None and most > 1 and self.half_precise():
            self.behaviours.append(behaviours.HALF_PRECISION)
            self.diagnosis = Diagnosis(())
        return self.diagnosis.found is not None

    def n_mistakes(self) -> int:
        """Return how many mistakes explain it, conventions and limits aside."""
        return sum(mistake.kind == "mistake" for mistake in self.diagnosis.found or ())

    def n_right(self) -> int:
        """Return how many results of ordinary cases are right."""
        return sum(
            distance(case.probe, name, value) <= RIGHT_WITHIN[case.returned.dtype]
            for case in self.cases
            for name, value in case.returned.outputs.items()
        )

    def _search(self, most: int, coarse: bool, deadline: Deadline | None) -> Diagnosis:
        """Search the cases for at most so many mistakes; what is only as good as its dtype is judged in that dtype."""
        cases = [*self.cases, *self.extremes]
        if coarse:
            cases = [_in_dtype(case, "float32") if case.returned.dtype == "float64" else case for case in cases]
        if self.right and not all(error_of(case) <= SAME_WITHIN[case.returned.dtype] for case in self.cases):
            worst = max(map(error_of, self.cases))
            narrow = "float32" if worst < SAME_WITHIN["float32"] else self.cases[0].returned.dtype
            cases = [_in_dtype(case, narrow) for case in cases]
        found = diagnose(cases, most=most, deadline=deadline)
        took_no_logits = "softmax" in self.call.roles and "softmax applied twice" in found.names
        return Diagnosis(None) if took_no_logits else found

    def _try_probes(self) -> None:
        """Run it on the ordinary probes; it has to take the first one."""
        of_layer = self.call.task == "layer"
        base = probes.LAYERS if of_layer else (*probes.ORDINARY, probes.SMALL)
        for probe in base:
            try:
                case = self.case_of(probe)
            except NotRunnable:
                if probe is base[0]:
                    raise
            except Exception as error:
                if probe is base[0] and not of_layer:
                    raise
                self._label_out_of_range(probe, error)
            else:
                self.cases.append(case)
                if len(self.cases) == 1 and self._keeps_state(case):
                    break

    def _keeps_state(self, case: Case) -> bool:
        """Return whether a second call with the same input gives something else, which is noted."""
        dtype, second = case.returned.dtype, self.case_of(case.probe).returned.outputs
        for name, value in case.returned.outputs.items():
            if name in second and not agrees(value, second[name], SAME_WITHIN[dtype]):
                twice = agrees(2 * value, second[name], SAME_WITHIN[dtype])
                self.behaviours.append(behaviours.ACCUMULATED if twice else behaviours.SECOND_CALL_DIFFERS)
                return True
        return False

    def _label_out_of_range(self, probe: Probe, error: Exception) -> None:
        """Note what a probe raised; where it is the one with labels from 0 to V − 1, labels may be one too high."""
        if probe is probes.ORDINARY[2] and self.sizes == (None, None) and isinstance(error, MISUSED):
            self.notes.append(f"with labels from 0 to V − 1 it raises {place_of(error, self.call.fn)}")
            self.behaviours.append(behaviours.LABELS_ONE_TOO_HIGH)
        else:
            self.notes.append(f"{probe.name}: {place_of(error, self.call.fn)}")

    def _try_options(self) -> None:
        """Run it with the options that it has parameters for, and under a gradient from above."""
        if self.call.task != "loss":
            return
        has = [name for name in self.call.parameters if name not in self.told]
        groups = [*((name,) for name in has), *(pair for pair in OPTIONS_TOGETHER if {*pair} <= {*has})]
        wanted = [probes.with_options(*group) for group in groups]
        if "reduction" in has:
            wanted.append(probes.with_options(reduction="none"))
        first = self.cases[0].returned
        if first.derived and "upstream" not in has:
            each = first.outputs["loss"].ndim and not self.call.rowwise
            above = np.linspace(0.5, 2, 7) if each else 1.75
            wanted.append(replace(probes.with_options(), name="an upstream gradient other than 1", upstream=above))
        for probe in wanted:
            if self.call.target == "one-hot" and "ignore_index" in probe.options:
                continue
            try:
                self.cases.append(self.case_of(probe))
            except Exception as error:
                self.notes.append(f"{probe.name}: {place_of(error, self.call.fn)}")
        if self.call.target == "one-hot":
            self._try_distributions()

    def _try_distributions(self) -> None:
        """Pass distributions where one-hot rows are taken: a known mistake counts, anything else is a note."""
        try:
            case = self.case_of(probes.SOFT)
        except Exception:
            self.notes.append("targets that are distributions are not taken")
            return
        if is_right(case) or not all(map(is_right, self.cases)) or diagnose([case], most=1).found:
            self.cases.append(case)
        else:
            self.notes.append("right for one-hot targets only, not for distributions")

    def half_precise(self) -> bool:
        """Return whether the numbers are right to half precision and no further, without having that dtype."""
        dtype = self.cases[0].returned.dtype
        worst = max(min(error_of(case), 1.0) for case in self.cases if case.probe.name != probes.SMALL.name)
        known = behaviours.HALF_PRECISION in self.behaviours
        return dtype in ("float64", "float32") and RIGHT_WITHIN[dtype] < worst < RIGHT_WITHIN["float16"] and not known


def _in_dtype(case: Case, dtype: str) -> Case:
    """Return the case with numbers that count as computed in a dtype."""
    return Case(case.probe, replace(case.returned, dtype=dtype))
