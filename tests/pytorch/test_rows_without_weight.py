"""Rows of weight 0, and rows whose upstream gradient is 0, count for nothing in any derivative, whatever they hold."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jvp, vmap

import luce.torch
from tensors import elsewhere

GARBAGE = [float("nan"), float("inf"), -float("inf"), 1e38]
KEPT = torch.tensor([0, 2, 3, 6])
ROWS, V, D = 8, 5, 3
WEIGHTS = torch.zeros(ROWS, dtype=torch.float64).index_fill(0, KEPT, 2.0)
OPTIONS = [
    {},
    {"label_smoothing": 0.1, "z_loss": 0.01},
    {"softcap": 5.0, "temperature": 0.7},
    {"weight": torch.tensor([1.0, 0.5, 2.0, 1.0, 1.0], dtype=torch.float64)},
]


@pytest.fixture(params=["kernels", "formulas"])
def path(request, monkeypatch):
    """By the compiled kernels, and as on any other device."""
    if request.param == "formulas":
        elsewhere(monkeypatch)
    return request.param


def filled(part, garbage):
    return torch.full((ROWS, *part.shape[1:]), garbage, dtype=part.dtype).index_copy(0, KEPT, part)


def target_of(kind, garbage):
    """A target of the kept rows, and the same among garbage."""
    torch.manual_seed(1)
    if kind == "index":
        y = torch.randint(0, V, (len(KEPT),))
        return y, filled(y, 99)
    if kind == "distribution":
        t = torch.rand(len(KEPT), V, dtype=torch.float64)
        return t, filled(t, garbage)
    index, value = torch.randint(0, V, (len(KEPT), 2)), torch.rand(len(KEPT), 2, dtype=torch.float64) / 2
    return (index, value), (filled(index, -7), filled(value, garbage))


def leaf(tensor):
    return tensor.detach().clone().requires_grad_()


def assert_dropped(found, want):
    """The kept rows' numbers, and zeros."""
    torch.testing.assert_close(found[KEPT], want, rtol=1e-10, atol=1e-13)
    assert not found[WEIGHTS == 0].any()


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("kind", ["index", "distribution", "top-k"])
@pytest.mark.parametrize("given", OPTIONS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_logits(path, kind, given, garbage, reduction):
    torch.manual_seed(0)
    z, v = torch.randn(2, len(KEPT), V, dtype=torch.float64)
    t, tt = target_of(kind, garbage)

    def derivatives(z, t, r, v):
        z, r, options = leaf(z), leaf(r), dict(given)
        leaves = [z, r]
        if "weight" in options:
            options["weight"] = leaf(options["weight"])
            leaves.append(options["weight"])
        if isinstance(t, tuple):
            t = (t[0], leaf(t[1]))
            leaves.append(t[1])
        elif t.is_floating_point():
            t = leaf(t)
            leaves.append(t)
        value = luce.torch.cross_entropy(z, t, sample_weight=r, reduction=reduction, **options)
        first = torch.autograd.grad(value.sum(), leaves, create_graph=True)
        second = torch.autograd.grad((first[0] * v).sum(), leaves, retain_graph=True, materialize_grads=True)
        return value, first, second

    alone = derivatives(z, t, torch.full((len(KEPT),), 2.0, dtype=torch.float64), v)
    whole = derivatives(filled(z, garbage), tt, WEIGHTS, filled(v, 0.0))
    if reduction == "none":
        assert_dropped(whole[0], alone[0])
    else:
        torch.testing.assert_close(whole[0], alone[0])
    for found, want in ((whole[1], alone[1]), (whole[2], alone[2])):
        assert_dropped(found[0], want[0])
        torch.testing.assert_close(found[1][KEPT], want[1])
        assert torch.isfinite(found[1]).all()  # of the weights themselves
        for f, w in zip(found[2:], want[2:], strict=True):
            if f.shape[0] == ROWS:
                assert_dropped(f, w)
            else:
                torch.testing.assert_close(f, w)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_row_of_weight_0_still_tells_what_its_weight_would_change(path, reduction):
    """Where it has a loss: weights that are learnt from 0 on (M. Ren et al., 2018) need that."""
    torch.manual_seed(0)
    z, y = torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    r = torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda z, r: luce.torch.cross_entropy(z, y, sample_weight=r, reduction=reduction), (leaf(z), leaf(r))
    )
    assert torch.autograd.gradgradcheck(
        lambda z, r: luce.torch.cross_entropy(z, y, sample_weight=r, reduction=reduction), (leaf(z), leaf(r))
    )
    w = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: luce.torch.cross_entropy(z, y, weight=w, reduction=reduction), (leaf(w),))


