"""The gradient doctor: planted mistakes are named, right functions are left alone, what can't be run says why."""

import json

import numpy as np
import pytest
import torch

import luce
import planted
import right
from luce.check.calling.outputs import Returned
from luce.check.doctor import search
from luce.check.doctor.closeness import Case
from luce.check.doctor.deadline import Deadline
from luce.check.doctor.diagnosis import diagnose
from luce.check.doctor.mistakes.behaviours import BEHAVIOURS
from luce.check.doctor.mistakes.catalogue import CATALOGUE
from luce.check.doctor.walk import walk
from luce.check.inputs.probes import EXTREME, LAYERS, ORDINARY, SMALL, SOFT, with_options
from luce.check.oracle import to_float

gradient = luce.check.gradient


def named(report):
    """What is said to be done, but for what is right within a range."""
    assert report.verdict != "not runnable", report.reason
    return [mistake.name for mistake in report.diagnosis if mistake.kind != "limit"]


def cases():
    for name, (numpy, loops) in planted.MISTAKES.items():
        text = planted.source(planted.NUMPY, numpy)
        yield name, "numpy", lambda text=text: planted.compiled(text)
        yield name, "torch", lambda text=text: planted.compiled(planted.as_torch(text), torch=torch)
        yield name, "loops", lambda loops=loops: planted.build(planted.LOOPS, loops)
    for option, mistakes in planted.OPTION_MISTAKES.items():
        for name, edits in mistakes.items():
            text = planted.option_source(option, edits)
            yield name, f"numpy, {option}", lambda text=text: planted.compiled(text)
            yield name, f"torch, {option}", lambda text=text: planted.compiled(planted.as_torch(text), torch=torch)
            loops = planted.OPTION_LOOPS[option][name]
            text = planted.option_source(option, loops, planted.FULL_LOOPS, planted.LOOP_SETUPS)
            yield name, f"loops, {option}", lambda text=text: planted.compiled(text)
    for template, function, table, loops, loop_table in (
        (planted.LAYER, "layer", planted.LAYER_MISTAKES, planted.LAYER_LOOPS, planted.LAYER_LOOP_MISTAKES),
        (planted.SOFTMAX, "f", planted.JACOBIAN_MISTAKES, planted.SOFTMAX_LOOPS, planted.JACOBIAN_LOOP_MISTAKES),
        (planted.PRODUCT, "f", planted.PRODUCT_MISTAKES, planted.PRODUCT_LOOPS, planted.PRODUCT_LOOP_MISTAKES),
    ):
        for name, edits in table.items():
            text = planted.source(loops, loop_table[name])
            yield name, f"loops, {function}", lambda text=text, f=function: planted.compiled(text, f)
            text = planted.source(template, edits)
            yield name, f"numpy, {function}", lambda text=text, f=function: planted.compiled(text, f)
            spelt = planted.as_torch(text)
            yield name, f"torch, {function}", lambda text=spelt, f=function: planted.compiled(text, f, torch=torch)


CASES = list(cases())


def test_enough_mistakes_are_planted():
    assert len({name for name, _, _ in CASES}) >= 130
    for name in {name for name, _, _ in CASES}:
        assert {form.split(",")[0] for other, form, _ in CASES if other == name} == {"numpy", "torch", "loops"}
        assert (
            name in {each.name for each in BEHAVIOURS}
            or "chunks of" in name
            or any(name == mistake.name for mistake in CATALOGUE)
        )


@pytest.mark.parametrize(("name", "form", "build"), CASES, ids=[f"{name}-{form}" for name, form, _ in CASES])
def test_a_mistake_alone_is_named_first(name, form, build):
    report = gradient(build())
    assert named(report) == [name], report
    assert report.correct == (report.diagnosis[0].kind == "convention")
    assert report.example is not None or report.correct


def test_two_mistakes_are_named():
    """A sample; all of them: `python benchmarks/diagnoses.py`."""
    drawn = planted.drawn_pairs(12, seed=1)
    found = [set(named(gradient(planted.build(planted.NUMPY, edits)))) == {one, other} for one, other, edits in drawn]
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("name", right.RIGHT)
def test_no_false_alarm(name):
    report = gradient(right.RIGHT[name])
    assert report.correct and not named(report), report


