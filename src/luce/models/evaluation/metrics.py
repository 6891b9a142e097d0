"""Every measure of predictions once, each with its standard error: of all rows, of each class, of bins of confidence.

A function takes first what was predicted, an array with an entry for each outcome, then the `Outcomes` themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from luce.models.evaluation.score import NORMAL_95, Score

__all__ = [
    "Bins",
    "Outcomes",
    "PerClass",
    "Scores",
    "accuracy",
    "brier",
    "calibration_error",
    "confidence_bins",
    "confusion_matrix",
    "f1_by_class",
    "log_loss",
    "losses_of_rows",
    "macro_auc",
    "macro_f1",
    "outcomes",
    "per_class",
    "reciprocal_rank",
    "scores",
]

Array = npt.NDArray[Any]

MOST_BINS = 10
ROWS_PER_BIN = 20  # at least: with fewer, an interval spans most of the axis


class Outcomes(NamedTuple):
    """The truth about rows, as classes with a mass: a row of known class is one outcome, a row of soft labels several.

    Attributes
    ----------
    true : (m,) array of int
        Codes of the classes.
    mass : (m,) array
        The row's weight times the share of the class.
    row : (m,) array of int or None
        The number of the row; None where every row is one outcome.
    """

    true: Array
    mass: Array
    row: Array | None = None

    def of(self, values: Array) -> Array:
        """Return values of the rows for each outcome."""
        return values if self.row is None else values[self.row]

    def by_row(self, values: Array) -> Array:
        """Return the sums over each row's outcomes."""
        return values if self.row is None else np.bincount(self.row, values)


class Scores(NamedTuple):
    """The measures of one set of probabilities.

    Macro means are over the classes that occur among the rows; a score without any is NaN.
    """

    accuracy: Score
    log_loss: Score
    brier: Score
    reciprocal_rank: Score
    f1: Score
    auc: Score
    calibration_error: Score


class PerClass(NamedTuple):
    """Measures of each class against all others, arrays of (K,); NaN where one is not defined."""

    precision: Array
    recall: Array
    f1: Array
    auc: Array
    support: Array


class Bins(NamedTuple):
    """Rows in bins of equal counts by the probability of the class they were given.

    `low` and `high` are the ends of Wilson's 95 % interval of the accuracy; with weights it is that of the effective
    number of rows, (Σ w)² / Σ w² (Kish 1965, "Survey sampling").
    """

    confidence: Array
    accuracy: Array
    low: Array
    high: Array
    rows: Array


def outcomes(true: Array, weights: Array | None = None) -> Outcomes:
    """Return the truth about rows as `Outcomes`.

    Parameters
    ----------
    true : (n,) array of int, or (n, K) array
        Codes of the classes, or the share of every class in each row.
    weights : (n,) array, optional
        Row weights.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.metrics import outcomes
    >>> outcomes(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([1.0, 2.0])).mass.tolist()
    [0.25, 0.75, 2.0]
    """
    mass = np.ones(len(true)) if weights is None else np.asarray(weights, np.float64)
    if np.ndim(true) == 1:
        return Outcomes(np.asarray(true), mass)
    row, classes = np.nonzero(true)
    return Outcomes(classes, mass[row] * np.asarray(true)[row, classes], row)


def scores(true: Array, probabilities: Array, weights: Array | None = None) -> Scores:
    r"""Measure probabilities by what happened.

    Each measure θ is to first order a mean over rows,
    :math:`\hat\theta - \theta \approx \sum_i w_i \psi_i / \sum_i w_i`, and its standard error is the root of
    Σ (w ψ)² over Σ w. For means over rows ψ is the row's deviation from the mean and the error the familiar one; for
    F1, AUC and the calibration error it is the infinitesimal jackknife: what the bootstrap estimates by resampling, to
    first order, without its noise (for the AUC of one class, DeLong's error).

    Parameters
    ----------
    true : (n,) array of int, or (n, K) array
        Codes of the classes, or the share of every class in each row: such a row counts as one of each class, weighted
        by its shares.
    probabilities : (n, K) array
        Probabilities of the classes.
    weights : (n,) array, optional
        Row weights.

    Returns
    -------
    Scores
        Accuracy; log loss; Brier score (squared differences summed over classes: 0 to 2); mean reciprocal rank of the
        true class (the worst rank among ties); macro F1, which is the Dice coefficient; macro AUC of each class against
        the rest; expected calibration error over `confidence_bins`.

    References
    ----------
    B. Efron (1981), "Nonparametric standard errors and confidence intervals", Canad. J. Statist. 9.
    E. DeLong, D. DeLong, D. Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44.
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger (2017), "On calibration of modern neural networks", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.metrics import scores
    >>> result = scores(np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
    >>> round(result.accuracy.value, 4), round(result.accuracy.error, 4)
    (0.75, 0.2165)
    >>> round(result.reciprocal_rank.value, 4), round(result.auc.value, 4)
    (0.875, 1.0)
    """
    met = outcomes(true, weights)
    p = met.of(np.asarray(probabilities, np.float64))
    predicted = p.argmax(axis=1)
    with np.errstate(divide="ignore"):
        logs = np.log(_of_true(p, met))
    return Scores(
        accuracy(predicted, met),
        log_loss(logs, met),
        brier(p, met),
        reciprocal_rank(p, met),
        macro_f1(predicted, met, p.shape[1]),
        macro_auc(p, met),
        calibration_error(p, met),
    )


