"""What the run subtracts from the logits: a mistake in it that only infinities tell is not asserted against that."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace

import numpy as np

from luce.check.doctor.closeness import Case, agrees
from luce.check.doctor.diagnosis import Diagnosis
from luce.check.doctor.examination import Examination
from luce.check.doctor.mistakes.entry import Finding, Mistake
from luce.check.doctor.repair.recognition import Known, recognised
from luce.check.doctor.repair.recording import Left, recorded
from luce.check.doctor.repair.source import file_of
from luce.check.doctor.walk import after, walk
from luce.check.inputs.probes import Probe
from luce.derivation import Quantities
from luce.derivation.steps import shift

__all__ = ["seen"]

NOT_FINITE = Finding(
    name="not finite where p rounds to 0",
    said="The row's maximum is subtracted, and with extreme logits the numbers are not finite all the same. One of: "
    "the logarithm of a p that rounds to 0, a division by it, 0 times infinity.",
    computed="log p or 1 / p of a finished softmax",
    right="log p = z − m − log Σ exp(z − m), and p − t without a division",
    fix="log_p = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))",
    kind="limit",
)


def seen(examination: Examination, fn: object) -> Diagnosis:
    """Return the diagnosis without another shift where the run is seen to subtract the row's maximum.

    Parameters
    ----------
    examination : Examination
    fn : callable

    Returns
    -------
    Diagnosis
        The examination's own where there is no such mistake, or where the run does not tell. Where one is left out, the
        examination's behaviours say what is seen instead.
    """
    diagnosis = examination.diagnosis
    probe = examination.cases[0].probe
    shifts = [m for m in diagnosis.found or () if m.step is shift and _is_told_by_infinities(m, probe)]
    if not shifts:
        return diagnosis
    with suppress(Exception), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        record = recorded(lambda: examination.call(probe), [file_of(fn)])
        false = [mistake for mistake in shifts if _shows(record, probe) and not _shows(record, probe, mistake)]
        if false and not all(_is_finite(case) for case in examination.extremes):
            examination.behaviours.append(NOT_FINITE)
        return replace(diagnosis, found=tuple(mistake for mistake in diagnosis.found or () if mistake not in false))
    return diagnosis


def _is_finite(case: Case) -> bool:
    """Return whether all numbers of a case are finite."""
    return not case.returned.arithmetic and all(np.isfinite(value).all() for value in case.returned.outputs.values())


def _is_told_by_infinities(mistake: Mistake, probe: Probe) -> bool:
    """Return whether ordinary numbers are the same with a mistake."""
    right, wrong = walk(probe), walk(probe, (mistake,))
    return all(agrees(value, wrong[name]) for name, value in right.items() if name in wrong)


def _shows(record: Sequence[Left], probe: Probe, mistake: Mistake | None = None) -> bool:
    """Return whether a record has the shift of the derivation, or that of a mistake, or the logits less that."""
    q: Quantities = after(probe, shift, mistake)
    held = {"m": np.asarray(q.m, float), "z − m": np.asarray(q.u - q.m, float), "e": np.exp(q.u - q.m)}
    known = [Known(name, name, value) for name, value in held.items() if np.ptp(value) > 0]
    return any(recognised(left.value, known) for left in record)