def test_the_steps_without_a_mistake_are_the_oracle():
    options = ("weight", "sample_weight", "ignore_index", "label_smoothing", "temperature", "reduction", "upstream")
    wanted = [with_options(name) for name in options] + [with_options("weight", "ignore_index", "label_smoothing")]
    for probe in (*ORDINARY, SMALL, SOFT, *LAYERS, *EXTREME, *wanted):
        for name, value in walk(probe).items():
            if name in ("softmax", "jacobian", "vjp") and probe.options:
                continue
            np.testing.assert_allclose(value, to_float(probe.truth(name).value), rtol=1e-10, atol=1e-12, err_msg=name)


def test_every_entry_of_the_catalogue_shows_and_is_explained():
    for mistake in CATALOGUE:
        assert mistake.kind in ("mistake", "convention", "limit")
        assert mistake.said.endswith(".") and all((mistake.computed, mistake.right, mistake.fix))
    assert len({mistake.name for mistake in CATALOGUE}) == len(CATALOGUE)


# --- what one call's numbers don't show


def overwrites(z, y):
    z -= z.max(axis=1, keepdims=True)
    return right.textbook(z, y)


def overwrites_torch(z, y):
    loss, grad = right.torch_by_hand(z.detach(), y)
    z.detach().sub_(1)
    return loss, grad


def overwrites_leaf(z, y):
    z -= z.amax(dim=1, keepdim=True)
    return right.torch_by_hand(z, y)


def accumulates():
    buffer = {}

    def loss(z, y):
        buffer[z.shape] = buffer.get(z.shape, 0) + right.gradient_only(z, y)
        return buffer[z.shape]

    return loss


def accumulates_in_loops():
    buffer = [[0.0] * 8 for _ in range(16)]

    def loss(z, y):
        value, grad = right.loops(z, y)
        for i, row in enumerate(grad):
            for j, g in enumerate(row):
                buffer[i][j] += g
        return value, [list(row[: len(z[0])]) for row in buffer[: len(z)]]

    return loss


def overwrites_lists(z, y):
    for row in z:
        m = max(row)
        for j in range(len(row)):
            row[j] -= m
    return right.loops(z, y)


def accumulates_torch():
    buffer = {}

    def loss(z, y):
        buffer[z.shape] = buffer.get(z.shape, 0) + right.torch_by_hand(z, y)[1]
        return buffer[z.shape]

    return loss


def forgetful():
    calls = []

    def loss(z, y):
        calls.append(1)
        return right.gradient_only(z, y) * len(calls) ** 3

    return loss


def half(z, y):
    loss, grad = right.textbook(z.astype(np.float16), y)
    return float(loss), grad.astype(np.float64)


def half_torch(z, y):
    return right.torch_by_hand(z.half(), y)[1].double()


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("input overwritten", overwrites),
        ("input overwritten", overwrites_torch),
        ("input overwritten", overwrites_leaf),
        ("gradient accumulated", accumulates()),
        ("gradient accumulated", accumulates_in_loops()),
        ("gradient accumulated", accumulates_torch()),
        ("input overwritten", overwrites_lists),
        ("second call returns something else", forgetful()),
        ("computed in float16", half),
        ("computed in float16", half_torch),
    ],
)
def test_behaviour(name, fn):
    report = gradient(fn)
    assert named(report) == [name] and not report.correct


def soft_argmax(z, t):
    return right.gradient_only(z, t.argmax(axis=1))


def soft_equal(z, onehot):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    hot = np.array([[1.0 if share == 1 else 0.0 for share in row] for row in onehot])
    return (hot.sum(axis=1, keepdims=True) * p - hot) / len(z)


def soft_argmax_torch(z, t):
    return torch.nn.functional.cross_entropy(z, t.argmax(1))


def soft_argmax_loops(z, t):
    return right.loops(z, [row.index(max(row)) for row in t])


def soft_equal_torch(z, t):
    return -(torch.log_softmax(z, 1) * (t == 1)).sum() / len(z)


def soft_equal_loops(z, t):
    rows = zip(z, t, strict=True)
    return sum(right.loops([row], [hot.index(1.0)])[0] for row, hot in rows if 1.0 in hot) / len(z)


SOFT_MISTAKES = {
    "argmax of soft labels": (soft_argmax, soft_argmax_torch, soft_argmax_loops),
    "targets compared with ==": (soft_equal, soft_equal_torch, soft_equal_loops),
}


