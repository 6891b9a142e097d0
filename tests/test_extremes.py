"""The contract's accuracy over the whole range of the types: logits, temperatures, caps and weights of any size."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import luce
from levels import at_every_level
from luce.check.truth.oracle import CrossEntropy, SigmoidCrossEntropy
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_product, assert_same_bits

TYPES = ["float32", "float64"]
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # where results overflow


def check(z, target, vector=None, **options):
    """Value, gradient and Hessian product at every level."""
    exact = CrossEntropy(z, target, **options)
    gradient, product = exact.gradient(), None if vector is None else exact.hvp(vector)
    for _ in at_every_level():
        value, grad = luce.cross_entropy_and_grad(z, target, **options)
        assert_loss(value, exact, z.dtype)
        assert_same_bits(value, luce.cross_entropy(z, target, **options))
        assert_gradient(grad, gradient)
        if vector is not None:
            assert_product(luce.cross_entropy_hvp(z, target, vector, **options), product)


# Logits and temperatures


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("temperature", [0.7, 0.3, 1e-3, 1e-12, 3.0, 7e5, 1e30])
@pytest.mark.parametrize("fill", [-1e9, -1e30, "lowest", "largest", 3.1e9])
def test_equal_logits_of_any_size_are_equal(dtype, temperature, fill):
    """A row masked with a large negative number, as attention does, is a row of equal logits."""
    info = np.finfo(dtype)
    size = {"lowest": info.min, "largest": info.max}.get(fill, fill)
    for v in (8, 49, 70):
        z = np.full((3, v), size, dtype)
        check(z, np.array([0, 1, v - 1]), np.ones_like(z), temperature=temperature)
        check(z, np.full(z.shape, 1 / v, dtype), temperature=temperature, softcap=30.0)


@st.composite
def spreads(draw, dtype):
    """Logits whose differences over the temperature lie anywhere, most of them where exp is neither 0 nor 1."""
    top = np.log10(float(np.finfo(dtype).max))
    power = st.floats(-top, top)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    temperature = 10.0 ** draw(st.one_of(power, st.floats(-3, 3)))
    width = draw(st.one_of(st.floats(-3, 2.3).map(lambda x: temperature * 10.0**x), power.map(lambda x: 10.0**x)))
    offset = draw(st.sampled_from([-1, 0, 1])) * 10.0 ** draw(power)
    largest = float(np.finfo(dtype).max)
    v = draw(st.sampled_from([1, 2, 3, 8, 17, 50]))
    z = rng.standard_normal((3, v)) * min(width, largest / 8) + np.clip(offset, -largest / 4, largest / 4)
    z = z.astype(dtype)
    if draw(st.booleans()):
        z[0] = z[0, 0]
    if draw(st.booleans()):
        z[1, rng.random(v) < 0.3] = np.finfo(dtype).min
    if draw(st.booleans()):
        z[2, 0] = np.finfo(dtype).max
    kind = draw(st.sampled_from(["index", "largest", "distribution"]))
    target = {"index": rng.integers(0, v, 3), "largest": z.argmax(1)}.get(kind)
    if target is None:
        target = rng.dirichlet(np.ones(v), 3).astype(dtype)
    return z, target, temperature, rng.standard_normal(z.shape).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=50)
@given(data=st.data())
def test_any_temperature(dtype, data):
    z, target, temperature, vector = data.draw(spreads(dtype))
    options = {"temperature": temperature, "reduction": data.draw(st.sampled_from(["mean", "sum", "none"]))}
    options["label_smoothing"] = data.draw(st.sampled_from([0.0, 0.1]))
    # the square of the temperature is what a Hessian in float32 has room for beside its entries
    along = vector if dtype == "float64" or temperature > 1e-12 else None
    check(z, target, along, **options)


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=50)
@given(data=st.data())
def test_any_softcap(dtype, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    cap = 10.0 ** data.draw(st.floats(-20, 20))
    temperature = cap * 10.0 ** data.draw(st.floats(-6, 2))
    v = data.draw(st.sampled_from([1, 3, 17, 50]))
    width, offset = (cap * 10.0 ** data.draw(st.floats(-7, 1.3)) for _ in range(2))
    z = (rng.standard_normal((3, v)) * width + offset * data.draw(st.sampled_from([-1, 0, 1]))).astype(dtype)
    target = z.argmax(1) if data.draw(st.booleans()) else rng.dirichlet(np.ones(v), 3).astype(dtype)
    z_loss = data.draw(st.sampled_from([0.0, 1e-3, 10.0]))
    check(z, target, rng.standard_normal(z.shape).astype(dtype), softcap=cap, temperature=temperature, z_loss=z_loss)


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=40)
@given(data=st.data())
def test_any_z_loss(dtype, data):
    z, target, temperature, vector = data.draw(spreads(dtype))
    temperature = data.draw(st.sampled_from([1.0, temperature]))
    z_loss = 10.0 ** data.draw(st.floats(-10, 10))
    along = vector if dtype == "float64" or temperature > 1e-12 else None
    check(z, target, along, temperature=temperature, z_loss=z_loss)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("z_loss", [1e-7, 1e10])
def test_z_loss_at_the_end_of_the_range(z_loss, temperature, dtype):
    """α + 2ζ·lse leaves the type where the gradient, or a class's that has no part in it, does not."""
    size = np.finfo(dtype).max
    for v, r in ((1, 1.0), (3, 1e-20), (35, 1.0)):
        z = np.zeros((2, v), dtype)
        z[0, 0], z[1] = size, -size
        for target in (np.full(2, v - 1), np.full((2, v), 1 / v, dtype)):
            options = {"z_loss": z_loss, "temperature": temperature, "sample_weight": np.full(2, r)}
            check(z, target, np.ones_like(z), **options, reduction="sum")


