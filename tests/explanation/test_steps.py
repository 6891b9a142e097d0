"""The steps of an explanation: their formulas by symbols, their numbers by the oracle, the Jacobians and autograd."""

from itertools import product

import numpy as np
import pytest
import sympy as sp
import torch
from mpmath import mp

import luce
from luce import jacobians
from luce.check.truth.oracle import CrossEntropy, LinearCrossEntropy, to_float
from luce.explanation.shown import Slot, shown

CASES = {
    "class": {"target": 1},
    "distribution": {"target": [0.25, 0.5, 0.125, 0.125]},
    "mass below 1": {"target": [0.125, 0.25, 0.0, 0.375]},
    "no mass": {"target": [0.0, 0.0, 0.0, 0.0]},
    "pair": {"target": ([2, 0], [0.625, 0.25])},
    "pair with a tail": {"target": ([2, 0], [0.625, 0.25]), "tail": "uniform"},
    "temperature": {"target": 2, "temperature": 0.75},
    "smoothing and weights": {"target": 3, "label_smoothing": 0.125, "weight": [1.0, 0.5, 2.0, 3.0]},
    "z-loss": {"target": 0, "z_loss": 0.25, "label_smoothing": 0.25},
    "softcap": {"target": 0, "softcap": 1.5},
    "all": {
        "target": [0.25, 0.5, 0.125, 0.125],
        "softcap": 2.0,
        "temperature": 0.5,
        "z_loss": 0.125,
        "label_smoothing": 0.125,
        "weight": [1.0, 0.5, 2.0, 3.0],
        "sample_weight": 2.5,
    },
}
CONFIDENT = [40.0, -300.0, 0.5, 1.0]
ORDINARY = [0.25, -1.25, 2.0, 0.75]  # a float and a decimal number at once, as all numbers here


@pytest.mark.parametrize("logits", [ORDINARY, CONFIDENT])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_derivatives_are_those_of_the_oracle(name, logits):
    options = dict(CASES[name])
    target = options.pop("target")
    explained = luce.explain(logits, target, **options)
    options.pop("sample_weight", None)
    truth = CrossEntropy(np.array([logits]), _rows(target), reduction="none", **options)
    np.testing.assert_allclose(explained["loss"].value, to_float(truth.value.value)[0], rtol=1e-15)
    np.testing.assert_allclose(explained["gradient"].value, to_float(truth.gradient().value)[0], rtol=1e-15)
    hessian = [to_float(truth.hvp(column[None]).value)[0] for column in np.eye(4)]
    np.testing.assert_allclose(explained["hessian"].value, hessian, rtol=1e-15)
    assert np.count_nonzero(explained["gradient"].value) or name == "no mass"


def _rows(target):
    """Return the target of one row as that of a batch of one."""
    if isinstance(target, tuple):
        return tuple(np.array(part)[None] for part in target)
    return np.array([target])


WEIGHTED = [
    {},
    {"weight": [1.0, 0.5, 2.0, 3.0]},
    {"sample_weight": [1.0, 0.0, 2.0]},
    {"sample_weight": [1.0, 4.0, 2.0], "weight": [1.0, 0.5, 2.0, 3.0], "label_smoothing": 0.125},
]


@pytest.mark.parametrize(
    ("options", "reduction"),
    [*product(WEIGHTED, ["mean", "sum", "none"]), ({"normalizer": 7.0}, "mean")],
)
def test_a_batch_is_reduced_as_the_oracle_does(options, reduction):
    z = np.array([ORDINARY, CONFIDENT, [1.0, 2.0, 3.0, 4.0]])
    target = np.array([2, -100, 0])
    explained = luce.explain(z, target, reduction=reduction, **options)
    truth = CrossEntropy(z, target, reduction=reduction, **options)
    np.testing.assert_allclose(explained["value"].value, to_float(truth.value.value), rtol=1e-15)
    np.testing.assert_allclose(explained["batch_gradient"].value, to_float(truth.gradient().value), rtol=1e-15)
    assert explained["batch_gradient"].value[1].tolist() == [0.0] * 4
    assert explained.case.row == 2 and luce.explain(z, target, row=0).case.row == 0


