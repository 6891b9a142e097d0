r"""What the curvature at the minimum says about the coefficients: their covariance, and the tables made of it.

With H = Σ_i r_i (diag p_i − p_i p_iᵀ) ⊗ x̃_i x̃_iᵀ, the Fisher information of the rows (exact: for the softmax the
observed and the expected information are the same), the covariance is H⁻¹. With an L2 penalty it is (H + 1/C)⁻¹, the
covariance of the Laplace approximation of the posterior under the normal prior that the penalty stands for, whose
intervals cover well on average over the coefficients (Nychka 1988, "Bayesian confidence intervals for smoothing
splines", JASA 83).
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, stats
from scipy.special import xlogy

from luce.models.design import Design
from luce.models.objective import Point

__all__ = ["Statistics", "Summary", "check_size", "information"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]

MOST_PARAMETERS = 6000  # whose covariance is formed (288 MB)
SINGULAR = 1e-13  # smallest squared pivot of the information, at a unit diagonal, that is not rounding alone
MOST_NAMED = 8  # columns that an error names


@dataclass(frozen=True)
class Statistics:
    """What a fit leaves for its statistics.

    Attributes
    ----------
    covariance : (P, P) float64 array
        Of the K·(D + 1) coefficients, each class's weights followed by its intercept.
    log_likelihood, null_log_likelihood : float
        Of the model, and of intercepts alone, which are the class shares; weighted.
    degrees_of_freedom : float
        Trace of (H + penalty)⁻¹ H: the number of free parameters where there is no penalty.
    total : float
        Sum of the row weights.
    """

    covariance: Vector
    log_likelihood: float
    null_log_likelihood: float
    degrees_of_freedom: float
    total: float


def check_size(size: int) -> None:
    """Raise ValueError for more parameters than a covariance is formed of."""
    if size > MOST_PARAMETERS:
        raise ValueError(f"standard_errors: {size} parameters; the covariance of {MOST_PARAMETERS} is the most")


def information(point: Point, total: float, names: Sequence[str]) -> Statistics:
    """Return the statistics at a minimum, evaluated in float64.

    A constant column beside an intercept, or one of zeros without, says nothing: with a penalty its coefficient has the
    variance of the prior, without one no variance at all, which is an error.

    Parameters
    ----------
    point : Point
    total : float
        Sum of the row weights.
    names : sequence of str
        Of the columns, for errors.

    Raises
    ------
    ValueError
        If there is an L1 part, the parameters are too many, or the information is singular (constant or collinear
        columns without a penalty); the columns are named.
    """
    objective, design, coordinates = point.objective, point.objective.design, point.objective.coordinates
    if objective.lasso.any():
        raise ValueError("standard_errors: a model with an L1 penalty has none; refit its columns with l1_ratio=0")
    check_size(objective.size)
    idle = np.append(design.unit == 0, np.zeros(int(design.fit_intercept), bool))
    prior = objective.l2 * total
    if idle.any() and not prior:
        raise ValueError(_said_of_constant(np.flatnonzero(idle), names, design.fit_intercept))
    hessian = total * point.hessian()
    ridge = np.tile(objective.ridge, coordinates.n_rows) * total
    free = np.tile(~idle, coordinates.n_rows)
    root = 1 / np.sqrt(np.where(free, np.diagonal(hessian), 1))
    scaled = hessian * root * root[:, None]
    scaled[~free] = scaled[:, ~free] = 0
    scaled[~free, ~free] = 1
    try:
        factor = linalg.cho_factor(scaled, lower=True)
        worst = np.abs(np.diagonal(factor[0])).min() ** 2
    except linalg.LinAlgError:
        worst = 0.0
    if worst < SINGULAR:
        raise ValueError(_said_of_collinear(design, names))
    inner = linalg.cho_solve(factor, np.eye(objective.size)) * root * root[:, None]
    inner[~free] = inner[:, ~free] = 0
    freedom = float(free.sum() - np.sum(np.diagonal(inner) * ridge))
    inner[~free, ~free] = 1 / prior if prior else 0.0
    # A = QΦ; then W = A/σ and b = a − W μ; columns that say nothing are as they are
    unit = np.where(design.unit > 0, design.unit, 1.0)
    outer = np.eye(design.n_columns)
    outer[: design.n_features, : design.n_features] = np.diag(unit)
    if design.fit_intercept:
        outer[-1, : design.n_features] = -design.centre * unit
    basis = coordinates.spread(np.eye(coordinates.n_rows))
    if coordinates.n_scores == 2 and coordinates.n_rows == 1:
        basis = basis[1:]
    change = np.kron(basis, outer)
    shares = objective.class_shares
    coupled = objective.loss.coupled
    null = float(xlogy(shares, shares).sum() + (0 if coupled else xlogy(1 - shares, 1 - shares).sum()))
    return Statistics(change @ inner @ change.T, -total * point.loss, total * null, freedom, total)


def _said_of_constant(columns: npt.NDArray[np.intp], names: Sequence[str], fit_intercept: bool) -> str:
    which = "column" if len(columns) == 1 else "columns"
    what = "constant, as the intercept is" if fit_intercept else "0 in every row"
    return (
        f"standard_errors: the Fisher information is singular: {which} {_listed(columns, names)} of X"
        f" {'is' if len(columns) == 1 else 'are'} {what}; drop {'it' if len(columns) == 1 else 'them'}"
        " or set a finite C"
    )


def _said_of_collinear(design: Design, names: Sequence[str]) -> str:
    """Name the first column that is a combination of others, and those."""
    gram = np.zeros((design.n_features,) * 2)
    for rows in design.blocks(1):
        block = design.standardised(rows)[:, : design.n_features] * np.sqrt(design.share[rows])[:, None]
        gram += block.T @ block
    factor, pivots, rank, _ = linalg.lapack.dpstrf(gram, tol=np.sqrt(SINGULAR), lower=True)
    order = pivots - 1
    if rank == design.n_features:
        return (
            "standard_errors: the Fisher information is singular: the rows do not tell all coefficients apart;"
            " set a finite C"
        )
    mixed = linalg.solve_triangular(factor[:rank, :rank], factor[rank:, :rank].T, lower=True, trans="T")
    beside = [np.flatnonzero(np.abs(mixture) > 1e-6) for mixture in mixed.T]
    shortest = int(np.argmin([len(others) for others in beside]))
    columns = np.sort(order[np.append(beside[shortest], rank + shortest)])
    return (
        f"standard_errors: the Fisher information is singular: the columns {_listed(columns, names)} of X are collinear"
        f" (a combination of them is {'constant' if design.fit_intercept else '0'}); drop one or set a finite C"
    )


def _listed(columns: npt.NDArray[np.intp], names: Sequence[str]) -> str:
    shown = [repr(names[column]) for column in columns[:MOST_NAMED].tolist()]
    rest = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


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
        Of the intervals.
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

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each class and term.

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise ImportError("Summary.to_frame needs pandas: pip install pandas") from error
        index = pd.MultiIndex.from_product([self.classes, self.terms], names=["class", "term"])
        return pd.DataFrame({name: values.ravel() for name, values in self._columns().items()}, index=index)

    def __str__(self) -> str:
        """Return the table as text."""
        head = ["class", "term", *self._columns()]
        rows = [head, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*self._facts(), "", lines[0], "-" * max(map(len, lines)), *lines[1:]])

    def _repr_html_(self) -> str:
        def row(cells: list[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        facts = "".join(f"<div>{html.escape(fact)}</div>" for fact in self._facts())
        body = "".join(row(cells, "td") for cells in self._rows())
        head = row(["class", "term", *self._columns()], "th")
        return f"{facts}<table><thead>{head}</thead><tbody>{body}</tbody></table>"

    def _facts(self) -> list[str]:
        which = "of all classes, summing to 0" if self.reference is None else f"against {self.reference}"
        return [
            f"Softmax classifier: coefficients {which}",
            f"{self.observations:g} observations, {self.degrees_of_freedom:.6g} degrees of freedom",
            f"log-likelihood {self.log_likelihood:.4f}, of the class shares alone {self.null_log_likelihood:.4f}, "
            f"McFadden's R² {self.mcfadden:.4f}",
            f"AIC {self.aic:.3f}, BIC {self.bic:.3f}",
        ]

    def _columns(self) -> dict[str, Vector]:
        tail = f"{(1 - self.level) / 2:.3g}"
        return {
            "coefficient": self.coefficient,
            "standard error": self.standard_error,
            "z": self.z,
            "p": self.p,
            f"[{tail}": self.low,
            f"{1 - (1 - self.level) / 2:.3g}]": self.high,
        }

    def _rows(self) -> list[list[str]]:
        formats = ["{:.5g}", "{:.4g}", "{:.3f}", "{:.4f}", "{:.4g}", "{:.4g}"]
        columns = [values.ravel() for values in self._columns().values()]
        names = [(label, term) for label in self.classes for term in self.terms]
        return [
            [label, term, *(form.format(values[at]) for form, values in zip(formats, columns, strict=True))]
            for at, (label, term) in enumerate(names)
        ]