def accuracy(predicted: Array, met: Outcomes) -> Score:
    """Return how often the predicted code (m,) is the true one."""
    return _mean((predicted == met.true).astype(np.float64), met)


def log_loss(log_probabilities: Array, met: Outcomes) -> Score:
    """Return the mean of minus the logarithms (m,) of the true classes' probabilities."""
    return _mean(-log_probabilities, met)


def brier(probabilities: Array, met: Outcomes) -> Score:
    """Return the mean squared distance of probabilities (m, K) from the true class, summed over classes: 0 to 2."""
    missed = probabilities - (np.arange(probabilities.shape[1]) == met.true[:, None])
    return _mean((missed**2).sum(axis=1), met)


def reciprocal_rank(scores: Array, met: Outcomes) -> Score:
    """Return the mean of 1 over the true class's rank by scores (m, K), the worst rank among ties."""
    return _mean(1 / (scores >= _of_true(scores, met)[:, None]).sum(axis=1), met)


def f1_by_class(predicted: Array, met: Outcomes, n_classes: int) -> Array:
    """Return Dice's coefficient of the outcomes of each class and those predicted as it; NaN where there are neither.

    It is 2·[true = predicted = k] over [true = k] + [predicted = k], each summed over outcomes.
    """
    right, support, given = _counts(predicted, met, n_classes)
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * right / (support + given))


def macro_f1(predicted: Array, met: Outcomes, n_classes: int) -> Score:
    """Return the mean of F1, which is Dice's coefficient, over the classes that occur or are predicted."""
    _, support, given = _counts(predicted, met, n_classes)
    f1 = np.nan_to_num(f1_by_class(predicted, met, n_classes))
    total = np.where(support + given > 0, support + given, 1)
    right, occur = predicted == met.true, (support + given > 0).sum()
    psi = met.mass.sum() / occur * ((2 * right - f1[met.true]) / total[met.true] - f1[predicted] / total[predicted])
    return _score(f1.sum() / occur, psi, met)


def macro_auc(scores: Array, met: Outcomes) -> Score:
    """Return the area under the ROC curve of each class against the rest by scores (m, K), mean over the classes."""
    psi, values = np.zeros(len(met.true)), []
    for k in range(scores.shape[1]):
        value, deviations = _auc(scores[:, k], met.true == k, met.mass)
        if np.isfinite(value):
            values.append(value)
            psi += deviations
    return _score(float(np.mean(values)), psi / len(values), met) if values else Score(np.nan, np.nan)


def calibration_error(probabilities: Array, met: Outcomes) -> Score:
    """Return the mean distance of confidence from accuracy over the bins of `confidence_bins`."""
    confidence = probabilities.max(axis=1)
    bins = _binned(confidence)
    excess = (probabilities.argmax(axis=1) == met.true).astype(np.float64) - confidence
    signed = np.sign(np.bincount(bins, met.mass * excess))[bins] * excess
    return _mean(signed, met)


def per_class(true: Array, probabilities: Array, weights: Array | None = None) -> PerClass:
    """Measure each class against all others.

    Parameters
    ----------
    true : (n,) array of int, or (n, K) array
        As for `scores`.
    probabilities : (n, K) array
        Probabilities of the classes.
    weights : (n,) array, optional
        Row weights.

    Returns
    -------
    PerClass
        Precision is NaN for a class that was never predicted; recall and AUC for a class without a row; F1 for both.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.metrics import per_class
    >>> result = per_class(np.array([0, 1, 1]), np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]]))
    >>> result.precision.tolist(), result.support.tolist()
    ([0.5, 1.0, nan], [1.0, 2.0, 0.0])
    """
    met = outcomes(true, weights)
    p = met.of(np.asarray(probabilities, np.float64))
    predicted, n_classes = p.argmax(axis=1), p.shape[1]
    right, support, given = _counts(predicted, met, n_classes)
    auc = np.array([_auc(p[:, k], met.true == k, met.mass)[0] for k in range(n_classes)])
    with np.errstate(invalid="ignore"):
        return PerClass(right / given, right / support, f1_by_class(predicted, met, n_classes), auc, support)


