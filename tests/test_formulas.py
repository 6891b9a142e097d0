"""The formulas that front ends share, in the operations of a framework that has no derivatives: NumPy's."""

import numpy as np
import pytest

import luce
from luce.contract.form import RowOptions
from luce.rows.formulas import Formulas, Target

N, V = 7, 5


class NumpyOperations:
    """NumPy's operations under the names of `luce.rows.formulas.Operations`."""

    exp, log1p, tanh, isfinite, where, clip = map(
        staticmethod, (np.exp, np.log1p, np.tanh, np.isfinite, np.where, np.clip)
    )
    full_like = staticmethod(np.full_like)

    def sigmoid(self, x):
        return 1 / (1 + np.exp(-x))

    def sum(self, x, *, keep=False):
        return x.sum(1, keepdims=keep)

    def amax(self, x):
        return x.max(1)

    def argmax(self, x):
        return x.argmax(1, keepdims=True)

    def take(self, x, places):
        return np.take_along_axis(x, places, 1)

    def put(self, x, places, value):
        result = x.copy()
        np.put_along_axis(result, places, value, 1)
        return result

    def add_at(self, x, places, value):
        result = x.copy()
        np.add.at(result, (np.arange(len(x))[:, None], places), value)
        return result

    def constant(self, x):
        return x

    def widened(self, x):
        return x.astype(np.float64 if x.dtype == np.float64 else np.float32)

    def astype(self, x, like):
        return x.astype(like.dtype)

    def eps(self, like):
        return float(np.finfo(like.dtype).eps)

    def largest_number(self, like):
        return float(np.finfo(like.dtype).max)


FORMULAS = Formulas(NumpyOperations())
RNG = np.random.default_rng(0)
LOGITS, VECTOR = RNG.normal(0, 3, (N, V)), RNG.normal(size=(N, V))
LOGITS[1, 2] = -np.inf  # a class that can't happen, with no mass below
WEIGHT = RNG.uniform(0.5, 2, V)
INDEX = np.array([0, 1, 2, 3, 4, -100, 1])
LISTED = np.array([[0, 1], [3, 4], [2, 2], [1, 0], [4, 0], [2, 3], [0, 4]])
SHARES = RNG.uniform(0.1, 0.4, (N, 2))
DENSE = RNG.dirichlet(np.ones(V), N)
DENSE[1, 2] = 0
TARGETS = {
    "indices": (INDEX, Target(INDEX[:, None], None, None, WEIGHT), {"ignored": -100}),
    "pairs": ((LISTED, SHARES), Target(LISTED, SHARES, None, WEIGHT), {}),
    "probabilities": (DENSE, Target(None, None, DENSE, WEIGHT), {}),
}
OPTIONS = [{}, {"z_loss": 0.1, "temperature": 0.7}, {"softcap": 4.0}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", TARGETS)
def test_the_same_as_the_compiled_core(kind, options):
    given, target, more = TARGETS[kind]
    call = {**options, "weight": WEIGHT, "reduction": "sum"}
    form, scale = RowOptions(**options, **more), np.ones(N)
    losses = FORMULAS.losses(LOGITS, target, scale, form)
    np.testing.assert_allclose(losses, luce.cross_entropy(LOGITS, given, **{**call, "reduction": "none"}), rtol=1e-13)
    with np.errstate(invalid="ignore"):
        gradient = FORMULAS.gradient(LOGITS, target, scale, form)
        product = FORMULAS.product(LOGITS, target, scale, VECTOR, form)
    np.testing.assert_allclose(gradient, luce.cross_entropy_and_grad(LOGITS, given, **call)[1], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(product, luce.cross_entropy_hvp(LOGITS, given, VECTOR, **call), rtol=1e-11, atol=1e-14)


def test_the_tail_is_spread():
    target, form = Target(LISTED, SHARES, None, None), RowOptions(tail=True)
    apart = [row for row in range(N) if len(set(LISTED[row])) == 2 and row != 1]
    losses = FORMULAS.losses(LOGITS, target, np.ones(N), form)
    want = luce.cross_entropy(LOGITS[apart], (LISTED[apart], SHARES[apart]), tail="uniform", reduction="none")
    assert np.abs(losses[apart]).min() > 0
    missing = 1 - SHARES.sum(1, keepdims=True)
    free = np.ones((N, V))
    np.put_along_axis(free, LISTED, 0.0, 1)
    dense = np.zeros((N, V))
    np.put_along_axis(dense, LISTED, SHARES, 1)
    dense += free * missing / free.sum(1, keepdims=True)
    np.testing.assert_allclose(want, luce.cross_entropy(LOGITS[apart], dense[apart], reduction="none"), rtol=1e-12)
    np.testing.assert_allclose(losses[apart], want, rtol=1e-12)
