"""The oracle itself, against closed forms, SciPy, and central differences in many digits."""

import itertools

import numpy as np
import pytest
from mpmath import mp
from scipy import special

from luce.check.inputs import cases
from luce.check.oracle import CrossEntropy, LinearCrossEntropy, SigmoidCrossEntropy, to_exact
from luce.check.truth import oracle

STEP = mp.mpf(10) ** -25  # a central difference is off by its square, 1e-50
ALL_OPTIONS = {
    "weight": np.array([0.5, 2.0, 0.0, 1.25]),
    "sample_weight": np.array([1.0, 0.25, 3.0]),
    "label_smoothing": 0.125,
    "z_loss": 0.01,
    "softcap": 5.0,
    "temperature": 0.7,
}
TARGETS = {
    "index": np.array([0, -100, 3]),
    "distribution": np.array([[0.5, 0.25, 0.0, 0.5], [0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]]),
    "pair": (np.array([[0, 1], [3, 3], [2, 0]]), np.array([[0.5, 0.25], [0.25, 0.25], [0.5, 0.375]])),
}
LOGITS = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 0.25, 0.25, -1.0], [8.0, -3.0, 1.0, 1.5]])


def small(difference) -> bool:
    return all(abs(x) < mp.mpf(10) ** -40 for x in np.ravel(difference))


def slope(function, at, direction):
    """Central difference of an array-valued function along a direction."""
    up, down = function(at + STEP * direction), function(at - STEP * direction)
    return (up - down) / (2 * STEP)


def unit(shape, index):
    direction = to_exact(np.zeros(shape))
    direction[index] = mp.one
    return direction


@pytest.fixture(autouse=True)
def many_digits(monkeypatch):
    monkeypatch.setattr(oracle, "DIGITS", 110)
    with mp.workdps(110):
        yield


@pytest.mark.parametrize("v", [1, 2, 3, 10])
def test_uniform_logits_cost_log_v(v):
    loss = CrossEntropy(np.full((2, v), 7.0), [0, v - 1])
    assert small(loss.value.value - mp.log(v))
    assert small(loss.gradient().value[0] - (mp.one / v - unit(v, 0)) / 2)


@pytest.mark.parametrize("margin", [0.0, 1.0, 17.0, 60.0, 700.0])
def test_two_classes_are_the_logistic_loss(margin):
    loss = CrossEntropy([[margin, 0.0]], [0])
    with mp.workdps(400):
        wrong = 1 / (1 + mp.exp(mp.mpf(margin)))
        assert abs(loss.value.value / mp.log1p(mp.exp(-mp.mpf(margin))) - 1) < mp.mpf(10) ** -50
        assert all(abs(x / wrong - 1) < mp.mpf(10) ** -50 for x in loss.gradient().value[0] * [-1, 1])


def test_confident_row_of_the_readme():
    assert float(CrossEntropy(np.float32([[60, 0, 0, 0]]), [0]).value.value) == pytest.approx(
        3 * np.exp(-60), rel=1e-13
    )


def test_margin_of_ten_thousand_is_not_lost():
    loss = CrossEntropy([[1e4, 0.0]], [1], reduction="sum")
    assert loss.value.value == 10000 + mp.log1p(mp.exp(-10000))
    assert float(oracle.softmax([[1e4, 0.0]]).value[0, 1]) == 0.0


@pytest.mark.parametrize("case", cases.LOGITS)
def test_softmax_family_agrees_with_scipy(case):
    z = cases.logits(case, np.random.default_rng(0), 5, 9)
    np.testing.assert_allclose(
        oracle.to_float(oracle.softmax(z).value), special.softmax(z, axis=-1), rtol=1e-10, atol=0
    )
    np.testing.assert_allclose(oracle.to_float(oracle.logsumexp(z).value), special.logsumexp(z, axis=-1), rtol=1e-13)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            oracle.to_float(oracle.log_softmax(z).value), special.log_softmax(z, axis=-1), atol=2e-12
        )