def confusion_matrix(predicted: Array, met: Outcomes, n_classes: int) -> Array:
    """Return the mass of each true class (rows) that was given each class (columns), (K, K)."""
    matrix = np.zeros((n_classes, n_classes))
    np.add.at(matrix, (met.true, predicted), met.mass)
    return matrix


def losses_of_rows(true: Array, probabilities: Array) -> Array:
    """Return the cross-entropy (n,) of each row, as `true` of `scores` has them; infinite for a true class of 0."""
    if np.ndim(true) == 2:
        return np.asarray(-xlogy(true, probabilities).sum(axis=1))
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(np.take_along_axis(probabilities, true[:, None], 1)[:, 0]))


def confidence_bins(right: Array, confidence: Array, mass: Array | None = None) -> Bins:
    """Put rows in bins of equal counts by confidence; equal confidences share a bin.

    Parameters
    ----------
    right : (n,) array
        Whether the predicted class is the true one.
    confidence : (n,) array
        The probability of the predicted class.
    mass : (n,) array, optional
        Their weights.

    Returns
    -------
    Bins
        Mean confidence, accuracy with its interval, and rows of each bin that has any.

    References
    ----------
    E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Amer. Statist.
    Assoc. 22.
    """
    mass = np.ones(len(confidence)) if mass is None else mass
    bins = _binned(confidence)
    total = np.bincount(bins, mass)
    accuracy = np.bincount(bins, mass * right) / total
    z2 = NORMAL_95**2 * np.bincount(bins, mass**2) / total**2
    middle = (accuracy + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (accuracy * (1 - accuracy) + z2 / 4)) / (1 + z2)
    return Bins(np.bincount(bins, mass * confidence) / total, accuracy, middle - half, middle + half, np.bincount(bins))


def _of_true(values: Array, met: Outcomes) -> Array:
    """Return the true class's entry of each outcome."""
    return np.take_along_axis(values, met.true[:, None], 1)[:, 0]


def _counts(predicted: Array, met: Outcomes, n_classes: int) -> tuple[Array, Array, Array]:
    """Return the mass of each class that was predicted rightly, that occurred and that was predicted."""
    right = np.bincount(met.true, met.mass * (predicted == met.true), minlength=n_classes)
    support = np.bincount(met.true, met.mass, minlength=n_classes)
    return right, support, np.bincount(predicted, met.mass, minlength=n_classes)


def _mean(values: Array, met: Outcomes) -> Score:
    value = np.average(values, weights=met.mass)
    return _score(value, values - value, met) if np.isfinite(value) else Score(float(value), np.nan)


def _score(value: float, psi: Array, met: Outcomes) -> Score:
    return Score.linearised(value, met.by_row(met.mass * psi), float(met.mass.sum()))


def _auc(score: Array, positive: Array, mass: Array) -> tuple[float, Array]:
    """Return the share of pairs in the right order (a tie counts half) and its ψ; NaN where one side is empty."""
    n_positive, n_negative = mass[positive].sum(), mass[~positive].sum()
    if not (n_positive and n_negative):
        return np.nan, np.zeros(len(score))
    share = np.empty(len(score))  # of the other side, in the right order with this row
    share[positive] = _share_below(score[positive], score[~positive], mass[~positive])
    share[~positive] = 1 - _share_below(score[~positive], score[positive], mass[positive])
    value = float(np.average(share[positive], weights=mass[positive]))
    total = n_positive + n_negative
    return value, (share - value) * np.where(positive, total / n_positive, total / n_negative)


def _share_below(score: Array, others: Array, mass: Array) -> Array:
    """Return the share of the mass of `others` that is below each score, of ties half."""
    order = np.argsort(others, kind="stable")
    upto = np.append(0, np.cumsum(mass[order]))
    ranks = [np.searchsorted(others[order], score, side) for side in ("left", "right")]
    return np.asarray((upto[ranks[0]] + upto[ranks[1]]) / (2 * upto[-1]))


def _binned(confidence: Array) -> Array:
    """Return each row's bin; no bin is empty."""
    wanted = int(np.clip(len(confidence) // ROWS_PER_BIN, 1, MOST_BINS))
    edges = np.sort(confidence)[np.arange(1, wanted) * len(confidence) // wanted - 1]
    return np.unique(np.searchsorted(edges, confidence, "left"), return_inverse=True)[1]
