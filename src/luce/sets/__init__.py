"""Sets of items of varying length: the softmax cross-entropy within each set, and every derivative of it.

The alternatives of a choice, the documents of a query, the candidates of a batch: logits are one number per item
(items,), and :class:`Sets` says which items belong together.
"""

from luce.sets.losses import cross_entropy, cross_entropy_and_grad, cross_entropy_hvp
from luce.sets.probabilities import log_softmax, logsumexp, softmax
from luce.sets.rankings import plackett_luce, plackett_luce_and_grad
from luce.sets.sets import Sets

__all__ = [
    "Sets",
    "cross_entropy",
    "cross_entropy_and_grad",
    "cross_entropy_hvp",
    "log_softmax",
    "logsumexp",
    "plackett_luce",
    "plackett_luce_and_grad",
    "softmax",
]
