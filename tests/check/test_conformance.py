"""The conformance suite: Luce passes it, planted faults are found by their own checks, known faults of others too."""

import io
import json
import sys
import types

import numpy as np
import pytest
import torch
from mpmath import mp
from rich.console import Console

import luce.check
import luce.torch
from luce.check.adapters import implementation
from luce.check.conformance_suite.scorecard import Comparison
from luce.check.oracle import Exact
from luce.check.truth.tolerance import errors

F = torch.nn.functional
OURS = [
    "luce:cross_entropy",
    "luce:linear_cross_entropy",
    "luce.torch:cross_entropy",
    "luce.torch:linear_cross_entropy",
]
# what cannot be tried on ours: NumPy has no backward pass
ABSENT = {"upstream gradient", "second backward", "gradient penalty", "forward mode", "bfloat16"} | {
    f"accurate forward mode, {dtype}" for dtype in ("float32", "float64")
}
ACCURACY = ("accurate", "confident", "bfloat16", "float16")
RIGHT = [check for check in luce.check.CHECKS if not check.startswith(ACCURACY)]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def failed(card):
    return {result.check for result in card.failures}


@pytest.mark.parametrize("name", OURS)
def test_ours_passes_everything(name):
    card = luce.check.conformance(name)
    assert card.passed, card.failures
    it = implementation(name)
    absent = ABSENT if it.framework == "numpy" else set()
    if name == "luce:linear_cross_entropy":
        absent = absent | {"target gradient", "layer: forward mode"}
    assert len(card.results) == len(luce.check.CHECKS) - (0 if it.layer else 4)
    assert {result.check for result in card.unsupported} == absent
    assert not [result for result in card.results if result.status == "passed" and result.detail]  # nothing refused


class Tweak(torch.autograd.Function):
    """The identity, with derivatives that are not."""

    @staticmethod
    def forward(x, backward, jvp):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.change, ctx.push = inputs[1:]

    @staticmethod
    def backward(ctx, g):
        return ctx.change(g), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        return ctx.push(tangent)


def same(x):
    return x


def tweaked(x, backward=same, jvp=torch.clone):
    return Tweak.apply(x, backward, jvp)


class Scaled(torch.autograd.Function):
    """A loss whose backward pass scales the gradient that it has saved, in place."""

    @staticmethod
    def forward(ctx, z, target, options):
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            value = ours(leaf, target, **options)
            ctx.slope = torch.autograd.grad(value.sum(), leaf)[0]
        return value.detach()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return ctx.slope.mul_(g if g.dim() == 0 else g[:, None]), None, None


ours, layer = luce.torch.cross_entropy, luce.torch.linear_cross_entropy
OPTIONS_OF_OURS = (
    "weight",
    "sample_weight",
    "label_smoothing",
    "z_loss",
    "softcap",
    "temperature",
    "normalizer",
    "tail",
)
FAULTS = {}


def fault(*expected):
    def enter(function):
        FAULTS[function.__name__.replace("_", " ")] = function, set(expected)
        return function

    return enter


GRADIENT = {"gradient", "upstream gradient", "second backward", "second derivative", "gradient penalty"}


@fault(*GRADIENT)
def zeroed(z, target, **o):
    return ours(tweaked(z, lambda g: g * 0), target, **o)


@fault(*GRADIENT)
def shifted_by_one_class(z, target, **o):
    return ours(tweaked(z, lambda g: g.roll(1, -1)), target, **o)


@fault(*GRADIENT, "place in the batch")
def off_by_the_batch_size(z, target, **o):
    return ours(tweaked(z, lambda g: g * g.shape[0]), target, **o)


@fault("inputs unchanged")
def input_overwritten(z, target, **o):
    value = ours(z.clone(), target, **o)
    z.detach().mul_(2)
    return value


@fault("inputs unchanged")
def weights_overwritten(z, target, *, weight=None, **o):
    value = ours(z, target, weight=None if weight is None else weight.clone(), **o)
    if weight is not None:
        weight.div_(weight.sum())
    return value


