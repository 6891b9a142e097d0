"""A measure with its standard error, over the rows that were judged or over the folds of a cross-validation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from luce.models.inputs.kinds import Array

__all__ = ["NORMAL_95", "Score", "standard_error"]


NORMAL_95 = 1.959963984540054  # a normal number is within so many standard deviations of its mean in 95 % of cases


class Score(NamedTuple):
    """A measure and its standard error; NaN where there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.score import Score
    >>> Score.over_rows(np.array([0.0, 1.0, 1.0, 0.0]))
    Score(value=0.5, error=0.25)
    >>> Score.over_folds(np.array([0.8, 0.9, np.nan, 1.0])).value
    0.9
    """

    value: float
    error: float

    @classmethod
    def over_rows(cls, values: Array, weights: Array | None = None) -> Score:
        """Return the weighted mean of a value for each row; no error where the mean is not finite."""
        weights = np.ones(len(values)) if weights is None else weights
        mean = np.average(values, weights=weights)
        if not np.isfinite(mean):
            return cls(float(mean), np.nan)
        return cls.linearised(float(mean), weights * (values - mean), float(np.sum(weights)))

    @classmethod
    def linearised(cls, value: float, deviations: Array, total: float) -> Score:
        """Return a value that is to first order a mean, with what each row adds to its deviation times `total`."""
        return cls(float(value), float(np.sqrt((deviations**2).sum()) / total))

    @classmethod
    def over_folds(cls, values: Array, *, median: bool = False) -> Score:
        """Return the mean, or the median, of a value for each fold, of the folds where it is not NaN.

        The error of a median is that of a normal sample's, the mean's times √(π/2). There is none for a single fold or
        infinite values.
        """
        known = values[~np.isnan(values)]
        if not len(known):
            return cls(np.nan, np.nan)
        spread = standard_error(known) if len(known) > 1 and np.isfinite(known).all() else np.nan
        if median:
            return cls(float(np.median(known)), float(np.sqrt(np.pi / 2) * spread))
        return cls(float(np.mean(known)), float(spread))


def standard_error(values: Array, axis: int = -1) -> Array:
    """Return the standard error of the mean along an axis, s / √n, with n − 1 degrees of freedom."""
    return np.asarray(values.std(axis=axis, ddof=1) / np.sqrt(values.shape[axis]))
