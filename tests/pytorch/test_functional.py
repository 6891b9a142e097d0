"""The loss of logits under PyTorch, against the oracle: each option with each other, on the CPU and as on a device."""

import re

import numpy as np
import pytest
import torch
from mpmath import mp
from torch.nn import functional as F

import luce.torch
from luce.check.inputs import cases
from luce.check.inputs.pairs import all_pairs
from luce.check.inputs.problems import FACTORS, DrawnProblem
from luce.check.oracle import CrossEntropy, Exact
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_same_bits, assert_within
from tensors import Call, array, check_all, elsewhere

PAIRS = all_pairs({**FACTORS, "dtype": ["float32", "float64"]})


def name_of(row: dict) -> str:
    return "-".join(str(value) for value in row.values())


@pytest.fixture(params=["kernels", "formulas"])
def path(request, monkeypatch):
    """The compiled kernels of the CPU, and PyTorch's operations as on all other devices."""
    if request.param == "formulas":
        elsewhere(monkeypatch)
    return request.param


@pytest.mark.parametrize("row", PAIRS, ids=name_of)
def test_every_pair_of_options(row, path):
    check_all(DrawnProblem(seed=len(name_of(row)), **row), path)


@pytest.mark.parametrize("target", cases.TARGETS)
@pytest.mark.parametrize("case", cases.LOGITS)
def test_each_case_with_each_target(case, target, path):
    for v, dtype in ((2, "float64"), (9, "float32")):
        problem = DrawnProblem(seed=v, case=case, target=target, n_rows=3, n_classes=v, dtype=dtype, reduction="none")
        check_all(problem, path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_class_and_row_weights_have_their_gradients(dtype, path):
    """∂L/∂w_j = Σ_i r_i t_ij (lse − u_j) and ∂L/∂r_i = ℓ_i, for sums that no weight divides."""
    rng = np.random.default_rng(0)
    z, y = 3 * rng.standard_normal((6, 5)).astype(dtype), rng.integers(0, 5, 6)
    w, r = (0.5 + rng.random(5)).astype(dtype), (0.5 + rng.random(6)).astype(dtype)
    weight, sample_weight = (torch.tensor(a, requires_grad=True) for a in (w, r))
    loss = luce.torch.cross_entropy(
        torch.tensor(z), torch.tensor(y), weight, sample_weight=sample_weight, reduction="sum"
    )
    of_weight, of_rows = torch.autograd.grad(loss, (weight, sample_weight))
    plain = CrossEntropy(z, y, reduction="none").losses.value
    with mp.workdps(60):
        classes = np.array([sum((r[i] * plain[i] for i in np.flatnonzero(y == j)), mp.zero) for j in range(5)])
        assert_within(array(of_weight), Exact(classes, classes), 8)
        assert_within(array(of_rows), Exact(plain * w[y], plain * w[y]), 8)


def test_the_weighted_mean_is_differentiated_through_what_it_divides_by():
    z = torch.randn(7, 4, dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 3, 0, -100, 1])
    w = (0.5 + torch.rand(4, dtype=torch.float64)).requires_grad_()
    r = (0.5 + torch.rand(7, dtype=torch.float64)).requires_grad_()
    found = torch.autograd.grad(luce.torch.cross_entropy(z, y, w, sample_weight=r), (w, r))
    live = y >= 0
    losses = -torch.log_softmax(z, 1)[live].gather(1, y[live][:, None])[:, 0]
    shares = w[y[live]] * r[live]
    want = torch.autograd.grad((shares * losses).sum() / shares.sum(), (w, r))
    torch.testing.assert_close(found, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("on_empty", ["nan", "zero", "raise"])
@pytest.mark.parametrize("target", [[-100, -100], []], ids=["all ignored", "no rows"])
def test_nothing_left_to_average(on_empty, target, path):
    """NaN: pytorch#70348, #75181, #116349, OpenRLHF#583; 0: Liger. Whoever calls says which."""
    z = torch.zeros(len(target), 3, requires_grad=True)
    y = torch.tensor(target, dtype=torch.int64)
    if on_empty == "raise":
        with pytest.raises(ValueError, match="on_empty"):
            luce.torch.cross_entropy(z, y, on_empty=on_empty)
        return
    loss = luce.torch.cross_entropy(z, y, on_empty=on_empty)
    assert torch.isnan(loss) if on_empty == "nan" else loss == 0
    loss.backward()
    assert z.grad.shape == z.shape and not z.grad.any()


def test_a_normalizer_makes_pieces_the_same_bits_as_the_whole(path):
    """Means of means are wrong where pieces differ in size: torchtune#1875, transformers#34191."""
    problem = DrawnProblem(n_rows=12, target="ignored", seed=4, dtype="float32")
    count = int((problem.target >= 0).sum())
    z, y = torch.tensor(problem.logits, requires_grad=True), torch.tensor(problem.target)
    (whole,) = torch.autograd.grad(luce.torch.cross_entropy(z, y), z)
    for normalizer in (count, float(count), torch.tensor(count)):
        for part in (slice(0, 5), slice(5, 12)):
            luce.torch.cross_entropy(z[part], y[part], normalizer=normalizer).backward()
        assert_same_bits(array(z.grad), array(whole))
        z.grad = None


# Shapes, layouts, types


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 5, 3), (2, 5, 3, 2), (2, 5, 1, 2, 3), (0, 5), (2, 5, 0)], ids=str)
@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_shapes_are_pytorchs(shape, kind, reduction, path):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    axis = min(len(shape) - 1, 1)
    if kind == "index":
        target = torch.randint(0, 5, (*shape[:axis], *shape[axis + 1 :]), generator=generator)
    else:
        target = torch.rand(shape, generator=generator, dtype=torch.float64)
    options = {"weight": torch.arange(1.0, 6, dtype=torch.float64), "label_smoothing": 0.1, "reduction": reduction}
    found, want = luce.torch.cross_entropy(z, target, **options), F.cross_entropy(z, target, **options)
    torch.testing.assert_close(found, want, rtol=1e-13, atol=1e-13, equal_nan=True)
    upstream = torch.randn(want.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(found, z, upstream)
    if z.numel():
        torch.testing.assert_close(gradient, torch.autograd.grad(want, z, upstream)[0], rtol=1e-12, atol=1e-14)
    assert gradient.shape == z.shape


def layouts(z: torch.Tensor) -> dict[str, torch.Tensor]:
    """The values of (N, C, H, W) in the ways that tensors can be laid out."""
    wide = torch.zeros([2 * n for n in z.shape], dtype=z.dtype)
    wide[::2, ::2, ::2, ::2] = z
    return {
        "channels last": z.contiguous(memory_format=torch.channels_last),
        "sliced": wide[::2, ::2, ::2, ::2],
        "transposed": z.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        "offset": torch.cat([torch.zeros(1, dtype=z.dtype), z.flatten()])[1:].view(z.shape),
    }


@pytest.mark.parametrize("layout", ["channels last", "sliced", "transposed", "offset"])
@pytest.mark.parametrize("kind", ["index", "probabilities"])
def test_layouts_give_the_same_bits(layout, kind, path):
    z = torch.randn(3, 5, 4, 2)
    target = torch.randint(0, 5, (3, 4, 2)) if kind == "index" else torch.rand(3, 5, 4, 2)
    laid = layouts(z)[layout].detach().requires_grad_()
    plain = z.clone().requires_grad_()
    lay_target = layouts(target)[layout] if kind == "probabilities" else target
    found, want = luce.torch.cross_entropy(laid, lay_target), luce.torch.cross_entropy(plain, target)
    assert_same_bits(array(found), array(want))
    gradients = [torch.autograd.grad(loss, leaf)[0] for loss, leaf in ((found, laid), (want, plain))]
    assert_same_bits(*map(array, gradients))
    assert_same_bits(array(laid), array(z))


def test_expanded_rows_add_up_in_the_gradient(path):
    row = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 2, 2, 1])
    luce.torch.cross_entropy(row.expand(4, 3), y, reduction="sum").backward()
    exact = CrossEntropy(np.tile(row.detach().numpy(), (4, 1)), y.numpy(), reduction="sum").gradient()
    total = Exact(exact.value.sum(axis=0), exact.scale.sum(axis=0))
    assert_within(array(row.grad), total, 8 + 4 / 2)