@pytest.mark.parametrize("temperature", [1.0, 1e-3, 1e-6])
def test_slopes_of_a_softcap_below_the_smallest_number(temperature):
    """du/dz is below the numbers of float32, but not what a small temperature makes of it."""
    z = np.zeros((4, 5), np.float32)
    z[:, 1] = [44.0, 47.0, 49.0, 51.0]
    options = {"softcap": 1.0, "temperature": temperature, "reduction": "sum"}
    for target in (np.ones(4, int), np.full(z.shape, 0.2, np.float32)):
        check(z, target, np.ones_like(z), **options)


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 1e-38), ("float32", 1e37), ("float64", 1e-300), ("float64", 1e306)]
)
@pytest.mark.parametrize("v", [5, 40])
def test_class_weights_of_any_size(v, size, dtype):
    rng = np.random.default_rng(0)
    z, weight = rng.standard_normal((6, v)).astype(dtype), ((0.5 + rng.random(v)) * size).astype(dtype)
    for target in (rng.integers(0, v, 6), rng.dirichlet(np.ones(v), 6).astype(dtype)):
        for more in ({}, {"label_smoothing": 0.1}, {"sample_weight": np.full(6, 1 / size)}):
            check(z, target, rng.standard_normal(z.shape).astype(dtype), weight=weight, **more)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_softcap_far_above_the_logits_changes_nothing(dtype):
    z = np.random.default_rng(0).standard_normal((4, 9)).astype(dtype) * 20
    for cap in (1e6, 1e10, 1e20, 1e30):
        check(z, np.arange(4), softcap=cap)
        np.testing.assert_allclose(
            luce.cross_entropy(z, np.arange(4), softcap=cap), luce.cross_entropy(z, np.arange(4)), rtol=1e-4
        )


def test_a_row_of_its_own_bits_whatever_lies_beside_it():
    """Rows near and far from 0 in one block, where lanes take different ways."""
    rng = np.random.default_rng(0)
    for v in (5, 17, 60):
        z = rng.standard_normal((40, v)) * 10.0 ** rng.integers(-2, 8, (40, 1))
        y = rng.integers(0, v, 40)
        options = {"softcap": 50.0, "temperature": 0.01, "z_loss": 0.1, "reduction": "none"}
        r = 10.0 ** rng.integers(-200, 200, 40)
        for dtype in TYPES:
            rows = z.astype(dtype)
            weights = np.clip(r, 1e-30, 1e30) if dtype == "float32" else r
            for _ in at_every_level():
                value, grad = luce.cross_entropy_and_grad(rows, y, sample_weight=weights, **options)
                for i in (0, 7, 33):
                    part = slice(i, i + 1)
                    alone = luce.cross_entropy_and_grad(rows[part], y[part], sample_weight=weights[part], **options)
                    assert_same_bits(value[part], alone[0])
                    assert_same_bits(grad[part], alone[1])


# Opposite extremes


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0, 0.7])
def test_opposite_extremes_in_a_row(dtype, temperature):
    """Their difference leaves the type; its small share of the loss does not."""
    info = np.finfo(dtype)
    for v in (3, 17, 60):
        z = np.zeros((2, v), dtype)
        z[:, 0], z[:, 1] = info.max, info.min
        share = np.full((2, v), 1e-3, dtype)
        for target in (np.array([0, 2]), share):
            check(z, target, temperature=temperature, reduction="none")
        if temperature == 1 or dtype == "float32":
            z *= z.dtype.type(0.7)
            check(z, np.array([0, 2]), temperature=temperature, label_smoothing=0.01, reduction="none")


