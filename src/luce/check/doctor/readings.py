"""Values that a function has built in, read off its numbers: each becomes a candidate, which the search then verifies.

A floor under the probability, a label smoothing, a temperature, a way of cutting the batch: there are too many of each
to try, and the numbers tell which one it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from luce.check.calling.outputs import Returned
from luce.check.doctor.closeness import Case
from luce.check.doctor.mistakes.catalogue import CATALOGUE
from luce.check.doctor.mistakes.entry import Mistake
from luce.check.doctor.mistakes.underflow import EPSILONS, floored
from luce.check.doctor.walk import walk
from luce.check.inputs.probes import SPREAD, Probe
from luce.derivation import Quantities
from luce.derivation.quantities import Array
from luce.derivation.steps import divisor, layer, scores

__all__ = ["readings"]

Cut = Callable[[int], list[int]]


def readings(cases: Sequence[Case]) -> list[Mistake]:
    """Return what a function may have built in, by the numbers that it returned.

    Parameters
    ----------
    cases : sequence of (Probe, Returned)

    Returns
    -------
    list of Mistake
        Candidates: each explains a part of the numbers, not necessarily all.
    """
    tried = (_floor, _smoothing, _temperature, _chunks)
    with np.errstate(all="ignore"):
        return list({mistake.name: mistake for reading in tried for mistake in reading(cases)}.values())


def _floor(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the floor under the probability that the loss of an impossible target shows, where it is no usual one."""
    for probe, returned in cases:
        loss = returned.outputs.get("loss")
        if probe.name == SPREAD.name and loss is not None and np.isfinite(loss).all():
            total = float(loss.sum() if loss.ndim else loss * len(probe.logits))
            epsilon = math.exp(-max(total, 0.0))
            if 1e-320 < epsilon < 0.1 and not np.isclose(epsilon, EPSILONS, rtol=1e-3, atol=0).any():
                added = epsilon
                for _ in range(8):  # the other two rows add log(1 + ε) each
                    added = epsilon / (1 + added) ** 2
                yield from (floored(added, False), floored(epsilon, True))


def _first(cases: Sequence[Case], option: str) -> tuple[Probe, Array | None, float | None] | None:
    """Return the first probe on which an option is not in use, the gradient there, and the mean loss."""
    for probe, returned in cases:
        if probe.ordinary and probe.layer is None and option not in probe.options and returned.outputs:
            loss = returned.outputs.get("loss")
            return probe, _gradient(probe, returned), None if loss is None else float(loss.mean())
    return None


def _gradient(probe: Probe, returned: Returned) -> Array | None:
    """Return the gradient at the logits, if there is one in numbers."""
    gradient = returned.outputs.get("gradient")
    usable = gradient is not None and gradient.shape == probe.logits.shape and np.isfinite(gradient).all()
    return gradient if usable else None


def _smoothing(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the smoothing: the gradient is ``a p + b + c t`` with ``ε = −b V / a``; the loss is linear in ε."""
    first = _first(cases, "label_smoothing")
    if first is None or np.ndim(first[0].target) == 2:
        return
    probe, gradient, loss = first
    v = probe.logits.shape[1]
    right = walk(probe)
    own = np.arange(v) == probe.labels[:, None]
    found = []
    if gradient is not None:
        design = np.stack([right["softmax"].ravel(), np.ones(own.size), own.ravel()], axis=1)
        (a, b, _), *_ = np.linalg.lstsq(design, gradient.ravel(), rcond=None)
        found += [-b / a * v, -b / a * (v - 1)] if a else []
    if loss is not None:
        log_p = np.log(right["softmax"])
        whole, label = -log_p.mean(), -log_p[own].mean()
        others = -log_p[~own].mean()
        for value in (loss, loss / len(log_p)):
            found += [(value - label) / (end - label) for end in (whole, others)]
    for epsilon in _rounded(found):
        if 1e-6 < epsilon < 1:
            yield _built_in(
                "label smoothing", "label_smoothing", epsilon, "t = (1 − ε) e_y + ε / V", "t = e_y", _smooth
            )


def _smooth(q: Quantities, epsilon: float) -> None:
    """Smooth by ε, which is built in."""
    q.epsilon = epsilon


def _temperature(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the temperature: two entries beside the target's are in the ratio ``exp(Δz / T)``; of a loss, a root."""
    first = _first(cases, "temperature")
    if first is None or np.ndim(first[0].target) == 2:
        return
    probe, gradient, loss = first
    found = []
    if gradient is not None:
        z = np.where(np.arange(probe.logits.shape[1]) == probe.labels[:, None], np.nan, probe.logits)[0]
        high, low = np.nanargmax(z), np.nanargmin(z)
        found.append((z[high] - z[low]) / np.log(gradient[0, high] / gradient[0, low]))
    elif loss is not None:
        for value in (loss, loss / len(probe.logits)):
            found += _roots(probe, value, np.geomspace(0.02, 50, 60))
    for temperature in _rounded(found):
        if 1e-3 < temperature < 1e3 and abs(temperature - 1) > 1e-6:
            yield _temperature_of(temperature)


def _temperature_of(value: float) -> Mistake:
    """Return a temperature that is built in."""
    return _built_in("temperature", "temperature", value, "softmax(z / T)", "softmax(z)", _warm)


def _warm(q: Quantities, temperature: float) -> None:
    """Divide the logits by a temperature that is built in."""
    q.temperature, q.u, q.du_dz = temperature, q.z / temperature, 1 / temperature


def _roots(probe: Probe, loss: float, grid: Array) -> list[float]:
    """Return the temperatures that give a loss, by bisection between the points of a grid."""

    def beyond(temperature: float) -> float:
        return float(walk(probe, (_temperature_of(temperature),), ("loss",))["loss"].mean()) - loss

    found = []
    values = [beyond(temperature) for temperature in grid]
    for a, b, left, right in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True):
        if left * right < 0:
            for _ in range(60):
                middle = (a + b) / 2
                a, b = (middle, b) if beyond(middle) * left > 0 else (a, middle)
            found.append(float(a + b) / 2)
    return found