@pytest.mark.parametrize("integer", ["uint8", "int8", "int16", "int32", "int64"])
def test_integer_targets(integer, path):
    z = torch.randn(4, 5, requires_grad=True)
    y = torch.tensor([0, 4, 2, 1])
    want = luce.torch.cross_entropy(z, y)
    found = luce.torch.cross_entropy(z, y.to(getattr(torch, integer)))
    assert_same_bits(array(found), array(want))
    assert_same_bits(*(array(torch.autograd.grad(loss, z)[0]) for loss in (found, want)))


def test_the_older_names_of_reduction():
    z, y = torch.randn(3, 4), torch.tensor([0, 1, 2])
    for size_average in (None, True, False):
        for reduce in (None, True, False):
            old = {"size_average": size_average, "reduce": reduce}
            if size_average is None and reduce is None:
                want = F.cross_entropy(z, y)
            else:
                with pytest.warns(UserWarning, match="deprecated"):
                    want = F.cross_entropy(z, y, **old)
            torch.testing.assert_close(luce.torch.cross_entropy(z, y, **old), want)


def test_arguments_come_in_pytorchs_order():
    z, y, w = torch.randn(3, 4), torch.tensor([0, 1, 2]), torch.rand(4)
    torch.testing.assert_close(
        luce.torch.cross_entropy(z, y, w, None, 1, None, "sum", 0.2),
        F.cross_entropy(z, y, w, None, 1, None, "sum", 0.2),
    )


