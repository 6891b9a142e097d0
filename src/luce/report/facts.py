"""What the page shows, as plain arrays and text: whoever trained fills it in, whoever draws reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Coefficients", "Column", "Data", "Facts", "HeldOut", "Model"]

Array = npt.NDArray[Any]


class Column(NamedTuple):
    """One column of the table.

    Attributes
    ----------
    name, kind, done : str
        Its name, what it holds, and what was done with it.
    used : bool
        Whether the model uses it.
    remarks : sequence of str
        What a reader of the report should know about it.
    reading : object
        How its text was read, in JSON's own types; None where there is nothing to say.
    """

    name: str
    kind: str
    done: str
    used: bool = True
    remarks: Sequence[str] = ()
    reading: Any = None


@dataclass(frozen=True)
class Data:
    """The rows that were learnt from.

    Parameters
    ----------
    source : str
        Where they came from, as text.
    target : str
        Name of the column that holds the classes.
    classes : (K,) sequence of str
        Class labels as text, in the order of the codes.
    class_counts : (K,) array of int
        Rows of each class.
    n_rows : int
        Rows learnt from.
    n_rows_dropped : int, default=0
        Rows left out because they have no class.
    columns : sequence of Column, optional
        What was done with each column.
    remarks : sequence of str, optional
        What a reader should know about the table as a whole.
    """

    source: str
    target: str
    classes: Sequence[str]
    class_counts: Array
    n_rows: int
    n_rows_dropped: int = 0
    columns: Sequence[Column] | None = None
    remarks: Sequence[str] = ()

    def __post_init__(self) -> None:
        _has_shape("class_counts", self.class_counts, (len(self.classes),))

    @property
    def all_remarks(self) -> list[str]:
        """The remarks on the table, then those on its columns, each with the column's name before it."""
        columns = [Column(*column) for column in self.columns or ()]
        return [*self.remarks, *(f"{column.name!r}: {remark}" for column in columns for remark in column.remarks)]


@dataclass(frozen=True)
class Model:
    """How it was trained.

    Parameters
    ----------
    name : str
        What the model is.
    parameters : mapping
        Name and value of each, shown as they are.
    solver : str
        The method of minimising.
    seconds : float
        Time it took.
    n_iter : int
        Iterations taken.
    loss_curve, grad_norm_curve : array of float
        The objective and the norm of its gradient at the start and after each iteration; may be empty.
    gap : float, optional
        Upper bound on the last objective minus its minimum, in the units of `loss_curve`; None or inf where none is
        known.
    notes : sequence of str, optional
        Warnings.
    """

    name: str
    parameters: Mapping[str, Any]
    solver: str
    seconds: float
    n_iter: int
    loss_curve: Array
    grad_norm_curve: Array
    gap: float | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Coefficients:
    """What was learnt.

    Parameters
    ----------
    feature_names : (D,) sequence of str
        Names of the features.
    coef : (K, D) array
        Coefficients; for two classes a single row, the log-odds of the second class.
    intercept : (K,) array
        Intercepts, one for each row of `coef`.
    standard_errors : array like `coef`, optional
        Standard errors; without them no interval is drawn.
    scales : (D,) array, optional
        Standard deviation of each feature: coefficients are then ranked and shown per standard deviation, so that
        features of different units can be compared. Leave it out where the features are standardised already.
    """

    feature_names: Sequence[str]
    coef: Array
    intercept: Array
    standard_errors: Array | None = None
    scales: Array | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.coef)
        if len(shape) != 2:
            raise ValueError(f"coef must be a matrix, got shape {shape}")
        if not np.isfinite(self.coef).all():
            raise ValueError("coef must be finite")
        _has_shape("feature_names", self.feature_names, shape[1:])
        _has_shape("intercept", self.intercept, shape[:1])
        if self.standard_errors is not None:
            _has_shape("standard_errors", self.standard_errors, shape)
        if self.scales is not None:
            _has_shape("scales", self.scales, shape[1:])


