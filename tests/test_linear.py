"""The loss through a linear layer: exact where the logits are, and within what any BLAS may round elsewhere."""

import tracemalloc

import numpy as np
import pytest
from mpmath import mp

import luce
from levels import at_every_level
from luce.check.inputs import cases
from luce.check.inputs.pairs import all_pairs
from luce.check.oracle import Exact, LinearCrossEntropy, to_exact, to_float
from luce.check.truth.tolerance import assert_contraction, assert_loss, assert_same_bits, assert_within

FACTORS = {
    "target": list(cases.TARGETS),
    "shape": [(5, 3, 4), (1, 1, 2), (17, 8, 10), (3, 2, 1), (33, 4, 65)],
    "dtype": ["float32", "float64"],
    "bias": [True, False],
    "weight": [None, "some"],
    "sample_weight": [None, "some"],
    "label_smoothing": [0.0, 0.1],
    "z_loss": [0.0, 0.01],
    "softcap": [None, 8.0],
    "temperature": [1.0, 0.5],
    "tail": [None, "uniform"],
    "reduction": ["mean", "sum", "none"],
    "normalizer": [None, 7.5],
}
PAIRS = all_pairs(FACTORS)


def dyadic(rng, *shape, dtype="float64"):
    """Eighths up to 2: sums of their products are exact in float32, whatever the order."""
    return (rng.integers(-16, 17, shape) / 8).astype(dtype)


class Layer:
    """A layer, a target and options, and what the oracle says."""

    def __init__(self, *, shape=(5, 3, 4), dtype="float64", target="index", bias=True, seed=0, **options):
        rng = np.random.default_rng(seed)
        n, d, v = shape
        self.dtype = np.dtype(dtype)
        self.input, self.linear_weight = dyadic(rng, n, d, dtype=dtype), dyadic(rng, v, d, dtype=dtype)
        self.linear_bias = dyadic(rng, v, dtype=dtype) if bias else None
        self.target = cases.target(target, rng, n, v, self.dtype)
        if options.get("weight"):
            options["weight"] = (rng.integers(1, 12, v) / 4).astype(dtype)
        if options.get("sample_weight"):
            options["sample_weight"] = (0.1 + rng.random(n)).astype(dtype)
        if not isinstance(self.target, tuple) or len(self.target[0].T) >= v:
            options.pop("tail", None)  # for pairs alone, and where a class is left to take it
        if options.get("reduction", "mean") != "mean":
            options.pop("normalizer", None)
        self.options = options
        self.direction = luce.LinearGrads(
            dyadic(rng, n, d, dtype=dtype),
            dyadic(rng, v, d, dtype=dtype),
            dyadic(rng, v, dtype=dtype) if bias else None,
        )

    @property
    def arguments(self):
        return self.input, self.linear_weight, self.target

    @property
    def keywords(self):
        return {"linear_bias": self.linear_bias, **self.options}

    def exact(self):
        return LinearCrossEntropy(*self.arguments, **self.keywords)


def assert_parts(found, exact, terms_input, terms_weight):
    assert_contraction(found.input, exact.input, terms_input)
    assert_contraction(found.linear_weight, exact.linear_weight, terms_weight)
    if exact.linear_bias is None:
        assert found.linear_bias is None
    else:
        assert_contraction(found.linear_bias, exact.linear_bias, terms_weight)


