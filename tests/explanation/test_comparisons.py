"""The parts that compare: precision, other losses, two classes, ranking, descent, mistakes; and a model's row."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from torch.nn import functional

import luce
from luce.check.doctor.mistakes.catalogue import CATALOGUE
from luce.check.doctor.walk import walk
from luce.check.truth.oracle import CrossEntropy, to_float
from luce.derivation import Given
from luce.explanation.parts.descent import MISTAKE
from luce.explanation.parts.mistakes import made
from luce.explanation.parts.other_losses import LOSSES
from luce.explanation.parts.precision import ROUTES
from luce.explanation.parts.shift import FORMATS
from luce.explanation.rounding import Rounded
from luce.explanation.shown import Slot
from luce.models.comparison import margin_losses

EXAMPLE = [2.0, 1.0, 0.1]
OURS = ("precision", "other-losses", "two-classes", "ranking", "descent", "mistakes")
scores = st.lists(st.floats(-30, 30).map(lambda x: round(x, 1)), min_size=2, max_size=6)


def values_of(explained, name):
    return explained.values[name].astype(np.float64)


# Precision


@pytest.mark.parametrize(("name", "dtype"), [("float16", np.float16), ("float32", np.float32), ("float64", np.float64)])
@settings(max_examples=150, deadline=None)
@given(a=st.floats(allow_nan=False), b=st.floats(allow_nan=False))
def test_the_arithmetic_of_a_format_is_that_of_the_machine(name, dtype, a, b):
    f = Rounded(*FORMATS[name])
    with np.errstate(all="ignore"), mp.workdps(700):
        a, b = dtype(a), dtype(b)
        x, y = mp.mpf(float(a)), mp.mpf(float(b))
        for ours, theirs in ((f.add(x, y), a + b), (f.times(x, y), a * b), (f.over(x, y), a / b)):
            if b == 0:  # mpmath has no −0 to divide by
                ours, theirs = abs(ours), abs(theirs)
            np.testing.assert_array_equal(float(ours), float(theirs))


def test_bfloat16_rounds_as_pytorch_does():
    x = torch.randn(500, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 1e3
    ours = [float(Rounded(*FORMATS["bfloat16"]).round(mp.mpf(value))) for value in x.tolist()]
    np.testing.assert_array_equal(ours, x.float().bfloat16().double().numpy())  # no double rounding in these


def test_a_sure_row_keeps_its_digits_by_the_exact_form_alone():
    explained = luce.explain([60.0, 0.0, 0.0], 0)
    losses, digits = values_of(explained, "losses_in_formats"), values_of(explained, "loss_digits")
    with mp.workdps(60):
        truth = float(mp.log1p(2 * mp.exp(-60)))
    np.testing.assert_allclose(values_of(explained, "true_losses"), truth, rtol=1e-15)
    float32, float64 = list(FORMATS).index("float32"), list(FORMATS).index("float64")
    assert losses[:3, [float32, float64]].tolist() == [[0.0, 0.0]] * 3
    assert digits[:3].tolist() == [[0.0] * 4] * 3
    np.testing.assert_allclose(losses[3, [float32, float64]], truth, rtol=1e-7)
    assert digits[3, [float32, float64]].tolist() == [7.0, 15.0]
    gradients = values_of(explained, "gradients_in_formats")
    assert gradients[:3, float32].tolist() == [0.0] * 3
    np.testing.assert_allclose(gradients[3, float32], -truth, rtol=1e-6)
    np.testing.assert_allclose(
        gradients[3, float32], luce.cross_entropy_and_grad(np.float32([60, 0, 0]), 0)[1][0], rtol=1e-6
    )
    assert np.isnan(losses[0, 0])  # float16 without shift: ∞ / ∞


@pytest.mark.parametrize("target", [0, 2, [0.25, 0.5, 0.25], [0.5, 0.0, 1.5]])
def test_an_ordinary_row_is_right_in_every_format(target):
    explained = luce.explain([0.5, -1.25, 2.0], target, weight=[1.0, 0.5, 2.0], temperature=0.5)
    truth = CrossEntropy(
        np.array([[0.5, -1.25, 2.0]]),
        np.array([target]),
        reduction="sum",
        weight=np.array([1.0, 0.5, 2.0]),
        temperature=0.5,
    )
    np.testing.assert_allclose(values_of(explained, "true_losses"), to_float(truth.value.value), rtol=1e-15)
    own = explained.values["true_gradients"].astype(float)[0] * 2  # in z = u τ
    assert np.isclose(own, to_float(truth.gradient().value)[0]).any()
    for found, right in (("losses_in_formats", "true_losses"), ("gradients_in_formats", "true_gradients")):
        for column, (bits, _, _) in enumerate(FORMATS.values()):
            np.testing.assert_allclose(
                values_of(explained, found)[:, column], values_of(explained, right)[column], rtol=40 * 2.0**-bits
            )


@pytest.mark.parametrize("column", range(4))
def test_digits_are_lost_where_it_is_said(column):
    explained = luce.explain()
    for limit, route in (("lost_margins", 1), ("lost_margins", 2), ("exact_margins", 3)):
        margin = float(explained.values[limit][column])
        for factor, lost in ((0.93, False), (1.07, True)):
            at = luce.explain([factor * margin, 0.0], 0)
            assert (values_of(at, "losses_in_formats")[route, column] == 0) is np.bool_(lost), (limit, route)
            assert (values_of(at, "gradients_in_formats")[route, column] == 0) is np.bool_(lost), (limit, route)
            assert at.values["true_losses"][column] > 0


# Other losses


def torch_losses(z, t, y):
    s = -torch.ones_like(z)
    s[y] = 1
    p, others = z.softmax(0), torch.cat([z[:y], z[y + 1 :]])
    return {
        "cross_entropy": functional.cross_entropy(z[None], t[None]),
        "squared_softmax": ((p - t) ** 2).sum(),
        "squared_sigmoid": ((z.sigmoid() - t) ** 2).sum(),
        "sigmoid": functional.binary_cross_entropy_with_logits(z, t, reduction="sum"),
        "hinge_one_vs_rest": (1 - s * z).clamp(min=0).sum(),
        "hinge_crammer_singer": (1 - z[y] + others.max()).clamp(min=0),
        "zero_one": (z[y] <= others.max()).double() + 0 * z.sum(),
    }


@pytest.mark.parametrize("target", [0, 1, 3, [0.125, 0.25, 0.5, 0.125]])
@pytest.mark.parametrize("logits", [[0.25, -1.75, 2.5, 0.75], [5.0, -3.0, 1.5, 0.25]])
def test_other_losses_and_their_derivatives_are_those_of_autograd(logits, target):
    explained = luce.explain(logits, target, temperature=2.0, label_smoothing=0.25)  # options do not matter here
    t = torch.tensor(np.eye(4)[target] if np.ndim(target) == 0 else target, dtype=torch.float64)
    for k, name in enumerate(LOSSES):
        z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        loss = torch_losses(z, t, int(t.argmax()))[name]
        loss.backward()
        np.testing.assert_allclose(explained["other_losses"].value[k], loss.item(), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(explained["other_gradients"].value[k], z.grad.numpy(), rtol=1e-12, atol=1e-15)
    assert len(LOSSES) == 7


def test_curves_are_those_of_the_comparison():
    explained = luce.explain()
    m = values_of(explained, "margins")
    inside = m != 1  # at the corner either derivative is one
    for key, curve in (
        ("cross_entropy", margin_losses.softmax),
        ("sigmoid", margin_losses.sigmoid),
        ("hinge_crammer_singer", margin_losses.hinge),
    ):
        expected = curve(m)
        np.testing.assert_allclose(values_of(explained, f"curve_{key}"), expected.loss, rtol=1e-14)
        np.testing.assert_allclose(values_of(explained, f"slope_{key}")[inside], expected.gradient[inside], rtol=1e-13)
    p = 1 / (1 + np.exp(-m))
    np.testing.assert_allclose(values_of(explained, "curve_squared_softmax"), 2 * (1 - p) ** 2, rtol=1e-9)
    np.testing.assert_allclose(values_of(explained, "slope_squared_softmax"), -4 * p * (1 - p) ** 2, rtol=1e-9)


def test_the_squared_error_stalls_where_the_cross_entropy_does_not():
    table = values_of(luce.explain(), "stalling")
    p = 1 / (1 + np.exp([2.0, 5.0, 10.0, 20.0]))
    np.testing.assert_allclose(table, np.transpose([p, p * (1 - p), p - 1, -4 * p * (1 - p) ** 2]), rtol=1e-12)
    assert table[3, 2] < -0.999 and abs(table[3, 3]) < 1e-8


# Two classes and odds


@settings(max_examples=20, deadline=None)
@given(z=scores, data=st.data())
def test_odds_do_not_depend_on_the_other_classes(z, data):
    y = data.draw(st.integers(0, len(z) - 1))
    explained = luce.explain(z, y)
    p, odds = explained["probabilities"].exact, explained["odds"].exact
    np.testing.assert_allclose((odds * p / p[y]).astype(float), 1, rtol=1e-14)
    twin = explained["probabilities_with_twin"].value
    others = np.delete(np.arange(len(z)), y)
    rival = others[np.argmax(np.array(z)[others])]
    expected = luce.softmax(np.array([*z, z[rival]]))
    np.testing.assert_allclose(twin, expected, rtol=1e-12)
    pair = luce.softmax(np.array([z[y], z[rival]]))
    np.testing.assert_allclose(explained["sigmoid_of_difference"].value, pair[0], rtol=1e-12)
    if len(z) > 2:
        without = explained["probabilities_without"].value
        assert without[rival] == 0
        np.testing.assert_allclose(np.delete(without, rival), luce.softmax(np.delete(z, rival)), rtol=1e-12)


# Ranking


@settings(max_examples=30, deadline=None)
@given(
    z=st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 3.0, 8.0]), min_size=1, max_size=6),
    temperature=st.sampled_from([0.5, 1.0, 3.0]),
    data=st.data(),
)
def test_the_cross_entropy_bounds_the_measures_of_ranking(z, temperature, data):
    relevant = data.draw(st.lists(st.booleans(), min_size=len(z), max_size=len(z)).filter(any))
    t = np.array(relevant) / sum(relevant)
    explained = luce.explain(z, t, temperature=temperature)
    p, ranks = explained["probabilities"].value, explained["ranks"].value
    assert ranks.tolist() == [sum(other >= x for other in z) for x in z]
    assert (1 / ranks >= p - 1e-15).all()
    loss = -(t[t > 0] * np.log(p[t > 0])).sum()
    np.testing.assert_allclose(values_of(explained, "ranking_loss"), loss, atol=1e-12)
    best = min(rank for rank, has in zip(ranks, relevant, strict=True) if has)
    np.testing.assert_allclose(values_of(explained, "reciprocal_rank_loss"), np.log(best), atol=1e-14)
    gain = sum(1 / np.log2(1 + rank) for rank, has in zip(ranks, relevant, strict=True) if has)
    ideal = sum(1 / np.log2(2 + k) for k in range(sum(relevant)))
    np.testing.assert_allclose(explained["ndcg"].value, gain / ideal, rtol=1e-13)
    assert np.log(best) <= loss + 1e-12 and values_of(explained, "ndcg_loss") <= loss + 1e-12


# Descent

OPTIONS = [
    {},
    {"temperature": 0.25},
    {"label_smoothing": 0.25, "weight": [1.0, 5.0, 2.0]},
    {"z_loss": 0.5},
    {"softcap": 1.5, "temperature": 0.5},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("target", [1, [0.25, 0.5, 0.25]])
def test_descent_follows_the_gradient_and_the_loss_falls(options, target):
    explained = luce.explain(EXAMPLE, target, **options)
    path, size = explained["descent"].value, float(explained.values["step_size"])
    for z, after, loss in itertools.zip_longest(path, path[1:], values_of(explained, "descent_losses")):
        value, grad = luce.cross_entropy_and_grad(z, target, reduction="sum", **options)
        np.testing.assert_allclose(value, loss, rtol=1e-13)
        if after is not None:
            np.testing.assert_allclose(after, z - size * grad, rtol=1e-12)
    assert (np.diff(values_of(explained, "descent_losses")) <= 0).all()


def test_descent_on_the_weights_is_descent_on_the_weights():
    x, W, b = np.array([1.0, -2.0]), np.array([[1.0, 0.5], [0.0, 1.0], [-1.0, 2.0]]), np.array([0.5, 0.25, -0.5])
    explained = luce.explain(x=x, W=W, b=b, target=2)
    size = float(explained.values["layer_step_size"])
    for z in explained["layer_descent"].value:
        np.testing.assert_allclose(z, W @ x + b, rtol=1e-12)
        _, grad = luce.cross_entropy_and_grad(W @ x + b, 2)
        W, b = W - size * np.outer(grad, x), b - size * grad
    assert size < 1 and (np.diff(values_of(explained, "layer_descent_losses")) < 0).all()


def test_descent_with_a_mistake_follows_the_mistake():
    explained = luce.explain(EXAMPLE, 0)
    path = explained["wrong_descent"].value
    for z, after in itertools.pairwise(path):
        wrong = walk(Given(logits=z[None], target=np.array([0])), [MISTAKE])["gradient"][0]
        np.testing.assert_allclose(after, z - wrong, rtol=1e-12)
    assert values_of(explained, "wrong_descent_losses")[-1] > 2 * values_of(explained, "descent_losses")[-1]


# Mistakes


@pytest.mark.parametrize(
    "arguments",
    [
        {"logits": EXAMPLE, "target": 0},
        {"logits": [EXAMPLE, [0.0, 1.0, 5.0], [3.0, 1.0, 1.0]], "target": [2, -100, 0], "weight": [1.0, 2.0, 0.5]},
        {"logits": EXAMPLE, "target": [0.7, 0.2, 0.1], "temperature": 2.0},
        {"x": [1.0, 2.0], "W": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "target": 2},
    ],
)
def test_mistakes_are_those_of_the_walk(arguments):
    explained = luce.explain(**arguments)
    given_rows = explained.case.given
    right, row = walk(given_rows), explained.case.row
    ones = made(explained.values)
    assert [one.mistake for one in ones] == list(CATALOGUE)
    wrong = [one for one in ones if {"loss", "gradient"} & {*one.differs}]
    assert len(wrong) > 30
    losses, gradients = values_of(explained, "mistaken_losses"), values_of(explained, "mistaken_gradients")
    for k, one in enumerate(wrong):
        found = walk(given_rows, [one.mistake])
        if found["gradient"].shape == right["gradient"].shape:
            np.testing.assert_allclose(gradients[k], found["gradient"][row], rtol=1e-12)
        if found["loss"].ndim == 0:
            np.testing.assert_allclose(losses[k], found["loss"], rtol=1e-12)
    for one in ones:
        if not one.differs:
            found = walk(given_rows, [one.mistake])
            np.testing.assert_allclose(found["loss"], right["loss"], rtol=1e-6)
            np.testing.assert_allclose(found["gradient"], right["gradient"], rtol=1e-6)
    np.testing.assert_allclose(right["gradient"], explained["batch_gradient"].value, rtol=1e-12)
    slots = {
        cell.index[0]
        for table in explained["mistaken_gradients"].tables[2:3]
        for r in table.rows
        for cell in r
        if isinstance(cell, Slot)
    }
    assert slots == set(range(len(wrong)))


def test_mistakes_of_a_layer_say_the_entry_that_is_furthest_off():
    explained = luce.explain(x=[1.0, 2.0], W=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], target=2)
    ones = {one.mistake.name: one for one in made(explained.values)}
    one = ones["dW with the wrong sign"]
    gradient = explained["weight_gradient"].value
    place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    assert one.differs == ("dW",) and one.entry == f"dW[{place[0]}, {place[1]}]"
    np.testing.assert_allclose([one.found, one.right], [-gradient[place], gradient[place]], rtol=1e-12)
    assert ones["Jacobian with the wrong sign"].entry.startswith("J[")
    assert "of shape" in ones["dW transposed"].entry


# Whatever is explained


def everything(explained):
    """Return all text and numbers of these parts as they are shown."""
    for part in explained.parts:
        if part.key not in OURS:
            continue
        yield part.lead
        for step in part.steps:
            yield from (step.title, step.why, step.numbers)
            assert step.exact.shape is not None
            for note in step.notes:
                yield explained.fill(note.formula)
            for table in step.tables:
                assert all(len(cells) == len(table.head) for cells in table.rows)
                yield from (explained.shown(c).text if isinstance(c, Slot) else c for r in table.rows for c in r)
            for curves in step.curves:
                size = len(explained.values[curves.x])
                assert all(len(explained.values[line]) == size for line in curves.lines.values())


INF = float("inf")


@pytest.mark.parametrize(
    ("logits", "target", "options", "parts"),
    [
        (EXAMPLE, 0, {}, OURS),
        ([3.0], 0, {}, tuple(key for key in OURS if key != "two-classes")),
        ([0.0, -INF, 1.0], 0, {}, OURS),
        ([0.0, -INF, 1.0], 1, {}, tuple(key for key in OURS if key != "descent")),
        ([0.0, np.nan, 1.0], 0, {}, ()),
        ([-INF, -INF], 0, {}, ()),
        ([1e300, -1e300], 1, {}, OURS),
        ([[1.0, 2.0, 3.0]] * 2, [0, -100], {"row": 1}, ("two-classes", "mistakes")),
        ([2.0, 1.0], [0.0, 0.0], {}, ("two-classes", "mistakes")),
        (EXAMPLE, ([0, 2], [0.5, 0.25]), {"tail": "uniform", "softcap": 3.0, "z_loss": 0.1}, OURS),
        ([EXAMPLE, EXAMPLE], [0, 1], {"reduction": "none", "sample_weight": [1.0, 2.0]}, OURS),
    ],
)
def test_edges_are_explained(logits, target, options, parts):
    explained = luce.explain(logits, target, **options)
    assert tuple(part.key for part in explained.parts if part.key in OURS) == parts
    assert all(isinstance(text, str) for text in everything(explained))


def test_two_hundred_classes_are_elided_and_right():
    z = np.linspace(-3, 3, 200)
    explained = luce.explain(z, 150)
    texts = list(everything(explained))
    assert len(max(texts, key=len)) < 20_000
    for table in (
        table for part in explained.parts if part.key in OURS for step in part.steps for table in step.tables
    ):
        assert len(table.head) < 12
    assert "class 150" in explained["other_gradients"].tables[0].head
    assert explained["ranks"].value[150] == 50 and len(ROUTES) == 4
