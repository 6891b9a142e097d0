"""From numbers to mistakes: which changes of the loss's steps reproduce what a function returned, exactly.

The order: nothing is wrong; one known mistake; two of them; then, of mistakes that show only where exp leaves its
range, one or two more. What none explains is narrowed down to the part of the derivative that is off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luce.check.mistakes import CATALOGUE, EPSILONS, Mistake, floored
from luce.check.probes import SPREAD, Probe
from luce.check.signature import Observed
from luce.check.steps import walk

__all__ = ["FAIR", "TIGHT", "Case", "Diagnosis", "agrees", "diagnose", "part"]

Array = NDArray[Any]
Case = tuple[Probe, Observed]

TIGHT = {"float64": 1e-10, "float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}
"""The error, relative to the largest entry, up to which numbers are the same numbers: some thousands of roundings."""

FAIR = {"float64": 1e-5, "float32": 2e-4, "float16": 2e-2, "bfloat16": 1e-1}
"""Up to which a function is called right, to the digits that it has; in float64, the error of float32 arithmetic."""

LARGEST = 2
"""Mistakes in combination that are searched."""


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that reproduce the numbers, and the other sets that do so as well; None where nothing does."""

    found: tuple[Mistake, ...] | None
    ties: tuple[tuple[Mistake, ...], ...] = ()


def agrees(predicted: Array, value: Array, tolerance: float, least: float = 1e-30) -> bool:
    """Whether these are the same numbers, relative to the largest or to ``least``, where there is only rounding.

    A result that is not finite anywhere agrees with any such result.
    """
    if predicted.shape != value.shape:
        return False
    if least > 1e-30 and not predicted.any():
        return not value.any()
    finite = np.isfinite(predicted).all(), np.isfinite(value).all()
    if not all(finite):
        return not any(finite)
    size = float(np.abs(predicted).max(initial=0.0))
    return bool(np.abs(predicted - value).max(initial=0.0) <= tolerance * max(size, least))


def diagnose(cases: Sequence[Case], *, most: int = LARGEST) -> Diagnosis:
    """The smallest set of known mistakes that reproduces all cases.

    Parameters
    ----------
    cases : sequence of (Probe, Observed)
        What was passed and what came back.
    most : int
        How many mistakes are combined at most on ordinary probes; the extreme ones may add two.

    Returns
    -------
    Diagnosis
    """
    ordinary = [case for case in cases if case[0].ordinary]
    extreme = [case for case in cases if not case[0].ordinary]
    first, catalogue = Diagnosis(None), [*CATALOGUE, *_read_off(extreme)]
    for found in _explanations(ordinary, most, catalogue):
        if first.found is None:
            first = Diagnosis(found)
        elif len(found) == len(first.found or ()):
            first = replace(first, ties=(*first.ties, found))
        else:
            break
    if first.found is None or not extreme or _explains(first.found, extreme):
        return first
    likely = sorted(catalogue, key=lambda mistake: mistake.kind != "limit")
    hidden = [m for m in likely if m not in first.found and _changes(m, extreme) and not _changes(m, ordinary)]
    for size in (1, 2):
        for more in itertools.combinations(hidden, size):
            if _explains((*first.found, *more), extreme):
                return replace(first, found=(*first.found, *more), ties=())
    return first


def _explanations(cases: Sequence[Case], most: int, catalogue: Sequence[Mistake]) -> Iterator[tuple[Mistake, ...]]:
    """All sets of mistakes that reproduce the cases, smallest first."""
    if not cases:
        return
    if _explains((), cases):
        yield ()
        return
    visible = [mistake for mistake in catalogue if _changes(mistake, cases)]
    for mistake in visible:
        if _explains((mistake,), cases):
            yield (mistake,)
    if most < 2:
        return
    shifts = [mistake for mistake in catalogue if mistake.step == "shift" and mistake not in visible]
    for one, other in itertools.chain(itertools.combinations(visible, 2), itertools.product(shifts, visible)):
        if _explains((one, other), cases):
            yield (one, other)
        elif one.step == other.step and _explains((other, one), cases):
            yield (other, one)


def _read_off(cases: Sequence[Case]) -> list[Mistake]:
    """The floor under the probability that the loss of a target of probability 0 shows, where it is no usual one."""
    for probe, observed in cases:
        loss = observed.outputs.get("loss")
        if probe.name == SPREAD.name and loss is not None and np.isfinite(loss).all():
            total = float(loss.sum() if loss.ndim else loss * len(probe.logits))
            epsilon = math.exp(-max(total, 0.0))
            if 1e-320 < epsilon < 0.1 and not np.isclose(epsilon, EPSILONS, rtol=1e-3, atol=0).any():
                added = epsilon
                for _ in range(8):  # the other two rows add log(1 + ε) each
                    added = epsilon / (1 + added) ** 2
                return [floored(added, False), floored(epsilon, True)]
    return []


def _explains(mistakes: tuple[Mistake, ...], cases: Sequence[Case]) -> bool:
    return all(_explains_case(mistakes, probe, observed) for probe, observed in cases)


