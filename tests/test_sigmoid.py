"""Binary and multi-label cross-entropy against the oracle, at every level."""

import numpy as np
import pytest
from mpmath import mp

import luce
from levels import at_every_level
from luce.check.inputs.pairs import all_pairs
from luce.check.oracle import SigmoidCrossEntropy
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_same_bits

VALUES = {
    "normal": lambda rng, shape: 3 * rng.standard_normal(shape),
    "tenth": lambda rng, shape: 0.1 * rng.standard_normal(shape),
    "wide": lambda rng, shape: 100 * rng.standard_normal(shape),
    "zero": lambda rng, shape: np.zeros(shape),
    "confident": lambda rng, shape: 60.0 * rng.choice([-1, 1], shape),
    "certain": lambda rng, shape: 1e4 * rng.choice([-1, 1], shape),
    "staircase": lambda rng, shape: np.linspace(-90, 90, int(np.prod(shape))).reshape(shape),
}
FACTORS = {
    "values": list(VALUES),
    "target": ["hard", "soft"],
    "shape": [(4,), (1, 1), (5, 3), (3, 17), (2, 3, 5), (2, 200)],
    "dtype": ["float32", "float64", "float16"],
    "weight": [None, "some"],
    "pos_weight": [None, "some"],
    "sample_weight": [None, "some"],
    "label_smoothing": [0.0, 0.1, 1.0],
    "reduction": ["mean", "sum", "none"],
    "normalizer": [None, 7.5],
}
PAIRS = all_pairs(FACTORS)


