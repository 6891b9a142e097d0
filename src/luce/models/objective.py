"""The penalised mean cross-entropy of linear scores: its value, gradient, Hessian, products and preconditioners.

With rows x_i ∈ R^D, classes y_i, row weights r_i that sum to S, weights W ∈ R^(K×D) and intercepts b ∈ R^K,

    F(W, b) = (1/S) Σ_i r_i ℓ(W x_i + b, y_i) + ½ λ ‖W‖²        ℓ(z, y) = log Σ_k exp(z_k) − z_y

and with p_i = softmax(W x_i + b), x̃ = (x, 1), by the chain rule from CONTRACT.md's ∂ℓ/∂u = p − t and H = diag p − p pᵀ,

    ∇F = (1/S) Σ_i r_i (p_i − e_{y_i}) x̃_iᵀ + λ (W, 0)
    H  = (1/S) Σ_i r_i (diag p_i − p_i p_iᵀ) ⊗ x̃_i x̃_iᵀ + λ I_W

**Coordinates.** Solvers walk in other parameters than (W, b), chosen so that F is well shaped whatever the units of
X are:

* *standardised columns*: x' = (x − μ)/σ, so that W = A/σ and b = a − W μ. X itself is never copied or changed: the
  products with it are corrected afterwards. The penalty becomes ½ Σ λ/σ_j² A_kj²: the minimum is the same. A constant
  column says nothing beside the intercept: its x' and its weights are 0.
* *classes without the common shift*: adding one vector to all rows of (W, b) changes no probability, which makes the
  Hessian singular. The minimum with Σ_k W_k = 0, Σ_k b_k = 0 (with λ > 0 the first holds by itself) is singled out by
  writing A = Q Φ, Q ∈ R^(K×(K−1)) an orthonormal basis of the vectors that sum to 0: the last K−1 columns of the
  Householder reflector that takes e_1 to 1/√K. Applying Q costs O(K) a column and keeps norms.

**Two classes.** scikit-learn penalises the one logit difference w = W_1 − W_0 by ½‖w‖²; with W_0 = −W_1 that is
‖W‖², not ½‖W‖². The estimator therefore asks for 2λ there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg

from luce.cross_entropy import cross_entropy_and_grad, cross_entropy_hvp
from luce.softmax import softmax

__all__ = ["SoftmaxObjective", "SoftmaxPoint"]

Array = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]

BLOCK_ENTRIES = 2**19  # numbers of X and of the logits in one block of rows, 4 MiB in float64
KEPT_LOGITS = 2**25  # logits are kept at a point up to here (256 MiB in float64); beyond, products compute them again
LARGEST_DEVIATION = 1e150  # beyond, and below its inverse, squares leave the range of float64
GRAM_COLUMNS = 3000  # widest Gram matrix that a preconditioner factors; beyond, its diagonal stands for it
STRONG_ENTRIES = 2**26  # most numbers that the per-class preconditioner may hold


class SoftmaxObjective:
    """F as a function of a vector, in the coordinates above.

    Parameters
    ----------
    X : (N, D) float32 or float64 array
        Rows; kept as they are, in either memory order.
    codes : (N,) integer array
        Classes as numbers 0 … K−1.
    n_classes : int
        K ≥ 2.
    sample_weight : (N,) array or None
        Positive row weights r; None for ones.
    penalty : float
        λ ≥ 0.
    fit_intercept : bool
        Whether there is an intercept; without one columns are scaled but not centred.
    n_threads : int or None
        Threads of the loss kernels.

    Attributes
    ----------
    size : int
        Length of the parameter vector, (K−1)·(D + 1), or (K−1)·D without intercept.
    resolution : float
        Relative rounding error to expect of a value: (8 + max |μ/σ|) ε, ε that of X's dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.objective import SoftmaxObjective
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> F = SoftmaxObjective(X, np.array([0, 1, 2]), 3, penalty=0.1)
    >>> F.size
    4
    >>> round(F.at(F.start()).value, 6)  # log 3: all classes alike
    1.098612
    """

    def __init__(
        self,
        X: Array,
        codes: npt.NDArray[np.int64],
        n_classes: int,
        *,
        sample_weight: Array | None = None,
        penalty: float = 0.0,
        fit_intercept: bool = True,
        n_threads: int | None = None,
    ) -> None:
        self.X = X
        self.codes = codes
        self.n_classes = n_classes
        self.n_columns = X.shape[1] + int(fit_intercept)
        self.fit_intercept = fit_intercept
        self.n_threads = n_threads
        self.size = (n_classes - 1) * self.n_columns
        weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        self._share = (weights / weights.sum()).astype(X.dtype)
        self._block = int(np.clip(BLOCK_ENTRIES // (n_classes + self.n_columns), 128, 16384))
        self._centre, self._scale = self._location_and_scale()
        self._unit = np.divide(1, self._scale, out=np.zeros_like(self._scale), where=self._scale > 0)
        # scores are x·W − μ·W + a: a column far from 0 for its width cancels that many digits
        self.resolution = float(np.finfo(X.dtype).eps * (8 + np.max(np.abs(self._centre) * self._unit, initial=0.0)))
        self.column_penalty = np.zeros(self.n_columns)
        self.column_penalty[: X.shape[1]] = penalty * self._unit**2

    def start(self, coef: Array | None = None, intercept: Array | None = None) -> Vector:
        """Return the parameters of (W, b), by default of zero; what all classes share is left out."""
        inner: Vector = np.zeros((self.n_classes, self.n_columns))
        if coef is not None:
            inner[:, : self.X.shape[1]] = coef * self._scale
            if self.fit_intercept and intercept is not None:
                inner[:, -1] = intercept + np.asarray(coef, np.float64) @ self._centre
        return _without_shift(inner).ravel()

    def coefficients(self, parameters: Vector) -> tuple[Vector, Vector]:
        """Return W (K, D) and b (K,) for a parameter vector; both sum to 0 over the classes."""
        inner = _with_shift(parameters.reshape(self.n_classes - 1, self.n_columns))
        return self._outer(inner)

    def at(self, parameters: Vector) -> SoftmaxPoint:
        """Evaluate F and its gradient in one pass over the rows."""
        return SoftmaxPoint(self, parameters)

    def blocks(self) -> Iterator[slice]:
        """Yield the rows in blocks that fit in cache; they follow from the shape alone."""
        for first in range(0, len(self.X), self._block):
            yield slice(first, min(first + self._block, len(self.X)))

    def scores(self, rows: slice, coef: Array, intercept: Array, out: Array | None = None) -> Array:
        """Return X W' + b for a block of rows; `coef` and `intercept` already have X's dtype."""
        scores: Array = np.matmul(self.X[rows], coef.T, out=out)
        scores += intercept
        return scores

    def outer(self, parameters: Vector) -> tuple[Array, Array]:
        """Return (W, b) in X's dtype, ready for `scores`."""
        coef, intercept = self.coefficients(parameters)
        return coef.astype(self.X.dtype, copy=False), intercept.astype(self.X.dtype, copy=False)

    def pull_back(self, pieces: Iterator[tuple[slice, Array]]) -> Vector:
        """Return Σ Gᵀx̃ in the solver's coordinates, given the derivatives G in the scores block by block."""
        columns = self.X.shape[1]
        weights, intercepts = np.zeros((self.n_classes, columns)), np.zeros(self.n_classes)
        for rows, piece in pieces:
            weights += piece.T @ self.X[rows]
            intercepts += piece.sum(axis=0, dtype=np.float64)
        inner = np.empty((self.n_classes, self.n_columns))
        np.subtract(weights, np.outer(intercepts, self._centre), out=inner[:, :columns])
        inner[:, :columns] *= self._unit
        if self.fit_intercept:
            inner[:, -1] = intercepts
        return _without_shift(inner).ravel()

    def standardised(self, rows: slice) -> Array:
        """Return a block of √(r/S) x̃' (rows, n_columns): weighted, centred, scaled, with the intercept's column."""
        block = np.ones((rows.stop - rows.start, self.n_columns), self.X.dtype)
        inside = block[:, : self.X.shape[1]]
        np.subtract(self.X[rows], self._centre, out=inside, casting="same_kind")
        inside *= self._unit.astype(self.X.dtype)
        block *= np.sqrt(self._share[rows])[:, None]
        return block

    def share(self, rows: slice) -> Array:
        """Return r/S for a block of rows."""
        part: Array = self._share[rows]
        return part

    @cached_property
    def gram(self) -> Vector:
        """(1/S) Σ r x̃'x̃'ᵀ, (n_columns, n_columns), or its diagonal alone where it would be too wide to factor."""
        if self.n_columns > GRAM_COLUMNS:
            wide: Vector = np.zeros(self.n_columns)
            for rows in self.blocks():
                wide += np.sum(np.square(self.standardised(rows)), axis=0, dtype=np.float64)
            return wide
        gram: Vector = np.zeros((self.n_columns, self.n_columns))
        for rows in self.blocks():
            block = self.standardised(rows)
            gram += block.T @ block
        return gram

    def _outer(self, inner: Vector) -> tuple[Vector, Vector]:
        coef = inner[:, : self.X.shape[1]] * self._unit
        intercept = inner[:, -1] - coef @ self._centre if self.fit_intercept else np.zeros(self.n_classes)
        return coef, intercept

    def _location_and_scale(self) -> tuple[Vector, Vector]:
        columns = self.X.shape[1]
        centre, square = np.zeros(columns), np.zeros(columns)
        if self.fit_intercept:
            for rows in self.blocks():
                centre += self._share[rows].astype(np.float64) @ self.X[rows]
        largest = np.zeros(columns)  # squares of the deviations, taken by this, neither overflow nor vanish
        for rows in self.blocks():
            np.maximum(largest, np.max(np.abs(self.X[rows] - centre), axis=0, initial=0.0), out=largest)
        if largest.max(initial=0.0) > LARGEST_DEVIATION:
            raise ValueError(
                f"X: column {int(np.argmax(largest))} spans {largest.max():.2g}; {LARGEST_DEVIATION:g} is the most"
            )
        inverse = np.divide(1, largest, out=np.zeros(columns), where=largest > 1 / LARGEST_DEVIATION)
        for rows in self.blocks():
            deviation = (self.X[rows] - centre) * inverse
            square += self._share[rows].astype(np.float64) @ np.square(deviation, out=deviation)
        scale = np.sqrt(square) * largest
        rounding = 8 * np.sqrt(len(self.X)) * np.finfo(np.float64).eps + 2 * float(np.finfo(self.X.dtype).eps)
        scale[scale <= rounding * np.abs(centre)] = 0.0
        return centre, scale


