"""Numbers that no known mistake explains, narrowed down to the part that is wrong, in words."""

from __future__ import annotations

import numpy as np

from luce.check.calling.outputs import Returned
from luce.check.doctor.closeness import SAME_WITHIN, agrees
from luce.check.doctor.right_gradient import right_gradient
from luce.check.doctor.walk import walk
from luce.check.inputs.probes import Probe
from luce.derivation import derived
from luce.derivation.quantities import Array

__all__ = ["wrong_part"]


def wrong_part(probe: Probe, returned: Returned) -> str:
    """Return in words where the numbers differ from the truth, when no known mistake gives them."""
    right = walk(probe, (), returned.outputs)
    tolerance = SAME_WITHIN[returned.dtype]
    wrong = [name for name in returned.outputs if not agrees(right[name], returned.outputs[name], tolerance)]
    said = []
    kept = [name for name in returned.outputs if name not in wrong]
    if kept:
        said.append(f"{' and '.join(kept)} {'is' if len(kept) == 1 else 'are'} right")
    for name in wrong:
        said.append(f"{name}: {_where(probe, name, returned.outputs[name], right[name], tolerance)}")
    return "; ".join(said)


def _right(probe: Probe) -> str:
    """Return the formula of the right gradient, and what its letters are here."""
    q = derived(probe)
    formula = right_gradient(q)
    smoothed = f", t smoothed by {q.epsilon:g}" if q.epsilon else ""
    return f"{formula}{f' with N = {len(q.z)}' if formula.endswith('N') else ''}{smoothed}"


def _where(probe: Probe, name: str, value: Array, right: Array, tolerance: float) -> str:
    """Return in words where one output differs from the right one."""
    if value.shape != right.shape:
        return f"shape {value.shape}, expected {right.shape}"
    if not np.isfinite(value).all():
        return "not finite"
    factor = float((value * right).sum() / (right * right).sum())
    if agrees(factor * right, value, 10 * tolerance):
        return f"{factor:.6g} times the right one"
    for decimals in range(8):
        if value.any() and agrees(np.round(right, decimals), value):
            return f"the right one rounded to {decimals} decimals"
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
            return f"it is ({' '.join(parts)}) / {len(right)}; the right one is {_right(probe)}"
        for axis, sums in (("rows", value.sum(axis=1)), ("columns", value.sum(axis=0))):
            if np.abs(sums).max() < 10 * tolerance * np.abs(value).max():
                return f"every entry is wrong; the {axis} sum to 0"
        return "every entry is wrong, and its rows do not sum to 0"
    return "every entry is wrong"