@fault("second backward", "gradient penalty")
def buffer_scaled_in_place(z, target, **o):
    return Scaled.apply(z, target, o) if z.requires_grad else ours(z, target, **o)


@fault("upstream gradient")
def first_row_s_upstream_gradient(z, target, **o):
    return tweaked(ours(z, target, **o), lambda g: g if g.dim() == 0 else g[:1].expand_as(g))


@fault("second derivative", "gradient penalty")
def second_derivative_doubled(z, target, **o):
    return ours(tweaked(z, lambda g: g.detach() + 2 * (g - g.detach())), target, **o)


@fault("gradient penalty")
def second_order_part_dropped(z, target, **o):
    return ours(tweaked(z, lambda g: g.detach()), target, **o)


@fault("forward mode")
def tangent_of_zero(z, target, **o):
    return ours(tweaked(z, jvp=torch.zeros_like), target, **o)


@fault("target gradient")
def target_gradient_doubled(z, target, **o):
    soft = isinstance(target, torch.Tensor) and target.is_floating_point()
    return ours(z, tweaked(target, lambda g: 2 * g) if soft else target, **o)


@fault("weight")
def weights_do_not_count_in_the_mean(z, target, *, weight=None, **o):
    if weight is None or o.get("reduction", "mean") != "mean":
        return ours(z, target, weight=weight, **o)
    share = o.pop("sample_weight", None)
    plain = ours(torch.zeros_like(z), target, reduction="sum", sample_weight=share) / np.log(z.shape[1])
    return ours(z, target, weight=weight, sample_weight=share, **{**o, "normalizer": o.get("normalizer") or plain})


@fault("label_smoothing", "options together")
def smoothing_by_the_others(z, target, *, label_smoothing=0.0, **o):
    v = z.shape[1]
    return ours(z, target, label_smoothing=label_smoothing and min(1.0, label_smoothing * v / (v - 1) * 0.999), **o)


@fault("temperature", "options together")
def temperature_not_heeded(z, target, *, temperature=1.0, **o):
    return ours(z, target, **o)


@fault("z_loss", "options together")
def z_loss_without_its_gradient(z, target, *, z_loss=0.0, **o):
    if not z_loss:
        return ours(z, target, **o)
    extra = ours(z.detach(), target, z_loss=z_loss, **o) - ours(z.detach(), target, **o)
    return ours(z, target, **o) + extra


@fault("ignore_index", "options together", "ignored rows count for nothing")
def ignored_rows_in_the_denominator(z, target, *, ignore_index=-100, **o):
    hard = isinstance(target, torch.Tensor) and not target.is_floating_point()
    if hard and o.get("reduction", "mean") == "mean" and not set(o) & {"normalizer", "weight", "sample_weight"}:
        o["normalizer"] = len(target)
    return ours(z, target, ignore_index=ignore_index, **o)


@fault("all rows ignored", "options together")  # where all of the rows that are drawn are ignored
def not_a_number_where_all_is_ignored(z, target, **o):
    nothing = isinstance(target, torch.Tensor) and (target == -100).all() and len(target) > 0
    return ours(tweaked(z, lambda g: g * torch.nan) if nothing else z, target, **o)


@fault("ignored rows count for nothing")
def ignored_rows_leak(z, target, **o):
    value = ours(z, target, **o)
    hard = isinstance(target, torch.Tensor) and not target.is_floating_point()
    return value + (0 * z[target == -100]).sum() if hard else value


@fault("rows of weight 0 count for nothing")
def rows_without_weight_leak(z, target, *, sample_weight=None, **o):
    value = ours(z, target, sample_weight=sample_weight, **o)
    return value if sample_weight is None else value + (0 * z[sample_weight == 0]).sum()


@fault("class out of range")
def labels_clipped(z, target, **o):
    hard = isinstance(target, torch.Tensor) and not target.is_floating_point()
    ignored = target == o.get("ignore_index", -100) if hard else None
    return ours(z, torch.where(ignored, target, target.clamp(0, z.shape[1] - 1)) if hard else target, **o)


