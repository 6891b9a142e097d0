"""bfloat16 and float16: computed in float32, rounded once; never further from the truth than PyTorch's own result."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import luce.torch
from luce.check.inputs import cases
from luce.check.inputs.problems import DrawnProblem
from luce.check.oracle import CrossEntropy, to_float
from tensors import DTYPES, array, elsewhere, of_operations

HALVES = ["bfloat16", "float16"]


@pytest.fixture(params=["kernels", "formulas"])
def path(request, monkeypatch):
    if request.param == "formulas":
        elsewhere(monkeypatch)
    return request.param


def rounded(problem: DrawnProblem, dtype) -> DrawnProblem:
    """The problem whose logits are numbers of a 16-bit type."""
    largest = torch.finfo(dtype).max
    problem.logits = torch.tensor(np.clip(problem.logits, -np.inf, largest)).to(dtype).float().numpy()
    problem.vector = torch.tensor(problem.vector).to(dtype).float().numpy()
    return problem


def assert_rounded_once(found, exact, dtype, eps_of_float32=16):
    """Half a unit of the type for the one rounding, and what float32 may have missed before it."""
    value, scale = to_float(exact.value), to_float(exact.scale)
    got = array(found).astype(np.float64)
    info, single = torch.finfo(dtype), torch.finfo(torch.float32)
    with np.errstate(invalid="ignore"):
        before = eps_of_float32 * (single.eps * np.maximum(scale, abs(value)) + single.smallest_normal)
        allowed = before + np.maximum(info.eps / 2 * (abs(value) + before), info.smallest_normal * info.eps / 2)
        too_large = abs(value) + before >= info.max
        fine = (got == value) | (np.isnan(got) & np.isnan(value)) | (abs(got - value) <= allowed) | too_large
    assert got.shape == value.shape
    assert fine.all(), (got[~fine], value[~fine])


OPTIONS = {
    "plain": {},
    "weights": {"weight": "some", "sample_weight": "some", "label_smoothing": 0.1},
    "z_loss": {"z_loss": 0.1, "reduction": "sum"},
    "capped": {"softcap": 8.0, "temperature": 0.5, "reduction": "none"},
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("target", ["index", "ignored", "distribution", "top-k"])
def test_rounded_once(target, options, dtype, path):
    dtype = DTYPES[dtype]
    for case in cases.LOGITS:
        problem = DrawnProblem(
            seed=1, case=case, target=target, n_rows=4, n_classes=17, dtype="float32", **OPTIONS[options]
        )
        rounded(problem, dtype)
        exact = problem.exact
        room = (lambda of, p=problem: of_operations(of, p)) if path == "formulas" else (lambda of: of)
        z = torch.tensor(problem.logits).to(dtype).requires_grad_()
        given = {n: torch.tensor(v) if isinstance(v, np.ndarray) else v for n, v in problem.options.items()}
        t = problem.target
        t = tuple(map(torch.tensor, t)) if isinstance(t, tuple) else torch.tensor(t)
        loss = luce.torch.cross_entropy(z, t, **given)
        (gradient,) = torch.autograd.grad(loss.sum(), z, create_graph=True)
        (product,) = torch.autograd.grad(gradient, z, torch.tensor(problem.vector).to(dtype))
        assert loss.dtype == gradient.dtype == product.dtype == dtype
        assert_rounded_once(loss, room(exact.value), dtype)
        assert_rounded_once(gradient, room(exact.gradient()), dtype)
        assert_rounded_once(product, room(exact.hvp(problem.vector)), dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_no_entry_is_further_from_the_truth_than_pytorchs(reduction, kind, dtype, path):
    """Beside one rounding; also where rows have upstream gradients of their own, which off the CPU round once more."""
    dtype = DTYPES[dtype]
    torch.manual_seed(0)
    z = (3 * torch.randn(40, 30)).to(dtype).requires_grad_()
    target = torch.randint(0, 30, (40,)) if kind == "index" else torch.softmax(torch.randn(40, 30), 1).to(dtype)
    exact = CrossEntropy(array(z), array(target), reduction=reduction)
    ours, theirs = (f(z, target, reduction=reduction) for f in (luce.torch.cross_entropy, F.cross_entropy))
    upstream = torch.linspace(0.25, 1.75, ours.numel()).reshape(ours.shape).to(dtype) if ours.dim() else None
    gradients = [torch.autograd.grad(loss, z, upstream)[0] for loss in (ours, theirs)]
    factor = 1.0 if upstream is None else array(upstream)[:, None].astype(np.float64)
    for (found, other), truth in (
        ((ours, theirs), to_float(exact.value.value)),
        (gradients, to_float(exact.gradient().value) * factor),
    ):
        error, theirs_error = (abs(array(part).astype(np.float64) - truth) for part in (found, other))
        rounding = np.maximum(torch.finfo(dtype).eps * abs(truth), torch.finfo(dtype).smallest_normal * 2**-10) / 2
        roundings = 2 if path == "formulas" and reduction == "none" else 1
        assert (error <= theirs_error + roundings * rounding * (1 + 1e-3)).all()
    assert abs(array(gradients[0])).max() > 0


@pytest.mark.parametrize("dtype", HALVES)
def test_a_large_upstream_gradient_comes_before_the_rounding(dtype):
    """GradScaler's 65536: what is subnormal in float16, or rounded, before it is scaled keeps the digits of float32."""
    dtype = DTYPES[dtype]
    z = torch.tensor([[0.0, -14.0, -16.0]], dtype=dtype, requires_grad=True)
    loss = luce.torch.cross_entropy(z, torch.tensor([0]), reduction="sum")
    (found,) = torch.autograd.grad(loss, z, torch.tensor(16384.0, dtype=dtype))
    exact = CrossEntropy(array(z), [0], sample_weight=[16384.0], reduction="sum")
    assert_rounded_once(found, exact.gradient(), dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_a_layer_of_16_bits(dtype, path):
    """From the logits that PyTorch's product rounds: x's and W's gradients, and the bias's summed in float32."""
    dtype = DTYPES[dtype]
    torch.manual_seed(0)
    x, w, b = (torch.randn(shape).to(dtype).requires_grad_() for shape in ((50, 8), (20, 8), (20,)))
    y = torch.randint(0, 20, (50,))
    loss = luce.torch.linear_cross_entropy(x, w, y, linear_bias=b)
    gradients = torch.autograd.grad(loss, (x, w, b))
    assert loss.dtype == dtype and all(part.dtype == dtype for part in gradients)
    z = F.linear(x, w, b).detach()
    exact = CrossEntropy(array(z), y.numpy())
    assert_rounded_once(loss, exact.value, dtype, 64)
    slope = to_float(exact.gradient().value)
    wide = [array(part).astype(np.float64) for part in (x, w)]
    unit = torch.finfo(dtype).eps / 2
    truths = (slope @ wide[1], slope.T @ wide[0], slope.sum(0))
    terms = (abs(slope) @ abs(wide[1]), abs(slope).T @ abs(wide[0]), abs(slope).sum(0))
    for found, truth, size in zip(gradients, truths, terms, strict=True):
        grid = 50 * torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps  # of the logits' gradient, summed
        assert (abs(array(found) - truth) <= unit * abs(truth) + 1.01 * unit * size + grid).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("factor", [0.3, 0.25, 3.0, 0.0])
def test_a_layer_of_16_bits_is_rounded_once_under_any_upstream_gradient(dtype, factor):
    """The same bits as with the factor in the rows' weights."""
    dtype = DTYPES[dtype]
    torch.manual_seed(0)
    parts = [torch.randn(shape).to(dtype).requires_grad_() for shape in ((50, 8), (20, 8), (20,))]
    y, upstream = torch.randint(0, 20, (50,)), torch.tensor(factor, dtype=dtype)

    def loss(**more):
        return luce.torch.linear_cross_entropy(*parts[:2], y, linear_bias=parts[2], reduction="sum", **more)

    found = torch.autograd.grad(loss(), parts, upstream)
    want = torch.autograd.grad(loss(sample_weight=upstream.expand(50)), parts)
    assert all(torch.equal(f, w) for f, w in zip(found, want, strict=True))
