"""Rows, labels and weights as a fit is given them, checked together."""

from __future__ import annotations

from scipy import sparse

from luce.models.inputs.kinds import Array, Features, Labels, Weights
from luce.models.inputs.labels import plain_labels
from luce.models.inputs.rows import checked_rows, checked_weights
from luce.models.inputs.targets import is_table

__all__ = ["checked_data"]


def checked_data(
    estimator: object, X: Features, y: Labels, sample_weight: Weights, *, reset: bool = True
) -> tuple[Features, Labels, Array | None]:
    """Return rows, labels and weights as arrays; a frame of probabilities, whose columns have names, stays one.

    Parameters
    ----------
    estimator : estimator
        Keeps the number and the names of the columns, or is held to those that it has.
    X, y, sample_weight
        As for `luce.SoftmaxClassifier.fit`.
    reset : bool
        Whether the columns are kept, and not compared.

    Raises
    ------
    ValueError
        For whatever `checked_rows`, `plain_labels` or `checked_weights` refuses.
    """
    if sparse.issparse(y):
        y = y.toarray()  # type: ignore[attr-defined]
    table = is_table(y)
    given, y = y, y if table else plain_labels(y)
    X, y = checked_rows(estimator, X, y, reset=reset, multi_output=table)
    weights = checked_weights(sample_weight, X)
    return X, given if hasattr(given, "columns") and table else y, weights