def test_a_layer_has_the_jacobians_of_the_library_and_the_derivatives_of_the_oracle():
    x, W, b = np.array([0.5, -2.0]), np.array([[1.0, 0.5], [0.0, 1.0], [-1.0, 2.0]]), np.array([0.125, 0.25, -0.5])
    explained = luce.explain(x=x, W=W, b=b, target=2)
    z = W @ x + b
    np.testing.assert_allclose(explained["scores"].value, z, rtol=1e-15)
    np.testing.assert_allclose(explained["jacobian"].value, jacobians.softmax(z), rtol=1e-14)
    np.testing.assert_array_equal(explained["layer_jacobian"].value, jacobians.linear(x, 3))
    np.testing.assert_allclose(explained["weight_jacobian"].value, jacobians.softmax_linear(x, W, b), rtol=1e-14)
    row = jacobians.cross_entropy_linear(x, W, 2, b)
    np.testing.assert_allclose(explained["weight_gradient"].value.reshape(1, -1), row, rtol=1e-14)
    np.testing.assert_allclose(explained["hessian"].value, jacobians.cross_entropy_hessian(z), rtol=1e-14)
    truth = LinearCrossEntropy(x[None], W, [2], linear_bias=b).gradient()
    np.testing.assert_allclose(explained["weight_gradient"].value, to_float(truth.linear_weight.value), rtol=1e-15)
    np.testing.assert_allclose(explained["bias_gradient"].value, to_float(truth.linear_bias.value), rtol=1e-15)
    np.testing.assert_allclose(explained["input_gradient"].value, to_float(truth.input.value)[0], rtol=1e-15)
    keys = ("jacobian", "layer_jacobian", "weight_jacobian", "weight_gradient")
    assert [explained[key].shape for key in keys] == [(3, 3), (3, 6), (3, 6), (3, 2)]


def test_numbers_are_those_of_autograd():
    x, W = torch.tensor([0.5, -2.0], dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    W.requires_grad_()
    options = {"label_smoothing": 0.125, "weight": torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0], dtype=torch.float64)}
    torch.nn.functional.cross_entropy(W @ x, torch.tensor(3), reduction="sum", **options).backward()
    explained = luce.explain(
        x=x.numpy(), W=W.detach().numpy(), target=3, label_smoothing=0.125, weight=options["weight"].numpy()
    )
    np.testing.assert_allclose(explained["weight_gradient"].value, W.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_the_general_formulas_hold_for_all_numbers(n_classes):
    z, t, x = (sp.symbols(f"{name}:{n_classes}", real=True) for name in "ztx")
    zeta, m = sp.symbols("zeta m", real=True)
    total = sum(map(sp.exp, z))
    p = [sp.exp(a) / total for a in z]
    shifted = [sp.exp(a - m) / sum(sp.exp(other - m) for other in z) for a in z]
    alpha, lse = sum(t), sp.log(total)
    loss = -sum(a * sp.log(b) for a, b in zip(t, p, strict=True)) + zeta * lse**2
    pull = alpha + 2 * zeta * lse
    for i in range(n_classes):
        assert sp.simplify(shifted[i] - p[i]) == 0
        assert _is_zero(sp.diff(loss, z[i]) - (pull * p[i] - t[i]))
        for j in range(n_classes):
            delta = sp.Integer(i == j)
            jacobian = p[i] * (delta - p[j])
            assert _is_zero(sp.diff(p[i], z[j]) - jacobian)
            assert _is_zero(sp.diff(loss, z[i], z[j]) - (pull * jacobian + 2 * zeta * p[i] * p[j]))
            W = sp.symbols("W0")
            assert _is_zero(sp.diff(p[i].subs(z[j], z[j] + W * x[j]), W).subs(W, 0) - jacobian * x[j])
        paths = sum(-t[k] / p[k] * p[k] * (sp.Integer(k == i) - p[i]) for k in range(n_classes))
        assert sp.simplify(paths - (alpha * p[i] - t[i])) == 0


def _is_zero(expression):
    """Return whether an expression in exponentials vanishes: as it is written, or to 40 digits at a point."""
    if sp.simplify(expression) == 0:
        return True
    point = {
        symbol: sp.Rational(7 * k + 3, 5 * k + 4) for k, symbol in enumerate(sorted(expression.free_symbols, key=str))
    }
    return abs(sp.N(expression.subs(point), 60)) < sp.Float(10) ** -40


def test_what_is_shown_is_the_exact_value_rounded():
    tenth = luce.explain([0.1, 0.2, 0.3], 0)
    assert tenth["shifted"].numbers.endswith(
        r"z - m = \left(-0.2,\; -0.1,\; 0\right)"
    )  # no float's 0.09999999999999998
    assert r"\approx" in tenth["probabilities"].numbers
    confident = luce.explain([60.0, 0.0], 0)
    assert confident.shown(Slot("probabilities", (0,))).text == "1 − 8.8e−27"
    assert confident.shown(Slot("loss")).text == "8.757e−27"
    with mp.workdps(50):
        assert shown(mp.mpf(2) / 3, 3) == ("0.667", "0.667", True)
        assert shown(mp.mpf(-1234567)) == (r"-1.235\times 10^{6}", "−1.235e6", True)
        assert shown(mp.mpf("0.9999999")).text == "1 − 1e−7"
        assert [shown(mp.mpf(x)).text for x in ("inf", "-inf", "nan", "0", "1", "-2.5")] == [
            *("∞", "−∞", "NaN", "0", "1", "−2.5")
        ]


@pytest.mark.parametrize(
    ("logits", "target", "loss"),
    [
        ([0.0, float("-inf"), 1.0], 0, 1.3132616875182228),
        ([0.0, float("-inf"), 1.0], 1, np.inf),
        ([0.0, np.nan, 1.0], 0, np.nan),
        ([0.0, np.inf, 1.0], 0, np.nan),
        ([float("-inf")] * 2, 0, np.nan),
        ([3.0], 0, 0.0),
        (list(np.linspace(-3, 3, 200)), 199, 3.5138),
        ([2.0, 1.0], [0.0, 0.0], 0.0),
        ([1e300, -1e300], 1, np.inf),
    ],
)
def test_edges(logits, target, loss):
    explained = luce.explain(logits, target)
    if np.isfinite(loss) or np.isnan(loss):
        np.testing.assert_allclose(explained["loss"].value, loss, rtol=1e-3, atol=1e-300)
    expected = luce.cross_entropy_and_grad(np.array(logits), target)[1]
    np.testing.assert_allclose(explained["gradient"].value, expected, rtol=1e-13, atol=1e-300)
    for step in explained:
        assert "nan" not in step.numbers.lower() or not np.isfinite(logits).all()


def test_steps_follow_from_steps_that_came_before():
    for explained in (
        luce.explain(),
        luce.explain([1.0, 2.0], 1, temperature=2.0, weight=[1.0, 2.0], label_smoothing=0.1),
    ):
        seen = set()
        for step in explained:
            assert {*step.follows} <= seen, step.name
            assert step.why and step.rule and step.formula and step.part
            seen.add(step.name)
        assert len(seen) == len(explained) and explained.keys()[0] == "scores"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"logits": [1.0, 2.0], "target": 2}, IndexError, "target"),
        ({"logits": [1.0, 2.0]}, TypeError, "target: expected"),
        ({"target": 0}, TypeError, "logits: expected"),
        ({"logits": [1.0, 2.0], "target": 0, "temperature": 0}, ValueError, "temperature"),
        ({"logits": "ab", "target": 0}, TypeError, "logits"),
        ({"logits": [[[1.0]]], "target": [[0]]}, ValueError, "logits: expected shape"),
        ({"x": [1.0], "target": 0}, TypeError, "W: a layer needs"),
        ({"x": [1.0], "W": [[1.0, 2.0]], "target": 0}, ValueError, "x: expected shape"),
        ({"x": [1.0], "W": [[1.0]], "b": [1.0, 2.0], "target": 0}, ValueError, "b: expected shape"),
        ({"logits": [1.0, 2.0], "x": [1.0], "target": 0}, TypeError, "logits: expected either"),
        ({"logits": [[1.0, 2.0]], "target": [0], "row": 1}, IndexError, "row: expected"),
        ({"logits": [1.0, 2.0], "target": 0, "class_names": ["a"]}, ValueError, "class_names: expected 2"),
        ({"logits": [1.0, 2.0], "target": 0, "digits": 1}, ValueError, "digits"),
        ({"logits": [1.0, 2.0], "target": 0, "y": 1}, TypeError, "y: the third"),
    ],
)
def test_bad_input_names_the_argument(arguments, error, words):
    with pytest.raises(error, match=words):
        luce.explain(**arguments)


