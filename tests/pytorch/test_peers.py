"""What broke others: each case with the issue or the measurement that it comes from, against the oracle or PyTorch."""

import numpy as np
import pytest
import torch
from mpmath import mp
from torch.nn import functional as F

import luce.torch
from luce.check.inputs.problems import DrawnProblem
from luce.check.oracle import CrossEntropy, Exact, LinearCrossEntropy
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_product
from luce.torch.layer import chunked_layer
from tensors import array, check_all, elsewhere


@pytest.fixture(params=["kernels", "formulas"])
def path(request, monkeypatch):
    if request.param == "formulas":
        elsewhere(monkeypatch)
    return request.param


@pytest.mark.parametrize("v", [3, 17, 100, 300])
def test_softcap_at_a_width_that_is_padded(v, path):
    """Unsloth#10616; the same in Liger (measured, V = 100, cap 5: 4.6247 for 4.5877): padded lanes become −cap."""
    check_all(DrawnProblem(n_rows=3, n_classes=v, softcap=5.0, seed=v), path)
    check_all(DrawnProblem(n_rows=3, n_classes=v, softcap=5.0, case="holes", target="one-hot", reduction="none"), path)


@pytest.mark.parametrize("v", [33, 130, 1100])
def test_a_row_that_begins_with_a_block_of_impossible_classes(v, path):
    """flash-attention#1930, reproduced in Liger: −inf − (−inf) = NaN when a whole block is −inf."""
    z = torch.randn(4, v)
    z[:, : v - 5] = -torch.inf
    z.requires_grad_()
    y = torch.tensor([v - 1, v - 2, v - 3, v - 5])
    loss = luce.torch.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, z)
    exact = CrossEntropy(array(z), y.numpy())
    room = 1 if path == "kernels" else 1 + 4 / 8  # u is rounded, |u| < 4
    assert_loss(array(loss), exact)
    truth = exact.gradient()
    assert_gradient(array(gradient), Exact(truth.value, truth.scale * room))
    assert not gradient[:, : v - 5].any()


@pytest.mark.parametrize("v", [50257, 151937])
@pytest.mark.parametrize("offset", [0.0, -19.2])
def test_vocabularies_that_no_tile_divides(v, offset, path):
    """tokamax (measured): padded columns count as logit 0; all logits −19.2 gave a loss of 26.8 for 7.6."""
    z = torch.full((2, v), offset) if offset else torch.randn(2, v, generator=torch.Generator().manual_seed(0))
    z.requires_grad_()
    y = torch.tensor([17, v - 1])
    loss = luce.torch.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, z)
    doubled = z.detach().double().requires_grad_()
    want = F.cross_entropy(doubled, y)
    (truth,) = torch.autograd.grad(want, doubled)
    eps = torch.finfo(torch.float32).eps
    assert abs(loss.item() - want.item()) <= 4 * eps * want.item()
    assert (abs(gradient.double() - truth) <= 16 * eps * abs(truth)).all()
    x, w = torch.ones(2, 1), z.detach()[:1].T.contiguous()
    layer, flat = luce.torch.linear_cross_entropy(x, w, y), luce.torch.cross_entropy(x @ w.T, y)
    torch.testing.assert_close(layer, flat, rtol=0, atol=0)


def test_a_label_of_minus_100_is_ignored_or_an_error(path):
    """tokamax (measured): a target of −100 gives a loss of −11.6; optax: NaN; a class that is not there in 1 of 3."""
    z, y = torch.randn(3, 5), torch.tensor([1, -100, 2])
    torch.testing.assert_close(luce.torch.cross_entropy(z, y), F.cross_entropy(z, y))
    if path == "kernels":
        for ignored in (None, -1):
            with pytest.raises(IndexError, match=r"target\[1\] is -100"):
                luce.torch.cross_entropy(z, y, ignore_index=ignored)