def test_a_label_that_no_class_has_is_found_out():
    """jax-cce's loss takes no ignore_index: for a label of −100 no class is the target's, and log Σ exp z is left."""

    def loss(logits, target):
        target_s = (logits * (torch.arange(logits.shape[1]) == target[:, None])).sum(1)
        return (logits.logsumexp(1) - target_s).mean()

    card = luce.check.conformance(loss, only=["loss", "gradient", "class out of range"])
    assert failed(card) == {"class out of range"}
    assert card["class out of range"].detail == "a finite loss for class 5, -1, 1000, -100 of 5"


@fault("vocabulary tails")
def padded_classes_counted(z, target, **o):
    v = z.shape[1]
    hard = isinstance(target, torch.Tensor) and not target.is_floating_point()
    return ours(F.pad(z, (0, -v % 1024)) if hard and 300 < v < 30_000 else z, target, **o)


@fault("−inf", "−inf in distributions")
def blocks_of_impossible_classes(z, target, **o):
    value = ours(z, target, **o)
    blocks = z.detach()[:, : z.shape[1] // 32 * 32].unflatten(1, (-1, 32))
    return value * torch.nan if torch.isneginf(blocks).all(2).any() else value


@fault("−inf in distributions")
def nothing_times_infinity(z, target, **o):
    value = ours(z, target, **o)
    soft = isinstance(target, torch.Tensor) and target.is_floating_point()
    return value * torch.nan if soft and torch.isinf(z).any() else value


@fault("−inf at the target")
def a_large_number_for_infinity(z, target, **o):
    loss = ours(z, target, **o)
    return torch.where(loss == torch.inf, 1e30, loss)


@fault("−inf under a softcap")
def impossible_classes_at_minus_cap(z, target, **o):
    return ours(z.clamp(min=-1e30) if "softcap" in o else z, target, **o)


@fault("−inf", "−inf in distributions", "−inf at the target")
def sum_of_products_with_log_softmax(z, target, *, reduction="mean", **o):
    """optax's loss of a distribution: 0 · −inf is NaN, for one-hot rows too."""
    if o or (isinstance(target, torch.Tensor) and not z.isinf().any()) or isinstance(target, tuple):
        return ours(z, target, reduction=reduction, **o)
    share = target if target.is_floating_point() else F.one_hot(target, z.shape[1])
    rows = -(share * z.log_softmax(1)).sum(1)
    return rows if reduction == "none" else rows.sum() / (len(z) if reduction == "mean" else 1)


@fault("broken rows")
def not_a_number_taken_for_zero(z, target, **o):
    return ours(torch.where(z.isnan(), 0.0, z), target, **o)


@fault("one class")
def one_class_is_not_a_number(z, target, **o):
    return ours(z, target, **o) * (torch.nan if z.shape[1] == 1 else 1)


@fault("no rows")
def nothing_costs_one(z, target, **o):
    return ours(z, target, **o) + (len(z) == 0)


@fault("layouts")
def strides_not_heeded(z, target, **o):
    if z.is_contiguous():
        return ours(z, target, **o)
    return ours(torch.as_strided(z, z.shape, (z.shape[1], 1)), target, **o)


@fault("threads")
def as_many_threads(z, target, **o):
    return ours(z, target, **o) * (1 + 1e-6 * (torch.get_num_threads() - 1))


@fault("place in the batch")
def rows_in_company(z, target, **o):
    return ours(z, target, **o) * (1 + 1e-15 * (len(z) == 37))


@fault("second call", "threads", "place in the batch")
def every_call_another(z, target, **o):
    every_call_another.calls = getattr(every_call_another, "calls", 0) + 1
    rounding = 4e-7 if z.dtype == torch.float32 else 8e-16
    return ours(z, target, **o) * (1 + rounding * (every_call_another.calls % 3))


@fault("loss", "options together", "no rows", "all rows ignored")
def one_more_in_a_sum(z, target, *, reduction="mean", **o):
    return ours(z, target, reduction=reduction, **o) + (reduction == "sum")


@fault("distributions", "targets of any mass", "−inf in distributions", "target gradient", "options together")
def largest_share_for_the_distribution(z, target, *, weight=None, sample_weight=None, **o):
    soft = isinstance(target, torch.Tensor) and target.is_floating_point()
    if soft and weight is None and sample_weight is None:
        target = (target == target.amax(1, keepdim=True)).to(z) + 0 * target
    return ours(z, target, weight=weight, sample_weight=sample_weight, **o)


@fault("targets of any mass")
def shares_made_to_add_up(z, target, **o):
    soft = isinstance(target, torch.Tensor) and target.is_floating_point()
    return ours(z, target / target.detach().sum(1, keepdim=True) if soft and z.isfinite().all() else target, **o)


@fault("top-k targets")
def one_of_several_equal_classes(z, target, **o):
    if isinstance(target, tuple):
        index, share = target
        again = F.pad(index[:, 1:] == index[:, :-1], (0, 1))
        target = index, torch.where(again, 0.0, share)
    return ours(z, target, **o)


@fault("tail", "options together")
def tail_left_out(z, target, *, tail=None, **o):
    return ours(z, target, **o)


@fault("softcap", "options together", "−inf under a softcap")
def softcap_without_its_slope(z, target, *, softcap=None, **o):
    if softcap is None:
        return ours(z, target, **o)
    capped = torch.where(torch.isinf(z), z, softcap * torch.tanh(z / softcap)).detach()
    return ours(torch.where(torch.isinf(z), z, z + (capped - z).detach()), target, **o)


@fault("sample_weight", "options together", "rows of weight 0 count for nothing")
def row_weights_do_not_count(z, target, *, sample_weight=None, **o):
    return ours(z, target, **o)


@fault("normalizer", "options together")
def normalizer_not_heeded(z, target, *, normalizer=None, **o):
    return ours(z, target, **o)


@fault("layer: gradient", "layer: bias", "layer: second derivative")
def gradient_of_the_weights_shifted(input, linear_weight, target, *, linear_bias=None, **o):
    if linear_weight.shape == (5, 4):
        linear_weight = tweaked(linear_weight, lambda g: g.roll(1, 0))
    return layer(input, linear_weight, target, linear_bias=linear_bias, **o)


@fault("layer: bias", "layer: second derivative")
def bias_gradient_doubled(input, linear_weight, target, *, linear_bias=None, **o):
    bias = None if linear_bias is None else tweaked(linear_bias, lambda g: 2 * g)
    return layer(input, linear_weight, target, linear_bias=bias, **o)


@fault("layer: bias", "layer: second derivative", "layer: forward mode")
def bias_added_twice(input, linear_weight, target, *, linear_bias=None, **o):
    return layer(input, linear_weight, target, linear_bias=None if linear_bias is None else 2 * linear_bias, **o)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_its_own_check(name):
    function, expected = FAULTS[name]
    card = luce.check.conformance(function, "torch", only=RIGHT)
    assert failed(card) == expected, [f"{result.check}: {result.detail}" for result in card.failures]


def test_every_check_has_a_planted_fault():
    caught = set().union(*(expected for _, expected in FAULTS.values()))
    assert not set(RIGHT) - caught


def cast_to(dtype):
    return lambda z, target, **o: ours(z.to(dtype), target, **o).to(z.dtype)


def difference_of_large_numbers(z, target, reduction="mean"):
    rows = z.logsumexp(1) - z.gather(1, target[:, None])[:, 0]
    return {"mean": rows.mean, "sum": rows.sum, "none": rows.clone}[reduction]()


def rounded_products(z, target, **o):
    return ours(tweaked(z, lambda g: g.detach() + (g - g.detach()) * (1 + 64 * torch.finfo(g.dtype).eps)), target, **o)


def rounded_tangents(z, target, **o):
    return ours(tweaked(z, jvp=lambda v: v * (1 + 64 * torch.finfo(v.dtype).eps)), target, **o)


def rounded_twice(z, target, **o):
    value = ours(z, target, **o)
    return value * (1 + 2**-8) if z.dtype in (torch.float16, torch.bfloat16) else value


BOTH = ("float32", "float64")
LOST = {f"{name}, {dtype}" for dtype in BOTH for name in ("accurate gradients", "confident rows")}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            difference_of_large_numbers,
            LOST
            | {f"accurate {name}, {dtype}" for dtype in BOTH for name in ("losses", "forward mode", "products")}
            | {"bfloat16", "float16"},
        ),
        (rounded_products, {f"accurate products, {dtype}" for dtype in BOTH}),
        (rounded_tangents, {f"accurate forward mode, {dtype}" for dtype in BOTH}),
        (rounded_twice, {"bfloat16", "float16"}),
    ],
)
def test_digits_that_are_lost_are_found_by_their_own_checks(function, expected):
    card = luce.check.conformance(function, "torch", only=[check for check in luce.check.CHECKS if check not in RIGHT])
    assert failed(card) == expected, [f"{result.check}: {result.detail}" for result in card.failures]


