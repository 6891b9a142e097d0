"""The catalogue of known mistakes, conventions and limits, in the order in which they are said.

The list follows what people did in public. Where several give the same numbers on every probe, the one that ranks first
is named: the subjects rank in the order of :data:`SUBJECTS`, and the entries of a subject in the order of its file.
"""

from __future__ import annotations

from luce.check.doctor.mistakes import (
    derivative,
    divisor,
    gradient,
    layer,
    loss,
    reduction,
    softmax,
    target,
    temperature,
    underflow,
    weights,
)
from luce.check.doctor.mistakes.entry import Mistake

__all__ = ["CATALOGUE", "SUBJECTS"]

SUBJECTS = (divisor, softmax, temperature, target, weights, underflow, loss, gradient, reduction, layer, derivative)
"""The files of the catalogue by rank, that of the commonest mistakes first."""

CATALOGUE: tuple[Mistake, ...] = tuple(mistake for subject in SUBJECTS for mistake in subject.SUBJECT)
"""All that :func:`luce.check.doctor.walk.walk` can make."""