@pytest.mark.parametrize("garbage", GARBAGE[:3], ids=str)
def test_an_upstream_gradient_of_0(path, garbage):
    """`losses[mask].mean()` is the usual way to leave rows out: what they hold stays out of the gradient."""
    torch.manual_seed(0)
    z, y = torch.randn(len(KEPT), V, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    x, w = torch.randn(len(KEPT), D, dtype=torch.float64), torch.randn(V, D, dtype=torch.float64)
    alone = leaf(z)
    luce.torch.cross_entropy(alone, y).backward()
    mask = WEIGHTS != 0
    for choose in (lambda row: row[mask].mean(), lambda row: torch.where(mask, row, 0.0).sum() / len(KEPT)):
        whole = leaf(filled(z, garbage))
        losses = luce.torch.cross_entropy(whole, filled(y, 0), reduction="none")
        choose(losses).backward(retain_graph=True)
        assert_dropped(whole.grad, alone.grad)
        (again,) = torch.autograd.grad(choose(losses), whole, create_graph=True)
        assert_dropped(again, alone.grad)
        assert torch.isfinite(torch.autograd.grad(again.sum(), whole)[0]).all()
    layer, part = [leaf(x), leaf(w)], [leaf(filled(x, garbage)), leaf(w)]
    luce.torch.linear_cross_entropy(*layer, y).backward()
    luce.torch.linear_cross_entropy(*part, filled(y, 0), reduction="none")[mask].mean().backward()
    assert_dropped(part[0].grad, layer[0].grad)
    torch.testing.assert_close(part[1].grad, layer[1].grad)
    for all_out in (leaf(filled(z, garbage)), leaf(filled(z, garbage).float())):
        (luce.torch.cross_entropy(all_out, filled(y, 0)) * 0).backward()
        assert not all_out.grad.any()


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("kind", ["index", "distribution"])
@pytest.mark.parametrize("more", [{}, {"stats": True}, {"tolerance": 1e-3}, {"reduction": "none"}], ids=str)
def test_the_layer(path, kind, garbage, more):
    torch.manual_seed(0)
    x, dx = torch.randn(2, len(KEPT), D, dtype=torch.float64)
    w, dw = torch.randn(2, V, D, dtype=torch.float64)
    b, db = torch.randn(2, V, dtype=torch.float64)
    t, tt = target_of(kind, garbage)

    def derivatives(x, t, r, dx):
        leaves = [leaf(x), leaf(w), leaf(b), leaf(r)]
        t = leaf(t) if t.is_floating_point() else t
        value = luce.torch.linear_cross_entropy(
            leaves[0], leaves[1], t, linear_bias=leaves[2], sample_weight=leaves[3], **more
        )
        value = (value[0] if "stats" in more else value).sum()
        first = torch.autograd.grad(value, leaves, retain_graph=True)
        slope = torch.autograd.grad(value, t, retain_graph=True)[0] if t.is_floating_point() else None
        again = torch.autograd.grad(value, leaves[:3], create_graph=True)
        second = torch.autograd.grad(again, leaves, [dx, dw, db])
        return value, first, second, slope

    alone = derivatives(x, t, torch.full((len(KEPT),), 2.0, dtype=torch.float64), dx)
    whole = derivatives(filled(x, garbage), tt, WEIGHTS, filled(dx, garbage))
    torch.testing.assert_close(whole[0], alone[0])
    for found, want in ((whole[1], alone[1]), (whole[2], alone[2])):
        assert_dropped(found[0], want[0])
        torch.testing.assert_close(found[1:3], want[1:3])
        torch.testing.assert_close(found[3][KEPT], want[3])
        assert torch.isfinite(found[3]).all()
    if whole[3] is not None:
        assert_dropped(whole[3], alone[3])


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
def test_forward_mode_transforms_and_third_order(path, garbage):
    torch.manual_seed(0)
    z, v = torch.randn(2, len(KEPT), V, dtype=torch.float64)
    x, w = torch.randn(len(KEPT), D, dtype=torch.float64), torch.randn(V, D, dtype=torch.float64)
    y, yy = target_of("index", garbage)
    two = torch.full((len(KEPT),), 2.0, dtype=torch.float64)

    def of(t, r):
        return lambda z: luce.torch.cross_entropy(z, t, sample_weight=r)

    def layer(t, r):
        return lambda x, w: luce.torch.linear_cross_entropy(x, w, t, sample_weight=r)

    small, large = of(y, two), of(yy, WEIGHTS)
    zz, vv, xx = filled(z, garbage), filled(v, garbage), filled(x, garbage)
    torch.testing.assert_close(jvp(large, (zz,), (vv,)), jvp(small, (z,), (v,)))
    assert_dropped(grad(large)(zz), grad(small)(z))
    assert_dropped(jvp(grad(large), (zz,), (vv,))[1], jvp(grad(small), (z,), (v,))[1])
    both = vmap(grad(large))(torch.stack([zz, 2 * zz]))
    assert_dropped(both[0], grad(small)(z))
    third = lambda f, v: jvp(lambda q: jvp(grad(f), (q,), (v,))[1], (zz if len(v) == ROWS else z,), (v,))[1]  # noqa: E731
    assert_dropped(third(large, filled(v, 0.0)), third(small, v))
    for place in (0, 1):
        found, want = grad(layer(yy, WEIGHTS), place)(xx, w), grad(layer(y, two), place)(x, w)
        assert_dropped(found, want) if place == 0 else torch.testing.assert_close(found, want)
    ones = torch.ones_like(w)
    torch.testing.assert_close(jvp(layer(yy, WEIGHTS), (xx, w), (xx, ones)), jvp(layer(y, two), (x, w), (x, ones)))
    torch.testing.assert_close(
        hessian(lambda w: layer(yy, WEIGHTS)(xx, w))(w), hessian(lambda w: layer(y, two)(x, w))(w)
    )
    curve = lambda f, x: jvp(lambda w: jvp(grad(lambda w: f(x, w)), (w,), (ones,))[1], (w,), (ones,))[1]  # noqa: E731
    torch.testing.assert_close(curve(layer(yy, WEIGHTS), xx), curve(layer(y, two), x))


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled(garbage, reduction):
    torch.manual_seed(0)
    z, x = torch.randn(len(KEPT), V), torch.randn(len(KEPT), D)
    w, (y, yy) = torch.randn(V, D), target_of("index", garbage)
    r, two = WEIGHTS.float(), torch.full((len(KEPT),), 2.0)

    @torch.compile(backend="aot_eager", fullgraph=True)
    def losses(z, x, w, y, r):
        options = {"sample_weight": r, "reduction": reduction}
        return luce.torch.cross_entropy(z, y, **options), luce.torch.linear_cross_entropy(x, w, y, **options)

    small, large = (leaf(z), leaf(x), leaf(w)), (leaf(filled(z, garbage)), leaf(filled(x, garbage)), leaf(w))
    for parts, t, weights in ((small, y, two), (large, yy, r)):
        sum(loss.sum() for loss in losses(*parts, t, weights)).backward()
    for found, want in zip(large, small, strict=True):
        if found.shape[0] == ROWS:
            torch.testing.assert_close(found.grad[KEPT], want.grad)
            assert not found.grad[WEIGHTS == 0].any()
        else:
            torch.testing.assert_close(found.grad, want.grad)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("garbage", GARBAGE[:3], ids=str)
def test_sixteen_bits(path, dtype, garbage):
    torch.manual_seed(0)
    x, w = torch.randn(len(KEPT), D).to(dtype), torch.randn(V, D).to(dtype)
    y, yy = target_of("index", garbage)
    small, large = (leaf(x), leaf(w)), (leaf(filled(x, garbage)), leaf(w))
    luce.torch.linear_cross_entropy(*small, y).backward()
    luce.torch.linear_cross_entropy(*large, yy, sample_weight=WEIGHTS).backward()
    torch.testing.assert_close(large[0].grad[KEPT], small[0].grad)
    assert not large[0].grad[WEIGHTS == 0].any()
    torch.testing.assert_close(large[1].grad, small[1].grad)
    z = leaf(filled(torch.randn(len(KEPT), V).to(dtype), garbage))
    luce.torch.cross_entropy(z, yy, sample_weight=WEIGHTS, reduction="none").sum().backward()
    assert torch.isfinite(z.grad).all() and not z.grad[WEIGHTS == 0].any()


def test_statistics_do_not_count_it_as_correct(path):
    z = torch.tensor([[2.0, 0.0], [2.0, 0.0], [float("nan"), 0.0]])
    _, stats = luce.torch.cross_entropy(
        z, torch.tensor([0, 0, 7]), sample_weight=torch.tensor([1.0, 0.0, 0.0]), stats=True
    )
    assert stats.correct.tolist() == [True, False, False]
    assert stats.prediction.tolist() == [0, 0, 0] and stats.logsumexp[:2].isfinite().all()


@pytest.mark.parametrize("garbage", GARBAGE[:3], ids=str)
def test_a_class_of_weight_0(path, garbage):
    torch.manual_seed(0)
    z, y = torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    x, w = torch.randn(4, D, dtype=torch.float64), torch.randn(3, D, dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)
    small = [leaf(z[::2]), leaf(x[::2]), leaf(w)]
    z[1::2] = x[1::2] = garbage
    large = [leaf(z), leaf(x), leaf(w)]
    for (a, b, c), t in ((small, y[::2]), (large, y)):
        learnt = leaf(weight)
        loss = luce.torch.cross_entropy(a, t, weight=learnt)
        loss = loss + luce.torch.linear_cross_entropy(b, c, t, weight=learnt)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(learnt.grad).all()
    for found, want in zip(large, small, strict=True):
        torch.testing.assert_close(found.grad if found.shape == want.shape else found.grad[::2], want.grad)
    assert not large[0].grad[1::2].any() and not large[1].grad[1::2].any()


def test_a_masked_batch_trains_as_the_batch_without_padding():
    """A module on padded sequences: one step gives the parameters of a step on the real places alone."""
    torch.manual_seed(0)
    head = torch.nn.Linear(D, V, dtype=torch.float64)
    x, y = torch.randn(4, D, dtype=torch.float64), torch.tensor([0, 1, 2, 3])

    def slope(x, y, r):
        def loss(parameters):
            logits = functional_call(head, parameters, (x,))
            return luce.torch.cross_entropy(logits, y, sample_weight=r)

        return grad(loss)(dict(head.named_parameters()))

    padded = filled(x, float("nan"))
    found, want = slope(padded.nan_to_num(1e3), filled(y, 0), WEIGHTS), slope(x, y, WEIGHTS[KEPT])
    torch.testing.assert_close(found, want)
