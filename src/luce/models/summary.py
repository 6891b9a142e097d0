"""The coefficients of a fitted classifier with their uncertainty, and measures of the fit: a table for people."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import stats

from luce.optional import needed
from luce.printing.table import Cell, TextTable

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Summary"]

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Coefficients with their uncertainty; prints as a table.

    Attributes
    ----------
    classes, terms : list of str
        Classes in the order of the rows, and the terms of each: the features, and the intercept last.
    coefficient, standard_error, z, p, low, high : (classes, terms) float64 arrays
        z = coefficient / standard error, its two-sided p-value under the normal law, and the interval's ends.
    level : float
        Level of the intervals.
    reference : str or None
        The class whose coefficients were subtracted; None where the coefficients of all classes sum to 0.
    log_likelihood, null_log_likelihood, aic, bic, mcfadden : float
        −2 log L + 2 f and −2 log L + f log Σr with f degrees of freedom; 1 − log L / log L₀ with L₀ that of the class
        shares alone (McFadden 1974).
    degrees_of_freedom, observations : float
    """

    classes: list[str]
    terms: list[str]
    coefficient: Vector
    standard_error: Vector
    level: float
    reference: str | None
    log_likelihood: float
    null_log_likelihood: float
    degrees_of_freedom: float
    observations: float

    @property
    def z(self) -> Vector:
        """Coefficient over standard error."""
        return np.asarray(self.coefficient / self.standard_error)

    @property
    def p(self) -> Vector:
        """Two-sided p-values."""
        return np.asarray(2 * stats.norm.sf(np.abs(self.z)))

    @property
    def low(self) -> Vector:
        """Lower ends of the intervals."""
        return np.asarray(self.coefficient - stats.norm.isf((1 - self.level) / 2) * self.standard_error)

    @property
    def high(self) -> Vector:
        """Upper ends of the intervals."""
        return np.asarray(self.coefficient + stats.norm.isf((1 - self.level) / 2) * self.standard_error)

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return -2 * self.log_likelihood + 2 * self.degrees_of_freedom

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return float(-2 * self.log_likelihood + self.degrees_of_freedom * np.log(self.observations))

    @property
    def mcfadden(self) -> float:
        """McFadden's R²."""
        return 1 - self.log_likelihood / self.null_log_likelihood

    def to_frame(self) -> DataFrame:
        """Return a pandas DataFrame with a row for each class and term.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pd = needed("pandas", "Summary.to_frame")
        index = pd.MultiIndex.from_product([self.classes, self.terms], names=["class", "term"])
        return pd.DataFrame({name: values.ravel() for name, values in self._columns().items()}, index=index)

    def __str__(self) -> str:
        """Return the table as text."""
        return "\n".join([*self._facts(), "", *self._table().lines(rule=True)])

    def _repr_html_(self) -> str:
        return "".join(f"<div>{html.escape(fact)}</div>" for fact in self._facts()) + self._table().html()

    def _facts(self) -> list[str]:
        """Return the lines above the table: sizes and measures of the fit."""
        which = "of all classes, summing to 0" if self.reference is None else f"against {self.reference}"
        return [
            f"Softmax classifier: coefficients {which}",
            f"{self.observations:g} observations, {self.degrees_of_freedom:.6g} degrees of freedom",
            f"log-likelihood {self.log_likelihood:.4f}, of the class shares alone {self.null_log_likelihood:.4f}, "
            f"McFadden's R² {self.mcfadden:.4f}",
            f"AIC {self.aic:.3f}, BIC {self.bic:.3f}",
        ]

    def _columns(self) -> dict[str, Vector]:
        """Return the columns of the table by their headings."""
        tail = f"{(1 - self.level) / 2:.3g}"
        return {
            "coefficient": self.coefficient,
            "standard error": self.standard_error,
            "z": self.z,
            "p": self.p,
            f"[{tail}": self.low,
            f"{1 - (1 - self.level) / 2:.3g}]": self.high,
        }

    def _table(self) -> TextTable:
        formats = ["{:.5g}", "{:.4g}", "{:.3f}", "{:.4f}", "{:.4g}", "{:.4g}"]
        columns = [values.ravel() for values in self._columns().values()]
        names = [(label, term) for label in self.classes for term in self.terms]
        rows = [
            [label, term, *(form.format(values[at]) for form, values in zip(formats, columns, strict=True))]
            for at, (label, term) in enumerate(names)
        ]
        return TextTable(["class", "term", *self._columns()], [list(map(Cell, row)) for row in rows], labels=2)
