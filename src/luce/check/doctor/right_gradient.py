"""The formula of the right gradient in words, with the options that are in force."""

from __future__ import annotations

import numpy as np

from luce.derivation import Quantities

__all__ = ["right_gradient"]


def right_gradient(q: Quantities) -> str:
    """Return the formula of the gradient in the logits, as it is with the options of a derivation.

    Examples
    --------
    >>> from luce.derivation import Given
    >>> from luce.derivation.steps import derive
    >>> given = Given(logits=np.zeros((2, 3)), target=np.array([0, 2]), options={"temperature": 2.0})
    >>> right_gradient(derive(given)["product"])
    '1/T (p − t) / N'
    """
    plain = bool(np.allclose(q.alpha[q.counts], 1))
    inner = "p − t" if plain else "α p − t"
    factors = [words for words, used in (("r", not np.allclose(q.r, 1)), ("1/T", q.temperature != 1)) if used]
    if q.reduction != "mean":
        return " ".join([*factors, f"({inner})"]) if factors else inner
    return " ".join([*factors, f"({inner}) / {'N' if np.isclose(float(q.D), len(q.z)) else 'D'}"])
