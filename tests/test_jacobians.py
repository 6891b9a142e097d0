"""The dense forms against the oracle, against each other, and against the products that never form them."""

import numpy as np
import pytest
from mpmath import mp
from scipy import sparse

import luce
from luce import jacobians
from luce.check.inputs import cases
from luce.check.oracle import CrossEntropy, Exact, to_exact
from luce.check.truth import oracle
from luce.check.truth.tolerance import assert_product, assert_within


def exact_jacobian(z):
    """S_i(δ_ij − S_j) in many digits: each entry is a product."""
    columns = [oracle.softmax_jvp(z, np.broadcast_to(e, np.shape(z))).value for e in np.eye(np.shape(z)[-1])]
    value = np.stack(columns, axis=-1)
    return Exact(value, abs(value))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", cases.LOGITS)
def test_softmax(case, dtype):
    for v in (1, 2, 3, 9, 20):
        z = cases.logits(case, np.random.default_rng(v), 3, v, dtype)
        with mp.workdps(400):
            exact = exact_jacobian(z)
        for found in (jacobians.softmax(z), jacobians.cross_entropy_hessian(z)):
            assert found.dtype == dtype
            assert_within(found, exact, 8)


def test_confident_diagonal_keeps_its_digits():
    found = jacobians.softmax([60.0, 0.0, 0.0, 0.0])
    assert found[0, 0] == pytest.approx(3 * np.exp(-60), rel=1e-14)


def test_hessian_of_mass():
    z = np.array([1.0, 0.0, -1.0])
    np.testing.assert_allclose(jacobians.cross_entropy_hessian(z, mass=2.5), 2.5 * jacobians.softmax(z), rtol=1e-15)
    t = np.array([[0.5, 1.0, 1.0]])
    for j, e in enumerate(np.eye(3)):
        assert_product(
            jacobians.cross_entropy_hessian(z, mass=2.5)[:, j], _first(CrossEntropy(z[None], t).hvp(e[None]))
        )


def _first(exact):
    return Exact(exact.value[0], exact.scale[0])


@pytest.mark.parametrize("leading", [(), (4,), (2, 3), (0,)])
def test_shapes(leading):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((*leading, 3)), rng.standard_normal((5, 3)), rng.standard_normal(5)
    z = x @ w.T + b
    target = np.zeros(leading, dtype=int)
    assert jacobians.softmax(z).shape == jacobians.cross_entropy_hessian(z).shape == (*leading, 5, 5)
    assert jacobians.linear(x, 5).shape == jacobians.softmax_linear(x, w, b).shape == (*leading, 5, 15)
    assert jacobians.cross_entropy_linear(x, w, target, b).shape == (*leading, 1, 15)


def test_symmetry_sums_and_eigenvalues():
    z = 3 * np.random.default_rng(0).standard_normal((5, 8))
    j = jacobians.softmax(z)
    np.testing.assert_array_equal(j, np.swapaxes(j, -1, -2))
    assert (abs(j.sum(axis=-1)) < 1e-16).all()
    assert (np.linalg.eigvalsh(j) > -1e-16).all()


def test_the_linear_layer_has_one_entry_in_t():
    x = np.array([2.0, 3.0, 5.0])
    j = jacobians.linear(x, 4)
    for t in range(4):
        np.testing.assert_array_equal(j[t].reshape(4, 3), np.outer(np.eye(4)[t], x))
    found = jacobians.linear(x, 4, sparse=True)
    assert sparse.issparse(found) and found.format == "csr" and found.nnz == 12
    np.testing.assert_array_equal(found.toarray(), j)


def test_the_linear_layer_is_linear_in_its_weights():
    rng = np.random.default_rng(1)
    x, w = rng.integers(-4, 5, (6, 3)).astype(float), rng.integers(-4, 5, (5, 3)).astype(float)
    np.testing.assert_array_equal(jacobians.linear(x, 5) @ w.reshape(-1), x @ w.T)
    np.testing.assert_array_equal(jacobians.linear(x[0], 5, sparse=True) @ w.reshape(-1), w @ x[0])


