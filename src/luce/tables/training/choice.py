"""The choice of the penalty by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sklearn.model_selection import KFold, StratifiedKFold

from luce.models.classifier import SoftmaxClassifier
from luce.models.classifier_cv import SoftmaxClassifierCV
from luce.models.evaluation.score import standard_error
from luce.models.inputs.kinds import Array

__all__ = ["Choice", "choice_of", "chooser"]

FOLDS = 5


class Choice(NamedTuple):
    """The penalty that was chosen, with all that were tried.

    Attributes
    ----------
    C, l1_ratio : float
        What was chosen.
    Cs, l1_ratios : arrays
        What was tried.
    log_loss, error : (l1_ratios, Cs) arrays
        Mean over the folds and its standard error.
    """

    C: float
    l1_ratio: float
    Cs: Array
    l1_ratios: Array
    log_loss: Array
    error: Array


def chooser(
    Cs: Sequence[float] | None, l1_ratios: Sequence[float], classifier: SoftmaxClassifier, seed: int, *, soft: bool
) -> SoftmaxClassifierCV:
    """Return the estimator that chooses C, of ten where none are given, and l1_ratio; the rest is the classifier's."""
    splitter = KFold if soft else StratifiedKFold
    return SoftmaxClassifierCV(
        Cs=10 if Cs is None else Cs,
        l1_ratios=l1_ratios,
        cv=splitter(FOLDS, shuffle=True, random_state=seed),
        loss=classifier.loss,
        max_iter=classifier.max_iter,
    )


def choice_of(fitted: SoftmaxClassifierCV) -> Choice:
    """Return what a fitted chooser has chosen."""
    losses = -fitted.scores_
    error = standard_error(losses)
    return Choice(fitted.C_, fitted.l1_ratio_, fitted.Cs_, fitted.l1_ratios_, losses.mean(axis=2), error)