def test_impossible_classes_of_a_layer_are_no_trap_for_its_product():
    """A composition is right; −inf in the weights would be 0 · −inf in forward mode, which is not its fault."""

    def composed(input, linear_weight, target, linear_bias=None):
        return ours(F.linear(input, linear_weight, linear_bias), target)

    def without_bias(input, linear_weight, target):
        return ours(input @ linear_weight.T, target)

    for function in (composed, without_bias):
        card = luce.check.conformance(function, "torch", layer=True, only=["−inf", "−inf in distributions"])
        assert card.passed and not card.unsupported, card.failures


def test_known_faults_of_others_are_found():
    """Of PyTorch 2.13: digits of confident rows, 0 · −inf, and its layer in chunks."""
    checks = ["forward mode", "all rows ignored", "confident rows, float32", "−inf in distributions", "bfloat16"]
    plain = luce.check.conformance("torch.nn.functional:cross_entropy", only=checks)
    assert failed(plain) == {"confident rows, float32", "−inf in distributions", "bfloat16"}
    assert plain["confident rows, float32"].worst > 1e6
    chunked = luce.check.conformance("torch.nn.functional:linear_cross_entropy, auto", only=checks)
    assert failed(chunked) == {"forward mode", "all rows ignored", "confident rows, float32", "−inf in distributions"}
    assert "is 0, should be" in chunked["forward mode"].detail
    assert "nan, should be 0" in chunked["all rows ignored"].detail