@dataclass(frozen=True)
class HeldOut:
    """What the model said about rows that it did not learn from.

    Parameters
    ----------
    how : str
        How the rows were held out, for instance "5-fold stratified cross-validation".
    true : (n,) array of int, or (n, K) array
        Code of each row's class, or the share of every class in it.
    probabilities : (n, K) array
        What the model gave each class.
    baseline : (n, K) or (K,) array
        What the share of each class among the rows learnt from would have given.
    row_numbers : (n,) array of int
        Where each of these rows is in the table.
    calibrated : (n, K) array, optional
        The probabilities at `temperature`.
    temperature : float, optional
        What the logits were divided by.
    rows : mapping of str to (n,) sequence of str, optional
        The values of these rows as text, a column each.
    weights : (n,) array, optional
        What each row counts for; positive.
    """

    how: str
    true: Array
    probabilities: Array
    baseline: Array
    row_numbers: Array
    calibrated: Array | None = None
    temperature: float | None = None
    rows: Mapping[str, Sequence[str]] | None = None
    weights: Array | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.probabilities)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"probabilities must be (rows, classes) with at least one of each, got shape {shape}")
        _has_shape("true", self.true, shape if np.ndim(self.true) == 2 else shape[:1])
        if self.weights is not None:
            _has_shape("weights", self.weights, shape[:1])
            if not np.min(self.weights) > 0:
                raise ValueError(f"weights must be positive, got {np.min(self.weights):g}")
        _has_shape("row_numbers", self.row_numbers, shape[:1])
        if np.shape(self.baseline) != shape[1:]:
            _has_shape("baseline", self.baseline, shape)
        for name in "probabilities", "calibrated", "baseline":
            given = getattr(self, name)
            if given is not None and not (np.min(given) >= 0 and np.max(given) <= 1 + 1e-5):
                raise ValueError(f"{name} must be in [0, 1], got {np.min(given):g} to {np.max(given):g}")
        if np.ndim(self.true) == 2:
            if not (np.min(self.true) >= 0 and np.max(self.true) <= 1 + 1e-5):
                raise ValueError(f"shares must be in [0, 1], got {np.min(self.true):g} to {np.max(self.true):g}")
        elif np.min(self.true) < 0 or np.max(self.true) >= shape[1]:
            raise ValueError(f"true must be in [0, {shape[1]}), got {np.min(self.true)} to {np.max(self.true)}")
        if (self.calibrated is None) != (self.temperature is None):
            raise ValueError("calibrated and temperature go together, got one of them")
        if self.calibrated is not None:
            _has_shape("calibrated", self.calibrated, shape)
        for name, values in (self.rows or {}).items():
            _has_shape(f"rows[{name!r}]", values, shape[:1])


@dataclass(frozen=True)
class Facts:
    """All that the page shows.

    Parameters
    ----------
    title : str
        Its title.
    data : Data
        The rows that were learnt from.
    model : Model
        How it was trained.
    coefficients : Coefficients
        What was learnt.
    held_out : HeldOut, optional
        How it did on other rows; None where it was not judged.
    """

    title: str
    data: Data
    model: Model
    coefficients: Coefficients
    held_out: HeldOut | None = None

    def __post_init__(self) -> None:
        K = len(self.data.classes)
        rows = len(self.coefficients.coef)
        if rows != (1 if K == 2 else K):
            raise ValueError(f"coef must have {1 if K == 2 else K} rows for {K} classes, got {rows}")
        if self.held_out is not None:
            _has_shape("probabilities", self.held_out.probabilities, (len(self.held_out.true), K))


def _has_shape(name: str, values: Any, wanted: tuple[int, ...]) -> None:
    got = values.shape if isinstance(values, np.ndarray) else (len(values),)
    if got != wanted:
        raise ValueError(f"{name} must have shape {wanted}, got {got}")
