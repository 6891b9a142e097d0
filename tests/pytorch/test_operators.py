"""The derivatives of the operators that `torch.compile` sees: each against differences, in every tensor it is given."""

import pytest
import torch
from torch.autograd import gradcheck

import luce.torch  # noqa: F401 - which registers the operators

DOUBLE = {"dtype": torch.float64}
N, V, D = 4, 3, 2


def drawn(*shape, seed):
    found = torch.randn(shape, generator=torch.Generator().manual_seed(seed), **DOUBLE)
    return found.requires_grad_()


def positive(*shape, seed):
    return (drawn(*shape, seed=seed).detach().abs() * 0.3 + 0.1).requires_grad_()


LOGITS, VECTOR = (drawn(N, V, seed=1),), (drawn(N, V, seed=2),)
LAYER = (drawn(N, D, seed=3), drawn(V, D, seed=4), drawn(V, seed=5))
ALONG = (drawn(N, D, seed=6), drawn(V, D, seed=7), drawn(V, seed=8))
WEIGHT, SCALE = positive(V, seed=9), positive(N, seed=10)
SHARES = (positive(N, 2, seed=11).detach() * 0.3).requires_grad_()
TARGETS = {
    "indices": (torch.tensor([[2], [0], [-100], [1]]), None, None, WEIGHT, SCALE),
    "pairs": (
        torch.tensor([[0, 1], [1, 2], [2, 0], [0, 2]]),
        SHARES,
        None,
        WEIGHT,
        SCALE,
    ),
    "probabilities": (None, None, positive(N, V, seed=12), WEIGHT, SCALE),
}
OPTIONS = {"indices": (0.1, -100, 0.05, 0.0, 1.0, False, 0.0), "pairs": (0.0, None, 0.1, 2.0, 0.5, True, 0.0)}
WANTED = (True, True, True)
CALLS = {
    "cross_entropy": (LOGITS, (False, False)),
    "cross_entropy_gradient": (LOGITS, ()),
    "cross_entropy_product": ((*LOGITS, *VECTOR), ()),
    "linear_cross_entropy": (LAYER, (False, False, False, False)),
    "linear_cross_entropy_gradient": (LAYER, WANTED),
    "linear_cross_entropy_product": ((*LAYER, *ALONG), WANTED),
    "linear_cross_entropy_directional": ((*LAYER, *ALONG), ()),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CALLS)
def test_every_derivative(name, target):
    first, flags = CALLS[name]
    given = (*first, *TARGETS[target])
    rest = (*OPTIONS.get(target, OPTIONS["indices"]), *flags)

    def function(*tensors):
        found = getattr(torch.ops.luce, name)(*tensors, *rest)
        return found if isinstance(found, torch.Tensor) else tuple(part for part in found if part.requires_grad)

    assert gradcheck(function, given)


def test_what_was_not_kept_is_computed():
    """An operator that kept the gradient of one part gives those of the others, too."""
    call = (*LAYER, *TARGETS["indices"], *OPTIONS["indices"])
    kept = torch.ops.luce.linear_cross_entropy(*call, True, False, False, False)[0].sum()
    whole = torch.ops.luce.linear_cross_entropy(*call, False, False, False, False)[0].sum()
    torch.testing.assert_close(torch.autograd.grad(kept, LAYER), torch.autograd.grad(whole, LAYER))
