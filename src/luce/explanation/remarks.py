"""Sentences about special numbers: classes that can't happen, rows that hold no number, losses that are infinite."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mpmath import mp

from luce.derivation.quantities import Array
from luce.explanation.case import Case
from luce.explanation.quantities import Values

__all__ = ["remarks_on"]

MOST_TOLD = 3  # classes that are told by name


def remarks_on(case: Case, values: Values) -> tuple[str, ...]:
    """Return what there is to say about special numbers in the row that is looked at, a sentence each.

    Parameters
    ----------
    case : Case
    values : Values

    Returns
    -------
    tuple of str
    """
    return (*_ignored(case), *_scores(case, values), *_target(case, values), *_batch(values))


def _ignored(case: Case) -> Iterator[str]:
    """Say that the row counts for nothing."""
    if case.ignored:
        yield "The row is ignored: its loss and its gradient are 0, and it does not count."
        return
    weight = case.given.options.get("sample_weight")
    if weight is not None and not weight[case.row]:
        yield "The row has the weight 0, its own or its class's: it counts for nothing, whatever it holds."


def _scores(case: Case, values: Values) -> Iterator[str]:
    """Say what is special about the scores."""
    z = case.scores[case.row]
    if np.isnan(z).any():
        yield "The row holds a NaN: so is everything that follows from the scores."
        return
    if np.isposinf(z).any():
        yield f"{_of(case, np.isposinf(z))} the score +∞: ∞ − ∞ is no number, and everything that follows is NaN."
        return
    impossible = np.isneginf(z)
    if impossible.all():
        yield "All scores are −∞: no class can happen, 0/0 is no number, and everything that follows is NaN."
        return
    if impossible.any():
        one = impossible.sum() == 1
        yield (
            f"{_of(case, impossible)} the score −∞: {'it' if one else 'they'} can't happen; "
            f"{'its probability is' if one else 'their probabilities are'} 0, and so is the gradient there."
        )
    if case.n_classes == 1:
        yield "There is one class: its probability is 1 and the loss is 0, whatever the score."
    elif not impossible.any() and np.ptp(z) == 0:
        yield "All scores are equal: so are the probabilities, and the model says nothing."


def _target(case: Case, values: Values) -> Iterator[str]:
    """Say what is special about the target."""
    if case.ignored or case.broken:
        return
    t, mass = values["target"], values["mass"].item()
    if any(mp.isnan(x) for x in t):
        yield "The target holds a NaN: so do the loss and the gradient."
    elif mass == 0:
        yield "The target has no mass, Σ t = 0: the loss is 0 and so is its gradient, whatever the scores."
    elif abs(mass - 1) > mp.mpf(10) ** -9:  # a distribution whose decimals were cut sums to nearly 1
        yield "The target does not sum to 1: p is multiplied with the sum α of what there is."
    on_impossible = [x > 0 and z == -np.inf for x, z in zip(t, case.scores[case.row], strict=True)]
    if mp.isinf(values["loss"].item()) and any(on_impossible):
        yield "The target is on a class that can't happen: the loss is infinite. The gradient is finite."


def _batch(values: Values) -> Iterator[str]:
    """Say what is special about the batch."""
    if not values.derived.D:
        yield "Nothing is left to average, the divisor is 0: the mean is NaN."


def _of(case: Case, chosen: Array) -> str:
    """Return classes as the subject of a sentence, with its verb."""
    places = np.flatnonzero(chosen)
    named = [(k, case.classes[k]) for k in places[:MOST_TOLD]]
    names = [f"Class {k}" if name == f"class {k}" else f"“{name}”" for k, name in named]
    if len(places) == 1:
        return f"{names[0]} has"
    if len(places) > MOST_TOLD:
        return f"{len(places)} classes have"
    return f"{', '.join(names[:-1])} and {names[-1]} have"