def check_all(layer: Layer) -> None:
    (n, _), v = layer.input.shape, len(layer.linear_weight)
    exact = layer.exact()
    gradient, hvp = exact.gradient(), exact.hvp(*layer.direction)
    for _ in at_every_level():
        value = luce.linear_cross_entropy(*layer.arguments, **layer.keywords)
        assert_loss(value, exact.loss, layer.dtype)
        again, grads = luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)
        assert_same_bits(value, again)
        assert grads.input.dtype == grads.linear_weight.dtype == layer.dtype
        assert_parts(grads, gradient, v, n)
        found = luce.linear_cross_entropy_hvp(*layer.arguments, layer.direction, **layer.keywords)
        assert_parts(found, hvp, 2 * v, 2 * n)


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: "-".join(map(str, row.values())))
def test_every_pair_of_options(row):
    check_all(Layer(seed=len(str(row)), **row))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inexact_logits_stay_within_a_blas(dtype):
    """Logits of D products each carry up to (D + 1)/2 eps of Σ|x||w|, and the loss that times its gradient."""
    rng = np.random.default_rng(1)
    n, d, v = 9, 20, 30
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((n, d), (v, d), (v,)))
    target = rng.integers(0, v, n)
    exact = LinearCrossEntropy(x, w, target, linear_bias=b, reduction="none")
    magnitude = to_exact(abs(x) @ abs(w).T + abs(b))
    with mp.workdps(60):
        felt = (abs(exact.loss.gradient().value) * magnitude).sum(axis=1) * (d + 2) / 2
        scale = exact.loss.losses.value + felt / 4
    found = luce.linear_cross_entropy(x, w, target, linear_bias=b, reduction="none")
    assert_within(found, Exact(exact.loss.losses.value, scale), 4)


@pytest.fixture(params=[1, 16, 40, 64], ids=lambda rows: f"{rows}-row-chunks")
def small_workspace(request, monkeypatch):
    """Chunks of a few rows, and weight gradients a class or a few at a time."""

    def shrink(classes, itemsize):
        monkeypatch.setattr(luce._linear, "LOGITS_WORKSPACE", request.param * classes * itemsize)
        monkeypatch.setattr(luce._linear, "WEIGHT_WORKSPACE", request.param * itemsize)

    return shrink


@pytest.mark.parametrize("target", ["ignored", "distribution", "top-k"])
def test_chunks_of_every_size(small_workspace, target):
    for dtype, v in (("float32", 5), ("float64", 18)):
        small_workspace(v, np.dtype(dtype).itemsize)
        check_all(Layer(shape=(71, 3, v), dtype=dtype, target=target, weight="some", sample_weight="some"))


@pytest.mark.parametrize("target", cases.TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_have_the_same_bits_for_any_chunk(small_workspace, target, dtype):
    for v in (3, 20, 65):
        layer = Layer(
            shape=(150, 3, v), target=target, dtype=dtype, sample_weight="some", weight="some", reduction="none"
        )
        z = (layer.input @ layer.linear_weight.T) + layer.linear_bias
        whole = luce.linear_cross_entropy(*layer.arguments, **layer.keywords)
        assert_same_bits(luce.cross_entropy(z, layer.target, **layer.options), whole)
        small_workspace(v, np.dtype(dtype).itemsize)
        assert_same_bits(luce.linear_cross_entropy(*layer.arguments, **layer.keywords), whole)
        assert_same_bits(luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)[0], whole)


@pytest.mark.parametrize("n", [20_000, 60_000])
def test_the_workspace_does_not_grow_with_the_rows(n):
    """At most 128 MiB beyond what is returned, where the logits alone would be 160 and 480 MB."""
    v, d = 2000, 4
    x, w = np.zeros((n, d), dtype=np.float32), np.zeros((v, d), dtype=np.float32)
    y = np.zeros(n, dtype=np.int64)
    calls = {
        "value": lambda: luce.linear_cross_entropy(x, w, y),
        "gradient": lambda: luce.linear_cross_entropy_and_grad(x, w, y),
        "product": lambda: luce.linear_cross_entropy_hvp(x, w, y, (x, w, None)),
    }
    for name, call in calls.items():
        tracemalloc.start()
        kept = call()
        results = tracemalloc.get_traced_memory()[0]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak - results < 128 * 2**20, f"{name}: {(peak - results) / 2**20:.0f} MiB"
        del kept


