"""The penalised mean loss of linear scores: its value, gradient, Hessian and products.

With rows x_i ∈ R^D, row weights r_i that sum to S, weights W ∈ R^(K×D), intercepts b ∈ R^K and a loss ℓ of the scores,

    F(W, b) = (1/S) Σ_i r_i ℓ(W x_i + b, t_i) + ½ λ₂ ‖W‖²       (+ λ₁ ‖W‖₁, which the solver adds)

and with p_i the probabilities, x̃ = (x, 1), by the chain rule from the contract's ∂ℓ/∂z = p − t and H = diag p − p pᵀ,

    ∇F = (1/S) Σ_i r_i (p_i − t_i) x̃_iᵀ + λ₂ (W, 0)
    H  = (1/S) Σ_i r_i (diag p_i − p_i p_iᵀ) ⊗ x̃_i x̃_iᵀ + λ₂ I_W

Solvers walk in other parameters than (W, b): weights A of the standardised columns (`luce.models.linear.design`), of as
many rows as are free (`luce.models.linear.coordinates`). F is well shaped there whatever the units of X are; its
minimum is the same, because the penalty is carried along: λ₂ ‖W‖² = Σ (λ₂/σ_j²) A_kj², λ₁ ‖W‖₁ = Σ (λ₁/σ_j) |A_kj|.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from luce.models.inputs.kinds import Indices, Vector
from luce.models.linear.place import Place
from luce.models.linear.terms import Terms

__all__ = ["LinearObjective"]


SMALLEST_SAMPLE = 2000
SAMPLE_STEP = 8  # from one sample of the rows to the next larger one


class LinearObjective(Terms):
    """F, without the L1 part, as a function of a vector.

    Parameters
    ----------
    design : Design
        The rows.
    loss : Loss
        Of the scores of these rows.
    coordinates : Coordinates
        Which rows of weights the parameters stand for.
    l2, l1 : float
        λ₂ and λ₁ ≥ 0.

    Attributes
    ----------
    size : int
        Length of the parameter vector.
    ridge : (n_columns,) float64 array
        λ₂/σ², 0 for the intercept.
    lasso : (size,) float64 array
        λ₁/σ for each parameter, 0 for intercepts.
    resolution : float
        Relative rounding error to expect of a value.
    l2 : float
        λ₂.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.linear.coordinates import SumZero
    >>> from luce.models.linear.design import Design, as_matrix
    >>> from luce.models.linear.losses import SoftmaxLoss
    >>> design = Design(as_matrix(np.array([[0.0], [1.0], [2.0]])), None, fit_intercept=True)
    >>> F = LinearObjective(design, SoftmaxLoss(np.array([0, 1, 2]), 3, n_threads=1), SumZero(3), l2=0.1)
    >>> F.size
    4
    >>> round(F.at(np.zeros(4)).value, 6)  # log 3: all classes alike
    1.098612
    """

    def at(self, parameters: Vector) -> Place:
        """Evaluate F and its gradient in one pass over the rows."""
        return Place(self, parameters)

    def samples(self) -> Iterator[LinearObjective]:
        """Yield objectives over samples of the rows, coarse to fine, where there are enough rows for that to pay.

        A sample is stratified by class and drawn with a fixed seed. Its minimum is off that of all rows by its sampling
        error, so a walk that starts there has little left to do.
        """
        for count in reversed(self._sample_sizes()):
            chosen, weights = self._stratified(count)
            sample: LinearObjective = object.__new__(LinearObjective)
            sample.__dict__.update(self.__dict__)
            sample.__dict__.pop("class_shares", None)
            sample.design = self.design.sample(chosen, weights * self.design.share[chosen])
            sample.loss = self.loss.sample(chosen)
            yield sample

    def _sample_sizes(self) -> list[int]:
        """Return the sizes of the samples, the largest first."""
        needed = max(SMALLEST_SAMPLE, 10 * self.design.n_columns, 50 * self.loss.n_scores)
        sizes, count = [], self.design.n_rows // SAMPLE_STEP
        while count >= needed:
            sizes.append(count)
            count //= SAMPLE_STEP
        return sizes

    def _stratified(self, count: int) -> tuple[Indices, Vector]:
        """Return sorted row numbers and what each stands for: a fair share of every class, at least 20 rows of it."""
        rng = np.random.default_rng(0)
        rows, target = self.design.n_rows, self.loss.target
        if target.ndim > 1:
            return np.sort(rng.choice(rows, count, replace=False)), np.ones(count)
        order = rng.permutation(rows)
        short = np.int16 if self.loss.n_scores <= 2**15 else np.int64  # sorted in a third of the time
        order = order[np.argsort(target[order].astype(short), kind="stable")]  # shuffled, one class after the other
        sizes = np.bincount(target, minlength=self.loss.n_scores)
        taken = np.minimum(sizes, np.maximum(20, sizes * count // rows))
        firsts = np.cumsum(sizes) - sizes
        chosen = np.concatenate([order[first : first + n] for first, n in zip(firsts, taken, strict=True)])
        chosen.sort()
        return chosen, (sizes / np.maximum(taken, 1))[target[chosen]]