@pytest.mark.parametrize(("name", "fn"), [(name, fn) for name, fns in SOFT_MISTAKES.items() for fn in fns])
def test_distributions_as_targets(name, fn):
    assert named(gradient(fn, target="one-hot")) == [name]


def indexed(z, t):
    log_p = z - z.max(axis=1, keepdims=True)
    log_p = log_p - np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    return -sum(log_p[i, int(t[i, j])] for i in range(len(z)) for j in range(z.shape[1])) / len(z)


def indexed_by_array(z, onehot):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return -np.log(np.take_along_axis(p, onehot.astype(int), axis=1)).sum() / len(z)


@pytest.mark.parametrize("fn", [indexed, indexed_by_array])
def test_one_hot_rows_taken_for_indices(fn):
    assert named(gradient(fn, target="one-hot")) == ["the one-hot vector taken for class indices"]


@pytest.mark.parametrize("epsilon", [2.0**-52, 3e-6, 1e-11, 1e-38, 1e-300])
def test_an_unusual_floor_is_read_off_the_loss(epsilon):
    def added(z, y):
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return -np.log((p / p.sum(axis=1, keepdims=True))[np.arange(len(y)), y] + epsilon).mean()

    def clipped(z, y):
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return -np.log(np.clip(p / p.sum(axis=1, keepdims=True), epsilon, 1.0)[np.arange(len(y)), y]).mean()

    assert gradient(added).diagnosis[0].name == f"log(p + {epsilon:g})"
    names = {f"p clipped at {epsilon:g}"} | ({f"log(p + {epsilon:g})"} if epsilon < 1e-30 else set())
    assert gradient(clipped).diagnosis[0].name in names  # so far below every probability they are the same


class FirstRow(right.OwnEach):
    @staticmethod
    def backward(ctx, above):
        p, target = ctx.saved_tensors
        return above[0] * (p - torch.nn.functional.one_hot(target, p.shape[1])), None


class Ignores(right.Own):
    @staticmethod
    def backward(ctx, above):
        return right.Own.backward(ctx, torch.ones_like(above))


@pytest.mark.parametrize(
    ("name", "fn"),
    [("the first row's upstream gradient for all rows", FirstRow), ("upstream gradient ignored", Ignores)],
)
def test_the_gradient_from_above(name, fn):
    assert named(gradient(fn)) == [name]


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("softmax applied twice", lambda z, y: torch.nn.functional.cross_entropy(torch.softmax(z, 1), y)),
        ("softmax over the batch axis", lambda z, y: torch.nn.functional.nll_loss(torch.log_softmax(z, 0), y)),
        ("logarithm left out", lambda z, y: torch.nn.functional.nll_loss(torch.softmax(z, 1), y)),
        ("logits taken for log-probabilities", torch.nn.functional.nll_loss),
        ("log(p + 1e-08)", lambda z, y: torch.nn.functional.nll_loss(torch.log(torch.softmax(z, 1) + 1e-8), y)),
        ("sum instead of mean", lambda z, y: torch.nn.functional.cross_entropy(z, y, reduction="sum")),
        ("divided by N·V", lambda z, y: -(torch.log_softmax(z, 1) * torch.eye(z.shape[1])[y]).mean()),
    ],
)
def test_under_autograd_the_loss_tells(name, fn):
    """Gradients that belong to their wrong loss: finite differences pass all of these."""
    report = gradient(fn)
    assert named(report) == [name], report


def test_jax():
    jax = pytest.importorskip("jax", reason="JAX is an extra of its own")

    def loss(z, y):
        return -jax.nn.log_softmax(z)[jax.numpy.arange(len(y)), y].mean()

    def twice(z, y):
        return loss(jax.nn.softmax(z), y)

    def by_hand(z, y):
        return jax.nn.softmax(z) - jax.nn.one_hot(y, z.shape[1])

    assert gradient(loss).correct
    assert gradient(loss).checked == ("loss", "gradient")
    assert named(gradient(twice)) == ["softmax applied twice"]
    assert named(gradient(by_hand)) == ["sum instead of mean"]


# --- conventions, options, what is said