@pytest.mark.parametrize("leading", [(), (3,), (2, 2), (0,), (2, 0)])
@pytest.mark.parametrize("target", ["index", "distribution", "top-k"])
def test_leading_axes(leading, target):
    n = int(np.prod(leading))
    layer = Layer(shape=(n, 3, 5), target=target, reduction="sum")
    fold = lambda a: a.reshape((*leading, *a.shape[1:]))  # noqa: E731
    t = tuple(map(fold, layer.target)) if isinstance(layer.target, tuple) else fold(layer.target)
    value, grads = luce.linear_cross_entropy_and_grad(fold(layer.input), layer.linear_weight, t, **layer.keywords)
    exact = layer.exact()
    assert_loss(value, exact.loss)
    assert grads.input.shape == fold(layer.input).shape
    assert_parts(grads._replace(input=grads.input.reshape(n, 3)), exact.gradient(), 5, max(n, 1))
    direction = layer.direction._replace(input=fold(layer.direction.input))
    found = luce.linear_cross_entropy_hvp(fold(layer.input), layer.linear_weight, t, direction, **layer.keywords)
    assert found.input.shape == fold(layer.input).shape
    assert_parts(found._replace(input=found.input.reshape(n, 3)), exact.hvp(*layer.direction), 10, max(2 * n, 1))


@pytest.mark.parametrize("missing", ["input", "linear_weight", "linear_bias"])
def test_a_missing_part_of_the_direction_is_zero(missing):
    layer = Layer(shape=(6, 3, 5))
    direction = layer.direction._replace(**{missing: None})
    found = luce.linear_cross_entropy_hvp(*layer.arguments, direction, **layer.keywords)
    assert_parts(found, layer.exact().hvp(*direction), 10, 12)


def test_confident_rows_keep_every_digit():
    x, w = np.array([[60.0]], dtype=np.float32), np.array([[1.0], [0.0], [0.0], [0.0]], dtype=np.float32)
    value, grads = luce.linear_cross_entropy_and_grad(x, w, [0])
    exact = LinearCrossEntropy(x, w, [0])
    assert_loss(value, exact.loss)
    assert_parts(grads, exact.gradient(), 4, 1)
    assert grads.input[0, 0] < 0 and grads.linear_weight[0, 0] < 0


def test_impossible_class_by_its_bias():
    layer = Layer(shape=(6, 3, 5), reduction="sum")
    layer.target = np.array([0, 1, 2, 3, 0, 1])
    layer.linear_bias[4] = -np.inf
    exact = layer.exact()
    value, grads = luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)
    assert_loss(value, exact.loss)
    assert_parts(grads, exact.gradient(), 5, 6)
    assert not grads.linear_weight[4].any() and grads.linear_bias[4] == 0


@pytest.mark.parametrize("target", ["index", "top-k"])
def test_the_hessian_is_symmetric(target):
    a, b = Layer(shape=(7, 3, 5), target=target, seed=3), Layer(shape=(7, 3, 5), target=target, seed=8)
    product = lambda u: luce.linear_cross_entropy_hvp(*a.arguments, u, **a.keywords)  # noqa: E731
    dot = lambda u, v: sum(np.vdot(p, q) for p, q in zip(u, v, strict=True))  # noqa: E731
    np.testing.assert_allclose(
        dot(b.direction, product(a.direction)), dot(a.direction, product(b.direction)), rtol=1e-11
    )


