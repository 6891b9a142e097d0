"""A row of weight 0 counts for nothing, whatever it holds: every number is that of the batch without it."""

import numpy as np
import pytest

import luce
from levels import at_every_level
from luce.check.inputs import cases
from luce.check.truth.oracle import CrossEntropy
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_product, assert_same_bits

GARBAGE = [np.nan, np.inf, -np.inf, 1e38]
KEPT = np.array([0, 2, 3, 5, 6, 7, 8, 9, 11, 13])
ROWS = 14
WEIGHTS = np.where(np.isin(np.arange(ROWS), KEPT), 2.0, 0.0)
SHAPES = [(1, "float64", "mean"), (5, "float32", "none"), (49, "float64", "sum"), (130, "float32", "mean")]
OPTIONS = [
    {},
    {"label_smoothing": 0.1, "z_loss": 0.01},
    {"softcap": 5.0},
    {"temperature": 0.7, "z_loss": 0.5},
    {"weight": True, "softcap": 3.0, "temperature": 2.0},
]


def filled(part, garbage):
    """The array of the kept rows, with garbage in between."""
    whole = np.full((ROWS, *part.shape[1:]), garbage, part.dtype)
    whole[KEPT] = part
    return whole


def batch(kind, v, dtype, garbage, given):
    """Logits and targets of the kept rows, the same among garbage, a direction, and the options."""
    rng = np.random.default_rng(v)
    z, along = rng.standard_normal((2, len(KEPT), v)).astype(dtype)
    t = cases.target(kind, rng, len(KEPT), v, np.dtype(dtype))
    if isinstance(t, tuple):
        target = filled(t[0], 99), filled(t[1], garbage)
    else:
        target = filled(t, 99 if t.dtype.kind == "i" else garbage)
    options = dict(given)
    if options.get("weight"):
        options["weight"] = (1 + np.arange(v) % 3).astype(dtype)
    return (z, t, along), (filled(z, garbage), target, filled(along, garbage)), options


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("kind", ["index", "distribution", "top-k"])
@pytest.mark.parametrize("given", OPTIONS, ids=str)
def test_every_number_is_that_of_the_batch_without_it(kind, given, garbage):
    for v, dtype, reduction in [
        (1, "float64", "mean"),
        (5, "float32", "none"),
        (49, "float64", "sum"),
        (130, "float32", "mean"),
    ]:
        (z, t, along), (zz, tt, vv), options = batch(kind, v, dtype, garbage, given)
        options["reduction"] = reduction
        exact = CrossEntropy(z, t, sample_weight=np.full(len(KEPT), 2.0), **options)
        product = exact.hvp(along)
        alone = np.full(len(KEPT), 2.0)
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(zz, tt, sample_weight=WEIGHTS, **options)
            assert_same_bits(value, luce.cross_entropy(zz, tt, sample_weight=WEIGHTS, **options))
            assert_loss(value[KEPT] if reduction == "none" else value, exact)
            assert_gradient(grad[KEPT], exact)
            assert_same_bits(grad[KEPT], luce.cross_entropy_and_grad(z, t, sample_weight=alone, **options)[1])
            hvp = luce.cross_entropy_hvp(zz, tt, vv, sample_weight=WEIGHTS, **options)
            assert_product(hvp[KEPT], product)
            assert not np.delete(grad, KEPT, axis=0).any() and not np.delete(hvp, KEPT, axis=0).any()
            if reduction == "none":
                assert not np.delete(value, KEPT).any()
        if kind != "index":
            slope = luce.cross_entropy_target_grad(zz, tt, sample_weight=WEIGHTS, **options)
            assert_gradient(slope[KEPT], exact.target_gradient())
            assert not np.delete(slope, KEPT, axis=0).any()


@pytest.mark.parametrize("tail", [None, "uniform"])
def test_pairs_with_a_tail(tail):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((3, 4))
    pair = (np.array([[0, 1], [-7, 2**62], [2, 3]]), np.array([[0.5, 0.25], [np.nan, 9.0], [0.25, 0.25]]))
    z[1] = np.nan
    value, grad = luce.cross_entropy_and_grad(z, pair, sample_weight=[1, 0, 1], tail=tail)
    exact = CrossEntropy(z[::2], (pair[0][::2], pair[1][::2]), tail=tail)
    assert_loss(value, exact)
    assert_gradient(grad[::2], exact)
    assert not grad[1].any()


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_layer(garbage, reduction):
    rng = np.random.default_rng(1)
    x, dx = rng.standard_normal((2, len(KEPT), 6))
    w, dw = rng.standard_normal((2, 9, 6))
    b, db = rng.standard_normal((2, 9))
    y = rng.integers(0, 9, len(KEPT))
    options = {"linear_bias": b, "reduction": reduction}
    rows = {"sample_weight": WEIGHTS, **options}
    whole = filled(x, garbage), w, filled(y, 99)
    want, wanted = luce.linear_cross_entropy_and_grad(x, w, y, sample_weight=np.full(len(KEPT), 2.0), **options)
    product = luce.linear_cross_entropy_hvp(x, w, y, (dx, dw, db), sample_weight=np.full(len(KEPT), 2.0), **options)
    value, grads = luce.linear_cross_entropy_and_grad(*whole, **rows)
    found = luce.linear_cross_entropy_hvp(*whole, (filled(dx, garbage), dw, db), **rows)
    np.testing.assert_allclose([value, luce.linear_cross_entropy(*whole, **rows)], want, rtol=1e-14)
    for got, right in ((grads, wanted), (found, product)):
        assert not np.delete(got.input, KEPT, axis=0).any()
        for a, e in ((got.input[KEPT], right.input), *zip(got[1:], right[1:], strict=True)):
            np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
