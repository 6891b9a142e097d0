"""The class that a row is about, its strongest rival, and the classes that are written out where there are many."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.writing import MOST
from luce.explanation.quantities import Exact, Values

__all__ = ["has_numbers", "has_target", "label", "rival", "written_out"]


def has_numbers(v: Values) -> bool:
    """Return whether the row has scores that a softmax can be taken of."""
    u = v["scaled"]
    return not any(mp.isnan(x) for x in u) and any(mp.isfinite(x) for x in u)


def has_target(v: Values) -> bool:
    """Return whether the row has a target with mass: it is not ignored, and its distribution is not empty."""
    return has_numbers(v) and bool(v["mass"] > 0)


def label(v: Values) -> int:
    """Return the place of the target's class, the one with most mass; of the largest score where there is no target."""
    case, t = v.case, v["target_given"]
    if case.of_class is not None:
        return case.of_class
    return _largest(t) if any(x > 0 for x in t) else _largest(v["scores"])


def rival(v: Values) -> int | None:
    """Return the place of the largest score but the target's class's, None where there is one class."""
    own, z = label(v), v["scores"]
    others = [k for k in range(v.case.n_classes) if k != own]
    return max(others, key=lambda k: (z[k], -k)) if others else None


def _largest(values: Exact) -> int:
    """Return the place of the largest number, the first of several."""
    return max(range(len(values)), key=lambda k: (values[k], -k))


def written_out(case: Case, most: int = MOST) -> list[int]:
    """Return the classes that a table has room for, in their order: the target's and those of the largest scores."""
    if case.n_classes <= most:
        return list(range(case.n_classes))
    by_score = np.argsort(-case.scores[case.row], kind="stable").tolist()
    first = [] if case.of_class is None else [case.of_class]
    return sorted(list(dict.fromkeys([*first, *by_score]))[:most])