@pytest.mark.parametrize("kind", ["index", "probabilities"])
def test_autocast_returns_float32_as_pytorch_does(kind):
    z = torch.randn(6, 5, dtype=torch.bfloat16, requires_grad=True)
    target = torch.randint(0, 5, (6,)) if kind == "index" else torch.rand(6, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, want = luce.torch.cross_entropy(z, target), F.cross_entropy(z, target)
    assert found.dtype == want.dtype == torch.float32
    exact = F.cross_entropy(z.double(), target.double() if kind == "probabilities" else target)
    assert abs(found.item() - exact.item()) <= 4 * torch.finfo(torch.float32).eps * exact.item()
    gradients = [torch.autograd.grad(loss, z)[0] for loss in (found, want)]
    assert gradients[0].dtype == gradients[1].dtype == torch.bfloat16


# The next token


def test_shift_takes_the_class_of_the_next_place(path):
    z = torch.randn(2, 6, 5, dtype=torch.float64, requires_grad=True)  # (batch, classes, places)
    y = torch.randint(0, 6, (2, 5))
    y[0, 3] = -100
    found = luce.torch.cross_entropy(z, y, shift=True)
    want = luce.torch.cross_entropy(z[:, :, :-1], y[:, 1:])
    torch.testing.assert_close(found, want, rtol=1e-15, atol=0)
    assert_same_bits(*(array(torch.autograd.grad(loss, z)[0]) for loss in (found, want)))
    rows = luce.torch.cross_entropy(z, y, shift=True, reduction="none")
    assert_same_bits(array(rows[:, :-1]), array(luce.torch.cross_entropy(z[:, :, :-1], y[:, 1:], reduction="none")))
    assert rows.shape == (2, 5) and not rows[:, -1].any()


# What the rows tell


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("options", [{}, {"softcap": 5.0, "temperature": 0.5}], ids=str)
def test_statistics(dtype, options, path):
    dtype = getattr(torch, dtype)
    z = (4 * torch.randn(3, 7, 2)).to(dtype).requires_grad_()
    z.data[0, 2:5, 0] = -torch.inf
    y = z.detach().argmax(1)
    y[0, 0], y[1, 1] = (y[0, 0] + 1) % 7, -100
    loss, stats = luce.torch.cross_entropy(z, y, stats=True, **options)
    assert_same_bits(array(loss), array(luce.torch.cross_entropy(z, y, **options)))
    u = z.detach().double()
    if options:
        u = 5 * torch.tanh(u / 5) / 0.5
        u = torch.where(z.detach() == -torch.inf, -torch.inf, u)
    p = torch.softmax(u, 1)
    close = {"rtol": 8 * torch.finfo(dtype).eps, "atol": 8 * torch.finfo(dtype).eps, "check_dtype": False}
    torch.testing.assert_close(stats.logsumexp, torch.logsumexp(u, 1), **close)
    torch.testing.assert_close(stats.entropy, torch.special.entr(p).sum(1), **close)
    assert stats.logsumexp.dtype == stats.entropy.dtype == dtype
    assert torch.equal(stats.prediction, z.detach().argmax(1))
    assert torch.equal(stats.correct, stats.prediction == y)
    assert int(stats.correct.sum()) == 4
    assert not any(part.requires_grad for part in stats[:4])
    loss.backward()
    assert z.grad.isfinite().all()


def test_statistics_of_soft_targets(path):
    z = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])
    _, dense = luce.torch.cross_entropy(z, torch.tensor([[0.1, 0.7, 0.2], [0.3, 0.4, 0.3]]), stats=True)
    pair = (torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0.3, 0.7], [0.1, 0.2]]))
    _, sparse = luce.torch.cross_entropy(z, pair, stats=True)
    assert dense.prediction.tolist() == sparse.prediction.tolist() == [1, 0]
    assert dense.correct.tolist() == [True, False]
    assert sparse.correct.tolist() == [True, True]


# Errors

