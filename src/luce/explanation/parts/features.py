"""The features of a row in tables: those that move the scores most, with their names."""

from __future__ import annotations

import numpy as np

from luce.explanation.case import Case
from luce.explanation.parts.writing import elided
from luce.explanation.shown import Slot
from luce.explanation.step import Table

__all__ = ["features_table"]

MOST = 12  # features that are written out


def features_table(case: Case, quantity: str, caption: str, *below: tuple[str, str]) -> Table | None:
    """Return a table of a quantity of shape (T, N), a row for each feature; none without a layer.

    Parameters
    ----------
    case : Case
    quantity, caption : str
    *below : tuple of str
        Headings and quantities of shape (T,), of rows below those of the features.
    """
    if case.given.layer is None:
        return None
    inputs, weights, _ = case.given.layer
    spread = np.ptp(weights * inputs[case.row], axis=0)
    most = np.argsort(-np.nan_to_num(spread), kind="stable")[:MOST].tolist()
    places = elided(case.n_classes, keep=case.told)
    words = (
        f" Of {case.n_features} features, the {MOST} that tell most between the classes."
        if case.n_features > MOST
        else ""
    )
    rows = [
        (case.features[k], Slot("input", (k,)), *("…" if t is None else Slot(quantity, (t, k)) for t in places))
        for k in most
    ]
    rows += [(heading, "", *("…" if t is None else Slot(name, (t,)) for t in places)) for heading, name in below]
    names = ("…" if t is None else case.classes[t] for t in places)
    return Table(caption=caption + words, head=("feature", "x", *names), rows=tuple(rows))