def test_nothing_that_was_given_is_modified():
    z, t, w = np.array([[1.0, np.nan], [0.0, 2.0]]), np.array([0, 1]), np.array([1.0, 2.0])
    before = z.copy(), t.copy(), w.copy()
    explained = luce.explain(z, t, weight=w)
    for step in explained:
        assert step.numbers is not None
    np.testing.assert_array_equal(z, before[0])
    np.testing.assert_array_equal(t, before[1])
    np.testing.assert_array_equal(w, before[2])


def test_an_unknown_step_is_named_with_those_that_there_are():
    with pytest.raises(KeyError, match=r"no step 'hesian'; the steps are scores, .*hessian"):
        luce.explain()["hesian"]


@pytest.mark.parametrize(("classes", "label"), [(7, 6), (10, 8), (10, 0), (200, 77)])
def test_the_target_and_its_rival_are_never_left_out(classes, label):
    z = np.round(np.random.default_rng(classes).normal(size=classes), 3)
    explained = luce.explain(z, label)
    rival = max((k for k in range(classes) if k != label), key=lambda k: z[k])
    assert explained.case.told == (label, rival)
    numbers = explained["scores"].numbers
    for place in (label, rival):
        assert f"{z[place]:g}".lstrip("-") in numbers.replace("−", "-")
    assert explained["loss"].numbers.count("cdot") < 9