Z, Y = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
ERRORS = {
    "label out of range": (IndexError, (Z, torch.tensor([0, 3, 1, 0])), {}, "target[1] is 3, expected 0 <= class < 3"),
    "negative label": (IndexError, (Z, torch.tensor([0, 1, -7, 0])), {}, "target[2] is -7"),
    "label -100 without ignore_index": (IndexError, (Z, Y - 100), {"ignore_index": None}, "target[0] is -100"),
    "label in a pair": (
        IndexError,
        (Z, (torch.tensor([[0], [1], [2], [3]]), torch.ones(4, 1))),
        {},
        "indices[3, 0] is 3",
    ),
    "length": (ValueError, (Z, Y[:3]), {}, "class indices for logits (4, 3) have shape (4,), got (3,)"),
    "one-hot integers": (ValueError, (Z, torch.eye(3, dtype=torch.int64)[Y]), {}, "make them float"),
    "distribution's shape": (ValueError, (Z, torch.zeros(4, 2)), {}, "target: expected shape (4, 3) (a distribution"),
    "float labels": (TypeError, (Z, Y.float()), {}, "class indices must be integers, got torch.float32"),
    "bool target": (TypeError, (Z, Y > 0), {}, "torch.bool"),
    "integer logits": (TypeError, (Z.long(), Y), {}, "input: expected floating-point numbers"),
    "no classes": (ValueError, (torch.zeros(4, 0), Y), {}, "at least one class"),
    "scalar": (ValueError, (torch.tensor(1.0), Y), {}, "got ()"),
    "weight's shape": (ValueError, (Z, Y, torch.ones(4)), {}, "weight: expected shape (3,)"),
    "sample_weight's shape": (
        ValueError,
        (Z, Y),
        {"sample_weight": torch.ones(3)},
        "sample_weight: expected shape (4,)",
    ),
    "reduction": (ValueError, (Z, Y), {"reduction": "avg"}, "reduction"),
    "on_empty": (ValueError, (Z, Y), {"on_empty": "no"}, "on_empty"),
    "smoothing": (ValueError, (Z, Y), {"label_smoothing": 1.5}, "label_smoothing"),
    "smoothing NaN": (ValueError, (Z, Y), {"label_smoothing": float("nan")}, "label_smoothing"),
    "z_loss": (ValueError, (Z, Y), {"z_loss": -1.0}, "z_loss"),
    "softcap": (ValueError, (Z, Y), {"softcap": 0.0}, "softcap"),
    "temperature": (ValueError, (Z, Y), {"temperature": 0.0}, "temperature"),
    "normalizer of a sum": (ValueError, (Z, Y), {"normalizer": 2.0, "reduction": "sum"}, "normalizer"),
    "normalizer 0": (ValueError, (Z, Y), {"normalizer": 0.0}, "normalizer"),
    "normalizer's shape": (ValueError, (Z, Y), {"normalizer": torch.ones(2)}, "normalizer"),
    "tail of indices": (ValueError, (Z, Y), {"tail": "uniform"}, "tail"),
    "tail": (ValueError, (Z, (Y[:, None], torch.ones(4, 1))), {"tail": "half"}, "tail"),
    "pair's types": (TypeError, (Z, (torch.ones(4, 1), torch.ones(4, 1))), {}, "must be integers, got torch.float32"),
    "pair's shapes": (ValueError, (Z, (Y[:, None], torch.ones(4, 2))), {}, "probabilities: expected shape (4, 1)"),
    "ignored distribution": (ValueError, (Z, torch.ones(4, 3)), {"ignore_index": 1}, "ignore_index"),
    "shift of a distribution": (ValueError, (Z, torch.ones(4, 3)), {"shift": True}, "shift"),
    "shift that ignores nothing": (ValueError, (Z, Y), {"shift": True, "ignore_index": None}, "shift"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_argument(case):
    kind, arguments, options, words = ERRORS[case]
    with pytest.raises(kind, match=re.escape(words)):
        luce.torch.cross_entropy(*arguments, **options)


def test_an_error_comes_before_anything_is_written():
    z = torch.zeros(4, 3, requires_grad=True)
    with pytest.raises(IndexError):
        luce.torch.cross_entropy(z, torch.tensor([0, 1, 2, 3]))
    assert not z.any() and z.grad is None


def test_inputs_without_gradients_make_no_graph():
    call = Call(DrawnProblem(n_rows=3, n_classes=4))
    with torch.no_grad():
        assert not call.loss().requires_grad
    with torch.inference_mode():
        assert not call.loss().requires_grad
    assert not luce.torch.cross_entropy(Z, Y).requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_confident_rows_keep_every_digit(dtype, path):
    """The figure of the README: PyTorch says 0 here, and its gradient is 0 ("softmax collapse", arXiv 2501.04697)."""
    z = torch.tensor([[60.0, 0, 0, 0]], dtype=getattr(torch, dtype), requires_grad=True)
    loss = luce.torch.cross_entropy(z, torch.tensor([0]))
    loss.backward()
    exact = CrossEntropy(array(z), [0])
    assert_loss(array(loss), exact)
    assert_gradient(array(z.grad), exact)
    assert f"{loss.item():.1e}" == "2.6e-26"
