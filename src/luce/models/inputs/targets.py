"""What a classifier learns to predict: labels of any kind, distributions over the classes, or several labels a row."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from luce.models.inputs.kinds import Array, Indices, Labels
from luce.models.inputs.labels import as_objects, check_kind, plain_labels

__all__ = ["Targets", "is_table", "targets"]

TOLERANCE = 1e-5  # by which probabilities may miss a sum of 1


@dataclass(frozen=True)
class Targets:
    """Targets of the rows that count.

    Attributes
    ----------
    classes : (K,) array
        Labels: sorted, or the names of y's columns, or 0 … K−1 where y is a table without names.
    target : (n,) int64 array or (n, K) array
        Class numbers; or a distribution (softmax) or one probability a class (sigmoid) for each row.
    weights : (n,) float64 array or None
        Positive weights, class weights included; None for ones.
    rows : (n,) index array or None
        Which rows of the data they are; None for all.
    """

    classes: Array
    target: Array
    weights: Array | None
    rows: Indices | None

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(len(self.target) if self.weights is None else self.weights.sum())


def is_table(y: Labels) -> bool:
    """Tell whether y has several columns: a probability or a label for each class."""
    shape = y.shape if hasattr(y, "shape") else as_objects(y).shape
    return len(shape) == 2 and shape[1] > 1


def targets(
    y: Labels,
    sample_weight: Array | None,
    class_weight: Mapping[Any, float] | str | None,
    *,
    loss: str,
    dtype: Any,
    classes: Array | None = None,
) -> Targets:
    """Check y and return its `Targets`; rows of weight 0 are left out.

    Parameters
    ----------
    y : (N,) labels, or (N, K) table
        A table holds distributions for the softmax loss, and labels 0 and 1 or probabilities for the sigmoid loss.
    sample_weight : (N,) non-negative float64 array or None
    class_weight : dict, "balanced" or None
        For a table of distributions a row is taken as K rows, one a class, weighted by their probabilities.
    loss : {"softmax", "sigmoid"}
    dtype : dtype
        Of the probabilities.
    classes : (K,) array or None
        The classes, where they are known beforehand; labels must be among them.

    Raises
    ------
    ValueError
        For labels that are no classes, fewer than two classes, probabilities outside [0, 1] or not summing to 1, class
        weights that are not positive.
    """
    if not (class_weight is None or isinstance(class_weight, Mapping) or class_weight == "balanced"):
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}")
    rows = None
    if sample_weight is not None and not (sample_weight > 0).all():
        rows = np.flatnonzero(sample_weight > 0)
        sample_weight = sample_weight[rows]
    taken = _of_table if is_table(y) else _of_labels
    found = taken(y, rows, sample_weight, class_weight, loss=loss, dtype=dtype, classes=classes)
    if len(found.target) == 0 or len(found.classes) < 2:
        what = f"one class: {found.classes.tolist()[0]!r}" if len(found.classes) else "no row of positive weight"
        raise ValueError(f"a classifier needs at least two classes, the data hold {what}")
    return found


def _of_table(
    y: Labels,
    rows: Indices | None,
    weights: Array | None,
    class_weight: Mapping[Any, float] | str | None,
    *,
    loss: str,
    dtype: Any,
    classes: Array | None,
) -> Targets:
    names = getattr(y, "columns", None)
    table = _probabilities(y, dtype, distributions=loss == "softmax")
    if classes is None:
        classes = np.arange(table.shape[1]) if names is None else np.asarray(list(names))
    elif len(classes) != table.shape[1]:
        raise ValueError(f"y has {table.shape[1]} columns for {len(classes)} classes")
    elif names is not None:
        table = table[:, _order(list(names), classes)]
    table = table if rows is None else table[rows]
    if class_weight is not None:
        if loss != "softmax":
            raise ValueError("class_weight is for single labels and distributions, not for several labels a row")
        table, weights = _weighted(table, weights, class_weight, classes)
    return Targets(classes, table, weights, rows)


def _of_labels(
    y: Labels,
    rows: Indices | None,
    weights: Array | None,
    class_weight: Mapping[Any, float] | str | None,
    *,
    loss: str,
    dtype: Any,
    classes: Array | None,
) -> Targets:
    y = plain_labels(y)
    check_classification_targets(y)
    labels = column_or_1d(y, warn=True)
    labels = labels if rows is None else labels[rows]
    if classes is None:
        classes, codes = np.unique(labels, return_inverse=True)
    else:
        check_kind(labels, classes)
        order = np.argsort(classes)  # the names of a table's columns come in any order
        codes = order[np.searchsorted(classes, labels, sorter=order).clip(0, len(classes) - 1)]
        if not np.array_equal(classes[codes], labels):
            stranger = labels[classes[codes] != labels][0]
            raise ValueError(f"y holds {stranger!r}, which is not among the classes {classes!r}")
    codes = codes.astype(np.int64, copy=False)
    if class_weight is not None:
        weights = np.ones(len(codes)) if weights is None else weights
        weights = weights * _class_weights(class_weight, classes, codes, weights)[codes]
    return Targets(classes, codes, weights, rows)


def _order(names: list[Any], classes: Array) -> list[int]:
    """Return where each class is among the columns of a frame."""
    known = classes.tolist()
    if sorted(map(str, names)) != sorted(map(str, known)):
        raise ValueError(f"y has the columns {names}, the classes are {known}")
    places = {str(name): place for place, name in enumerate(names)}
    return [places[str(label)] for label in known]


def _probabilities(y: Labels, dtype: Any, *, distributions: bool) -> Array:
    try:
        table = np.asarray(y, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y: a table of several columns must hold probabilities, got {np.asarray(y).dtype}") from error
    bad = ~((table >= 0) & (table <= 1 + TOLERANCE))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"y: expected probabilities in [0, 1], got {float(table[row, column])!r} at [{row}, {column}]")
    if not distributions:
        return np.asarray(np.minimum(table, 1))
    sums = table.sum(axis=1, dtype=np.float64)
    off = np.abs(sums - 1) > TOLERANCE
    if off.any():
        row = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"y: the probabilities of a row must sum to 1, those of row {row} sum to {sums[row]:.6g}"
            " (for several labels a row use loss='sigmoid')"
        )
    return np.asarray((table / sums[:, None]).astype(dtype))


def _weighted(
    table: Array, weights: Array | None, class_weight: Mapping[Any, float] | str, classes: Array
) -> tuple[Array, Array]:
    weights = np.ones(len(table)) if weights is None else weights
    masses = weights @ table
    if isinstance(class_weight, str):
        factors = np.divide(masses.sum() / len(classes), masses, out=np.ones(len(masses)), where=masses > 0)
    else:
        factors = _given(class_weight, classes)
    weighted = table * factors
    sums = weighted.sum(axis=1, dtype=np.float64)
    return (weighted / sums[:, None]).astype(table.dtype), weights * sums


def _class_weights(class_weight: Any, classes: Array, codes: Array, weights: Array) -> Array:
    if isinstance(class_weight, str):
        masses = np.bincount(codes, weights=weights, minlength=len(classes))
        return np.asarray(np.divide(weights.sum() / len(classes), masses, out=np.ones(len(classes)), where=masses > 0))
    return _given(class_weight, classes)


def _given(class_weight: Mapping[Any, float], classes: Array) -> Array:
    labels = classes.tolist()
    strangers = [name for name in class_weight if name not in labels]
    if strangers and any(label not in class_weight for label in labels):
        raise ValueError(f"class_weight names {strangers[0]!r}, which is no class; the classes are {labels}")
    if strangers:  # a fold, say, that has no row of a class
        warnings.warn(f"class_weight names {strangers[0]!r}, which no row has; the classes are {labels}", stacklevel=6)
    try:
        factors = np.array([class_weight.get(label, 1.0) for label in labels], float)
    except (TypeError, ValueError):
        factors = np.zeros(1)
    if not ((factors > 0) & (factors < np.inf)).all():
        raise ValueError(f"class_weight: class weights must be positive, got {class_weight!r}")
    return factors
