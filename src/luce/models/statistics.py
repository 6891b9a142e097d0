r"""The statistics that follow from the curvature at the minimum: their covariance, degrees of freedom, likelihood.

With H = Σ_i r_i (diag p_i − p_i p_iᵀ) ⊗ x̃_i x̃_iᵀ, the Fisher information of the rows (exact: for the softmax the
observed and the expected information are the same), the covariance is H⁻¹. With an L2 penalty it is (H + 1/C)⁻¹, the
covariance of the Laplace approximation of the posterior under the normal prior that the penalty stands for, whose
intervals cover well on average over the coefficients (Nychka 1988, "Bayesian confidence intervals for smoothing
splines", JASA 83).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.special import xlogy

from luce.models.objective import Point

__all__ = ["Statistics", "check_size", "information"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]

MOST_PARAMETERS = 6000  # whose covariance is formed (288 MB)


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


def check_size(size: int) -> None:
    """Raise ValueError for more parameters than a covariance is formed of."""
    if size > MOST_PARAMETERS:
        raise ValueError(f"standard_errors: {size} parameters; the covariance of {MOST_PARAMETERS} is the most")


def information(point: Point, total: float) -> Statistics:
    """Return the statistics at a minimum.

    Raises
    ------
    ValueError
        If there is an L1 part, the parameters are too many, or the information is singular (collinear columns without a
        penalty).
    """
    objective, design, coordinates = point.objective, point.objective.design, point.objective.coordinates
    if objective.lasso.any():
        raise ValueError("standard_errors: a model with an L1 penalty has none; refit its columns with l1_ratio=0")
    check_size(objective.size)
    hessian = total * point.hessian()
    ridge = np.tile(objective.ridge, coordinates.n_rows) * total
    varying = np.append(design.unit > 0, np.ones(int(design.fit_intercept), bool))
    free = np.tile(varying, coordinates.n_rows)
    root = 1 / np.sqrt(np.where(free, np.diagonal(hessian), 1))
    scaled = hessian * root * root[:, None]
    scaled[~free] = scaled[:, ~free] = 0
    scaled[~free, ~free] = 1
    try:
        factor = linalg.cho_factor(scaled, lower=True)
        worst = np.abs(np.diagonal(factor[0])).min() ** 2
    except linalg.LinAlgError:
        worst = 0.0
    if worst < 1e-13:
        raise ValueError(
            "standard_errors: the Fisher information is singular: columns of X are collinear;"
            " drop some or set a finite C"
        )
    inner = linalg.cho_solve(factor, np.eye(objective.size)) * root * root[:, None]
    inner[~free] = inner[:, ~free] = 0
    freedom = float(free.sum() - np.sum(np.diagonal(inner) * ridge))
    # A = QΦ; then W = A/σ and b = a − W μ
    columns = design.n_columns
    outer = np.eye(columns)
    outer[: design.n_features, : design.n_features] = np.diag(design.unit)
    if design.fit_intercept:
        outer[-1, : design.n_features] = -design.centre * design.unit
    basis = coordinates.spread(np.eye(coordinates.n_rows))
    if coordinates.n_scores == 2 and coordinates.n_rows == 1:
        basis = basis[1:]
    change = np.kron(basis, outer)
    shares = objective.class_shares
    coupled = objective.loss.coupled
    null = float(xlogy(shares, shares).sum() + (0 if coupled else xlogy(1 - shares, 1 - shares).sum()))
    return Statistics(change @ inner @ change.T, -total * point.loss, total * null, freedom, total)
