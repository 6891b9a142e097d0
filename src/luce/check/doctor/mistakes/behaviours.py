"""The findings that show when a function is called, and not in the numbers of one call."""

from __future__ import annotations

from luce.check.doctor.mistakes.entry import Finding

__all__ = [
    "ACCUMULATED",
    "BEHAVIOURS",
    "HALF_PRECISION",
    "INPUT_OVERWRITTEN",
    "LABELS_ONE_TOO_HIGH",
    "SECOND_CALL_DIFFERS",
]

INPUT_OVERWRITTEN = Finding(
    name="input overwritten",
    said="The function changes the logits or the target that it is given: whoever uses them next gets something else.",
    computed="z −= max z, in place",
    right="z is left as it is",
    fix="z = z - ..., not z -= ...; or copy first",
)
ACCUMULATED = Finding(
    name="gradient accumulated",
    said="The second call returns the first call's gradient on top of its own: a buffer is not reset.",
    computed="G₂ = G₁ + (p − t)",
    right="G₂ = p − t",
    fix="set the buffer to 0 at the start of each call",
)
SECOND_CALL_DIFFERS = Finding(
    name="second call returns something else",
    said="Called twice with the same input, the function returns different numbers: something is kept between calls.",
    computed="f(z) ≠ f(z)",
    right="f(z) = f(z)",
    fix="keep no state between calls",
)
HALF_PRECISION = Finding(
    name="computed in float16",
    said="Input and output have more digits, but the numbers are only as good as half precision: sums are rounded to "
    "11 bits.",
    computed="float16 inside",
    right="float32 or wider inside",
    fix="accumulate in float32",
)
LABELS_ONE_TOO_HIGH = Finding(
    name="labels one too high",
    said="A label of the last class is out of range: labels taken to count from 0 where 1 is added, or tables one too "
    "short.",
    computed="y + 1",
    right="y in 0 … V − 1",
    fix="remove the + 1",
)
BEHAVIOURS = (INPUT_OVERWRITTEN, ACCUMULATED, SECOND_CALL_DIFFERS, HALF_PRECISION, LABELS_ONE_TOO_HIGH)
"""All of them."""
