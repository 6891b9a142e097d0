"""Objectives by description: rows, a loss with its targets, coordinates and penalties, and the same as formulas."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax

from luce.models.linear.coordinates import LogOdds, SumZero, Whole
from luce.models.linear.design import Design, as_matrix
from luce.models.linear.losses import SigmoidLoss, SoftmaxLoss
from luce.models.linear.objective import LinearObjective

COORDINATES = {"sum zero": SumZero, "whole": Whole, "log odds": lambda _: LogOdds()}
PAIRS = [("softmax", "sum zero"), ("softmax", "whole"), ("softmax", "log odds"), ("sigmoid", "whole")]
TARGETS = ["codes", "table", "smoothed codes", "smoothed table"]


@dataclass
class Drawn:
    """An objective and what it is made of; `table` holds the targets as the loss sees them, smoothed."""

    objective: LinearObjective
    X: np.ndarray
    table: np.ndarray
    share: np.ndarray
    l1: float
    l2: float
    loss: str
    rng: Any

    def losses(self, scores):
        """The loss of each row, from the definition."""
        if self.loss == "softmax":
            return -(self.table * log_softmax(scores, axis=1)).sum(axis=1)
        return -(self.table * log_expit(scores) + (1 - self.table) * log_expit(-scores)).sum(axis=1)

    def probabilities(self, scores):
        return softmax(scores, axis=1) if self.loss == "softmax" else expit(scores)

    def value(self, parameters):
        """The whole objective from the definition, L1 part included; each row of weights that there is counts once."""
        coef, intercept = self.objective.coefficients(parameters)
        loss = self.share @ self.losses(self.X @ coef.T + intercept)
        return loss + 0.5 * self.l2 * np.sum(coef**2) + self.l1 * np.sum(np.abs(coef))


def drawn(
    seed,
    *,
    rows=30,
    columns=3,
    classes=3,
    loss="softmax",
    coordinates="sum zero",
    target="codes",
    l2=0.3,
    l1=0.0,
    fit_intercept=True,
    weighted=True,
    form="dense",
    spread=2.0,
    offset=3.0,
    uneven=0.0,
    dtype=np.float64,
):
    """Draw rows whose columns have units e^±spread and lie some `offset` widths off 0, a share `uneven` of class 0."""
    rng = np.random.default_rng(seed)
    classes = 2 if coordinates == "log odds" else classes
    units = np.exp(rng.uniform(-spread, spread, columns))
    X = (rng.normal(size=(rows, columns)) + offset * rng.normal(size=columns)) * units
    if form == "sparse":
        X[rng.random(X.shape) < 0.5] = 0
    X = X.astype(dtype)
    codes = rng.integers(0, classes, rows)
    if uneven:
        codes = np.where(np.arange(rows) < uneven * rows, 0, np.arange(rows) % classes)
    table = np.eye(classes)[codes]
    if "table" in target:
        table = rng.dirichlet(np.ones(classes), rows) if loss == "softmax" else rng.random((rows, classes))
    smoothing = 0.2 if "smoothed" in target else 0.0
    given = table.astype(dtype) if "table" in target else codes
    weight = rng.uniform(0.1, 3, rows) if weighted else np.ones(rows)
    kind = {"softmax": SoftmaxLoss, "sigmoid": SigmoidLoss}[loss]
    objective = LinearObjective(
        Design(as_matrix(sparse.csr_array(X) if form == "sparse" else X), weight if weighted else None, fit_intercept),
        kind(given, classes, label_smoothing=smoothing, n_threads=1),
        COORDINATES[coordinates](classes),
        l2=l2,
        l1=l1,
    )
    even = 1 / classes if loss == "softmax" else 0.5
    smooth = (1 - smoothing) * table + smoothing * even
    return Drawn(objective, X.astype(float), smooth, weight / weight.sum(), l1, l2, loss, rng)


def written_out(case, parameters):
    """The Hessian as a sum of Kronecker products over the rows, in the coordinates of the parameters."""
    objective = case.objective
    coef, intercept = objective.coefficients(parameters)
    inner = objective.design.standardised(slice(0, len(case.X))).astype(float)
    basis = objective.coordinates.spread(np.eye(objective.coordinates.n_rows))
    total = np.diag(np.tile(objective.ridge, objective.coordinates.n_rows))
    for row, share, p in zip(inner, case.share, case.probabilities(case.X @ coef.T + intercept), strict=True):
        bend = np.diag(p) - np.outer(p, p) if case.loss == "softmax" else np.diag(p * (1 - p))
        total += share * np.kron(basis.T @ bend @ basis, np.outer(row, row))
    return total
