"""The loss through a last layer under PyTorch: exact where its logits are, chunk by chunk, with a bounded workspace."""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import luce.torch
from luce.check.truth.tolerance import assert_loss, assert_same_bits
from luce.torch.layer import chunked_layer
from tensors import LayerCall, array, assert_parts, check_layer, elsewhere
from test_linear import PAIRS, Layer


@pytest.fixture(params=["kernels", "formulas"])
def path(request, monkeypatch):
    if request.param == "formulas":
        elsewhere(monkeypatch)


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: "-".join(map(str, row.values())))
def test_every_pair_of_options(row):
    check_layer(Layer(seed=len(str(row)), **row))


@pytest.mark.parametrize("row", PAIRS[::6], ids=lambda row: "-".join(map(str, row.values())))
def test_the_same_as_on_a_device(row, monkeypatch):
    elsewhere(monkeypatch)
    check_layer(Layer(seed=len(str(row)), **row))


@pytest.fixture(params=[1, 7, 20], ids=lambda rows: f"{rows}-row-chunks")
def small_workspace(request, monkeypatch):
    """Chunks of a few rows."""

    def shrink(classes, itemsize):
        monkeypatch.setattr(chunked_layer, "CACHED", 0)
        monkeypatch.setattr(chunked_layer, "WORKSPACE", request.param * classes * itemsize)

    return shrink


@pytest.mark.parametrize("target", ["ignored", "distribution", "top-k"])
def test_chunks_of_every_size(small_workspace, target):
    for dtype, v in (("float32", 5), ("float64", 9)):
        small_workspace(v, np.dtype(dtype).itemsize)
        check_layer(Layer(shape=(41, 3, v), dtype=dtype, target=target, weight="some", sample_weight="some"))