def test_gradient_is_that_of_the_logits_carried_through():
    layer = Layer(shape=(8, 4, 6), label_smoothing=0.1)
    z = layer.input @ layer.linear_weight.T + layer.linear_bias
    _, g = luce.cross_entropy_and_grad(z, layer.target, **layer.options)
    _, grads = luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)
    np.testing.assert_allclose(grads.input, g @ layer.linear_weight, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grads.linear_weight, g.T @ layer.input, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grads.linear_bias, g.sum(axis=0), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("layout", ["fortran", "sliced", "big-endian", "read-only"])
def test_layouts(layout):
    layer = Layer(shape=(9, 4, 6), dtype="float32")

    def laid(a):
        frozen = a.copy()
        frozen.flags.writeable = False
        wide = np.repeat(a, 2, axis=0)
        return {
            "fortran": np.asfortranarray(a),
            "sliced": wide[::2],
            "big-endian": a.astype(">f4"),
            "read-only": frozen,
        }[layout]

    parts = [laid(a) for a in (layer.input, layer.linear_weight, layer.linear_bias)]
    before = [a.copy() for a in parts]
    value, grads = luce.linear_cross_entropy_and_grad(parts[0], parts[1], layer.target, linear_bias=parts[2])
    exact = layer.exact()
    assert_loss(value, exact.loss, np.float32)
    assert_parts(grads, exact.gradient(), 6, 9)
    direction = luce.LinearGrads(*(laid(a) for a in layer.direction))
    found = luce.linear_cross_entropy_hvp(parts[0], parts[1], layer.target, direction, linear_bias=parts[2])
    assert_parts(found, exact.hvp(*layer.direction), 12, 18)
    for a, b in zip(before, parts, strict=True):
        assert_same_bits(a, b)


def test_half_precision_is_computed_in_single():
    layer = Layer(shape=(5, 3, 4), dtype="float16")
    value, grads = luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)
    exact = layer.exact()
    assert grads.input.dtype == grads.linear_weight.dtype == grads.linear_bias.dtype == np.float16
    assert_loss(value, exact.loss, np.float16)
    assert_parts(grads, exact.gradient(), 4, 5)


def test_no_features():
    value, grads = luce.linear_cross_entropy_and_grad(
        np.zeros((2, 0)), np.zeros((3, 0)), [0, 1], linear_bias=np.zeros(3)
    )
    assert abs(value - np.log(3)) < 4e-16
    assert grads.input.shape == (2, 0) and grads.linear_weight.shape == (3, 0)
    np.testing.assert_allclose(grads.linear_bias, [-1 / 6, -1 / 6, 1 / 3], rtol=1e-15)


def test_a_broken_row_spoils_no_other_row_of_the_input_gradient():
    layer = Layer(shape=(6, 3, 5), reduction="none")
    clean = luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)
    layer.input[2, 1] = np.nan
    value, grads = luce.linear_cross_entropy_and_grad(*layer.arguments, **layer.keywords)
    others = np.arange(6) != 2
    assert np.isnan(value[2]) and np.isnan(grads.input[2]).all()
    assert_same_bits(value[others], clean[0][others])
    assert_same_bits(grads.input[others], clean[1].input[others])


def test_oracle_and_layer_agree_on_the_logits():
    layer = Layer()
    np.testing.assert_array_equal(
        to_float(layer.exact().logits), layer.input @ layer.linear_weight.T + layer.linear_bias
    )


def test_nothing_that_an_ignored_row_holds_matters():
    """Its gradient is 0, and 0 times a NaN of the input would be NaN in the weight's."""
    x, w, y = np.ones((2, 2)), np.ones((3, 2)), [0, -100]
    x[1] = np.nan
    _, grads = luce.linear_cross_entropy_and_grad(x, w, y)
    alone = luce.linear_cross_entropy_and_grad(x[:1], w, y[:1])[1]
    np.testing.assert_array_equal(grads.linear_weight, alone.linear_weight)
    assert not grads.input[1].any() and np.isnan(x[1]).all()
    product = luce.linear_cross_entropy_hvp(x, w, y, (x, w, None))
    assert np.isfinite(product.linear_weight).all()


def test_the_workspace_holds_where_the_layer_is_wide():
    """Many rows of few classes: what is as wide as the input counts too."""
    n, d, v = 300_000, 200, 4
    x, w, y = np.zeros((n, d), np.float32), np.zeros((v, d), np.float32), np.zeros(n, np.int64)
    tracemalloc.start()
    kept = luce.linear_cross_entropy_hvp(x, w, y, (None, w, None))
    results, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept.input.shape == x.shape
    assert peak - results < 128 * 2**20
