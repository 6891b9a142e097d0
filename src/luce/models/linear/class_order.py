"""The test whether the rows of a stream come sorted by class, an order in which a model forgets classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["ClassOrder"]

Array = npt.NDArray[np.float64]

LARGEST_SURPRISE = 16.0  # an event of probability e^−16


class ClassOrder:
    """Counts the rows of each class, and the rows since a class was last seen.

    If rows come in random order, all c rows of a class are among the first n of n + m with a probability of about
    (n/(n + m))^c. Rows that come sorted leave out, batch after batch, what was frequent before.

    Parameters
    ----------
    n_classes : int
    """

    def __init__(self, n_classes: int) -> None:
        self._seen: Array = np.zeros(n_classes)
        self._rows = 0
        self._until: Array = np.zeros(n_classes)  # rows up to the batch in which the class was last seen
        self._told = False

    def forgotten(self, target: npt.NDArray[np.generic]) -> list[int]:
        """Add a batch and return the classes that it and those before it lack beyond chance; once, then none.

        Parameters
        ----------
        target : (n,) class numbers, or (n, K) shares or labels of each class
        """
        classes = len(self._seen)
        counts = (
            np.bincount(target.astype(np.intp), minlength=classes)
            if target.ndim == 1
            else target.sum(axis=0, dtype=np.float64)
        )
        self._seen += counts
        self._rows += len(target)
        self._until = np.where(counts > 0, self._rows, self._until)
        if self._told:
            return []
        surprise = self._seen * np.log(self._rows / np.maximum(self._until, 1.0))
        absent: list[int] = np.flatnonzero(surprise > LARGEST_SURPRISE).tolist()
        self._told = bool(absent)
        return absent