class SoftmaxPoint:
    """F at one place: `value` and `gradient` at once, the curvature when asked for.

    Attributes
    ----------
    parameters : (P,) float64 array
    value : float
    gradient : (P,) float64 array
    """

    def __init__(self, objective: SoftmaxObjective, parameters: Vector) -> None:
        self.objective = objective
        self.parameters = parameters
        self._coef, self._intercept = objective.outer(parameters)
        kept = len(objective.X) * objective.n_classes <= KEPT_LOGITS
        self._logits = np.empty((len(objective.X), objective.n_classes), objective.X.dtype) if kept else None
        self._filled = False
        loss = 0.0

        def derivatives() -> Iterator[tuple[slice, Array]]:
            nonlocal loss
            for rows, logits in self._scores():
                value, piece = cross_entropy_and_grad(logits, objective.codes[rows], **self._options(rows))
                loss += float(value)
                yield rows, piece

        gradient = objective.pull_back(derivatives())
        self._filled = kept
        decay = self._penalised(parameters)
        self.value: float = loss + 0.5 * float(parameters @ decay)
        self.gradient: Vector = gradient + decay

    def hvp(self, vector: Vector) -> Vector:
        """Return H·vector in one pass over the rows; H is never formed."""
        objective = self.objective
        coef, intercept = objective.outer(vector)

        def derivatives() -> Iterator[tuple[slice, Array]]:
            for rows, logits in self._scores():
                tangent = objective.scores(rows, coef, intercept)
                yield rows, cross_entropy_hvp(logits, objective.codes[rows], tangent, **self._options(rows))

        return objective.pull_back(derivatives()) + self._penalised(vector)

    def hessian(self) -> Vector:
        """Return H (P, P).

        H vanishes along shifts common to all classes, so its first K−1 rows and columns of blocks determine it:
        QᵀHQ = Tᵀ H_(K−1) T with T = Q_(1…K−1) − 1·Q_K. With U_i = p_i ⊗ x̃_i the loss part is Σ_k x̃ᵀdiag(p_k)x̃ − UᵀU.
        """
        objective = self.objective
        classes, columns = objective.n_classes - 1, objective.n_columns
        hessian: Vector = np.zeros((objective.size, objective.size))
        blocks = hessian.reshape(classes, columns, classes, columns)
        for rows, logits in self._scores(BLOCK_ENTRIES // objective.size):
            block = objective.standardised(rows)
            probabilities = softmax(logits, n_threads=objective.n_threads)[:, :classes]
            crossed = (probabilities[:, :, None] * block[:, None, :]).reshape(len(block), -1)
            hessian -= crossed.T @ crossed
            diagonal = (block.T @ crossed).reshape(columns, classes, columns)
            for k in range(classes):
                blocks[k, :, k, :] += diagonal[:, k, :]
        basis = _with_shift(np.eye(classes))
        change = basis[:-1] - basis[-1]
        half = np.tensordot(change, blocks, (0, 0))
        hessian = np.ascontiguousarray(np.tensordot(half, change, (2, 0)).swapaxes(2, 3)).reshape(hessian.shape)
        hessian[np.diag_indices(objective.size)] += np.tile(objective.column_penalty, classes)
        return hessian

    def preconditioner(self, *, strong: bool) -> Callable[[Vector], Vector]:
        """Return a map close to H⁻¹, symmetric and positive definite.

        The weak one puts one average curvature c in place of every diag p − p pᵀ: I ⊗ (c·Gram + λ), one Gram matrix for
        all points and one factor for all classes. c = ½ would bound H (diag p − p pᵀ ≤ ½ (I − 11ᵀ/K): Böhning 1992,
        "Multinomial logistic regression algorithm"); conjugate gradients only care for the shape, so c here is the mean
        eigenvalue, (1 − Σp²)/(K − 1) averaged over the rows. The strong one keeps each class's own block
        Σ p_k (1 − p_k) x̃x̃ᵀ and leaves out the cross terms between classes, which count for little where
        probabilities are peaked.
        """
        return self._class_blocks() if strong else self._average_block()

    @property
    def strong_preconditioner_cost(self) -> float:
        """What building the strong preconditioner costs, in Hessian-vector products; infinite where it does not fit."""
        objective = self.objective
        if objective.n_columns > GRAM_COLUMNS or objective.n_classes * objective.n_columns**2 > STRONG_ENTRIES:
            return float("inf")
        # 2·N·K·D² operations against 4·N·K·D, in a product twice as efficient
        return max(10.0, 0.25 * float(objective.n_columns))

    def _average_block(self) -> Callable[[Vector], Vector]:
        objective = self.objective
        curvature = 0.0
        for rows, logits in self._scores():
            probabilities = softmax(logits, n_threads=objective.n_threads)
            spread = 1 - np.einsum("ij,ij->i", probabilities, probabilities)
            curvature += float(objective.share(rows) @ spread)
        curvature = max(curvature / (objective.n_classes - 1), float(np.finfo(np.float64).tiny) ** 0.5)
        shape = (objective.n_classes - 1, objective.n_columns)
        gram = objective.gram
        if gram.ndim == 1:
            inverse = 1 / (curvature * np.maximum(gram, np.finfo(np.float64).eps) + objective.column_penalty)
            return lambda vector: np.asarray(vector.reshape(shape) * inverse).ravel()
        factor = _factored(curvature * gram, objective.column_penalty)
        return lambda vector: np.asarray(
            linalg.cho_solve(factor, vector.reshape(shape).T, check_finite=False).T
        ).ravel()

    def _class_blocks(self) -> Callable[[Vector], Vector]:
        objective = self.objective
        classes, columns = objective.n_classes, objective.n_columns
        curvatures = np.zeros((classes, columns, columns))
        for rows, logits in self._scores():
            block = objective.standardised(rows)
            probabilities = softmax(logits, n_threads=objective.n_threads)
            roots = np.sqrt(probabilities * (1 - probabilities))
            for k in range(classes):
                part = block * roots[:, k, None]
                curvatures[k] += part.T @ part
        inverses = []
        for curvature in curvatures:
            factor = _factored(curvature, objective.column_penalty)
            inverses.append(linalg.cho_solve(factor, np.eye(columns), check_finite=False))
        stacked = np.stack(inverses)

        def solve(vector: Vector) -> Vector:
            inner = _with_shift(vector.reshape(classes - 1, columns))
            return _without_shift(np.matmul(stacked, inner[:, :, None])[:, :, 0]).ravel()

        return solve

    def _scores(self, most_rows: int = 2**62) -> Iterator[tuple[slice, Array]]:
        """Yield blocks of rows with their logits, kept from the first pass where there is room."""
        for whole in self.objective.blocks():
            step = max(1, min(most_rows, whole.stop - whole.start))
            for first in range(whole.start, whole.stop, step):
                rows = slice(first, min(first + step, whole.stop))
                if self._filled and self._logits is not None:
                    yield rows, self._logits[rows]
                else:
                    out = None if self._logits is None else self._logits[rows]
                    yield rows, self.objective.scores(rows, self._coef, self._intercept, out)

    def _options(self, rows: slice) -> dict[str, Any]:
        return {
            "sample_weight": self.objective.share(rows),
            "reduction": "sum",
            "n_threads": self.objective.n_threads,
        }

    def _penalised(self, vector: Vector) -> Vector:
        penalised: Vector = vector * np.tile(self.objective.column_penalty, self.objective.n_classes - 1)
        return penalised


def _reflect(rows: Vector) -> Vector:
    """Apply the Householder reflector that swaps e_1 and 1/√K to the rows of a (K, ·) matrix."""
    classes = len(rows)
    root = np.sqrt(classes)
    # v = e_1 − 1/√K, ‖v‖² = 2 (1 − 1/√K)
    along = (rows[0] - rows.sum(axis=0) / root) / (1 - 1 / root)
    reflected: Vector = rows + along / root
    reflected[0] -= along
    return reflected


def _with_shift(reduced: Vector) -> Vector:
    """Return Q Φ: (K−1, ·) coordinates as K rows that sum to 0."""
    return _reflect(np.vstack([np.zeros((1, reduced.shape[1])), reduced]))


def _without_shift(full: Vector) -> Vector:
    """Return Qᵀ A: the coordinates of K rows, their common shift left out."""
    return np.ascontiguousarray(_reflect(full)[1:])


def _factored(matrix: Vector, diagonal: Vector) -> tuple[Any, bool]:
    """Return the Cholesky factor of matrix + diag(diagonal), with what ridge makes it positive definite."""
    inside = np.diag_indices(len(matrix))
    matrix[inside] += diagonal
    largest = max(float(matrix[inside].max()), np.finfo(np.float64).tiny)
    empty = matrix[inside] <= np.finfo(np.float64).eps * largest
    matrix[inside] = np.where(empty, largest, matrix[inside] * (1 + 1e-11))
    ridge = 1e-9
    while ridge < 1e3:
        try:
            factor: tuple[Any, bool] = linalg.cho_factor(matrix, lower=True, check_finite=False)
            return factor
        except linalg.LinAlgError:
            matrix[inside] *= 1 + ridge
            ridge *= 100
    return np.eye(len(matrix)), True  # not a number somewhere: the plain gradient, and the step shows what it is worth
