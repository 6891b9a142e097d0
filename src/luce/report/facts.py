"""The facts of a training run as arrays and text, which every report reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from luce.models.inputs.kinds import Array
from luce.printing.data import JSONObject
from luce.report.shapes import check_shape

if TYPE_CHECKING:  # a prediction reads columns, and is not to wait for what measures
    from luce.models.summary import Summary
    from luce.report.held_out import HeldOut

__all__ = ["Coefficients", "Column", "Data", "Facts", "Model"]


class Column(NamedTuple):
    """One column of the table.

    Attributes
    ----------
    name, kind, done : str
        Its name, what it holds, and what was done with it.
    used : bool
        Whether the model uses it.
    remarks : sequence of str
        Remarks on the column for readers of the report.
    reading : dict, optional
        How its text was read, as JSON has it; None where there is nothing to say.
    """

    name: str
    kind: str
    done: str
    used: bool = True
    remarks: Sequence[str] = ()
    reading: JSONObject | None = None


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
        Remarks on the table as a whole for readers of the report.
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
        check_shape("class_counts", self.class_counts, (len(self.classes),))

    @property
    def all_remarks(self) -> list[str]:
        """The remarks on the table, then those on its columns, each with the column's name before it."""
        columns = [Column(*column) for column in self.columns or ()]
        return [*self.remarks, *(f"{column.name!r}: {remark}" for column in columns for remark in column.remarks)]


@dataclass(frozen=True)
class Model:
    """The training: which model, with which parameters, how the solver went.

    Parameters
    ----------
    name : str
        The name of the kind of model.
    parameters : mapping
        Name and value of each, shown as they are.
    solver : str
        The name of the solver that ran.
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
    parameters: Mapping[str, object]
    solver: str
    seconds: float
    n_iter: int
    loss_curve: Array
    grad_norm_curve: Array
    gap: float | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Coefficients:
    """The coefficients that were learnt, with their uncertainty.

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
        check_shape("feature_names", self.feature_names, shape[1:])
        check_shape("intercept", self.intercept, shape[:1])
        if self.standard_errors is not None:
            check_shape("standard_errors", self.standard_errors, shape)
        if self.scales is not None:
            check_shape("scales", self.scales, shape[1:])


@dataclass(frozen=True)
class Facts:
    """All that the reports of a training run show: the page, the terminal, JSON.

    Parameters
    ----------
    title : str
        The title of the report.
    data : Data
        The rows that were learnt from.
    model : Model
        How it was trained.
    coefficients : Coefficients
        What was learnt.
    held_out : HeldOut, optional
        How it did on other rows; None where it was not judged.
    summary : Summary, optional
        The coefficients with their uncertainty, where there are standard errors.
    """

    title: str
    data: Data
    model: Model
    coefficients: Coefficients
    held_out: HeldOut | None = None
    summary: Summary | None = None

    def __post_init__(self) -> None:
        K = len(self.data.classes)
        rows = len(self.coefficients.coef)
        if rows != (1 if K == 2 else K):
            raise ValueError(f"coef must have {1 if K == 2 else K} rows for {K} classes, got {rows}")
        if self.held_out is not None:
            check_shape("probabilities", self.held_out.probabilities, (len(self.held_out.true), K))
