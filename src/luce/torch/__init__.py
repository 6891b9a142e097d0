"""Cross-entropies for PyTorch: the functions and modules of `torch.nn` under the whole autograd contract."""

from luce.torch.functional import cross_entropy, linear_cross_entropy, linear_logsumexp, logsumexp
from luce.torch.modules import CrossEntropyLoss, LinearCrossEntropyLoss
from luce.torch.prepared import Stats

__all__ = [
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
    "Stats",
    "cross_entropy",
    "linear_cross_entropy",
    "linear_logsumexp",
    "logsumexp",
]
