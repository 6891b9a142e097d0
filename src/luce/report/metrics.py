"""How good probabilities are on held-out rows: each measure with its standard error, classes and bins of confidence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_fscore_support

__all__ = ["Bins", "PerClass", "Score", "Scores", "confidence_bins", "per_class", "scores"]

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


class PerClass(NamedTuple):
    """Measures of each class against all others, arrays of (K,); NaN where one is not defined."""

    precision: Array
    recall: Array
    f1: Array
    auc: Array
    support: Array


class Bins(NamedTuple):
    """Rows in bins of equal counts by the probability of the class they were given.

    `low` and `high` are the ends of Wilson's 95 % interval of the accuracy.
    """

    confidence: Array
    accuracy: Array
    low: Array
    high: Array
    rows: Array


def scores(true: Array, probabilities: Array) -> Scores:
    r"""Measure probabilities by what happened.

    Each measure θ is to first order a mean over rows,
    :math:`\hat\theta - \theta \approx \frac1n \sum_i \psi_i`, and its standard error is the root of the mean of ψ²
    over n. For means over rows ψ is the row's deviation from the mean and the error the familiar one; for F1, AUC and
    the calibration error it is the infinitesimal jackknife: what the bootstrap estimates by resampling, to first
    order, without its noise (for the AUC of one class, DeLong's error).

    Parameters
    ----------
    true : (n,) array of int
        Codes of the classes.
    probabilities : (n, K) array
        Probabilities of the classes.

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
    >>> from luce.report.metrics import scores
    >>> result = scores(np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
    >>> round(result.accuracy.value, 4), round(result.accuracy.error, 4)
    (0.75, 0.2165)
    >>> round(result.reciprocal_rank.value, 4), round(result.auc.value, 4)
    (0.875, 1.0)
    """
    p = np.asarray(probabilities, np.float64)
    of_true = np.take_along_axis(p, true[:, None], 1)[:, 0]
    with np.errstate(divide="ignore"):
        losses = -np.log(of_true)
    right = (p.argmax(axis=1) == true).astype(np.float64)
    missed = p - (np.arange(p.shape[1]) == true[:, None])
    return Scores(
        _mean(right),
        _mean(losses),
        _mean((missed**2).sum(axis=1)),
        _mean(1 / (p >= of_true[:, None]).sum(axis=1)),
        _macro_f1(true, p.argmax(axis=1), p.shape[1]),
        _macro_auc(true, p),
        _calibration_error(right, p.max(axis=1)),
    )


def per_class(true: Array, probabilities: Array) -> PerClass:
    """Measure each class against all others.

    Parameters
    ----------
    true : (n,) array of int
        Codes of the classes.
    probabilities : (n, K) array
        Probabilities of the classes.

    Returns
    -------
    PerClass
        Precision is NaN for a class that was never predicted; recall and AUC for a class without a row; F1 for both.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.report.metrics import per_class
    >>> result = per_class(np.array([0, 1, 1]), np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]]))
    >>> result.precision.tolist(), result.support.tolist()
    ([0.5, 1.0, nan], [1, 2, 0])
    """
    classes = np.arange(probabilities.shape[1])
    precision, recall, f1, support = precision_recall_fscore_support(
        true, probabilities.argmax(axis=1), labels=classes, zero_division=np.nan
    )
    auc = np.array([_auc(probabilities[:, k], true == k)[0] for k in classes])
    return PerClass(precision, recall, f1, auc, support)


def confidence_bins(right: Array, confidence: Array) -> Bins:
    """Put rows in bins of equal counts by confidence; equal confidences share a bin.

    Parameters
    ----------
    right : (n,) array
        Whether the predicted class is the true one.
    confidence : (n,) array
        The probability of the predicted class.

    Returns
    -------
    Bins
        Mean confidence, accuracy with its interval, and rows of each bin that has any.

    References
    ----------
    E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Amer. Statist.
    Assoc. 22.
    """
    bins = _binned(confidence)
    rows = np.bincount(bins)
    accuracy = np.bincount(bins, right) / rows
    z2 = NORMAL_95**2 / rows
    middle = (accuracy + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (accuracy * (1 - accuracy) + z2 / 4)) / (1 + z2)
    return Bins(np.bincount(bins, confidence) / rows, accuracy, middle - half, middle + half, rows)


def _mean(values: Array) -> Score:
    value = values.mean()
    return _score(value, values - value) if np.isfinite(value) else Score(float(value), np.nan)


def _score(value: float, psi: Array) -> Score:
    return Score(float(value), float(np.sqrt((psi**2).mean() / len(psi))))


def _macro_f1(true: Array, predicted: Array, n_classes: int) -> Score:
    """F1 is the ratio of 2·[true = predicted = k] to [true = k] + [predicted = k], each summed over rows."""
    n = len(true)
    right = true == predicted
    support = np.bincount(true, minlength=n_classes)
    total = np.maximum(support + np.bincount(predicted, minlength=n_classes), 1)
    f1 = np.where(support > 0, 2 * np.bincount(true[right], minlength=n_classes) / total, 0.0)
    occur = (support > 0).sum()
    psi = n / occur * ((2 * right - f1[true]) / total[true] - f1[predicted] / total[predicted])
    return _score(f1.sum() / occur, psi)


def _macro_auc(true: Array, p: Array) -> Score:
    psi, values = np.zeros(len(true)), []
    for k in range(p.shape[1]):
        value, deviations = _auc(p[:, k], true == k)
        if np.isfinite(value):
            values.append(value)
            psi += deviations
    return _score(float(np.mean(values)), psi / len(values)) if values else Score(np.nan, np.nan)


def _auc(score: Array, positive: Array) -> tuple[float, Array]:
    """Return the share of pairs in the right order (a tie counts half) and its ψ; NaN where one side is empty."""
    n, n_positive = len(score), int(positive.sum())
    if n_positive in (0, n):
        return np.nan, np.zeros(n)
    above = np.sort(score[positive])
    less, upto = np.searchsorted(above, score[~positive], "left"), np.searchsorted(above, score[~positive], "right")
    share = np.empty(n)  # of the other side, in the right order with this row
    share[~positive] = 1 - (less + upto) / (2 * n_positive)
    beaten = [np.bincount(ranks, minlength=n_positive + 1).cumsum()[:n_positive] for ranks in (less, upto)]
    share[np.flatnonzero(positive)[np.argsort(score[positive], kind="stable")]] = sum(beaten) / (2 * (n - n_positive))
    value = float(share[positive].mean())
    return value, (share - value) * np.where(positive, n / n_positive, n / (n - n_positive))


def _calibration_error(right: Array, confidence: Array) -> Score:
    bins = _binned(confidence)
    excess = right - confidence
    signed = np.sign(np.bincount(bins, excess))[bins] * excess
    return _mean(signed)


def _binned(confidence: Array) -> Array:
    """Return each row's bin; no bin is empty."""
    wanted = int(np.clip(len(confidence) // ROWS_PER_BIN, 1, MOST_BINS))
    edges = np.sort(confidence)[np.arange(1, wanted) * len(confidence) // wanted - 1]
    return np.unique(np.searchsorted(edges, confidence, "left"), return_inverse=True)[1]
