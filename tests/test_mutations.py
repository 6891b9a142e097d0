"""The suite is tested: each known mistake, made on a right answer, is refused by the comparison functions."""

import numpy as np
import pytest

import luce
from luce.check.inputs.problems import DrawnProblem
from luce.check.oracle import CrossEntropy, LinearCrossEntropy
from luce.check.truth.tolerance import assert_contraction, assert_gradient, assert_loss, assert_product

PROBLEM = DrawnProblem(
    n_rows=6, n_classes=5, target="ignored", weight="some", sample_weight="some", label_smoothing=0.1, seed=11
)
CONFIDENT = DrawnProblem(n_rows=4, n_classes=5, case="confident", dtype="float32", reduction="none", seed=1)
PADDED = DrawnProblem(n_rows=4, n_classes=5, case="only last", target="one-hot", reduction="none", seed=1)
IGNORED = PROBLEM.target == -100
assert IGNORED.any() and not IGNORED.all()


def gradient(problem=PROBLEM, **options):
    return luce.cross_entropy_and_grad(*problem.arguments, **{**problem.options, **options})[1]


def value(problem=PROBLEM, **options):
    return luce.cross_entropy(*problem.arguments, **{**problem.options, **options})


def plain_softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


WRONG_GRADIENTS = {
    "zeroed": lambda: 0 * gradient(),
    "shifted by one class": lambda: np.roll(gradient(), 1, axis=1),
    "shifted by one row": lambda: np.roll(gradient(), 1, axis=0),
    "N times too large": lambda: 6 * gradient(),
    "N times too small": lambda: gradient() / 6,
    "the other sign": lambda: -gradient(),
    "mean taken as sum": lambda: gradient(reduction="sum"),
    "mean taken as none": lambda: gradient(reduction="none"),
    "ignore term dropped": lambda: ignored_as_class_zero(),
    "class weights dropped": lambda: gradient(weight=None),
    "row weights dropped": lambda: gradient(sample_weight=None),
    "smoothing dropped": lambda: gradient(label_smoothing=0.0),
    "smoothing over the others": lambda: gradient(label_smoothing=0.1 * 5 / 4),
    "target not subtracted": lambda: gradient(label_smoothing=1.0),
    "one entry, one part in a million": lambda: gradient() * (1 + 1e-6 * np.eye(6, 5)),
    "one entry, 32 eps": lambda: gradient() * (1 + 32 * np.finfo(float).eps * np.eye(6, 5)),
    "rounded to float32": lambda: gradient().astype(np.float32).astype(np.float64),
    "one NaN": lambda: np.where(np.eye(6, 5) > 0, np.nan, gradient()),
    "one row short": lambda: gradient()[:-1],
    "transposed": lambda: gradient().T,
    "one leading axis too many": lambda: gradient()[None],
}


def ignored_as_class_zero():
    target = np.where(IGNORED, 0, PROBLEM.target)
    return luce.cross_entropy_and_grad(PROBLEM.logits, target, **PROBLEM.options)[1]


def test_the_right_gradient_is_accepted():
    assert_gradient(gradient(), PROBLEM.exact)


@pytest.mark.parametrize("mutation", WRONG_GRADIENTS)
def test_a_wrong_gradient_is_refused(mutation):
    wrong = WRONG_GRADIENTS[mutation]()
    with pytest.raises(AssertionError):
        assert_gradient(wrong, PROBLEM.exact)


WRONG_VALUES = {
    "zero": lambda: 0.0 * value(),
    "mean taken as sum": lambda: value(reduction="sum"),
    "divided by all rows": lambda: value(reduction="sum") / 6,
    "ignore term dropped": lambda: luce.cross_entropy(
        PROBLEM.logits, np.where(IGNORED, 0, PROBLEM.target), **PROBLEM.options
    ),
    "class weights dropped": lambda: value(weight=None),
    "row weights dropped": lambda: value(sample_weight=None),
    "smoothing dropped": lambda: value(label_smoothing=0.0),
    "logarithm of base 2": lambda: value() / np.log(2),
    "16 eps": lambda: value() * (1 + 16 * np.finfo(float).eps),
    "infinite": lambda: value() * np.inf,
    "NaN": lambda: value() * np.nan,
    "an axis too many": lambda: np.asarray(value())[None],
}


def test_the_right_value_is_accepted():
    assert_loss(value(), PROBLEM.exact)


@pytest.mark.parametrize("mutation", WRONG_VALUES)
def test_a_wrong_value_is_refused(mutation):
    wrong = WRONG_VALUES[mutation]()
    with pytest.raises(AssertionError):
        assert_loss(wrong, PROBLEM.exact)


def test_a_confident_row_of_loss_0_is_refused():
    target = CONFIDENT.logits.argmax(axis=1)
    problem = CrossEntropy(CONFIDENT.logits, target, reduction="none")
    losses, grad = luce.cross_entropy_and_grad(CONFIDENT.logits, target, reduction="none")
    assert_loss(losses, problem)
    assert_gradient(grad, problem)
    with pytest.raises(AssertionError):
        assert_loss(0 * losses, problem)
    with pytest.raises(AssertionError):
        assert_loss(losses * np.float32(1.01), problem)
    collapsed = grad.copy()
    collapsed[np.arange(4), target] = 0  # p_y − 1 in float32
    with pytest.raises(AssertionError):
        assert_gradient(collapsed, problem)