@pytest.mark.parametrize("name", ["logits", "layer"])
@pytest.mark.parametrize("on_empty", ["nan", "zero"])
def test_all_rows_ignored(name, on_empty, path):
    """PyTorch's chunked layer (measured, 2.13): loss NaN and NaN gradients; CCE divides by a Python 0."""
    x = torch.randn(3, 4, requires_grad=True)
    w = torch.randn(5, 4, requires_grad=True)
    y = torch.full((3,), -100)
    if name == "logits":
        loss = luce.torch.cross_entropy(x @ w.T, y, on_empty=on_empty)
    else:
        loss = luce.torch.linear_cross_entropy(x, w, y, on_empty=on_empty)
    assert torch.isnan(loss) if on_empty == "nan" else loss == 0
    gradients = torch.autograd.grad(loss, (x, w), create_graph=True)
    assert not any(part.any() for part in gradients)
    assert not any(part.any() for part in torch.autograd.grad(gradients, (x, w), (x.detach(), w.detach())))


@pytest.mark.parametrize("name", ["logits", "layer"])
def test_no_rows(name, path):
    x, w = torch.randn(0, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    y = torch.zeros(0, dtype=torch.int64)
    for reduction in ("mean", "sum", "none"):
        if name == "logits":
            loss = luce.torch.cross_entropy(x @ w.T, y, reduction=reduction)
        else:
            loss = luce.torch.linear_cross_entropy(x, w, y, reduction=reduction)
        gradients = torch.autograd.grad(loss.sum(), (x, w))
        assert gradients[0].shape == (0, 4) and gradients[1].shape == (5, 4)
        assert not gradients[1].any()


@pytest.mark.parametrize("offset", [1e4, -1e4, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_offset_that_all_logits_share(offset, dtype, path):
    """The review of pytorch#195829: a large common offset breaks its fused kernel."""
    dtype = getattr(torch, dtype)
    z = torch.randn(3, 50).to(dtype) + torch.tensor(offset, dtype=dtype)
    z.requires_grad_()
    y = torch.tensor([0, 3, 49])
    loss = luce.torch.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, z)
    shifted = array(z).astype(np.float64) - float(z.detach().min())  # exact: what is close has an exact difference
    exact = CrossEntropy(shifted, y.numpy())
    assert_loss(array(loss), exact, array(z).dtype)
    truth = exact.gradient()
    room = 1 + float(np.ptp(shifted)) / 8 if path == "formulas" else 1
    assert_gradient(array(gradient), Exact(truth.value, truth.scale * room))


def test_no_mass_on_classes_that_can_not_happen(path):
    """optax#896: a soft cross-entropy is NaN at −inf, 0·∞; PyTorch's is NaN as well (measured)."""
    z = torch.tensor([[0.0, -torch.inf, 2.0], [-torch.inf, 1.0, -torch.inf]], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    assert torch.isnan(F.cross_entropy(z, t))
    weight = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    loss = luce.torch.cross_entropy(z, t, weight)
    gradients = torch.autograd.grad(loss, (z, t, weight), create_graph=True)
    exact = CrossEntropy(array(z), array(t), weight=array(weight))
    assert_loss(array(loss), exact)
    assert_gradient(array(gradients[0]), exact)
    assert_gradient(array(gradients[1]), exact.target_gradient())
    assert torch.equal(gradients[1] == torch.inf, z == -torch.inf)
    assert torch.isfinite(gradients[2]).all()
    vector = torch.randn(2, 3, dtype=torch.float64)
    (product,) = torch.autograd.grad(gradients[0], z, vector)
    assert_product(array(product), exact.hvp(array(vector)))


def test_what_an_ignored_row_holds_never_matters(path):
    """A NaN in padding: no NaN in the gradient of the weight, where 0·NaN would be one. TE#2476: scaling with them."""
    x = torch.randn(4, 3, dtype=torch.float64)
    x[2] = torch.nan
    x.requires_grad_()
    w = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 4, -100, 1])
    loss = luce.torch.linear_cross_entropy(x, w, y)
    gradients = torch.autograd.grad(loss, (x, w), create_graph=True)
    assert torch.isfinite(loss) and all(torch.isfinite(part).all() for part in gradients)
    live = y >= 0
    want = torch.autograd.grad(F.cross_entropy(x[live] @ w.T, y[live]), w)
    torch.testing.assert_close(gradients[1], want[0], rtol=1e-13, atol=1e-15)
    products = torch.autograd.grad(gradients, (x, w), [torch.ones_like(part) for part in (x, w)])
    assert all(torch.isfinite(part).all() for part in products)
    z = torch.randn(4, 5, dtype=torch.float64)
    z[2] = torch.nan
    z.requires_grad_()
    (of_logits,) = torch.autograd.grad(luce.torch.cross_entropy(z, y), z)
    assert torch.isfinite(of_logits).all() and not of_logits[2].any()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_broken_row_touches_no_other(bad, path):
    z = torch.randn(5, 7)
    y = torch.tensor([0, 1, 2, 3, 4])
    clean = z.clone().requires_grad_()
    broken = z.clone()
    broken[2, :] = bad
    broken.requires_grad_()
    losses = [luce.torch.cross_entropy(part, y, reduction="none") for part in (broken, clean)]
    gradients = [torch.autograd.grad(loss.sum(), part)[0] for loss, part in zip(losses, (broken, clean), strict=True)]
    assert torch.isnan(losses[0][2]) and torch.isnan(gradients[0][2]).all()
    others = [0, 1, 3, 4]
    for found, want in (losses, gradients):
        torch.testing.assert_close(found[others], want[others], rtol=0, atol=0)


def test_the_sums_of_16_bit_gradients_do_not_stall():
    """CCE#14, OLMo-core#370: a classifier's gradient summed in bfloat16 stops growing at 256 equal terms."""
    x = torch.ones(4096, 1, dtype=torch.bfloat16)
    w = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    bias = torch.zeros(2, dtype=torch.bfloat16, requires_grad=True)
    y = torch.zeros(4096, dtype=torch.int64)
    loss = luce.torch.linear_cross_entropy(x, w, y, linear_bias=bias, reduction="sum")
    of_weight, of_bias = torch.autograd.grad(loss, (w, bias))
    assert of_weight.flatten().tolist() == of_bias.tolist() == [-2048.0, 2048.0]


def test_a_bias_counts_once_in_every_chunk(monkeypatch):
    """CCE#52: the bias added again and again, negative losses."""
    monkeypatch.setattr(chunked_layer, "CACHED", 0)
    monkeypatch.setattr(chunked_layer, "WORKSPACE", 3 * 4 * 8)
    rng = np.random.default_rng(0)
    x, w, b = (rng.integers(-8, 9, shape) / 8 for shape in ((20, 2), (4, 2), (4,)))
    y = rng.integers(0, 4, 20)
    exact = LinearCrossEntropy(x, w, y, linear_bias=b)
    given = [torch.tensor(part) for part in (x, w, b)]
    found = luce.torch.linear_cross_entropy(given[0], given[1], torch.tensor(y), linear_bias=given[2])
    assert_loss(array(found), exact.loss)


def test_forward_mode_of_a_layer_is_not_zero(path):
    """PyTorch's chunked layer (measured, 2.13): `torch.func.jvp` returns 0 without a word."""
    x, w = torch.randn(4, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 3])
    along = (torch.randn_like(x), torch.randn_like(w))
    _, found = torch.func.jvp(lambda x, w: luce.torch.linear_cross_entropy(x, w, y), (x, w), along)
    _, want = torch.func.jvp(lambda x, w: F.cross_entropy(x @ w.T, y), (x, w), along)
    torch.testing.assert_close(found, want, rtol=1e-12, atol=0)


def test_confident_rows_of_a_layer_keep_every_digit(path):
    """Liger#512 diverges near a loss of 8, PyTorch's loss is 0 from a margin of 17 on: here it is log1p(2e^-40)."""
    x, w = torch.ones(2, 1), torch.tensor([[40.0], [0.0], [0.0]], requires_grad=True)
    loss = luce.torch.linear_cross_entropy(x, w, torch.tensor([0, 0]))
    (gradient,) = torch.autograd.grad(loss, w)
    exact = LinearCrossEntropy(array(x), array(w), [0, 0])
    with mp.workdps(40):
        room = 1 + 40 / 8 if path == "formulas" else 1
        assert_loss(array(loss), Exact(exact.loss.value.value, exact.loss.value.scale * room))
        truth = exact.gradient().linear_weight
        assert_gradient(array(gradient), Exact(truth.value, truth.scale * (room + 1)))  # a sum of two
    assert float(gradient[0]) < 0
