"""From scores to the probabilities of the classes; NumPy and the compiled core are all that it needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from luce._softmax import log_softmax, softmax

__all__ = ["as_logits", "log_probabilities", "probabilities"]

Array = npt.NDArray[Any]


def as_logits(scores: Array) -> Array:
    """Return a score for each class, (N, K): of two classes the first has 0 beside the log-odds of the second."""
    if scores.ndim == 2 and scores.shape[1] > 1:
        return scores
    log_odds = scores.reshape(-1)
    return np.stack([np.zeros_like(log_odds), log_odds], axis=1)


def probabilities(logits: Array, *, sigmoids: bool, n_threads: int | None = None) -> Array:
    """Return the probabilities of the classes, (N, K), which sum to 1 in every row.

    Parameters
    ----------
    logits : (N, K) array
    sigmoids : bool
        Whether they are K sigmoids, divided by their sum as scikit-learn's ``OneVsRestClassifier`` does, and not a
        softmax.
    n_threads : int or None

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.probabilities import probabilities
    >>> probabilities(np.log([[1.0, 2.0, 5.0]]), sigmoids=False).round(3).tolist()
    [[0.125, 0.25, 0.625]]
    """
    if sigmoids:
        return np.exp(log_probabilities(logits, sigmoids=True, n_threads=n_threads))
    return np.asarray(softmax(logits, n_threads=n_threads))


def log_probabilities(logits: Array, *, sigmoids: bool, n_threads: int | None = None) -> Array:
    """Return the logarithms of the `probabilities`, exact also where a probability underflows."""
    scores = -np.logaddexp(0, -logits) if sigmoids else logits
    return np.asarray(log_softmax(scores, n_threads=n_threads))
