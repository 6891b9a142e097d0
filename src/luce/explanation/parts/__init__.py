"""The parts of an explanation, one file each: their quantities and their steps."""

from __future__ import annotations

from luce.explanation.case import Case
from luce.explanation.parts import (
    batch,
    chain,
    cross_entropy,
    curvature,
    descent,
    jacobian,
    layer,
    mistakes,
    other_losses,
    precision,
    ranking,
    scores,
    shift,
    softmax,
    two_classes,
)
from luce.explanation.quantities import Values
from luce.explanation.step import Part

__all__ = ["PARTS", "parts_of"]

PARTS = (
    *(scores, shift, softmax, jacobian, cross_entropy, chain, layer, batch, curvature),
    *(precision, other_losses, two_classes, ranking, descent, mistakes),
)
"""The modules of the parts, in their order."""


def parts_of(case: Case, values: Values) -> tuple[Part, ...]:
    """Return the parts that there are of a case, their steps without values."""
    return tuple(found for module in PARTS if (found := module.part(case, values)) is not None)