@pytest.mark.parametrize("dtype", TYPES)
def test_a_mean_of_losses_whose_sum_leaves_the_type(dtype):
    z = np.zeros((6, 2), dtype)
    z[:, 0] = np.finfo(dtype).max / 2
    for options in ({}, {"sample_weight": np.ones(6)}):
        value = luce.cross_entropy(z, np.ones(6, int), **options)
        np.testing.assert_allclose(value, z[0, 0], rtol=1e-15)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_subnormal_logits_and_results(dtype, temperature):
    info = np.finfo(dtype)
    tiny, span = float(info.smallest_subnormal), 88 if dtype == "float32" else 709
    rng = np.random.default_rng(0)
    z = (rng.integers(-9, 9, (3, 20)) * tiny).astype(dtype)
    check(z, np.arange(3), z, temperature=temperature)
    z = (rng.uniform(span, span + 40, (3, 20)) * temperature * -1).astype(dtype)
    z[:, 3] = 0
    for target in (np.full(3, 3), np.arange(3)):
        check(z, target, np.ones_like(z), temperature=temperature, reduction="none")


# Weights


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=60)
@given(data=st.data())
def test_any_sample_weight(dtype, data):
    """Also such that what they are multiplied with on the way would leave the type, or their sum."""
    top = 300 if dtype == "float64" else 37
    powers = st.floats(-top, top)
    middle = data.draw(powers)
    r = [10.0 ** data.draw(st.one_of(st.just(middle), powers)) for _ in range(3)]
    v = data.draw(st.sampled_from([2, 9, 50]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    z = (rng.standard_normal((3, v)) * data.draw(st.sampled_from([1, 10, 60]))).astype(dtype)
    target = rng.integers(0, v, 3) if data.draw(st.booleans()) else rng.dirichlet(np.ones(v), 3).astype(dtype)
    options = {"reduction": data.draw(st.sampled_from(["mean", "sum", "none"]))}
    check(z, target, rng.standard_normal(z.shape).astype(dtype), sample_weight=np.array(r), **options)


@pytest.mark.parametrize("size", [1e30, 1e-30, 1e308, 1e-308, 5e-324])
@pytest.mark.parametrize("dtype", TYPES)
def test_equal_weights_of_any_size_make_the_plain_mean(size, dtype):
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((7, 5)).astype(dtype), rng.integers(0, 5, 7)
    x, w = rng.standard_normal((2, 7, 5)).astype(dtype)
    r, t = np.full(7, size), (rng.random((7, 5)) < 0.5).astype(dtype)
    for _ in at_every_level():
        want, found = luce.cross_entropy_and_grad(z, y), luce.cross_entropy_and_grad(z, y, sample_weight=r)
        np.testing.assert_allclose(found[0], want[0], rtol=1e-6)
        np.testing.assert_allclose(found[1], want[1], rtol=1e-6)
    grads, wanted = (luce.linear_cross_entropy_and_grad(x, w, y, **o)[1] for o in ({"sample_weight": r}, {}))
    np.testing.assert_allclose(grads.linear_weight, wanted.linear_weight, rtol=1e-4)
    found, want = (luce.sigmoid_cross_entropy_and_grad(z, t, **o) for o in ({"sample_weight": r}, {}))
    np.testing.assert_allclose(found[0], want[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], want[1], rtol=1e-6)
    if dtype == "float64":
        found, want = (luce.cross_entropy_and_grad(z, y, **o) for o in ({"weight": r[:5]}, {}))
        np.testing.assert_allclose(found[1], want[1], rtol=1e-6)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_the_sigmoid_with_weights_of_any_size(reduction):
    rng = np.random.default_rng(0)
    for dtype, sizes in (("float32", (1e-40, 1e-20, 1e30)), ("float64", (1e-310, 1e-200, 1e300))):
        for size in sizes:
            z = (rng.standard_normal((4, 3)) * 30).astype(dtype)
            t, r = (rng.random((4, 3)) < 0.5).astype(dtype), np.full(4, size)
            exact = SigmoidCrossEntropy(z, t, sample_weight=r, reduction=reduction)
            for _ in at_every_level():
                value, grad = luce.sigmoid_cross_entropy_and_grad(z, t, sample_weight=r, reduction=reduction)
                assert_loss(value, exact.value, dtype)
                assert_gradient(grad, exact.gradient())


# Nothing, and one


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("v", [1, 2])
def test_no_rows_and_one_class_with_every_option(rows, v):
    z = np.linspace(-1e3, 1e3, rows * v).reshape(rows, v)
    pair = (np.zeros((rows, 1), int), np.full((rows, 1), 0.5))
    options = {
        "weight": [None, np.full(v, 2.0)],
        "sample_weight": [None, np.full(rows, 0.5)],
        "label_smoothing": [0.0, 0.1],
        "z_loss": [0.0, 0.1],
        "softcap": [None, 5.0],
        "temperature": [1.0, 0.7],
        "reduction": ["mean", "sum", "none"],
    }
    for target in (np.zeros(rows, int), np.full((rows, v), 1 / v), pair):
        for values in itertools.product(*options.values()):
            given = dict(zip(options, values, strict=True))
            exact = CrossEntropy(z, target, **given)
            value, grad = luce.cross_entropy_and_grad(z, target, **given)
            assert_loss(value, exact)
            assert_gradient(grad, exact)
            assert luce.cross_entropy_hvp(z, target, z, **given).shape == z.shape
