"""The softmax family along any axis, against the oracle, at every level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import luce
from levels import at_every_level
from luce.check.inputs import cases
from luce.check.inputs.problems import SIZES
from luce.check.truth import oracle
from luce.check.truth.tolerance import assert_gradient, assert_product, assert_same_bits, assert_within

FAMILY = ("softmax", "log_softmax", "logsumexp")
LIMITS = {"softmax": 8, "log_softmax": 4, "logsumexp": 4}  # eps of the entry; of |max| + log Σ for the log-sum-exp


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("case", cases.LOGITS)
def test_each_case_at_each_width(case, dtype):
    for v in SIZES:
        z = cases.logits(case, np.random.default_rng(v), max(1, min(17, 150 // v)), v, dtype)
        exact = {name: getattr(oracle, name)(z) for name in FAMILY}
        for _ in at_every_level():
            for name in FAMILY:
                found = getattr(luce, name)(z)
                assert np.asarray(found).dtype == dtype
                assert_within(found, exact[name], LIMITS[name], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ["normal", "peaked", "confident", "holes", "high", "staircase"])
def test_products(case, dtype):
    for v in SIZES:
        rng = np.random.default_rng(v)
        z = cases.logits(case, rng, max(1, min(17, 150 // v)), v, dtype)
        vector = rng.standard_normal(z.shape).astype(dtype)
        exact = oracle.softmax_jvp(z, vector)
        for _ in at_every_level():
            for product in (luce.softmax_jvp, luce.softmax_vjp):
                found = product(z, vector)
                assert found.dtype == dtype
                assert_product(found, exact)


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from([1, 2, 3, 5]), min_size=1, max_size=4),
    st.integers(-4, 3),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_any_axis(shape, axis, seed, fortran):
    axis %= len(shape)
    z = np.random.default_rng(seed).standard_normal(shape)
    z = np.asfortranarray(z) if fortran else z
    before = z.copy()
    for name in FAMILY:
        for given_axis in (axis, axis - len(shape)):
            assert_within(getattr(luce, name)(z, axis=given_axis), getattr(oracle, name)(z, axis=axis), LIMITS[name])
    vector = np.random.default_rng(seed + 1).standard_normal(shape)
    for product in (luce.softmax_jvp, luce.softmax_vjp):
        assert_product(product(z, vector, axis=axis), oracle.softmax_jvp(z, vector, axis=axis))
    assert_same_bits(z, before)


@pytest.mark.parametrize("layout", ["sliced", "negative", "big-endian", "read-only", "broadcast"])
def test_layouts_give_the_same_bits(layout):
    z = np.random.default_rng(0).standard_normal((6, 10)).astype(np.float32)
    laid = {
        "sliced": np.repeat(np.repeat(z, 2, axis=0), 3, axis=1)[::2, ::3],
        "negative": np.ascontiguousarray(z[::-1, ::-1])[::-1, ::-1],
        "big-endian": z.astype(">f4"),
        "read-only": np.frombuffer(z.tobytes(), dtype=np.float32).reshape(z.shape),
        "broadcast": np.broadcast_to(z, (2, 6, 10)),
    }[layout]
    for name in FAMILY:
        want, found = getattr(luce, name)(z), getattr(luce, name)(laid)
        assert_same_bits(found, np.broadcast_to(want, found.shape))
    assert_same_bits(luce.softmax_jvp(laid, laid), np.broadcast_to(luce.softmax_jvp(z, z), laid.shape))


@pytest.mark.parametrize("bad", [[np.nan, 0.0, 1.0], [np.inf, 0.0, 1.0], [-np.inf] * 3, [np.nan, np.inf, -np.inf]])
def test_a_broken_row_touches_no_other(bad):
    z = np.array([[1.0, 2.0, 3.0], bad, [0.0, -1.0, 5.0]])
    for _ in at_every_level():
        for name in FAMILY:
            found = getattr(luce, name)(z)
            assert np.isnan(found[1]).all()
            assert_same_bits(found[[0, 2]], getattr(luce, name)(z[[0, 2]]))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (0, 1)])
def test_no_rows(shape):
    z = np.zeros(shape, dtype=np.float32)
    assert luce.softmax(z).shape == luce.log_softmax(z).shape == luce.softmax_jvp(z, z).shape == shape
    assert luce.logsumexp(z).shape == shape[:-1]


def test_one_row():
    assert_gradient(luce.softmax([1, 2, 3]), oracle.softmax([1.0, 2.0, 3.0]))
    assert np.ndim(luce.logsumexp([1.0, 2.0])) == 0


def test_the_two_products_are_adjoint():
    """J v and Jᵀ v are adjoint: ⟨a, J b⟩ = ⟨Jᵀ a, b⟩."""
    rng = np.random.default_rng(0)
    z, a, b = rng.standard_normal((3, 20, 7))
    left, right = (a * luce.softmax_jvp(z, b)).sum(axis=1), (luce.softmax_vjp(z, a) * b).sum(axis=1)
    np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-15)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SIZES), st.sampled_from(["float32", "float64"]))
def test_shares_sum_to_one_and_the_log_is_theirs(seed, v, dtype):
    z = (4 * np.random.default_rng(seed).standard_normal((3, v))).astype(dtype)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(luce.softmax(z).astype(np.float64).sum(axis=1), 1, rtol=8 * eps)
    assert_same_bits(luce.softmax_jvp(z, np.zeros_like(z)), np.zeros_like(z))
