r"""The statistics that follow from the curvature at the minimum: their covariance, degrees of freedom, likelihood.

With H = Σ_i r_i (diag p_i − p_i p_iᵀ) ⊗ x̃_i x̃_iᵀ, the Fisher information of the rows (exact: for the softmax the
observed and the expected information are the same), the covariance is H⁻¹. With an L2 penalty it is (H + 1/C)⁻¹, the
covariance of the Laplace approximation of the posterior under the normal prior that the penalty stands for, whose
intervals cover well on average over the coefficients (Nychka 1988, "Bayesian confidence intervals for smoothing
splines", JASA 83).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from luce.models.inputs.kinds import Indices, Vector
from luce.models.linear.design import Design
from luce.models.linear.naming import listed
from luce.models.linear.place import Place

__all__ = ["Statistics", "check_size", "information"]


MOST_PARAMETERS = 6000  # whose covariance is formed (288 MB)
SINGULAR = 1e-13  # smallest squared pivot of the information, at a unit diagonal, that is not rounding alone


@dataclass(frozen=True)
class Statistics:
    """The covariance of a fit's coefficients and the measures of its likelihood.

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

    def covariance_without_intercepts(self, rows: int) -> Vector:
        """Return the covariance with zeros where each of so many classes would have its intercept."""
        columns = len(self.covariance) // rows
        keep = np.tile(np.append(np.ones(columns, bool), False), rows)
        whole = np.zeros((rows * (columns + 1),) * 2)
        whole[np.ix_(keep, keep)] = self.covariance
        return whole


def check_size(size: int) -> None:
    """Raise ValueError for more parameters than a covariance is formed of."""
    if size > MOST_PARAMETERS:
        raise ValueError(f"standard_errors: {size} parameters; the covariance of {MOST_PARAMETERS} is the most")


def information(place: Place, total: float, names: Sequence[str]) -> Statistics:
    """Return the statistics at a minimum, evaluated in float64.

    A constant column beside an intercept, or one of zeros without, says nothing: with a penalty its coefficient has the
    variance of the prior, without one no variance at all, which is an error.

    Parameters
    ----------
    place : Place
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
    objective, design, coordinates = place.objective, place.objective.design, place.objective.coordinates
    if objective.lasso.any():
        raise ValueError("standard_errors: a model with an L1 penalty has none; refit its columns with l1_ratio=0")
    check_size(objective.size)
    idle = np.append(design.unit == 0, np.zeros(int(design.fit_intercept), bool))
    prior = objective.l2 * total
    if idle.any() and not prior:
        raise ValueError(_said_of_constant(np.flatnonzero(idle), names, design.fit_intercept))
    hessian = total * place.hessian()
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
    null = -objective.loss.entropy(objective.class_shares)
    return Statistics(change @ inner @ change.T, -total * place.loss, total * null, freedom, total)


def _said_of_constant(columns: Indices, names: Sequence[str], fit_intercept: bool) -> str:
    which = "column" if len(columns) == 1 else "columns"
    what = "constant, as the intercept is" if fit_intercept else "0 in every row"
    return (
        f"standard_errors: the Fisher information is singular: {which} {listed(columns, names)} of X"
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
        f"standard_errors: the Fisher information is singular: the columns {listed(columns, names)} of X are collinear"
        f" (a combination of them is {'constant' if design.fit_intercept else '0'}); drop one or set a finite C"
    )