@pytest.mark.parametrize("bias", [False, True])
def test_the_chain_rule(bias):
    rng = np.random.default_rng(2)
    x, w, b = rng.standard_normal((6, 3)), rng.standard_normal((5, 3)), rng.standard_normal(5) if bias else None
    z = x @ w.T + (0 if b is None else b)
    found = jacobians.softmax_linear(x, w, b)
    np.testing.assert_allclose(found, jacobians.softmax(z) @ jacobians.linear(x, 5), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(found[0], jacobians.softmax(z[0]) @ jacobians.linear(x[0], 5, sparse=True), rtol=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("target", ["index", "distribution", "unnormalised"])
def test_the_row_of_the_cross_entropy(target, smoothing):
    rng = np.random.default_rng(3)
    x, w, b = (rng.integers(-16, 17, shape) / 8 for shape in ((6, 3), (5, 3), (5,)))
    t = cases.target(target, rng, 6, 5)
    found = jacobians.cross_entropy_linear(x, w, t, b, label_smoothing=smoothing)
    loss = CrossEntropy(x @ w.T + b, t, label_smoothing=smoothing, reduction="none")
    outer = lambda g: (to_exact(g)[..., None] * to_exact(x)[:, None, :]).reshape(6, 1, 15)  # noqa: E731
    with mp.workdps(60):
        exact = Exact(outer(loss.gradient().value), abs(outer(loss.gradient().scale)))
    assert_within(found, exact, 8)
    _, grads = luce.linear_cross_entropy_and_grad(x, w, t, linear_bias=b, label_smoothing=smoothing, reduction="sum")
    np.testing.assert_allclose(found.sum(axis=0).reshape(5, 3), grads.linear_weight, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("margin", [17.0, 60.0, 300.0])
def test_the_row_of_a_confident_input(margin):
    found = jacobians.cross_entropy_linear([margin], [[1.0], [0.0], [0.0]], 0)
    exact = CrossEntropy([[margin, 0.0, 0.0]], [0]).gradient()
    with mp.workdps(400):
        assert_within(found, Exact(exact.value * margin, exact.scale * margin), 8)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_broken_row_is_nan_and_alone(bad):
    z = np.zeros((2, 3))
    z[0] = bad
    j = jacobians.softmax(z)
    assert np.isnan(j[0]).all() and np.isfinite(j[1]).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: jacobians.softmax(3.0), ValueError, ["logits", "()"]),
        (lambda: jacobians.softmax([True]), TypeError, ["logits", "bool"]),
        (lambda: jacobians.softmax([1j]), TypeError, ["logits", "complex128"]),
        (lambda: jacobians.softmax(np.zeros(2, np.longdouble)), TypeError, ["logits", str(np.dtype(np.longdouble))]),
        (lambda: jacobians.cross_entropy_hessian([1.0], mass=-1.0), ValueError, ["mass", "-1.0"]),
        (lambda: jacobians.cross_entropy_hessian([1.0], mass=np.nan), ValueError, ["mass", "nan"]),
        (lambda: jacobians.linear([1.0], -1), ValueError, ["n_classes", "-1"]),
        (lambda: jacobians.linear([1.0], 2.0), TypeError, ["n_classes", "2.0"]),
        (lambda: jacobians.linear([[1.0]], 2, sparse=True), ValueError, ["input", "(1, 1)"]),
        (lambda: jacobians.softmax_linear([1.0], [[1.0, 2.0]]), ValueError, ["linear_weight", "(1, 2)", "(1,)"]),
        (lambda: jacobians.softmax_linear([1.0], [[1.0]], [1.0, 2.0]), ValueError, ["linear_bias", "(2,)", "(1, 1)"]),
        (lambda: jacobians.cross_entropy_linear([1.0], [[1.0]], 1), IndexError, ["target", "1", "class < 1"]),
        (lambda: jacobians.cross_entropy_linear([[1.0]], [[1.0]], [0, 0]), ValueError, ["target", "(2,)", "(1, 1)"]),
        (lambda: jacobians.cross_entropy_linear([1.0], [[1.0]], [0.5, 0.5]), ValueError, ["target", "(2,)", "(1,)"]),
        (lambda: jacobians.cross_entropy_linear([1.0], [[1.0]], [-0.5]), ValueError, ["target", "-0.5"]),
        (
            lambda: jacobians.cross_entropy_linear([1.0], [[1.0]], 0, label_smoothing=2),
            ValueError,
            ["label_smoothing", "2"],
        ),
    ],
)
def test_errors_name_what_they_got(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("dtype", [int, np.int8, np.uint8, np.int32, np.int64])
def test_a_class_alone_has_no_axis(dtype):
    x, w = np.array([1.0, 2.0]), np.array([[0.5, 1.0], [0.0, 3.0], [1.0, 1.0]])
    row = jacobians.cross_entropy_linear(x, w, dtype(2))
    assert row.shape == (1, 6)
    np.testing.assert_array_equal(row, jacobians.cross_entropy_linear(x[None], w, np.array([2]))[0])