def test_a_class_of_weight_0_that_nothing_makes_up_for(garbage):
    """Its rows have no share of the mean and a loss of 0 for all numbers; with smoothing or a z-loss they count."""
    rng = np.random.default_rng(2)
    z, y = rng.standard_normal((4, 5)), np.array([0, 3, 1, 3])
    x, w = rng.standard_normal((4, 2)), rng.standard_normal((5, 2))
    weight = np.array([1.0, 2.0, 1.0, 0.0, 1.0])
    exact = CrossEntropy(z[::2], y[::2], weight=weight)
    layer = luce.linear_cross_entropy_and_grad(x[::2], w, y[::2], weight=weight)[1]
    z[1::2] = x[1::2] = garbage
    for _ in at_every_level():
        value, grad = luce.cross_entropy_and_grad(z, y, weight=weight)
        assert_loss(value, exact)
        assert_gradient(grad[::2], exact)
        assert not grad[1::2].any()
        assert not luce.cross_entropy_hvp(z, y, np.full_like(z, garbage), weight=weight)[1::2].any()
    grads = luce.linear_cross_entropy_and_grad(x, w, y, weight=weight)[1]
    np.testing.assert_allclose(grads.linear_weight, layer.linear_weight, rtol=1e-13)
    assert not grads.input[1::2].any()
    if not np.isfinite(garbage):
        for more in ({"label_smoothing": 0.1}, {"z_loss": 0.1}):
            value, grad = luce.cross_entropy_and_grad(z, y, weight=weight, reduction="none", **more)
            assert np.isnan(value[1::2]).all() and np.isnan(grad[1::2]).all()


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sigmoid(dtype, garbage):
    rng = np.random.default_rng(3)
    z, t = rng.standard_normal((len(KEPT), 5)).astype(dtype), rng.random((len(KEPT), 5)).astype(dtype)
    whole, rows = (filled(z, garbage), filled(t, garbage)), np.full(len(KEPT), 2.0)
    for reduction in ("mean", "sum", "none"):
        for _ in at_every_level():
            want, slope = luce.sigmoid_cross_entropy_and_grad(z, t, sample_weight=rows, reduction=reduction)
            value, grad = luce.sigmoid_cross_entropy_and_grad(*whole, sample_weight=WEIGHTS, reduction=reduction)
            np.testing.assert_allclose(value[KEPT] if reduction == "none" else value, want, rtol=1e-6)
            assert_same_bits(grad[KEPT], slope)
            assert not np.delete(grad, KEPT, axis=0).any()
    value, grad = luce.sigmoid_cross_entropy_and_grad([0.0, garbage], [1.0, np.nan], weight=[1.0, 0.0])
    assert value == np.log(2) / 2 and grad.tolist() == [-0.25, 0.0]


def test_what_a_row_of_another_weight_holds_is_still_checked():
    z, w = np.zeros((2, 3)), [0.0, 1.0]
    with pytest.raises(IndexError, match=r"target\[1\] is 7"):
        luce.cross_entropy(z, [9, 7], sample_weight=w)
    with pytest.raises(ValueError, match=r"target: .* got nan at \[1, 0\]"):
        luce.cross_entropy(z, [[np.nan] * 3] * 2, sample_weight=w)
    with pytest.raises(IndexError, match=r"target: indices\[1, 0\] is 5"):
        luce.cross_entropy(z, (np.full((2, 1), 5), np.ones((2, 1))), sample_weight=w)
    with pytest.raises(ValueError, match=r"row 1 sums to 2"):
        luce.cross_entropy(z, (np.zeros((2, 1), int), np.full((2, 1), 2.0)), sample_weight=w, tail="uniform")
    with pytest.raises(ValueError, match=r"target: too large for the logits' float32 at \[1, 0\]"):
        luce.cross_entropy(z.astype(np.float32), np.full((2, 3), 1e300), sample_weight=w)


def test_a_layer_whose_rows_all_count_is_not_copied(monkeypatch):
    """Zeros among the weights cost nothing where the rows hold numbers."""
    seen = []
    monkeypatch.setattr(np, "matmul", lambda a, b, out=None, real=np.matmul: (seen.append(b), real(a, b, out=out))[1])
    x = np.ones((4, 3))
    luce.linear_cross_entropy_and_grad(x, np.ones((2, 3)), [0, 1, 0, 1], sample_weight=[1, 0, 1, 0])
    assert any(part.base is x or np.may_share_memory(part, x) for part in seen)