def test_what_was_said_counts():
    descent = lambda z, y: -right.gradient_only(z, y)  # noqa: E731
    assert named(gradient(descent)) == ["sign flipped"] and gradient(descent, descent=True).correct
    summed = lambda z, y: len(z) * right.gradient_only(z, y)  # noqa: E731
    assert gradient(summed).correct and named(gradient(summed, reduction="sum")) == []
    smoothed = lambda z, y: luce.cross_entropy_and_grad(z, y, label_smoothing=0.2)  # noqa: E731
    assert gradient(smoothed, label_smoothing=0.2).correct and not gradient(smoothed).correct
    warm = lambda z, y: luce.cross_entropy_and_grad(z, y, temperature=3.0)  # noqa: E731
    assert gradient(warm, temperature=3.0).correct
    masked = lambda z, y: luce.cross_entropy_and_grad(z, y, ignore_index=-1)  # noqa: E731
    assert gradient(masked, ignore_index=-1).correct
    with pytest.raises(ValueError, match="task must be one of"):
        gradient(descent, task="regression")


WEIGHTS = np.array([1.0, 2.0, 0.5, 4.0])


def class_weighted(z, y):
    return luce.cross_entropy_and_grad(z, y, weight=WEIGHTS)


def weighted_by_column(z, y):
    loss = luce.cross_entropy(z, y, weight=WEIGHTS)
    return loss, WEIGHTS * (luce.softmax(z) - np.eye(4)[y]) / WEIGHTS[y].sum()


def row_weighted(z, y):
    return luce.cross_entropy_and_grad(z, y, sample_weight=[1.0, 2.0, 0.5, 4.0, 0.25, 3.0])


def test_weights_that_are_built_in_can_be_said():
    assert gradient(class_weighted).verdict == "not runnable"
    report = gradient(class_weighted, weight=WEIGHTS)
    assert report.correct and not report.diagnosis and all(report.range.values())
    assert named(gradient(weighted_by_column, weight=WEIGHTS)) == ["class weights by column"]
    assert gradient(row_weighted, sample_weight=[1.0, 2.0, 0.5, 4.0, 0.25, 3.0]).correct
    wrong = gradient(row_weighted, sample_weight=[1.0, 2.0, 0.5, 4.0, 0.25, 3.5])
    assert wrong.verdict == "wrong"
    for options in ({"weight": 3.0}, {"weight": [[1.0]]}, {"weight": WEIGHTS, "classes": 5}):
        with pytest.raises(ValueError, match="weight must have one dimension"):
            gradient(class_weighted, **options)


REDUCTIONS = ("mean", "sum", "none")


@pytest.mark.parametrize("said", REDUCTIONS)
@pytest.mark.parametrize("done", REDUCTIONS)
@pytest.mark.parametrize("of", [luce.cross_entropy_and_grad, torch.nn.functional.cross_entropy])
def test_another_reduction_than_was_said_is_a_mistake(of, done, said):
    report = gradient(lambda z, y: of(z, y, reduction=done), reduction=said)
    words = {"none": "each row's own loss", "mean": "mean", "sum": "sum"}
    if said == done:
        assert report.correct and not named(report)
    else:
        (name,) = named(report)
        assert name.startswith((words[done], f"the {words[done]}")) and name.endswith(words[said])
        assert not report.correct and report.diagnosis[0].kind == "mistake"
    with pytest.raises(ValueError, match="reduction must be one of mean, sum, none"):
        gradient(of, reduction="average")


def test_a_default_counts_as_said():
    def summed(z, y, reduction="mean"):
        return luce.cross_entropy_and_grad(z, y, reduction="sum" if reduction == "mean" else reduction)

    def warm(z, y, T=2.0):
        return luce.cross_entropy_and_grad(z, y, temperature=T)

    def padded(z, y, pad=0):
        return luce.cross_entropy_and_grad(z, y, ignore_index=pad)

    assert named(gradient(summed)) == ["sum instead of mean"] and not gradient(summed).correct
    assert named(gradient(warm)) == [] and named(gradient(padded)) == []


def test_what_is_built_in_is_read_off():
    def smoothed(z, y):
        return luce.cross_entropy_and_grad(z, y, label_smoothing=0.15)

    def warm(z, y):
        return luce.cross_entropy_and_grad(z, y, temperature=2.5)

    def warm_without(z, y):
        loss, grad = warm(z, y)
        return loss, 2.5 * grad

    assert named(gradient(smoothed)) == ["label smoothing of 0.15"]
    assert named(gradient(lambda z, y: smoothed(z, y)[0])) == ["label smoothing of 0.15"]
    assert named(gradient(warm)) == ["temperature of 2.5"]
    assert named(gradient(lambda z, y: warm(z, y)[0])) == ["temperature of 2.5"]
    assert named(gradient(warm_without)) == ["temperature of 2.5", "1/T left out of the gradient"]


