"""The verdict: what an examination found, put into a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luce.check.doctor.closeness import RIGHT_WITHIN, Case, digits, distance, error_of, is_right, truth_of
from luce.check.doctor.examination import Examination
from luce.check.doctor.mistakes.entry import Finding, Mistake
from luce.check.doctor.mistakes.gradient import gradient_at_the_probabilities, gradient_zero
from luce.check.doctor.mistakes.reduction import gradient_stored_as_integers
from luce.check.doctor.narrowing import wrong_part
from luce.check.doctor.report import Example, Report
from luce.check.inputs import probes

__all__ = ["report_on"]


def report_on(examination: Examination, name: str) -> Report:
    """Put all that an examination found into a report on a function of this name."""
    found = examination.diagnosis.found
    if examination.right:
        _try_impossible_class(examination)
    mistakes: list[Finding] = [_as_said(examination, mistake) for mistake in found or ()]
    named = {mistake.name for mistake in mistakes}
    mistakes += [behaviour for behaviour in examination.behaviours if behaviour.name not in named]
    kinds = {kind: tuple(m for m in mistakes if m.kind == kind) for kind in ("mistake", "convention", "limit")}
    unknown = found is None and not examination.right
    wrong = bool(kinds["mistake"]) or unknown
    broken = [case for case in (*examination.cases, *examination.extremes) if not is_right(case)]
    plainly_right = not wrong and not kinds["convention"]
    return Report(
        name,
        "wrong" if wrong else "correct",
        called=examination.call.describe(),
        task=examination.call.task,
        checked=tuple(examination.cases[0].returned.outputs),
        diagnosis=(*kinds["mistake"], *kinds["convention"], *kinds["limit"]),
        ties=examination.diagnosis.ties,
        part=wrong_part(*broken[0]) if unknown and broken else "",
        digits=digits(max(map(error_of, examination.cases))) if plainly_right else None,
        dtypes=_dtypes(examination) if plainly_right else {},
        range={case.probe.name: is_right(case) for case in examination.extremes if examination.right},
        example=_example(examination, broken) if wrong else None,
        notes=tuple(examination.notes),
    )


def _try_impossible_class(examination: Examination) -> None:
    """Note where a logit of −inf, a class that is masked out, is not taken: that is beyond what most promise."""
    try:
        right = examination.call.task == "layer" or is_right(examination.case_of(probes.HOLES))
    except Exception:
        right = False
    if not right:
        examination.notes.append("not right where a class is masked out by a logit of −inf")


def _as_said(examination: Examination, mistake: Mistake) -> Finding:
    """Return the mistake as it is to be said of this function.

    A convention that contradicts what was said is a mistake; a derivative by what the function takes is none.
    """
    if mistake.unless in examination.said:
        return replace(mistake, kind="mistake")
    if "softmax" in examination.call.roles and mistake.name == gradient_at_the_probabilities.name:
        return replace(mistake, kind="convention")
    if mistake.name == gradient_zero.name and "gradient" in examination.cases[0].returned.whole:
        return gradient_stored_as_integers
    return mistake


def _dtypes(examination: Examination) -> dict[str, str]:
    """Return how many digits are right for inputs of each dtype."""
    call, said = examination.call, {}
    for dtype in ("float64", "float32", "float16", *(("bfloat16",) if call.framework == "torch" else ())):
        if call.framework == "list" and dtype != "float64":
            continue
        try:
            probe = probes.LAYERS[0] if call.task == "layer" else probes.ORDINARY[0]
            said[dtype] = f"{digits(error_of(examination.case_of(probe, replace(call, dtype=dtype))))} digits"
        except Exception as error:
            said[dtype] = f"not taken, {type(error).__name__}"
    return said


def _example(examination: Examination, broken: Sequence[Case]) -> Example | None:
    """Return the smallest case that shows that something is wrong."""
    if examination.call.task != "layer":
        try:
            smallest = examination.case_of(probes.SMALLEST)
        except Exception:
            smallest = None
        if smallest and not is_right(smallest):
            broken = [smallest]
    if not broken:
        return None
    probe, returned = min(broken, key=lambda case: case.probe.logits.size)
    if not returned.outputs:
        return Example(probe.name, probe.logits[0], probe.target[0], "", None, None, 0, probe)
    names = list(returned.outputs)[::-1]
    name = max(names, key=lambda n: distance(probe, n, returned.outputs[n]) > RIGHT_WITHIN[returned.dtype])
    right, value = truth_of(probe, name), returned.outputs[name]
    row = 0
    if right.shape == value.shape and value.ndim and len(value) == len(probe.logits):
        off = np.abs(np.where(np.isfinite(value), value, 1e300) - right).reshape(len(value), -1).max(axis=1)
        row = int(off.argmax())
        right, value = right[row], value[row]
    return Example(probe.name, probe.logits[row], probe.target[row], name, right, value, row, probe)