def test_the_textbook_formula_is_refused_where_it_loses_digits():
    z, target = np.array([[17.0, 0.0, 1.0]], dtype=np.float32), np.array([0])
    exact = CrossEntropy(z, target)
    naive = plain_softmax(z) - np.eye(3, dtype=np.float32)[target]
    with pytest.raises(AssertionError):
        assert_gradient(naive, exact)
    with pytest.raises(AssertionError):
        assert_loss(np.log(np.exp(z).sum()) - z[0, 0], exact, np.float32)
    assert_gradient(luce.cross_entropy_and_grad(z, target)[1], exact)


def test_an_unmasked_tail_is_refused():
    """Lanes past the end of the row, read as logits of 0."""
    z, target = PROBLEM.logits, np.arange(6) % 5
    exact = CrossEntropy(z, target)
    wide = np.concatenate([z, np.zeros((6, 3))], axis=1)
    wrong_value, wrong_grad = luce.cross_entropy_and_grad(wide, target)
    assert_gradient(luce.cross_entropy_and_grad(z, target)[1], exact)
    with pytest.raises(AssertionError):
        assert_loss(wrong_value, exact)
    with pytest.raises(AssertionError):
        assert_gradient(wrong_grad[:, :5], exact)


def test_an_impossible_class_taken_for_a_very_unlikely_one_is_refused():
    softcap = {"softcap": 3.0, "reduction": "none"}
    z, target = PADDED.logits, np.full(4, 4)
    exact = CrossEntropy(z, target, **softcap)
    found = luce.cross_entropy_and_grad(z, target, **softcap)
    assert_loss(found[0], exact)
    assert_gradient(found[1], exact)
    capped = np.maximum(z, -1e30)  # tanh(−inf) = −1: the padding comes back as −cap
    wrong = luce.cross_entropy_and_grad(capped, target, **softcap)
    with pytest.raises(AssertionError):
        assert_loss(wrong[0], exact)
    with pytest.raises(AssertionError):
        assert_gradient(wrong[1], exact)


def test_a_nan_for_an_impossible_class_is_refused():
    exact = PADDED.exact
    grad = gradient(PADDED)
    assert_gradient(grad, exact)
    with pytest.raises(AssertionError):
        assert_gradient(np.where(np.isneginf(PADDED.logits), np.nan, grad), exact)


def test_infinity_of_the_wrong_sign_is_refused():
    exact = CrossEntropy([[0.0, -np.inf]], [1], reduction="none")
    assert_loss(np.array([np.inf]), exact)
    for wrong in (-np.inf, np.nan, np.finfo(float).max):
        with pytest.raises(AssertionError):
            assert_loss(np.array([wrong]), exact)


WRONG_PRODUCTS = {
    "zeroed": lambda h: 0 * h,
    "the diagonal alone": lambda h: (
        plain_softmax(PROBLEM.logits) * PROBLEM.vector * PROBLEM.exact.row_factor.astype(float)[:, None]
    ),
    "twice": lambda h: 2 * h,
    "the vector itself": lambda h: PROBLEM.vector,
    "the gradient instead": lambda h: gradient(),
}


@pytest.mark.parametrize("mutation", WRONG_PRODUCTS)
def test_a_wrong_hessian_vector_product_is_refused(mutation):
    right = luce.cross_entropy_hvp(*PROBLEM.arguments, PROBLEM.vector, **PROBLEM.options)
    exact = PROBLEM.exact.hvp(PROBLEM.vector)
    assert_product(right, exact)
    with pytest.raises(AssertionError):
        assert_product(WRONG_PRODUCTS[mutation](right), exact)


@pytest.mark.parametrize("option", [{"z_loss": 0.1}, {"softcap": 4.0}])
def test_a_dropped_second_derivative_is_refused(option):
    problem = DrawnProblem(n_rows=4, n_classes=6, seed=2, **option)
    exact = problem.exact.hvp(problem.vector)
    assert_product(luce.cross_entropy_hvp(*problem.arguments, problem.vector, **option), exact)
    with pytest.raises(AssertionError):
        assert_product(luce.cross_entropy_hvp(*problem.arguments, problem.vector), exact)


def test_wrong_parts_of_a_layer_are_refused():
    rng = np.random.default_rng(5)
    x, w, b = (rng.integers(-16, 17, shape) / 8 for shape in ((6, 4), (4, 4), (4,)))
    target = rng.integers(0, 4, 6)
    exact = LinearCrossEntropy(x, w, target, linear_bias=b).gradient()
    _, grads = luce.linear_cross_entropy_and_grad(x, w, target, linear_bias=b)
    right = [
        (grads.input, exact.input, 4),
        (grads.linear_weight, exact.linear_weight, 6),
        (grads.linear_bias, exact.linear_bias, 6),
    ]
    for found, truth, terms in right:
        assert_contraction(found, truth, terms)
        for wrong in (2 * found, 0 * found, -found, found * 6, np.roll(found, 1, axis=0), found * (1 + 1e-12)):
            with pytest.raises(AssertionError):
                assert_contraction(wrong, truth, terms)
    with pytest.raises(AssertionError):  # square, so the shape says nothing
        assert_contraction(grads.linear_weight.T, exact.linear_weight, 6)
    doubled = luce.linear_cross_entropy_and_grad(x, w, target, linear_bias=2 * b)
    with pytest.raises(AssertionError):
        assert_loss(doubled[0], LinearCrossEntropy(x, w, target, linear_bias=b).loss)
    with pytest.raises(AssertionError):
        assert_contraction(doubled[1].linear_bias, exact.linear_bias, 6)
    with pytest.raises(AssertionError):
        assert_contraction(np.full(4, grads.linear_bias.sum()), exact.linear_bias, 6)
