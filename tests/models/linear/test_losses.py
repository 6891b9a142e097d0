"""The losses of scores: against the multi-precision oracle, central differences and sums over blocks."""

import numpy as np
import pytest

from luce.check.oracle import CrossEntropy, SigmoidCrossEntropy, to_float
from luce.models.linear.losses import SigmoidLoss, SoftmaxLoss

KINDS = {"softmax": SoftmaxLoss, "sigmoid": SigmoidLoss}
CASES = [(loss, target, smoothing) for loss in KINDS for target in ("codes", "table") for smoothing in (0.0, 0.1)]


def drawn(loss, target, smoothing, dtype=np.float64, classes=4, rows=12):
    rng = np.random.default_rng(5)
    scores = (4 * rng.normal(size=(rows, classes))).astype(dtype)
    share = rng.dirichlet(np.ones(rows)).astype(dtype)
    codes = rng.integers(0, classes, rows)
    table = rng.dirichlet(np.ones(classes), rows) if loss == "softmax" else rng.random((rows, classes))
    given = codes if target == "codes" else table.astype(dtype)
    tangent = rng.normal(size=scores.shape).astype(dtype)
    return KINDS[loss](given, classes, label_smoothing=smoothing, n_threads=1), scores, share, tangent


def exact(loss, kind, scores, share):
    if loss == "softmax":
        return CrossEntropy(scores, kind.target, sample_weight=share, reduction="sum", label_smoothing=kind.smoothing)
    target = kind.target if kind.target.ndim == 2 else np.eye(scores.shape[1])[kind.target]
    return SigmoidCrossEntropy(
        scores, target, sample_weight=share[:, None], reduction="sum", label_smoothing=kind.smoothing
    )


@pytest.mark.parametrize(("loss", "target", "smoothing"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_gradient_are_the_oracles(loss, target, smoothing, dtype):
    kind, scores, share, _ = drawn(loss, target, smoothing, dtype)
    value, grad = kind.value_and_grad(scores, slice(0, len(scores)), share)
    oracle = exact(loss, kind, scores, share)
    eps = float(np.finfo(dtype).eps)
    assert value == pytest.approx(float(oracle.value.value), rel=8 * eps)
    found = oracle.gradient()
    assert grad.dtype == dtype
    assert (np.abs(grad - to_float(found.value)) <= 16 * eps * to_float(found.scale)).all()


@pytest.mark.parametrize(("loss", "target", "smoothing"), CASES)
def test_products_are_differences_of_gradients(loss, target, smoothing):
    kind, scores, share, tangent = drawn(loss, target, smoothing)
    rows, step = slice(0, len(scores)), 1e-5
    ahead, behind = (kind.value_and_grad(scores + s * step * tangent, rows, share) for s in (1, -1))
    _, grad = kind.value_and_grad(scores, rows, share)
    assert (ahead[0] - behind[0]) / (2 * step) == pytest.approx(np.vdot(grad, tangent), rel=1e-7)
    product = kind.hvp(scores, rows, share, tangent)
    np.testing.assert_allclose((ahead[1] - behind[1]) / (2 * step), product, atol=1e-9)
    assert np.abs(product).max() > 1e-3


@pytest.mark.parametrize(("loss", "target", "smoothing"), CASES)
def test_blocks_add_up_and_a_sample_is_a_block(loss, target, smoothing):
    kind, scores, share, tangent = drawn(loss, target, smoothing)
    whole = kind.value_and_grad(scores, slice(0, 12), share)
    product = kind.hvp(scores, slice(0, 12), share, tangent)
    parts = [np.array([0, 5, 7]), np.array([1, 2, 3, 4, 6, 8, 9, 10, 11])]
    assert sum(kind.value_and_grad(scores[r], r, share[r])[0] for r in parts) == pytest.approx(whole[0], rel=1e-13)
    for rows in parts:
        sample = kind.sample(rows)
        assert (sample.n_scores, sample.smoothing, sample.coupled) == (4, smoothing, loss == "softmax")
        every = slice(0, len(rows))
        for part, found in ((kind, rows), (sample, every)):
            np.testing.assert_allclose(part.value_and_grad(scores[rows], found, share[rows])[1], whole[1][rows])
            np.testing.assert_allclose(part.hvp(scores[rows], found, share[rows], tangent[rows]), product[rows])


@pytest.mark.parametrize("loss", KINDS)
def test_probabilities_and_their_curvature(loss):
    kind, scores, share, tangent = drawn(loss, "codes", 0.0)
    p = kind.probabilities(scores)
    e = np.exp(scores)
    np.testing.assert_allclose(p, e / e.sum(axis=1, keepdims=True) if loss == "softmax" else e / (1 + e), rtol=1e-13)
    bend = p * tangent - p * (p * tangent).sum(axis=1, keepdims=True) if kind.coupled else p * (1 - p) * tangent
    np.testing.assert_allclose(kind.hvp(scores, slice(0, 12), share, tangent), share[:, None] * bend, atol=1e-14)


def test_curvature_far_out_keeps_its_digits():
    kind = SigmoidLoss(np.array([0]), 2, label_smoothing=0.0, n_threads=1)
    product = kind.hvp(np.array([[50.0, -50.0]]), slice(0, 1), np.ones(1), np.ones((1, 2)))
    np.testing.assert_allclose(product, np.exp(-50.0), rtol=1e-13)
