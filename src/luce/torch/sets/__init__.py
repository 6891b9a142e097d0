"""Sets of items of varying length as tensors: softmax and cross-entropy within each set, under all of autograd."""

from luce.torch.sets.functional import cross_entropy, log_softmax, logsumexp, softmax

__all__ = ["cross_entropy", "log_softmax", "logsumexp", "softmax"]