def test_known_faults_of_scikit_learn_are_found():
    """Its compiled loss loses digits to an offset of the logits; its metric takes p clipped at eps."""
    half = luce.check.conformance(
        "sklearn._loss:HalfMultinomialLoss", only=["loss", "gradient", "accurate losses, float64"]
    )
    assert [result.status for result in half.results] == ["passed", "passed", "failed"]
    metric = luce.check.conformance("sklearn.metrics:log_loss", only=["loss", "gradient", "−inf at the target"])
    assert [result.status for result in metric.results] == ["passed", "unsupported", "failed"]


def test_jax_is_differentiated_in_every_way():
    jax = pytest.importorskip("jax", reason="JAX comes with the benchmarks: the tests of Luce itself do without it")

    def loss(logits, target):
        return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), target[:, None], axis=1).sum()

    def zero(logits, target):
        return loss(jax.lax.stop_gradient(logits), target)

    checks = ["loss", "gradient", "upstream gradient", "second backward", "second derivative", "gradient penalty"]
    card = luce.check.conformance(loss, only=[*checks, "forward mode", "confident rows, float32"])
    assert failed(card) == {"confident rows, float32"} and not card.unsupported
    assert failed(luce.check.conformance(zero, "jax", only=[*checks, "forward mode"])) == {*checks, "forward mode"} - {
        "loss"
    }


def test_subnormal_numbers_count_for_nothing_where_they_are_flushed():
    exact = Exact(np.array([mp.mpf(2) ** -128]), np.array([mp.mpf(2) ** -128]))
    zero = np.zeros(1, np.float32)
    assert errors(zero, exact)[0] > 1e6 and errors(zero, exact, flushed=True)[0] == 0
    larger = Exact(np.array([mp.mpf(2) ** -120]), np.array([mp.mpf(2) ** -120]))
    assert errors(zero, larger, flushed=True)[0] > 1e6