def test_axis_moves():
    z = np.random.default_rng(1).standard_normal((3, 4, 2))
    for axis in (0, 1, -3):
        moved = oracle.softmax(np.moveaxis(z, axis, -1)).value
        assert small(np.moveaxis(moved, -1, axis) - oracle.softmax(z, axis=axis).value)
        assert oracle.logsumexp(z, axis=axis).value.shape == np.sum(z, axis=axis).shape


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("options", [{}, {"tail": "uniform"}, ALL_OPTIONS, {**ALL_OPTIONS, "tail": "uniform"}], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_derivatives_are_central_differences(kind, options, reduction):
    options, target, z = {**options, "reduction": reduction}, TARGETS[kind], to_exact(LOGITS)
    loss = CrossEntropy(z, target, **options)
    gradient, v = loss.gradient().value, to_exact(np.random.default_rng(3).standard_normal(z.shape))
    for index in np.ndindex(z.shape):
        assert small(
            slope(lambda x: CrossEntropy(x, target, **options).value.value, z, unit(z.shape, index)) - gradient[index]
        )
    assert small(slope(lambda x: CrossEntropy(x, target, **options).gradient().value, z, v) - loss.hvp(v).value)
    if kind == "index":
        return
    floats = to_exact(target[1] if kind == "pair" else target)
    given = (lambda t: (target[0], t)) if kind == "pair" else (lambda t: t)
    for index in np.ndindex(floats.shape):
        found = slope(lambda t: CrossEntropy(z, given(t), **options).value.value, floats, unit(floats.shape, index))
        assert small(found - loss.target_gradient().value[index])


@pytest.mark.parametrize("bias", [None, np.array([0.5, -0.25, 0.0, 1.0])], ids=["plain", "bias"])
def test_linear_derivatives_are_central_differences(bias):
    rng = np.random.default_rng(5)
    x, w = to_exact(rng.standard_normal((3, 2))), to_exact(rng.standard_normal((4, 2)))
    b = None if bias is None else to_exact(bias)
    target, options = TARGETS["index"], {k: v for k, v in ALL_OPTIONS.items() if k != "softcap"}
    parts = {"input": x, "linear_weight": w} | ({} if b is None else {"linear_bias": b})
    directions = {k: to_exact(rng.standard_normal(part.shape)) for k, part in parts.items()}
    gradient = LinearCrossEntropy(**parts, target=target, **options).gradient()
    hvp = LinearCrossEntropy(**parts, target=target, **options).hvp(**directions)
    assert b is not None or (gradient.linear_bias is None and hvp.linear_bias is None)

    for name, part in parts.items():
        for index in np.ndindex(part.shape):
            found = slope(
                lambda p, name=name: (
                    LinearCrossEntropy(**{**parts, name: p}, target=target, **options).loss.value.value
                ),
                part,
                unit(part.shape, index),
            )
            assert small(found - getattr(gradient, name).value[index])

    def gradient_along(s, name):
        moved = {k: part + s * directions[k] for k, part in parts.items()}
        return getattr(LinearCrossEntropy(**moved, target=target, **options).gradient(), name).value

    for name in parts:
        found = slope(lambda s, name=name: gradient_along(s, name), mp.zero, mp.one)
        assert small(found - getattr(hvp, name).value)


@pytest.mark.parametrize(
    "options", [{}, {"pos_weight": [2.0, 0.5, 1.0], "weight": [1.0, 3.0, 0.25], "label_smoothing": 0.25}], ids=str
)
def test_sigmoid_gradient_is_a_central_difference(options):
    z, t = to_exact([[0.5, -3.0, 40.0], [-40.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 1.0], [0.25, 0.5, 0.0]])
    loss = SigmoidCrossEntropy(z, t, sample_weight=[1.0, 2.0], **options)
    for index in np.ndindex(z.shape):
        found = slope(
            lambda x: SigmoidCrossEntropy(x, t, sample_weight=[1.0, 2.0], **options).value.value,
            z,
            unit(z.shape, index),
        )
        assert small(found - loss.gradient().value[index])


@pytest.mark.parametrize("softcap", [None, 3.0])
def test_impossible_class_is_as_if_absent(softcap):
    z = np.array([[1.0, -np.inf, 2.0, -0.5]])
    whole, without = CrossEntropy(z, [2], softcap=softcap), CrossEntropy(np.delete(z, 1, axis=1), [1], softcap=softcap)
    assert small(whole.value.value - without.value.value)
    assert small(np.delete(whole.gradient().value, 1, axis=1) - without.gradient().value)
    assert whole.gradient().value[0, 1] == 0
    assert CrossEntropy(z, [1], softcap=softcap).value.value == mp.inf


@pytest.mark.parametrize("bad", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]])
def test_broken_row_touches_no_other(bad):
    loss = CrossEntropy([[1.0, 2.0], bad, [0.0, 3.0]], [0, 0, 1], reduction="none")
    alone = CrossEntropy([[1.0, 2.0], [0.0, 3.0]], [0, 1], reduction="none")
    assert mp.isnan(loss.value.value[1])
    assert all(mp.isnan(x) for x in loss.gradient().value[1])
    assert small(np.delete(loss.value.value, 1) - alone.value.value)
    assert small(np.delete(loss.gradient().value, 1, axis=0) - alone.gradient().value)