def drawn(*, values, target, shape, dtype, seed=0, **options):
    rng = np.random.default_rng(seed)
    floats = np.float32 if dtype == "float16" else np.dtype(dtype)
    logits = VALUES[values](rng, shape).astype(dtype)
    t = (rng.integers(0, 2, shape) if target == "hard" else rng.random(shape)).astype(floats)
    for name, size in (("weight", shape[-1:]), ("pos_weight", shape[-1:]), ("sample_weight", shape[:-1])):
        if options.get(name):
            options[name] = (0.25 + rng.random(size)).astype(floats)
    if options.get("reduction") != "mean":
        options.pop("normalizer", None)
    return logits, t, options


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: "-".join(map(str, row.values())))
def test_every_pair_of_options(row):
    logits, target, options = drawn(seed=len(str(row)), **row)
    exact = SigmoidCrossEntropy(logits, target, **options)
    before = logits.copy(), target.copy()
    for _ in at_every_level():
        value = luce.sigmoid_cross_entropy(logits, target, **options)
        again, grad = luce.sigmoid_cross_entropy_and_grad(logits, target, **options)
        assert_loss(value, exact.value, logits.dtype)
        assert_same_bits(value, again)
        assert grad.dtype == logits.dtype
        assert_gradient(grad, exact.gradient())
    assert_same_bits(logits, before[0])
    assert_same_bits(target, before[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_confident_entries_keep_every_digit(dtype, label):
    z = np.array([-80, -60, -17, -1, 0, 1, 17, 60, 80], dtype=dtype)
    exact = SigmoidCrossEntropy(z, np.full(9, label), reduction="none")
    for _ in at_every_level():
        loss, grad = luce.sigmoid_cross_entropy_and_grad(z, np.full(9, label), reduction="none")
        assert (loss > 0).all() and (grad != 0).all()
        assert_loss(loss, exact.value)
        assert_gradient(grad, exact.gradient())


def test_two_classes_of_the_softmax_are_one_sigmoid():
    z, y = np.random.default_rng(0).standard_normal(30) * 5, np.arange(30) % 2
    two = np.stack([np.zeros(30), z], axis=1)
    np.testing.assert_allclose(
        luce.sigmoid_cross_entropy(z, y.astype(float), reduction="none"),
        luce.cross_entropy(two, y, reduction="none"),
        rtol=1e-14,
    )


def test_an_impossible_label_costs_nothing_or_everything():
    loss, grad = luce.sigmoid_cross_entropy_and_grad([-np.inf, -np.inf], [0.0, 1.0], reduction="none")
    assert loss[0] == 0 and loss[1] == np.inf
    assert grad[0] == 0


def test_nan_stays_where_it_is():
    z = np.array([[0.5, np.nan, -1.0], [0.0, 1.0, 2.0]])
    loss, grad = luce.sigmoid_cross_entropy_and_grad(z, np.zeros((2, 3)), reduction="none")
    clean = luce.sigmoid_cross_entropy_and_grad(np.nan_to_num(z), np.zeros((2, 3)), reduction="none")
    assert np.isnan(grad[0, 1]) and np.isnan(loss[0, 1])
    assert_same_bits(grad[1], clean[1][1])
    assert_same_bits(loss[1], clean[0][1])


def test_in_place_and_layouts():
    z, t, _ = drawn(values="normal", target="soft", shape=(6, 8), dtype="float32")
    value, grad = luce.sigmoid_cross_entropy_and_grad(z, t)
    for laid in (np.asfortranarray(z), z.astype(">f4"), np.repeat(z, 2, axis=1)[:, ::2], z[::-1].copy()[::-1]):
        found = luce.sigmoid_cross_entropy_and_grad(laid, t)
        assert_same_bits(found[0], value)
        assert_same_bits(found[1], grad)
    out = z.copy()
    assert luce.sigmoid_cross_entropy_and_grad(out, t, out=out)[1] is out
    assert_same_bits(out, grad)
    out = t.copy()
    luce.sigmoid_cross_entropy_and_grad(z, out, out=out)
    assert_same_bits(out, grad)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_nothing_to_average(shape):
    z = np.zeros(shape)
    value, grad = luce.sigmoid_cross_entropy_and_grad(z, z)
    assert np.isnan(value) and grad.shape == shape
    assert luce.sigmoid_cross_entropy(z, z, on_empty="zero") == 0
    assert luce.sigmoid_cross_entropy(z, z, reduction="sum") == 0
    with pytest.raises(ValueError, match="on_empty"):
        luce.sigmoid_cross_entropy(z, z, on_empty="raise")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"target": [[0.0, 1.0]]}, ValueError, ["target", "(1, 2)", "(2, 2)"]),
        ({"target": [[0.0, -0.5], [0, 0]]}, ValueError, ["target", "-0.5"]),
        ({"target": [[0.0, 1.5], [0, 0]]}, ValueError, ["target", "1.5"]),
        ({"target": [[0.0, np.nan], [0, 0]]}, ValueError, ["target", "nan"]),
        ({"target": [[1j, 0], [0, 0]]}, TypeError, ["target", "complex128"]),
        ({"logits": [[True, False]] * 2}, TypeError, ["logits", "bool"]),
        ({"weight": [1.0, -1.0]}, ValueError, ["weight", "-1.0"]),
        ({"weight": [1.0, 1.0, 1.0]}, ValueError, ["weight", "(3,)"]),
        ({"pos_weight": [1.0, np.inf]}, ValueError, ["pos_weight", "inf"]),
        ({"pos_weight": [1.0, 1.0, 1.0]}, ValueError, ["pos_weight", "(3,)"]),
        ({"sample_weight": [1.0, np.nan]}, ValueError, ["sample_weight", "nan"]),
        ({"label_smoothing": 1.5}, ValueError, ["label_smoothing", "1.5"]),
        ({"reduction": "average"}, ValueError, ["reduction", "average"]),
        ({"out": np.zeros((2, 3))}, ValueError, ["out", "(2, 3)", "(2, 2)"]),
    ],
    ids=str,
)
def test_errors_name_what_they_got(change, error, words):
    arguments = {"logits": np.zeros((2, 2)), "target": np.zeros((2, 2)), **change}
    with pytest.raises(error) as caught:
        luce.sigmoid_cross_entropy_and_grad(**arguments)
    assert all(word in str(caught.value) for word in words), caught.value


def test_losses_down_to_the_smallest_normal_number():
    """softplus(-708.2) is 2.7e-308, within float64."""
    assert luce.sigmoid_cross_entropy(np.array([708.2]), [1]) == pytest.approx(float(mp.exp(-mp.mpf(708.2))), rel=1e-15)


@pytest.mark.parametrize("name", ["weight", "sample_weight"])
def test_weight_0_counts_for_nothing_also_where_the_loss_is_infinite(name):
    z = np.array([np.inf, 0.0])
    value, grad = luce.sigmoid_cross_entropy_and_grad(z, [0, 0], **{name: [0.0, 1.0]}, reduction="sum")
    assert value == luce.sigmoid_cross_entropy([0.0], [0], reduction="sum")
    assert grad[0] == 0