def test_a_module_and_a_function_of_arrays():
    module = luce.check.conformance(torch.nn.CrossEntropyLoss, only=["loss", "gradient", "weight", "z_loss"])
    assert [result.status for result in module.results] == ["passed", "passed", "passed", "unsupported"]

    def both(logits, target):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        rows = np.arange(len(target))
        loss = -np.log(p[rows, target]).sum()
        p[rows, target] -= 1
        return loss, p

    card = luce.check.conformance(both, only=["loss", "gradient", "−inf", "second derivative", "weight"])
    assert [result.status for result in card.results] == ["passed"] * 3 + ["unsupported"] * 2
    assert implementation(both).framework == "numpy" and implementation(ours).framework == "torch"


def test_dense_targets_alone():
    def dense(logits, target):
        if target.ndim != logits.ndim:
            raise ValueError("one-hot rows")
        return -(target * torch.log_softmax(logits, 1)).sum(1)

    card = luce.check.conformance(dense, only=["loss", "gradient", "distributions", "class out of range"])
    assert card.passed and not card.unsupported


def test_an_adapter_renames_options_and_does_without_those_that_a_version_lacks(monkeypatch):
    def theirs(input, weight, target, bias=None, lse_square_scale=0.0, ce_weight=None, reduction="mean"):
        return layer(
            input, weight, target, linear_bias=bias, z_loss=lse_square_scale, weight=ce_weight, reduction=reduction
        )

    name = "liger_kernel.transformers.functional"
    for i in range(1, 4):
        monkeypatch.setitem(sys.modules, ".".join(name.split(".")[:i]), types.ModuleType(name))
    sys.modules[name].liger_fused_linear_cross_entropy = theirs
    monkeypatch.setattr("importlib.metadata.version", lambda package: "0")
    checks = ["loss", "weight", "z_loss", "softcap", "layer: bias"]
    card = luce.check.conformance(f"{name}:liger_fused_linear_cross_entropy", only=checks)
    assert [result.status for result in card.results] == ["passed"] * 3 + ["unsupported", "passed"]
    assert card["softcap"].detail == "takes no softcap" and card.versions["liger-kernel"] == "0"


def test_what_cannot_be_called_is_no_pass():
    def never(logits, target):
        raise RuntimeError("not today")

    def nothing(logits, target):
        pass

    def both(logits, target):
        return ours(logits, target), logits

    alone = "where the value alone is wanted"
    for function, framework, words in (
        (never, "numpy", "RuntimeError: not today"),
        (nothing, "numpy", f"returns NoneType, {alone}"),
        (nothing, "torch", f"returns NoneType, {alone}"),
        (both, "torch", f"returns tuple, {alone}"),
    ):
        with pytest.raises(ValueError, match=rf"cannot be called with \(logits, target\): {words}"):
            luce.check.conformance(function, framework)
    with pytest.raises(ValueError, match="framework: expected numpy, torch, jax, got 'list'"):
        luce.check.conformance(never, "list")


def test_what_raises_is_listed_with_its_reason():
    def picky(logits, target, label_smoothing=0.0):
        if label_smoothing:
            raise NotImplementedError("no smoothing yet")
        return ours(logits, target)

    card = luce.check.conformance(picky, only=["loss", "label_smoothing"])
    assert card["label_smoothing"].status == "unsupported"
    assert card["label_smoothing"].detail == "NotImplementedError: no smoothing yet"


def test_an_option_that_is_refused_hides_no_overwritten_input():
    def overwriting(logits, target, weight=None):
        if weight is not None:
            raise NotImplementedError("no weights yet")
        return input_overwritten(logits, target)

    card = luce.check.conformance(overwriting, "torch", only="inputs unchanged")
    assert failed(card) == {"inputs unchanged"}
    assert "entries differ, first at (0, 0): " in card["inputs unchanged"].detail