def test_broken_row_that_is_ignored_counts_for_nothing():
    loss = CrossEntropy([[1.0, 2.0], [np.nan, 0.0]], [0, -100])
    assert small(loss.value.value - CrossEntropy([[1.0, 2.0]], [0]).value.value)
    assert list(loss.gradient().value[1]) == [0, 0]


def test_denominators():
    z, w, r = np.zeros((4, 2)), np.array([1.0, 3.0]), np.array([1.0, 2.0, 4.0, 8.0])
    labels, log2 = np.array([0, 1, -100, 1]), mp.log(2)
    assert small(CrossEntropy(z, labels, weight=w, sample_weight=r).row_factor * 31 - [1, 2, 0, 8])  # 1·1 + 3·2 + 3·8
    assert small(CrossEntropy(z, np.eye(2)[[0, 1, 1, 1]], weight=w, sample_weight=r).row_factor * 15 - r)
    assert small(CrossEntropy(z, labels, normalizer=10.0).value.value - 3 * log2 / 10)
    assert small(CrossEntropy(z, labels, weight=w, label_smoothing=0.5).value.value - log2 * 6.5 / 7)  # 1.5 + 2.5 + 2.5


def test_nothing_left():
    z, labels = np.zeros((1, 2)), [-100]
    assert mp.isnan(CrossEntropy(z, labels).value.value[()])
    assert CrossEntropy(z, labels, on_empty="zero").value.value == 0
    assert not CrossEntropy(z, labels).gradient().value.any()
    with pytest.raises(ValueError, match="nothing"):
        CrossEntropy(z, labels, on_empty="raise")


@pytest.mark.parametrize(("target", "softcap"), list(itertools.product(TARGETS, [None, 4.0])))
def test_scales_bound_values(target, softcap):
    loss = CrossEntropy(LOGITS, TARGETS[target], softcap=softcap, z_loss=0.1)
    found = [loss.losses, loss.gradient(), loss.hvp(np.ones_like(LOGITS)), loss.logsumexp]
    found += [] if target == "index" else [loss.target_gradient()]
    with mp.workdps(60):
        for exact in found:
            assert all(
                abs(v) <= s * (1 + mp.mpf(10) ** -50) for v, s in zip(exact.value.flat, exact.scale.flat, strict=True)
            )


def test_scale_of_a_class_index_is_the_entry_itself():
    for margin in (0.5, 5.0, 60.0, 400.0):
        exact = CrossEntropy([[margin, 0.0, 0.0]], [0]).gradient()
        assert small(exact.scale[0] / abs(exact.value[0]) - 1)