def _explains_case(mistakes: tuple[Mistake, ...], probe: Probe, observed: Observed) -> bool:
    predicted = walk(probe, mistakes, observed.outputs)
    tolerance = TIGHT[observed.dtype]
    if observed.arithmetic:
        broken = [not np.isfinite(predicted[name]).all() for name in ("loss", "gradient")]
        return all(broken) if observed.arithmetic == "OverflowError" else any(broken)
    right = walk(probe, (), observed.outputs)
    least = {name: 1e-3 * float(np.abs(right[name]).max(initial=0.0)) for name in observed.outputs}
    wrong = [n for n, value in observed.outputs.items() if not agrees(predicted[n], value, tolerance, least[n])]
    if wrong and observed.derived and "loss" in observed.outputs and "loss" not in wrong and mistakes:
        return _is_its_derivative(mistakes, probe, observed)
    return not wrong


def _is_its_derivative(mistakes: tuple[Mistake, ...], probe: Probe, observed: Observed) -> bool:
    """Whether autograd's gradient is that of the loss with the mistakes: then they are in the loss alone."""
    if not np.isfinite(observed.outputs["loss"]).all():
        return True
    if "gradient" not in observed.outputs:
        return not agrees(walk(probe)["loss"], observed.outputs["loss"], TIGHT[observed.dtype])
    h, slope = 1e-5, np.empty_like(probe.logits)
    for place in np.ndindex(*probe.logits.shape):
        step = np.zeros_like(probe.logits)
        step[place] = h
        ends = (replace(probe, logits=z) for z in (probe.logits + step, probe.logits - step))
        up, down = (walk(end, mistakes, ("loss",))["loss"] for end in ends)
        slope[place] = (np.sum(up) - np.sum(down)) / (2 * h)
    above = 1.0 if probe.upstream is None else np.reshape(probe.upstream, (-1, 1))
    return agrees(slope * above, observed.outputs["gradient"], max(1e-6, TIGHT[observed.dtype]))


def _changes(mistake: Mistake, cases: Sequence[Case]) -> bool:
    """Whether the mistake shows in what these cases return."""
    for probe, observed in cases:
        if mistake.step == "layer" and probe.layer is None:
            continue
        names = tuple(observed.outputs) or ("loss", "gradient")
        right, wrong = walk(probe, (), names), walk(probe, (mistake,), names)
        if any(name in right and not agrees(right[name], wrong[name], TIGHT[observed.dtype]) for name in names):
            return True
    return False


def part(probe: Probe, observed: Observed) -> str:
    """Where the numbers differ from the truth, in words, when no known mistake gives them."""
    right = walk(probe, (), observed.outputs)
    tolerance = TIGHT[observed.dtype]
    wrong = [name for name in observed.outputs if not agrees(right[name], observed.outputs[name], tolerance)]
    said = []
    kept = [name for name in observed.outputs if name not in wrong]
    if kept:
        said.append(f"{' and '.join(kept)} {'is' if len(kept) == 1 else 'are'} right")
    for name in wrong:
        said.append(f"{name}: {_where(probe, name, observed.outputs[name], right[name], tolerance)}")
    return "; ".join(said)


def _where(probe: Probe, name: str, value: Array, right: Array, tolerance: float) -> str:
    if value.shape != right.shape:
        return f"shape {value.shape}, expected {right.shape}"
    if not np.isfinite(value).all():
        return "not finite"
    factor = float((value * right).sum() / (right * right).sum())
    if agrees(factor * right, value, 10 * tolerance):
        return f"{factor:.6g} times the right one"
    if right.ndim != 2:
        return f"{np.ravel(value)[0]:.6g}, expected {np.ravel(right)[0]:.6g}" if right.ndim == 0 else "entries differ"
    off = np.abs(value - right) > tolerance * np.abs(right).max()
    if name == "gradient":
        own = np.arange(right.shape[1]) == probe.labels[:, None]
        if not off[~own].any():
            return "only the target's entries are wrong"
        if not off[own].any():
            return "the target's entries are right, the others are wrong"
    if off.any(axis=1).sum() < len(off):
        return f"only rows {', '.join(map(str, np.flatnonzero(off.any(axis=1))))} are wrong"
    if off.any(axis=0).sum() < off.shape[1]:
        return f"only classes {', '.join(map(str, np.flatnonzero(off.any(axis=0))))} are wrong"
    if name == "gradient":
        truth = walk(probe)
        terms = {"p": truth["softmax"], "t": own * 1.0, "1": np.ones_like(right), "z": probe.logits}
        terms |= {"p²": truth["softmax"] ** 2, "p·t": truth["softmax"] * own}
        design = np.stack([term.ravel() for term in terms.values()], axis=1) / len(right)
        weights = np.linalg.lstsq(design, value.ravel(), rcond=None)[0]
        if agrees((design @ weights).reshape(right.shape), value, 1e-6):
            parts = [f"{weight:+.4g}·{term}" for term, weight in zip(terms, weights, strict=True) if abs(weight) > 1e-6]
            return f"it is ({' '.join(parts)}) / N; the right one is (p − t) / N"
        for axis, sums in (("rows", value.sum(axis=1)), ("columns", value.sum(axis=0))):
            if np.abs(sums).max() < 10 * tolerance * np.abs(value).max():
                return f"every entry is wrong; the {axis} sum to 0"
        return "every entry is wrong, and its rows do not sum to 0"
    return "every entry is wrong"
