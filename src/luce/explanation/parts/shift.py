"""The shift by the maximum, which changes nothing and keeps the exponentials in range."""

from __future__ import annotations

from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import row
from luce.explanation.quantities import Numbers, Values, quantity
from luce.explanation.shown import Slot, n, pn
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["FORMATS", "part"]

# format: bits of the significand with the leading one, exponent of the smallest normal number, of the largest
FORMATS = {
    "float16": (11, -14, 15),
    "bfloat16": (8, -126, 127),
    "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}


@quantity
def shift(v: Values) -> Numbers:
    """What is subtracted, m: the largest of the scores."""
    return v.derived.m[v.case.row, 0]


@quantity
def shifted(v: Values) -> Numbers:
    """The shifted scores, u − m, of shape (T,); none is above 0."""
    return v["scaled"] - v["shift"]


@quantity
def overflow_limits(v: Values) -> Numbers:
    """The largest x whose exponential is finite, for each format: the logarithm of the largest number."""
    return [mp.log((2 - mp.mpf(2) ** (1 - bits)) * mp.mpf(2) ** top) for bits, _, top in FORMATS.values()]


@quantity
def underflow_limits(v: Values) -> Numbers:
    """The x below which the exponential is rounded to 0, for each format: the logarithm of half the smallest number."""
    return [(low - (bits - 1) - 1) * mp.log(2) for bits, low, _ in FORMATS.values()]


RANGES = Table(
    caption="The range of exp: above the first number it overflows to ∞, below the second it is rounded to 0.",
    head=("format", "overflows above", "is 0 below"),
    rows=tuple((name, Slot("overflow_limits", (k,)), Slot("underflow_limits", (k,))) for k, name in enumerate(FORMATS)),
)


def part(case: Case, v: Values) -> Part:
    """Return the part about the shift."""
    lead = (
        "Adding one number to all scores changes no probability, because exp turns the sum into a factor that "
        "numerator and denominator share. So the largest score is subtracted first: then no exponential can overflow."
    )
    shift_step = Step(
        name="shift",
        title="The largest score",
        symbol="m",
        formula=r"m = \max_k \U_k",
        template=rf"m \eq {n('shift')}",
        follows=("scaled",),
        why="Any number would do; the maximum makes the largest exponential exactly 1.",
        code="shift = scaled.max()",
        notes=(
            Note(
                "The shift cancels:",
                r"\frac{e^{\U_i - c}}{\sum_k e^{\U_k - c}} = \frac{e^{-c}\, e^{\U_i}}{e^{-c} \sum_k e^{\U_k}} = "
                r"\frac{e^{\U_i}}{\sum_k e^{\U_k}}",
            ),
            *_without(case, v),
        ),
        tables=(RANGES,),
    )
    shifted_step = Step(
        name="shifted",
        title="The shifted scores",
        symbol=r"\U - m",
        formula=r"\U_i - m \le 0",
        template=rf"\U_0 - m \eq {n('scaled', 0)} - {pn('shift')} \eq {n('shifted', 0)}, \quad \U - m \eq "
        + row(case.n_classes, lambda k: n("shifted", k), case.told),
        follows=("scaled", "shift"),
        why="The largest is 0, the others are what they lie below it.",
        axes=("T",),
        code="shifted = scaled - shift",
    )
    return Part("shift", "The shift by the maximum", lead, (shift_step, shifted_step))


def _without(case: Case, v: Values) -> list[Note]:
    """Return what would happen to these scores without the shift, in each format, in words."""
    scaled = [x for x in v["scaled"] if mp.isfinite(x)]
    if not scaled:
        return []
    said = []
    for name, over, under in zip(FORMATS, v["overflow_limits"], v["underflow_limits"], strict=True):
        if max(scaled) > over:
            said.append(f"in {name} the largest exponential overflows")
        elif max(scaled) < under:
            said.append(f"in {name} all exponentials are 0, and 0/0 is NaN")
        elif min(scaled) < under:
            said.append(f"in {name} the smallest exponential is rounded to 0")
    words = "; ".join(said) if said else "nothing overflows and nothing underflows"
    return [Note(f"Without the shift, on these scores: {words}.")]
