"""`torch.compile` without breaks or recompilation, `opcheck`, `torch.export`, meta and fake tensors."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.library import opcheck
from torch.nn import functional as F

import luce.torch

DOUBLE = {"dtype": torch.float64}
CALL = {"index": torch.tensor([[2], [0], [-100], [1]]), "scale": torch.tensor([1.0, 0.5, 2.0, 1.5], **DOUBLE)}
TARGETS = {
    "indices": (CALL["index"], None, None, None),
    "pairs": (torch.tensor([[0, 1]] * 4), torch.full((4, 2), 0.3, **DOUBLE), None, torch.rand(3, **DOUBLE) + 0.5),
    "probabilities": (None, None, torch.rand(4, 3, **DOUBLE), torch.rand(3, **DOUBLE) + 0.5),
}
OPTIONS = {"indices": (0.1, -100, 0.05, 0.0, 1.0, False), "pairs": (0.0, None, 0.0, 2.0, 0.5, True)}


def losses(name):
    """The two losses as functions of what changes and the target."""
    if name == "logits":
        return lambda x, w, b, y, **options: luce.torch.cross_entropy(x @ w.T + b, y, **options)
    return lambda x, w, b, y, **options: luce.torch.linear_cross_entropy(x, w, y, linear_bias=b, **options)


def arguments(n, d, v, soft=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, w, b = (
        torch.randn(shape, generator=generator, **DOUBLE, requires_grad=True) for shape in ((n, d), (v, d), (v,))
    )
    y = torch.rand(n, v, generator=generator, **DOUBLE) if soft else torch.randint(0, v, (n,), generator=generator)
    return x, w, b, y


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


CASES = {
    "plain": {},
    "options": {"reduction": "sum", "z_loss": 0.1, "softcap": 5.0, "temperature": 0.5, "label_smoothing": 0.1},
    "rows": {"reduction": "none"},
    "shift": {"shift": True},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["logits", "layer"])
def test_compiled_whole_for_any_size(name, case):
    """One graph, compiled at the first call alone however sizes change; the values of the eager call."""
    function, options = losses(name), CASES[case]
    graphs, compiled_at = [], []

    def backend(graph, inputs):
        graphs.append(graph)
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

    compiled = torch.compile(lambda *given: function(*given, **options), backend=backend, fullgraph=True, dynamic=True)
    for seed, (n, d, v) in enumerate([(6, 4, 5), (9, 3, 7), (12, 5, 11)]):
        x, w, b, y = arguments(n, d, v, seed=seed)
        y[0] = -100
        found, want = compiled(x, w, b, y), function(x, w, b, y, **options)
        torch.testing.assert_close(found, want, rtol=1e-14, atol=1e-15)
        upstream = torch.linspace(0.5, 2.0, want.numel(), **DOUBLE).reshape(want.shape)
        gradients = [torch.autograd.grad(value, (x, w, b), upstream) for value in (found, want)]
        torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)
        compiled_at.append(len(graphs))
    assert compiled_at[0] == compiled_at[-1] > 0


@pytest.mark.parametrize("kind", ["probabilities", "pairs", "weights"])
@pytest.mark.parametrize("name", ["logits", "layer"])
def test_compiled_with_every_target_and_its_gradient(name, kind):
    function = losses(name)
    x, w, b, t = arguments(5, 3, 4, soft=True)
    weight, rows = torch.rand(4, **DOUBLE, requires_grad=True), torch.rand(5, **DOUBLE, requires_grad=True)
    t = t.requires_grad_()
    index = torch.tensor([[0, 1], [1, 2], [3, 0], [2, 1], [0, 3]])

    def call(x, w, b, t, weight, rows):
        if kind == "weights":
            return function(x, w, b, t.argmax(1), weight=weight, sample_weight=rows)
        target = t if kind == "probabilities" else (index, t[:, :2] / 4)
        return function(x, w, b, target, weight=weight, tail="uniform" if kind == "pairs" else None)

    leaves = (x, w, b, t, weight, rows)
    compiled = torch.compile(call, backend="aot_eager", fullgraph=True)
    values = compiled(*leaves), call(*leaves)
    torch.testing.assert_close(*values, rtol=1e-14, atol=0)
    gradients = [torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True) for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["logits", "layer"])
def test_compiled_statistics_and_modules(name):
    x, w, b, y = arguments(5, 3, 4)
    function = losses(name)
    compiled = torch.compile(lambda *given: function(*given, stats=True), backend="aot_eager", fullgraph=True)
    found, want = compiled(x, w, b, y), function(x, w, b, y, stats=True)
    torch.testing.assert_close(found[0], want[0])
    torch.testing.assert_close(tuple(found[1]), tuple(want[1]))
    module = luce.torch.CrossEntropyLoss(label_smoothing=0.1)
    z = torch.randn(3, 4)
    whole = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(whole(z, y[:3]), F.cross_entropy(z, y[:3], label_smoothing=0.1))


def test_errors_of_compiled_calls():
    compiled = torch.compile(luce.torch.cross_entropy, backend="aot_eager", fullgraph=True)
    with pytest.raises(IndexError, match="target"):
        compiled(torch.zeros(2, 3), torch.tensor([0, 7]))


DIFFERENTIABLE = {
    "cross_entropy",
    "cross_entropy_gradient",
    "linear_cross_entropy",
    "linear_cross_entropy_gradient",
}


def operator_calls():
    z, vector = torch.randn(4, 3, **DOUBLE), torch.randn(4, 3, **DOUBLE)
    x, w, b = torch.randn(4, 2, **DOUBLE), torch.randn(3, 2, **DOUBLE), torch.randn(3, **DOUBLE)
    along = (torch.randn(4, 2, **DOUBLE), torch.randn(3, 2, **DOUBLE), None)
    for name, target in TARGETS.items():
        rest = (*target, CALL["scale"], *OPTIONS.get(name, OPTIONS["indices"]))
        for flags in ((True, True), (False, False)):
            yield "cross_entropy", (z, *rest, *flags)
        yield "cross_entropy_gradient", (z, *rest)
        yield "cross_entropy_product", (z, vector, *rest)
        for wanted in ((True, True, True), (True, False, False), (False, False, False)):
            yield "linear_cross_entropy", (x, w, b, *rest, *wanted, wanted[1])
        yield "linear_cross_entropy_gradient", (x, w, b, *rest, True, True, True)
        yield "linear_cross_entropy_product", (x, w, b, *along, *rest, True, True, False)
        yield "linear_cross_entropy_directional", (x, w, b, *along, *rest)


OPERATOR_CALLS = list(operator_calls())


@pytest.mark.parametrize("place", range(len(OPERATOR_CALLS)), ids=lambda i: f"{OPERATOR_CALLS[i][0]}-{i}")
def test_opcheck(place):
    name, given = OPERATOR_CALLS[place]
    if name in DIFFERENTIABLE:
        given = tuple(part.clone().requires_grad_() if is_float(part) else part for part in given)
    opcheck(getattr(torch.ops.luce, name).default, given)


def is_float(part):
    return isinstance(part, torch.Tensor) and part.is_floating_point()


def test_every_operator_is_checked():
    names = (name.split("::") for name in torch._C._dispatch_get_all_op_names())
    assert {name for library, name in names if library == "luce"} == {name for name, _ in OPERATOR_CALLS}


@pytest.mark.parametrize("name", ["logits", "layer"])
def test_export(name):
    function = losses(name)

    class Model(torch.nn.Module):
        def forward(self, x, w, b, y):
            return function(x, w, b, y, label_smoothing=0.1)

    rows = torch.export.Dim("rows", min=2)
    given = tuple(part.detach() for part in arguments(6, 4, 5))
    program = torch.export.export(Model(), given, dynamic_shapes=({0: rows}, None, None, {0: rows}))
    for n in (6, 9):
        more = tuple(part.detach() for part in arguments(n, 4, 5, seed=n))
        torch.testing.assert_close(program.module()(*more), function(*more, label_smoothing=0.1), rtol=1e-14, atol=0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["logits", "layer"])
@pytest.mark.parametrize("device", ["meta", "fake"])
def test_shapes_without_numbers(device, name, reduction):
    """On the meta device and under fake tensors: shapes, types and a backward."""
    x, w, b, y = arguments(6, 4, 5)
    if device == "meta":
        given = [part.detach().to("meta").requires_grad_(part.requires_grad) for part in (x, w, b, y)]
        found = losses(name)(*given, reduction=reduction)
        found.sum().backward()
    else:
        with FakeTensorMode() as mode:
            given = [mode.from_tensor(part) for part in (x, w, b, y)]
            found = losses(name)(*given, reduction=reduction)
            found.sum().backward()
    assert found.shape == ((6,) if reduction == "none" else ())
    assert found.dtype == torch.float64
    assert [part.grad.shape for part in given[:3]] == [x.shape, w.shape, b.shape]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # of the compiler itself
def test_inductor():
    """Its code is C++ that is compiled here: one small call."""
    compiled = torch.compile(luce.torch.cross_entropy, fullgraph=True, dynamic=True)
    z, y = torch.randn(7, 5, requires_grad=True), torch.randint(0, 5, (7,))
    values = compiled(z, y), luce.torch.cross_entropy(z, y)
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, z)[0] for value in values))