@pytest.mark.parametrize("target", ["ignored", "distribution", "top-k"])
def test_derivatives_of_the_target_in_chunks(small_workspace, target):
    """∂ℓ/∂t, class weights and rows' weights, each row in whichever chunk it falls."""
    layer = Layer(shape=(71, 3, 5), target=target, weight="some", sample_weight="some", reduction="none")
    small_workspace(5, 8)
    call = LayerCall(layer)
    x, w, b = (part.detach() for part in call.parts)
    leaves = [call.options["weight"].requires_grad_(), call.options["sample_weight"].requires_grad_()]
    if target != "ignored":
        leaves.append((call.target[1] if target == "top-k" else call.target).requires_grad_())
    upstream = torch.linspace(-1, 2, 71, dtype=torch.float64)
    found = torch.autograd.grad(call.loss(), leaves, upstream)
    want = torch.autograd.grad(luce.torch.cross_entropy(x @ w.T + b, call.target, **call.options), leaves, upstream)
    torch.testing.assert_close(found, want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_rows_that_are_ignored_are_left_out_of_the_products(reduction, path):
    """Whatever they hold: a NaN in padding is no NaN in the weight's gradient (0·NaN is NaN)."""
    layer = Layer(shape=(9, 3, 4), target="ignored", seed=3, reduction=reduction)
    assert 0 < (layer.target == -100).sum() < 9
    exact = layer.exact()
    call = LayerCall(layer)
    with torch.no_grad():
        call.parts[0][call.target == -100] = torch.nan
    loss = call.loss()
    assert_loss(array(loss), exact.loss)
    gradients = torch.autograd.grad(loss.sum(), call.leaves, create_graph=True)
    assert_parts(gradients, exact.gradient(), 4, 9)
    assert not gradients[0][call.target == -100].any()
    products = torch.autograd.grad(gradients, call.leaves, call.direction)
    assert_parts(products, exact.hvp(*layer.direction), 8, 18)


@pytest.mark.parametrize("leading", [(), (3,), (2, 2), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("target", ["index", "distribution", "top-k"])
def test_leading_dimensions(leading, target, path):
    n = int(np.prod(leading))
    layer = Layer(shape=(n, 3, 5), target=target, reduction="sum")
    exact, call = layer.exact(), LayerCall(layer)
    x, w, b = call.parts
    fold = lambda part: part.reshape((*leading, *part.shape[1:]))  # noqa: E731
    t = tuple(map(fold, call.target)) if isinstance(call.target, tuple) else fold(call.target)
    loss = luce.torch.linear_cross_entropy(fold(x), w, t, linear_bias=b, **call.options)
    assert_loss(array(loss), exact.loss)
    assert_parts(torch.autograd.grad(loss, call.leaves), exact.gradient(), 5, max(n, 1))
    rows = luce.torch.linear_cross_entropy(fold(x), w, t, linear_bias=b, reduction="none")
    assert rows.shape == leading


@pytest.mark.parametrize("places", [(3,), (2, 2)], ids=str)
def test_a_layer_for_each_place(places, path):
    """PyTorch's K-dimensional linear_weight (V, d1, …, D)."""
    torch.manual_seed(0)
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    w = torch.randn(5, *places, 3, dtype=torch.float64, requires_grad=True)
    b = torch.randn(5, *places, dtype=torch.float64, requires_grad=True)
    y = torch.randint(0, 5, (4, *places))
    y.view(-1)[2] = -100
    values = [
        function(x, w, y, linear_bias=b) for function in (luce.torch.linear_cross_entropy, F.linear_cross_entropy)
    ]
    torch.testing.assert_close(*values, rtol=1e-14, atol=0)
    gradients = [torch.autograd.grad(value, (x, w, b)) for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-15)


def test_layouts_give_the_same_gradients(path):
    torch.manual_seed(0)
    x, w, b = (torch.randn(shape, dtype=torch.float64) for shape in ((6, 4), (5, 4), (5,)))
    y = torch.randint(0, 5, (6,))
    plain = [part.clone().requires_grad_() for part in (x, w, b)]
    want = torch.autograd.grad(luce.torch.linear_cross_entropy(plain[0], plain[1], y, linear_bias=plain[2]), plain)
    strided = [
        torch.cat([x, x], 1)[:, :4].requires_grad_(),
        w.T.contiguous().T.requires_grad_(),
        torch.stack([b, b], 1)[:, 0].requires_grad_(),
    ]
    found = torch.autograd.grad(
        luce.torch.linear_cross_entropy(strided[0], strided[1], y, linear_bias=strided[2]), strided
    )
    torch.testing.assert_close(found, want, rtol=1e-13, atol=1e-15)
    row = x[:1].clone().requires_grad_()
    of_row = torch.autograd.grad(luce.torch.linear_cross_entropy(row.expand(6, 4), w, y, linear_bias=b), row)[0]
    apart = row.detach().expand(6, 4).clone().requires_grad_()
    of_rows = torch.autograd.grad(luce.torch.linear_cross_entropy(apart, w, y, linear_bias=b), apart)[0]
    torch.testing.assert_close(of_row, of_rows.sum(0, keepdim=True), rtol=1e-13, atol=1e-15)


def test_shift_predicts_the_next_place(path):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    y = torch.randint(0, 5, (2, 6))
    y[1, 4:] = -100
    values = (
        luce.torch.linear_cross_entropy(x, w, y, shift=True),
        luce.torch.linear_cross_entropy(x[:, :-1], w, y[:, 1:]),
    )
    torch.testing.assert_close(*values, rtol=1e-15, atol=0)
    gradients = [torch.autograd.grad(value, (x, w)) for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-13, atol=1e-15)
    rows = luce.torch.linear_cross_entropy(x, w, y, shift=True, reduction="none")
    assert rows.shape == (2, 6) and not rows[:, -1].any()


def test_statistics(path):
    torch.manual_seed(0)
    x, w, b = torch.randn(6, 4), torch.randn(5, 4, requires_grad=True), torch.randn(5)
    z = x @ w.detach().T + b
    y = z.argmax(1)
    y[0], y[1] = (y[0] + 1) % 5, -100
    for reduction in ("mean", "none"):
        loss, stats = luce.torch.linear_cross_entropy(x, w, y, linear_bias=b, reduction=reduction, stats=True)
        live = y >= 0
        torch.testing.assert_close(stats.logsumexp[live], torch.logsumexp(z, 1)[live])
        torch.testing.assert_close(stats.entropy[live], torch.special.entr(torch.softmax(z, 1)).sum(1)[live])
        assert torch.equal(stats.prediction[live], z.argmax(1)[live])
        assert stats.correct.tolist() == [False, False, True, True, True, True]
        assert stats.left_out is None
        assert not any(part.requires_grad for part in stats[:4])
        loss.sum().backward()


def test_a_normalizer_makes_pieces_add_up(path):
    torch.manual_seed(0)
    x, w = torch.randn(12, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randint(0, 5, (12,))
    y[3] = -100
    (whole,) = torch.autograd.grad(luce.torch.linear_cross_entropy(x, w, y), w)
    for part in (slice(0, 5), slice(5, 12)):
        luce.torch.linear_cross_entropy(x[part], w, y[part], normalizer=11).backward()
    torch.testing.assert_close(w.grad, whole, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("kind", ["index", "probabilities"])
def test_autocast_computes_as_the_layer_would(kind):
    torch.manual_seed(0)
    x, w, b = torch.randn(6, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True), torch.randn(5)
    target = torch.randint(0, 5, (6,)) if kind == "index" else torch.rand(6, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = luce.torch.linear_cross_entropy(x, w, target, linear_bias=b)
        logits = F.linear(x, w, b)
        want = F.cross_entropy(logits, target)
    assert logits.dtype == torch.bfloat16 and found.dtype == want.dtype == torch.float32
    torch.testing.assert_close(found, want, rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(value, (x, w)) for value in (found, want)]
    assert all(part.dtype == torch.float32 for part in gradients[0])
    torch.testing.assert_close(*gradients, rtol=2**-6, atol=2**-9)


def peak_of(call):
    """Bytes that a call holds at most at a time, beyond what is left afterwards."""
    with torch.profiler.profile(profile_memory=True) as profile:
        kept = call()
    held = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    del kept
    return most, held


def test_the_workspace_does_not_grow_with_the_rows():
    """Loss, gradients, products and forward mode beside 240 MB of logits (60,000 × 1,000): at most 128 MiB."""
    n, v, d = 60_000, 1000, 2
    x, w = torch.zeros(n, d, requires_grad=True), torch.zeros(v, d, requires_grad=True)
    y = torch.zeros(n, dtype=torch.int64)

    def gradient(**options):
        loss = luce.torch.linear_cross_entropy(x, w, y, reduction="sum")
        return torch.autograd.grad(loss, (x, w), **options)

    def product():
        return torch.autograd.grad(gradient(create_graph=True), (x, w), (x.detach(), w.detach()))

    def forward_mode():
        plain = (x.detach(), w.detach())
        return torch.func.jvp(lambda x, w: luce.torch.linear_cross_entropy(x, w, y), plain, plain)

    for name, call in {"gradient": gradient, "product": product, "forward mode": forward_mode}.items():
        most, left = peak_of(call)
        assert most > 0
        assert most - max(left, 0) < 128 * 2**20, f"{name}: {(most - left) / 2**20:.0f} MiB"


X, W, Y = torch.zeros(4, 3), torch.zeros(5, 3), torch.tensor([0, 1, 2, 0])
ERRORS = {
    "features": (ValueError, (X, torch.zeros(5, 2), Y), {}, "input: expected (..., 2) to go with linear_weight (5, 2)"),
    "weight's dimensions": (ValueError, (X, torch.zeros(3), Y), {}, "linear_weight: expected shape (V, D)"),
    "bias": (ValueError, (X, W, Y), {"linear_bias": torch.zeros(4)}, "linear_bias: expected shape (5,) (to go"),
    "integers": (TypeError, (X.long(), W, Y), {}, "floating-point"),
    "types": (TypeError, (X, W.double(), Y), {}, "expected one dtype"),
    "label": (IndexError, (X, W, Y + 3), {}, "target[2] is 5, expected 0 <= class < 5"),
    "target's shape": (ValueError, (X, W, Y[:3]), {}, "have shape (4,), got (3,)"),
    "places need rows": (ValueError, (torch.zeros(2, 4, 3), torch.zeros(5, 2, 3), Y), {}, "needs input (N, D)"),
    "ignored distribution": (ValueError, (X, W, torch.ones(4, 5)), {"ignore_index": 0}, "ignore_index"),
    "class weights": (ValueError, (X, W, Y), {"weight": torch.ones(4)}, "weight: expected shape (5,)"),
    "shift": (ValueError, (X, W, torch.ones(4, 5)), {"shift": True}, "shift"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_argument(case):
    kind, arguments, options, words = ERRORS[case]
    with pytest.raises(kind, match=re.escape(words)):
        luce.torch.linear_cross_entropy(*arguments, **options)


def test_losses_have_the_bits_of_the_logits_losses(small_workspace):
    layer = Layer(shape=(50, 3, 7), target="ignored", reduction="none")
    call = LayerCall(layer)
    x, w, b = call.parts
    small_workspace(7, 8)
    assert_same_bits(array(call.loss()), array(luce.torch.cross_entropy(x @ w.T + b, call.target, reduction="none")))


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_no_rows_have_derivatives_in_the_target_and_the_class_weights(reduction):
    x, w, t, c = (torch.rand(shape, requires_grad=True) for shape in ((0, 3), (4, 3), (0, 4), (4,)))
    loss = luce.torch.linear_cross_entropy(x, w, t, weight=c, reduction=reduction).sum()
    gradients = torch.autograd.grad(loss, (x, w, t, c), create_graph=True)
    second = torch.autograd.grad(gradients[1].sum(), (x, w, t, c), allow_unused=True, materialize_grads=True)
    for found in (gradients, second):
        assert [part.shape for part in found] == [part.shape for part in (x, w, t, c)]
        assert not any(part.any() for part in found)