def test_assert_conforms():
    luce.check.assert_conforms(luce.cross_entropy, only="gradient", required=["gradient"])
    with pytest.raises(AssertionError, match=r"(?s)does not conform.*forward mode .*: derivative along a vector is 0"):
        luce.check.assert_conforms(tangent_of_zero, only=["loss", "forward mode"])
    with pytest.raises(AssertionError, match=r"forward mode .*NumPy has no forward mode"):
        luce.check.assert_conforms(luce.cross_entropy, only="forward mode", required=["forward mode"])
    with pytest.raises(ValueError, match="no check 'lost'"):
        luce.check.assert_conforms(luce.cross_entropy, only="lost")

    def twice(logits, target):
        return F.cross_entropy(logits.softmax(1), target)

    with pytest.raises(AssertionError, match=r"(?s)loss .*gradient .*known mistake: softmax applied twice; remove one"):
        luce.check.assert_conforms(twice, only=["loss", "gradient"])
    luce.check.assert_conforms(luce.cross_entropy, only="-inf", required=["−inf"])


def test_cards_in_every_form():
    cards = [
        luce.check.conformance(f, name=n, only=["loss", "forward mode"])
        for f, n in [(ours, "ours"), (tangent_of_zero, "theirs")]
    ]
    console = Console(width=120, record=True, file=io.StringIO())
    for form in (cards[1], Comparison(cards)):
        console.print(form)
    text = console.export_text()
    assert "1 passed, 1 failed, 0 not supported" in text and "theirs" in text
    found = json.loads(Comparison(cards).to_json())
    assert [card["passed"] for card in found] == [True, False]
    assert found[1]["results"][1]["status"] == "failed"
    markdown = Comparison(cards).to_markdown()
    assert "| forward mode | ✓ 0." in markdown
    assert f"* **forward mode**: {cards[1]['forward mode'].what}" in markdown
    assert "    * theirs: derivative along a vector is 0, should be" in markdown
    several = Comparison([*cards, cards[1]]).to_markdown()
    assert (
        "* **B**: `theirs`: 1 passed, 1 failed, 0 not supported (torch" in several
        and "    * B, C: derivative along a vector is 0" in several
    )
    assert "    * all: derivative along a vector is 0" in Comparison([cards[1], cards[1]]).to_markdown()


def test_what_was_not_tried_stands_by_its_reason():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(
        luce.check.conformance(F.cross_entropy, only=["z_loss", "tail", "−inf under a softcap", "layer: bias"])
    )
    text = console.export_text()
    assert "–  z_loss, tail: no such option" in text and "–  −inf under a softcap: takes no softcap" in text
    assert "–  layer: bias: takes logits" in text


def test_the_worst_of_several_failures_is_told():
    card = luce.check.conformance("torch.nn.functional:cross_entropy", only="confident rows, float32")
    (result,) = card.results
    assert result.detail.startswith("margin 17: loss is 0, should be 4.14e-08, off by 8.389e+06 eps of float32 (and")
    assert result.worst == 2**23


def test_a_function_in_a_file(tmp_path):
    file = tmp_path / "mine_in_a_file.py"
    file.write_text(
        "import torch\n\ndef loss(logits, target):\n    return torch.nn.functional.cross_entropy(logits, target)\n"
    )
    card = luce.check.conformance(f"{file}:loss", only=["loss", "gradient"])
    assert card.passed and not card.unsupported
    for target in (f"{tmp_path}/absent.py:loss", "luce", "luce:absent"):
        with pytest.raises(ValueError, match=r"absent|expected module:function"):
            luce.check.conformance(target)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import math\n1 / 0\n", "numpy.py, line 2: ZeroDivisionError"),
        ("def loss(:\n", "numpy.py, line 1: SyntaxError"),
        ("\n\nraise SystemExit(3)\n", "numpy.py, line 3: SystemExit: 3"),
    ],
)
def test_a_file_that_fails_says_where(tmp_path, text, words):
    file = tmp_path / "numpy.py"  # takes no other module's place
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        luce.check.conformance(f"{file}:loss")
    assert np is __import__("numpy")
