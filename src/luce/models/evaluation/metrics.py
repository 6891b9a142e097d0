"""How good probabilities are on held-out rows: each measure with its standard error, classes and bins of confidence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_fscore_support

__all__ = ["Bins", "Outcomes", "PerClass", "Score", "Scores", "confidence_bins", "outcomes", "per_class", "scores"]

Array = npt.NDArray[Any]

MOST_BINS = 10
ROWS_PER_BIN = 20  # at least: with fewer, an interval spans most of the axis
NORMAL_95 = 1.959963984540054


class Score(NamedTuple):
    """A measure and its standard error over rows."""

    value: float
    error: float


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


class Outcomes(NamedTuple):
    """What happened, as classes with a mass: a row of known class is one outcome, a row of soft labels several.

    `true` (m,) are codes of classes, `probabilities` (m, K) what the model gave, `mass` (m,) the row's weight times the
    share of the class, `row` (m,) the number of the row.
    """

    true: Array
    probabilities: Array
    mass: Array
    row: Array


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


def outcomes(true: Array, probabilities: Array, weights: Array | None = None) -> Outcomes:
    """Return what happened as `Outcomes`.

    Parameters
    ----------
    true : (n,) array of int, or (n, K) array
        Codes of the classes, or the share of every class in each row.
    probabilities : (n, K) array
    weights : (n,) array, optional
        Row weights.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.metrics import outcomes
    >>> outcomes(np.array([[0.25, 0.75], [1.0, 0.0]]), np.full((2, 2), 0.5), np.array([1.0, 2.0])).mass.tolist()
    [0.25, 0.75, 2.0]
    """
    p = np.asarray(probabilities, np.float64)
    mass = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    if np.ndim(true) == 1:
        return Outcomes(np.asarray(true), p, mass, np.arange(len(p)))
    row, classes = np.nonzero(true)
    return Outcomes(classes, p[row], mass[row] * np.asarray(true)[row, classes], row)


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
    met = outcomes(true, probabilities, weights)
    true, p = met.true, met.probabilities
    of_true = np.take_along_axis(p, true[:, None], 1)[:, 0]
    with np.errstate(divide="ignore"):
        losses = -np.log(of_true)
    right = (p.argmax(axis=1) == true).astype(np.float64)
    missed = p - (np.arange(p.shape[1]) == true[:, None])
    return Scores(
        _mean(right, met),
        _mean(losses, met),
        _mean((missed**2).sum(axis=1), met),
        _mean(1 / (p >= of_true[:, None]).sum(axis=1), met),
        _macro_f1(met),
        _macro_auc(met),
        _calibration_error(right, met),
    )


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
    met = outcomes(true, probabilities, weights)
    true, probabilities = met.true, met.probabilities
    classes = np.arange(probabilities.shape[1])
    precision, recall, f1, support = precision_recall_fscore_support(
        true, probabilities.argmax(axis=1), labels=classes, zero_division=np.nan, sample_weight=met.mass
    )
    auc = np.array([_auc(probabilities[:, k], true == k, met.mass)[0] for k in classes])
    return PerClass(precision, recall, f1, auc, support)


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


def _mean(values: Array, met: Outcomes) -> Score:
    value = np.average(values, weights=met.mass)
    return _score(value, values - value, met) if np.isfinite(value) else Score(float(value), np.nan)


def _score(value: float, psi: Array, met: Outcomes) -> Score:
    of_rows = np.bincount(met.row, met.mass * psi)
    return Score(float(value), float(np.sqrt((of_rows**2).sum()) / met.mass.sum()))


def _macro_f1(met: Outcomes) -> Score:
    """F1 is the ratio of 2·[true = predicted = k] to [true = k] + [predicted = k], each summed over rows."""
    true, n_classes, mass = met.true, met.probabilities.shape[1], met.mass
    predicted = met.probabilities.argmax(axis=1)
    right = true == predicted
    support = np.bincount(true, mass, minlength=n_classes)
    total = support + np.bincount(predicted, mass, minlength=n_classes)
    total[total == 0] = 1
    f1 = 2 * np.bincount(true[right], mass[right], minlength=n_classes) / total
    occur = (support > 0).sum()
    psi = mass.sum() / occur * ((2 * right - f1[true]) / total[true] - f1[predicted] / total[predicted])
    return _score(f1.sum() / occur, psi, met)


def _macro_auc(met: Outcomes) -> Score:
    psi, values = np.zeros(len(met.true)), []
    for k in range(met.probabilities.shape[1]):
        value, deviations = _auc(met.probabilities[:, k], met.true == k, met.mass)
        if np.isfinite(value):
            values.append(value)
            psi += deviations
    return _score(float(np.mean(values)), psi / len(values), met) if values else Score(np.nan, np.nan)


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


def _calibration_error(right: Array, met: Outcomes) -> Score:
    confidence = met.probabilities.max(axis=1)
    bins = _binned(confidence)
    excess = right - confidence
    signed = np.sign(np.bincount(bins, met.mass * excess))[bins] * excess
    return _mean(signed, met)


def _binned(confidence: Array) -> Array:
    """Return each row's bin; no bin is empty."""
    wanted = int(np.clip(len(confidence) // ROWS_PER_BIN, 1, MOST_BINS))
    edges = np.sort(confidence)[np.arange(1, wanted) * len(confidence) // wanted - 1]
    return np.unique(np.searchsorted(edges, confidence, "left"), return_inverse=True)[1]
