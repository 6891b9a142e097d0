"""The derivation as a script of NumPy, which recomputes every number and compares it with the exact one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from luce.derivation.quantities import Array
from luce.explanation.faces.content import given_words, title_words

if TYPE_CHECKING:
    from luce.explanation.step import Step
    from luce.explanation.steps import Steps

__all__ = ["script"]

RTOL, EACH = 1e-9, 4e-15  # of each number, and for each unit of the largest score
MOST = 2000  # entries of an array that are compared
WIDTH = 100
GIVEN = "scores", "target_given"
OPTIONS = {"temperature": "temperature", "softcap": "softcap", "label_smoothing": "label_smoothing", "z_loss": "z_loss"}

HEAD = '''"""{title}.

{given}.
Every number is recomputed step by step, and compared with the exact one.
"""

import numpy as np

np.seterr(all="ignore")  # infinities and NaN are checked as all other numbers are


def check(name, found, exact, scale=1.0):
    """Compare numbers with the exact ones, rounded to float64; rounding errors are of the size of what was summed."""
    np.testing.assert_allclose(found, exact, rtol={rtol!r}, atol={atol!r} * scale, err_msg=name)


nan, inf = np.nan, np.inf
'''


def script(derivation: Steps) -> str:
    """Return the script; it needs NumPy alone and ends with a line that says how much was right."""
    rtol = _tolerance(derivation)
    lines = [_head(derivation, rtol), "# What was given", *_given(derivation)]
    for number, part in enumerate(derivation.parts, 1):
        lines += ["", "", f"# {number}. {part.title}"]
        for step in part.steps:
            lines += ["", *_step(derivation, step)]
    count = sum(line.startswith("check(") for line in lines)
    return "\n".join(
        [*lines, "", f'print("{count} of {len(derivation)} steps recomputed, every number as it should be")', ""]
    )


def _step(derivation: Steps, step: Step) -> Iterator[str]:
    """Yield the lines of a step, and the names of those that are left out and for which it stands."""
    if not step.code and step.name not in GIVEN:
        yield f"# {step.title}: not recomputed here"
        return
    yield f"# {step.title}: {step.rule}"
    yield from step.code.splitlines()
    yield _check(derivation, step)
    if step.name == "scores" and derivation.case.broken:
        yield "scores = np.full_like(scores, nan)  # this is no row of numbers, and neither is what follows"
    for name, instead in derivation.left_out.items():
        while instead in derivation.left_out:
            instead = derivation.left_out[instead]
        if instead == step.name:
            yield f"{name} = {instead}"


def _tolerance(derivation: Steps) -> float:
    """Return the relative error that is allowed: exp makes relative errors of the rounding errors of scores."""
    case = derivation.case
    sizes = [np.abs(derivation.values["scaled"].astype(np.float64)), np.abs(case.scores)]
    if case.given.layer is not None:
        x, weights, bias = map(np.abs, case.given.layer)
        sizes.append(x @ weights.T + bias)
    largest = max(float(size[np.isfinite(size)].max(initial=1.0)) for size in sizes)
    return max(RTOL, EACH * largest)


def _head(derivation: Steps, rtol: float) -> str:
    """Return the top of the script."""
    words = title_words(derivation), given_words(derivation)
    title, given = (text.replace("\\", "/").replace('"', "'") for text in words)
    return HEAD.format(title=title, given=given, rtol=rtol, atol=rtol / 1000)


def _given(derivation: Steps) -> Iterator[str]:
    """Yield the lines that set what was given."""
    case, values = derivation.case, derivation.values
    layer, q = case.given.layer, values.derived
    for option, name in OPTIONS.items():
        if case.says(option):
            yield f"{name} = {float(case.options[option])!r}"  # type: ignore[arg-type]
    if case.says("weight"):
        yield f"class_weights = {literal(values['class_weights'])}"
    if q.normalizer is not None:
        yield f"normalizer = {float(q.normalizer)!r}"
    if layer is not None:
        yield f"weights = {literal(layer[1])}"
        yield f"bias = {literal(layer[2])}"
    yield f"counts = {literal(case.given.counted)}  # rows that are not ignored"
    if "sample_weight" in case.given.options:
        yield f"sample_weight = {literal(case.given.options['sample_weight'])}"
    if q.hard and case.says("weight"):
        yield f"labels = {literal(case.given.labels)}"
    if not case.batch:
        yield f"input = {literal(layer[0][0])}" if layer is not None else f"scores = {literal(case.scores[0])}"
        yield f"target_given = {literal(values['target_given'])}"
        return
    rows = case.scores if layer is None else layer[0]
    name = "batch_scores" if layer is None else "batch_input"
    yield f"{name} = {literal(_blanked(case.given.logits, case.scores) if layer is None else rows)}"
    yield f"batch_target = {literal(q.t_given)}"
    if layer is not None:
        yield f"input = batch_input[{case.row}]"
    else:
        yield f"scores = {literal(case.scores[case.row]) if case.broken else f'batch_scores[{case.row}]'}"
    yield f"target_given = batch_target[{case.row}]"


def _blanked(logits: Array, scores: Array) -> Array:
    """Return the scores, rows that are no rows of numbers as NaN."""
    return np.where(np.isnan(logits), np.nan, scores)


def _check(derivation: Steps, step: Step) -> str:
    """Return the line that compares a step's value with the exact one."""
    value, name = step.value, step.name
    sizes = [_size(derivation, other) for other in (step.name, *step.follows)]
    scale = f", {max(1.0, *sizes):.3g}"
    if value.size > MOST:
        every = -(-value.size // MOST)
        return f'check("{name}", np.ravel({name})[::{every}], {literal(value.ravel()[::every])}{scale})'
    return f'check("{name}", {name}, {literal(value)}{scale})'


def _size(derivation: Steps, name: str) -> float:
    """Return the largest finite number of a step."""
    value = np.abs(derivation.values[name].astype(np.float64))
    return float(value[np.isfinite(value)].max(initial=0.0))


def literal(values: Any) -> str:
    """Return numbers as Python writes them."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = array.astype(np.float64)
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    if array.ndim == 0:
        return repr(array.item())
    text = f"np.array({array.tolist()!r})"
    if len(text) <= WIDTH or array.ndim < 2:
        return text
    rows = ",\n    ".join(map(repr, array.tolist()))
    return f"np.array([\n    {rows},\n])"
