"""The temperature that calibrates probabilities, fitted on rows that were not trained on."""

from __future__ import annotations

import numpy as np

from luce._cross_entropy import cross_entropy_and_grad, cross_entropy_hvp
from luce.models.inputs.kinds import Array

__all__ = ["temperature"]

BETA_RANGE = 1e-3, 1e3  # of the inverse temperature


def temperature(logits: Array, target: Array, weights: Array | None) -> float:
    r"""Return the T that minimises the mean cross-entropy of logits / T.

    Newton's method on β = 1/T, in which the loss is convex:
    L'(β) = Σ r z·(p − t), L''(β) = Σ r zᵀ(diag p − p pᵀ)z, both by the exact kernels. A step that leaves the bracket of
    the minimum, or is not half as long as the one before, goes to the middle of the bracket instead.

    Parameters
    ----------
    logits : (N, K) array
    target : (N,) class numbers or (N, K) distributions
    weights : (N,) array or None

    Returns
    -------
    float
        T in [0.001, 1000]; an end of that range where the loss has no minimum inside it.

    Examples
    --------
    >>> import numpy as np
    >>> from luce.models.evaluation.calibration import temperature
    >>> logits = np.log([[0.9, 0.1]] * 10)
    >>> round(temperature(logits, np.array([0] * 7 + [1] * 3), None), 4)  # log(9) / log(7/3): right for 7 in 10
    2.5932
    """
    low, high = BETA_RANGE
    z = logits.astype(np.float64)
    beta, moved = 1.0, np.inf
    for _ in range(100):
        _, grad = cross_entropy_and_grad(beta * z, target, sample_weight=weights)
        slope = float(np.vdot(grad, z))
        if slope > 0:
            high = beta
        else:
            low = beta
        curvature = float(np.vdot(cross_entropy_hvp(beta * z, target, z, sample_weight=weights), z))
        ahead = beta - slope / curvature if curvature > 0 else np.inf
        if not low < ahead < high or abs(ahead - beta) > 0.5 * moved:
            ahead = float(np.sqrt(low * high))
        if abs(ahead - beta) <= 1e-12 * beta or high / low < 1 + 1e-12:
            break
        beta, moved = ahead, abs(ahead - beta)
    return 1 / beta
