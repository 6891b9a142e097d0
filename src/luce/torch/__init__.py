"""Cross-entropies for PyTorch: the functions and modules of `torch.nn` under the whole autograd contract."""

from luce.torch import sets
from luce.torch.calls import Stats
from luce.torch.functional import cross_entropy, linear_cross_entropy, linear_logsumexp, logsumexp
from luce.torch.modules import CrossEntropyLoss, LinearCrossEntropyLoss

__all__ = [
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
    "Stats",
    "cross_entropy",
    "linear_cross_entropy",
    "linear_logsumexp",
    "logsumexp",
    "sets",
]
