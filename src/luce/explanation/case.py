"""What is explained: rows of scores and their target as the derivation takes them, and the row that is looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from luce.derivation import Given
from luce.derivation.quantities import Array

__all__ = ["Case"]

DIGITS = 60  # that remain after cancellation
MOST_CANCELLED = 340  # 10⁻³⁴⁰ is below the smallest float64


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A loss that is explained.

    Attributes
    ----------
    given : Given
        The rows, B of them, of T classes: logits or a layer of N features, target and options.
    row : int
        The row that is looked at.
    batch : bool
        Whether there were rows, and not one row alone.
    classes, features : tuple of str
        Their names.
    options : mapping
        The options that were said, by name, as they were said.
    of_class : int or None
        The class of the row's target; None where it is a distribution, or the row is ignored.
    predicted : bool
        Whether that is the class that a model predicts, since no label was given.
    scores : ndarray of shape (B, T)
        The logits as they were given, before rows that hold no number were blanked out.
    source : str
        What the numbers are of, in words: a model and its table, for instance.
    """

    given: Given
    row: int = 0
    batch: bool = False
    classes: tuple[str, ...]
    features: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    of_class: int | None = None
    predicted: bool = False
    scores: Array
    source: str = ""

    @property
    def n_classes(self) -> int:
        """T."""
        return len(self.classes)

    @property
    def told(self) -> tuple[int, ...]:
        """The classes that are never left out: the target's, or else that of the largest score, and the next rival."""
        by_score = np.argsort(-self.scores[self.row], kind="stable").tolist()
        own = by_score[0] if self.of_class is None else self.of_class
        return (own, *[place for place in by_score if place != own][:1])

    @property
    def n_features(self) -> int:
        """N, 0 without a layer."""
        return 0 if self.given.layer is None else self.given.layer[0].shape[1]

    @property
    def digits(self) -> int:
        """The decimal digits to compute with, so that no cancellation reaches those that are shown."""
        temperature = float(self.given.options.get("temperature", 1.0))
        finite = self.scores[np.isfinite(self.scores)] / temperature
        lost = (finite.max() - finite.min()) / math.log(10) if finite.size else 0.0
        return DIGITS + math.ceil(min(lost, MOST_CANCELLED))

    def says(self, option: str) -> bool:
        """Return whether an option was said."""
        return option in self.options

    @property
    def ignored(self) -> bool:
        """Whether the row that is looked at is ignored."""
        return not self.given.counted[self.row]

    @property
    def broken(self) -> bool:
        """Whether the row that is looked at holds NaN or +∞, or nothing but −∞: then all that follows is NaN."""
        return bool(self.broken_rows[self.row])

    @property
    def broken_rows(self) -> Array:
        """A mask of the rows that are."""
        return np.asarray(np.isnan(self.given.logits).all(axis=1))

    @property
    def impossible(self) -> bool:
        """Whether the row that is looked at has classes that can't happen, beside others."""
        return not self.broken and bool(np.isneginf(self.scores[self.row]).any())

    @property
    def scaled(self) -> bool:
        """Whether the softmax is taken of something else than the scores."""
        return self.says("temperature") or self.says("softcap")