def test_sizes_that_are_built_in():
    def ten(z, y):
        hot = np.eye(10)[y]
        return -(hot * luce.log_softmax(z)).sum() / len(z), luce.softmax(z) - hot

    report = gradient(ten)
    assert named(report) == ["gradient not divided by N"] and any("runs for 10 classes only" in n for n in report.notes)
    assert named(gradient(ten, classes=10)) == ["gradient not divided by N"]
    assert not gradient(ten, classes=10).notes or "only" not in gradient(ten, classes=10).notes[0]


def without_keepdims(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1)


def without_keepdims_torch(z):
    e = z.exp()
    return e / e.sum(1)


def without_keepdims_at_the_maximum(z, y):
    z = z - z.max(axis=1)
    return right.textbook(z, y)


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (without_keepdims, ["row sums without keepdims"]),
        (without_keepdims_torch, ["no shift", "row sums without keepdims"]),
        (without_keepdims_at_the_maximum, ["row maxima without keepdims"]),
    ],
)
def test_keepdims_are_missed_in_a_square(fn, expected):
    report = gradient(fn)
    assert named(report) == expected and "as many rows as classes only" in report.notes[0]


def labels_off(z, y):
    return right.textbook(z, y)[0], right.gradient_only(z, y - 1)


def labels_off_in_the_loss(z, y):
    return right.textbook(z, y - 1)[0], right.gradient_only(z, y)


def both_sides(z, y):
    return right.textbook(z, y - 1)[0], -right.gradient_only(z, y)


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (labels_off, ["labels one too low, in the gradient only"]),
        (labels_off_in_the_loss, ["labels one too low, in the loss only"]),
        (both_sides, ["labels one too low, in the loss only", "sign flipped"]),
    ],
)
def test_a_mistake_on_one_side_only(fn, expected):
    assert sorted(named(gradient(fn))) == sorted(expected)


def test_columns_are_taken_for_examples_where_that_explains_more():
    assert gradient(right.batch_last).called.endswith("the examples as columns")
    assert gradient(right.batch_last, layout="columns").correct
    assert gradient(right.batch_last, layout="rows").verdict == "wrong"
    down = gradient(lambda z, t: (z.shape[1] * luce.softmax(z, axis=0) - z.shape[1] * t) / z.shape[1])
    assert named(down) == ["softmax over the batch axis", "sum instead of mean"]
    assert "the examples as columns" in down.notes[-1]
    with pytest.raises(ValueError, match="layout must be one of rows, columns"):
        gradient(right.batch_last, layout="diagonal")


def test_numbers_of_float32_in_a_python_float():
    def twice(z, y):
        p = luce.softmax(z.astype(np.float32))
        return float(luce.cross_entropy(p, y))

    assert named(gradient(twice)) == ["softmax applied twice"]


def test_nothing_but_not_finite_numbers_is_explained_by_nothing():
    assert not gradient(lambda z, y: np.float64("nan")).diagnosis


def test_a_softmax_that_is_right_of_a_row_only():
    for fn, of_a_batch in (
        (right.softmax_row, "softmax over the whole array"),
        (lambda z: luce.softmax(z, axis=0), "softmax over the batch axis"),
        (lambda z, onehot: luce.softmax(z, axis=0) - onehot, "softmax over the batch axis"),
    ):
        report = gradient(fn)
        assert report.correct and [(m.name, m.kind) for m in report.diagnosis] == [(of_a_batch, "limit")]


def test_a_network_of_several_layers_is_told_what_to_check():
    report = gradient(lambda X, W1, b1, W2, b2, y: None)
    assert report.verdict == "not runnable" and "check its last one alone" in report.reason


