"""From the losses of rows to one value: what their sum is divided by, and what stands for the mean of nothing."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from luce.contract.options import OnEmpty, Options, Reduction, SetOptions, SigmoidOptions

__all__ = ["Divided", "counts_rows", "nothing_left"]


def counts_rows(options: Options | SetOptions | SigmoidOptions) -> bool:
    """Whether the losses are divided by what the rows count: a mean, with no normaliser given."""
    return options.reduction == "mean" and options.normalizer is None


def nothing_left() -> ValueError:
    """Return the error of on_empty="raise"."""
    return ValueError('nothing is left to average: no rows, or all ignored or of weight 0 (on_empty="raise")')


class Divided(NamedTuple):
    """A sum of losses over a divisor; 1 for anything but a mean."""

    reduction: Reduction
    divisor: float
    on_empty: OnEmpty

    @classmethod
    def by(cls, options: Options | SetOptions | SigmoidOptions, count: float) -> Divided:
        """Return how the losses are divided, where `count` is what the rows count; ValueError if nothing is left."""
        divisor = 1.0
        if options.reduction == "mean":
            divisor = count if options.normalizer is None else options.normalizer
            if divisor == 0.0 and options.on_empty == "raise":
                raise nothing_left()
        return cls(options.reduction, divisor, options.on_empty)

    @property
    def factor(self) -> float:
        """What derivatives are multiplied by; 0 where nothing is left to average."""
        return min(1.0 / self.divisor, sys.float_info.max) if self.divisor > 0 else 0.0

    def value(self, total: float) -> float:
        """Return the value of a sum of losses."""
        if self.divisor > 0:
            return total / self.divisor
        return 0.0 if self.on_empty == "zero" else math.nan