def _rounded(values: Sequence[float]) -> list[float]:
    """Return the finite values, with as few digits as they may have been written with."""
    near = [float(f"{value:.6g}") for value in values if np.isfinite(value)]
    exact = [value for value in values if np.isfinite(value)]
    chosen = [n if np.isclose(n, e, rtol=1e-7) else float(e) for n, e in zip(near, exact, strict=True)]
    return list(dict.fromkeys(chosen))


def _built_in(
    what: str, option: str, value: float, computed: str, right: str, change: Callable[[Quantities, float], None]
) -> Mistake:
    """Return the mistake of an option's value that is built in and was not said."""
    return Mistake(
        name=f"{what} of {value:g}",
        said=f"A {what} of {value:g} is built in, which was not said.",
        computed=computed,
        right=right,
        fix=f"if it is meant, say {option}={value:g}",
        step=scores,
        change=lambda q: change(q, value),
        built_in=True,
    )


def _pieces(size: int) -> Cut:
    """Return the cut into pieces of a size, the last one perhaps smaller."""
    return lambda n: [size] * (n // size) + [n % size] * (n % size > 0)


def _parts(count: int) -> Cut:
    """Return the cut into a number of parts as even as can be."""
    return lambda n: [len(part) for part in np.array_split(np.arange(n), count) if len(part)]


def _chunk(count: int) -> Cut:
    """Return the cut into at most a number of parts, all but the last of one size."""
    return lambda n: _pieces(-(-n // count))(n)


CUTS: dict[str, Cut] = {
    **{f"chunks of {size} rows": _pieces(size) for size in range(2, 65)},
    **{f"{count} parts, as np.array_split makes them": _parts(count) for count in range(2, 9)},
    **{f"{count} parts, as torch.chunk makes them": _chunk(count) for count in range(2, 9)},
}
"""How many rows each micro-batch has, by what is said of it."""


def _chunks(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the ways of cutting the batch in which rows count as the numbers say, perhaps beside another mistake."""
    for probe, returned in cases:
        if not probe.ordinary or probe.rowwise or probe.options.get("reduction", "mean") != "mean":
            continue
        loss, gradient, n = returned.outputs.get("loss"), _gradient(probe, returned), len(probe.logits)
        cuts = {said: cut for said, cut in CUTS.items() if len({*cut(n)}) > 1}
        shares = np.array([np.repeat(1 / np.array(cut(n)), cut(n)) / len(cut(n)) for cut in cuts.values()])
        counts = np.array([len(cut(n)) for cut in cuts.values()])
        rows = replace(probe, options={**probe.options, "reduction": "none"})
        for mistakes in ((), *((mistake,) for mistake in CATALOGUE if mistake.step is not layer)):
            each = walk(rows, mistakes, ("loss", "gradient"))
            fits = np.zeros(len(cuts), dtype=bool)
            if loss is not None and loss.ndim == 0 and each["loss"].shape == (n,):
                mean = shares @ each["loss"]
                fits |= np.isclose(loss, mean, rtol=1e-5) | np.isclose(loss, counts * mean, rtol=1e-5)
            elif gradient is not None and each["gradient"].shape == gradient.shape:
                size = (each["gradient"] ** 2).sum(axis=1)
                factors = (gradient * each["gradient"]).sum(axis=1) / np.where(size > 0, size, np.nan)
                fits |= np.isclose(factors / factors.sum(), shares, rtol=1e-4).all(axis=1)
            for said in (said for said, fit in zip(cuts, fits, strict=True) if fit):
                yield from (_of_means(said, cuts[said], total) for total in (False, True))


def _of_means(said: str, cut: Cut, total: bool) -> Mistake:
    """Return the mistake of taking the mean of the chunks' means, or their sum."""

    def change(q: Quantities) -> None:
        sizes = cut(len(q.R))
        chunk = np.repeat(np.arange(len(sizes)), sizes)
        mass = np.bincount(chunk, q.R * (q.w[q.y] if q.hard else 1))
        q.R = q.R * (q.D / mass[chunk] / (1 if total else len(sizes)))

    how = "sum" if total else "mean"
    return Mistake(
        name=f"{how} of the means of {said}",
        said=f"Each micro-batch has its own mean, and the result is their {how}: "
        + ("it grows with the number of chunks." if total else "rows of a shorter chunk count more."),
        computed="L = Σ_c mean of chunk c" if total else "L = mean over c of the mean of chunk c",
        right="L = Σ ℓᵢ / N",
        fix="sum the losses of every chunk with reduction='sum', and divide by the N of the whole batch",
        step=divisor,
        change=change,
    )
