"""The public name of the multi-precision oracle, which lives in :mod:`luce.check.truth.oracle`."""

from luce.check.truth.oracle import (
    CrossEntropy,
    Exact,
    LinearCrossEntropy,
    LinearExact,
    SigmoidCrossEntropy,
    log_softmax,
    logsumexp,
    softmax,
    softmax_jvp,
    to_exact,
    to_float,
)

__all__ = [
    "CrossEntropy",
    "Exact",
    "LinearCrossEntropy",
    "LinearExact",
    "SigmoidCrossEntropy",
    "log_softmax",
    "logsumexp",
    "softmax",
    "softmax_jvp",
    "to_exact",
    "to_float",
]
