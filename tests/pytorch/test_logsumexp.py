"""The differentiable log-sum-exp of logits and of a layer."""

import pytest
import torch

import luce.torch
from luce.check.oracle import logsumexp
from luce.check.truth.tolerance import assert_loss
from tensors import array


def transformed(z, softcap=None, temperature=1.0):
    return (z if softcap is None else softcap * torch.tanh(z / softcap)) / temperature


OPTIONS = [{}, {"softcap": 3.0, "temperature": 0.5}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 5, 3), (0, 5)], ids=str)
def test_logits(shape, options):
    z = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    found = luce.torch.logsumexp(z, **options)
    want = torch.logsumexp(transformed(z, **options), min(1, len(shape) - 1))
    torch.testing.assert_close(found, want, rtol=1e-14, atol=1e-14)
    gradients = [torch.autograd.grad(value.sum(), z, create_graph=True)[0] for value in (found, want)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-15)
    vector = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(
        *(torch.autograd.grad(gradient, z, vector)[0] for gradient in gradients), rtol=1e-11, atol=1e-14
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_layer(options):
    x, w = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3, 4), (5, 4)))
    b = torch.randn(5, dtype=torch.float64, requires_grad=True)
    found = luce.torch.linear_logsumexp(x, w, linear_bias=b, **options)
    want = torch.logsumexp(transformed(x @ w.T + b, **options), -1)
    torch.testing.assert_close(found, want, rtol=1e-13, atol=1e-13)
    upstream = torch.randn(2, 3, dtype=torch.float64)
    gradients = [torch.autograd.grad(value, (x, w, b), upstream, create_graph=True) for value in (found, want)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)
    along = [torch.randn_like(part) for part in (x, w, b)]
    products = [torch.autograd.grad(gradient, (x, w, b), along) for gradient in gradients]
    torch.testing.assert_close(*products, rtol=1e-11, atol=1e-13)


def test_impossible_classes():
    z = torch.tensor([[-torch.inf, 1.0, 2.0], [0.0, -torch.inf, -torch.inf]], requires_grad=True)
    torch.testing.assert_close(luce.torch.logsumexp(z), torch.logsumexp(z, 1))
    assert torch.isfinite(torch.autograd.grad(luce.torch.logsumexp(z).sum(), z)[0]).all()


@pytest.mark.parametrize("place", [0, 1])
def test_impossible_classes_of_a_layer(place):
    """A bias of −∞ forbids a class, whichever."""
    x, w, b = torch.randn(4, 3), torch.randn(5, 3), torch.zeros(5)
    b[place] = -torch.inf
    w.requires_grad_()
    found, want = luce.torch.linear_logsumexp(x, w, linear_bias=b), torch.logsumexp(x @ w.T + b, 1)
    torch.testing.assert_close(found, want)
    gradients = [torch.autograd.grad(value.sum(), w)[0] for value in (found, want)]
    torch.testing.assert_close(*gradients)


def test_every_digit_of_float32():
    z = 20 * torch.randn(50, 9)
    assert_loss(array(luce.torch.logsumexp(z)), logsumexp(array(z)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_good_to_a_unit(dtype):
    """The loss is rounded, and its sum with a logit."""
    torch.manual_seed(0)
    z = (5 * torch.randn(200, 9)).to(dtype)
    x, w = torch.randn(200, 8).to(dtype), torch.randn(9, 8).to(dtype)
    for found, logits in (
        (luce.torch.logsumexp(z), z),
        (luce.torch.linear_logsumexp(x, w), x @ w.T),
    ):
        assert found.dtype == dtype
        lse = torch.logsumexp(logits.double(), 1)
        size = torch.maximum(abs(lse), (lse - logits.double().amin(1)) / 2)  # the loss that was rounded may be larger
        assert (abs(found.double() - lse) <= torch.finfo(dtype).eps * size * (1 + 1e-3)).all()