def test_a_mistake_that_nobody_knows_is_narrowed_down():
    def shifted(z, y):
        return right.gradient_only(z, y) + 0.01

    def one_class(z, y):
        grad = right.gradient_only(z, y)
        grad[:, 2] *= 1.5
        return grad

    def scaled(z, y):
        return right.gradient_only(z, y) * 3.7

    def own_entry(z, y):
        grad = right.gradient_only(z, y)
        grad[np.arange(len(y)), y] *= 1.3
        return grad

    for fn, words in (
        (shifted, "(p − t) / N"),
        (one_class, "only classes 2 are wrong"),
        (scaled, "3.7 times"),
        (own_entry, "only the target's entries"),
    ):
        report = gradient(fn)
        assert report.verdict == "wrong" and not report.diagnosis and words in report.part


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda z, y: z.T, "it returns an array of shape (5, 7); expected"),
        (lambda z, y: None, "it returns None"),
        (lambda z, y: {"a": 1}, "it returns a dictionary of 'a'"),
        (lambda z, y: no_such_name, "NameError"),  # noqa: F821
        (5, "it is no function but int"),
    ],
)
def test_not_runnable_says_why(fn, words):
    report = gradient(fn)
    assert report.verdict == "not runnable" and report.exit_code == 2
    assert words in report.reason and words in str(report)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "losses"}, "task must be one of loss, layer, softmax, vjp, got 'losses'"),
        ({"framework": "tensorflow"}, "framework must be one of numpy, torch, jax, list, got 'tensorflow'"),
        ({"dtype": "int8"}, "dtype must be one of float64, float32, float16, bfloat16, got 'int8'"),
        ({"classes": 1}, "classes must be an integer of at least 2, got 1"),
        ({"classes": 2.5}, "classes must be an integer of at least 2, got 2.5"),
    ],
)
def test_an_argument_without_such_a_value_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        gradient(right.textbook, **options)


def test_a_product_is_looked_for_where_parameters_have_no_names():
    report = gradient(lambda *arguments: luce.softmax_jvp(arguments[1], arguments[0]), task="vjp")
    assert report.correct and report.called.startswith("f(vector, logits)")


def test_inputs_stay_what_they_are():
    before = [probe.logits.copy() for probe in ORDINARY]
    gradient(overwrites)
    for probe, logits in zip(ORDINARY, before, strict=True):
        np.testing.assert_array_equal(probe.logits, logits)


# --- the report


def test_the_report_in_its_forms():
    report = gradient(planted.build(planted.NUMPY, planted.MISTAKES["sign flipped"][0]))
    text = str(report)
    for words in ("sign flipped", "computed", "change", "logits", "expected", "actual", "class 2"):
        assert words in text
    plain = json.loads(report.to_json())
    assert plain["verdict"] == "wrong" and plain["diagnosis"][0]["name"] == "sign flipped"
    assert plain["example"]["expected"] and len(plain["example"]["actual"]) == 3
    page = report.to_html()
    assert (
        page.startswith("<!doctype html>") and "sign flipped" in page and "http" not in page.replace("http-equiv", "")
    )


def test_a_report_with_infinities_is_json():
    report = gradient(planted.build(planted.NUMPY, planted.MISTAKES["no shift"][0]))
    assert "nan" in report.to_json()
    json.loads(report.to_json(), parse_constant=lambda name: pytest.fail(name))


def test_assert_gradient():
    luce.check.assert_gradient(right.textbook)
    with pytest.raises(AssertionError, match="gradient not divided by N"):
        luce.check.assert_gradient(planted.build(planted.NUMPY, planted.MISTAKES["gradient not divided by N"][0]))


# --- the time it takes


PAIR = tuple(m for m in CATALOGUE if m.name in ("powers of 2 instead of e", "squared error in the loss"))
TWO = planted.MISTAKES["powers of 2 instead of e"][0] | {"losses": "losses = ((p - t) ** 2).sum(axis=1)"}


def test_pairs_are_tried_up_to_the_deadline():
    assert len(named(gradient(planted.build(planted.NUMPY, TWO), repair=False))) == 2
    numbers = [walk(probe, PAIR) for probe in ORDINARY]
    outputs = [{name: found[name] for name in ("loss", "gradient")} for found in numbers]
    found = [Case(probe, Returned(returned)) for probe, returned in zip(ORDINARY, outputs, strict=True)]
    assert {*diagnose(found).found} == {*PAIR}
    assert diagnose(found, deadline=Deadline(0.0)).found is None


def test_without_time_the_verdict_is_still_wrong(monkeypatch):
    for name in ("SECONDS_OF_WAYS", "SECONDS_OF_PAIRS"):
        monkeypatch.setattr(search, name, 0.0)
    report = gradient(planted.build(planted.NUMPY, TWO), repair=False)
    assert report.verdict == "wrong" and report.part and not report.diagnosis
