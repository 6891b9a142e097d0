"""The line that a fit writes while it works: on a terminal always the same one, elsewhere one an iteration."""

from __future__ import annotations

import sys
import time

from luce.models.solvers import Iterate
from luce.models.solvers.protocol import Place

__all__ = ["LiveLine"]


class LiveLine:
    """Writes iteration, objective, bound on the gap and time to standard error."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._live = sys.stderr.isatty()

    def __call__(self, iterate: Iterate[Place]) -> None:
        """Write an iterate."""
        gap = iterate.point.gap
        bound = f"within {gap:.1e} of the minimum" if gap < float("inf") else "no bound without a penalty"
        line = (
            f"iteration {iterate.iteration:3d}  objective {iterate.value:.9f}  gradient {iterate.gradient_norm:.1e}  "
            f"{bound}  {time.perf_counter() - self._begin:.1f} s"
        )
        last = iterate.status != "running"
        print("\r\x1b[K" + line if self._live else line, end="\n" if last or not self._live else "", file=sys.stderr)
        sys.stderr.flush()
