"""The autograd contract of the loss of logits and of a layer: every order, both modes, `torch.func` and `vmap`."""

import functools
import gc
import itertools
import math

import numpy as np
import pytest
import torch
from torch import func
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.nn import functional as F

import luce.torch
from luce.check.oracle import CrossEntropy
from luce.check.truth.tolerance import assert_gradient, assert_same_bits
from tensors import array

N, V, D = 4, 3, 2
DOUBLE = {"dtype": torch.float64}


def drawn(*shape, positive=False, seed=0):
    found = torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), **DOUBLE)
    return (found.abs() + 0.2 if positive else found).requires_grad_()


INDEX = torch.tensor([2, 0, -100, 1])
CLASSES = torch.tensor([2, 0, 1, 1])
SPARSE = torch.tensor([[0, 2], [1, 0], [2, 1], [0, 1]])
LOGITS, X, W, B = drawn(N, V), drawn(N, D, seed=1), drawn(V, D, seed=2), drawn(V, seed=3)
PROBABILITIES, SHARES = (
    drawn(N, V, positive=True, seed=4),
    drawn(N, 2, seed=5).detach().sigmoid().mul(0.4).requires_grad_(),
)
CLASS, ROW = drawn(V, positive=True, seed=6), drawn(N, positive=True, seed=7)

OPTIONS = {
    "mean": {},
    "sum": {"reduction": "sum", "z_loss": 0.1},
    "none": {"reduction": "none", "label_smoothing": 0.1},
    "capped": {"softcap": 2.0, "temperature": 0.7, "z_loss": 0.05},
}


def of_classes(z, **options):
    return luce.torch.cross_entropy(z, CLASSES, **options)


def of_indices(z, w, r, **options):
    return luce.torch.cross_entropy(z, INDEX, w, sample_weight=r, **options)


def of_probabilities(z, t, w, r, **options):
    return luce.torch.cross_entropy(z, t, w, sample_weight=r, **options)


def of_pairs(z, t, w, r, **options):
    return luce.torch.cross_entropy(z, (SPARSE, t), w, sample_weight=r, tail="uniform", **options)


def layer_of_indices(x, W, b, w, r, **options):
    return luce.torch.linear_cross_entropy(x, W, INDEX, linear_bias=b, weight=w, sample_weight=r, **options)


def layer_of_probabilities(x, W, b, t, w, r, **options):
    return luce.torch.linear_cross_entropy(x, W, t, linear_bias=b, weight=w, sample_weight=r, **options)


def layer_of_pairs(x, W, b, t, w, r, **options):
    pair = (SPARSE, t)
    return luce.torch.linear_cross_entropy(
        x, W, pair, linear_bias=b, weight=w, sample_weight=r, tail="uniform", **options
    )


CASES = {
    "classes": (of_classes, (LOGITS,)),
    "indices": (of_indices, (LOGITS, CLASS, ROW)),
    "probabilities": (of_probabilities, (LOGITS, PROBABILITIES, CLASS, ROW)),
    "pairs": (of_pairs, (LOGITS, SHARES, CLASS, ROW)),
    "layer, indices": (layer_of_indices, (X, W, B, CLASS, ROW)),
    "layer, probabilities": (layer_of_probabilities, (X, W, B, PROBABILITIES, CLASS, ROW)),
    "layer, pairs": (layer_of_pairs, (X, W, B, SHARES, CLASS, ROW)),
}


def plainly(z, target, weight=None, *, sample_weight=None, options=None):
    """The definition, in operations that PyTorch differentiates by itself."""
    options = options or {}
    u = z
    if options.get("softcap"):
        u = options["softcap"] * torch.tanh(u / options["softcap"])
    u = u / options.get("temperature", 1.0)
    lse = torch.logsumexp(u, 1)
    hard = isinstance(target, torch.Tensor) and not target.is_floating_point()
    live = torch.ones(z.shape[0], dtype=torch.bool)
    if hard:
        live = target >= 0
        t = F.one_hot(target.clamp(min=0), z.shape[1]).to(z.dtype)
    elif isinstance(target, tuple):
        t = torch.zeros_like(z).scatter_add(1, *target)
        unlisted = torch.ones_like(z).scatter(1, target[0], 0.0)
        t = t + unlisted * ((1 - target[1].sum(1)) / unlisted.sum(1))[:, None]
    else:
        t = target
    share = torch.ones(z.shape[0], dtype=z.dtype)
    if weight is not None and hard:
        share = weight[target.clamp(min=0)]
    epsilon = options.get("label_smoothing", 0.0)
    t = (1 - epsilon) * t + epsilon / z.shape[1]
    t = t if weight is None else t * weight
    losses = (t * (lse[:, None] - u)).sum(1) + options.get("z_loss", 0.0) * lse**2
    rows = torch.where(live, 1.0, 0.0) if sample_weight is None else torch.where(live, sample_weight, 0.0)
    reduction = options.get("reduction", "mean")
    if reduction == "none":
        return losses * rows
    total = (losses * rows).sum()
    return total if reduction == "sum" else total / (share * rows).sum()


def plain_of(case):
    """The same function of the same arguments by the definition."""
    targets = {
        "classes": lambda t: CLASSES,
        "indices": lambda t: INDEX,
        "probabilities": lambda t: t,
        "pairs": lambda t: (SPARSE, t),
    }
    target_of = targets[case.split()[-1]]

    def function(*arguments, **options):
        parts = list(arguments)
        if "layer" in case:
            x, weight, bias, *parts = parts
            parts = [x @ weight.T + bias, *parts]
        z, *t, w, r = parts if len(parts) > 1 else (*parts, None, None)
        return plainly(z, target_of(*t, *[None] * (1 - len(t))), w, sample_weight=r, options=options)

    return function


def scalar(function):
    """A sum of the results that weighs each differently."""

    def weighed(*arguments):
        found = function(*arguments)
        return (found * torch.linspace(0.5, 1.5, found.numel(), **DOUBLE).reshape(found.shape)).sum()

    return weighed


@pytest.fixture(params=[(case, name) for case in CASES for name in OPTIONS], ids=lambda pair: f"{pair[0]}, {pair[1]}")
def both(request):
    """Ours and the definition, as functions of the same arguments, and these."""
    case, name = request.param
    function, arguments = CASES[case]
    bound = functools.partial(function, **OPTIONS[name])
    return bound, functools.partial(plain_of(case), **OPTIONS[name]), arguments


def close(found, want, rtol=1e-10):
    torch.testing.assert_close(found, want, rtol=rtol, atol=rtol / 100)


# Against finite differences


def test_gradcheck(both):
    ours, _, arguments = both
    assert gradcheck(ours, arguments, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)


def test_gradgradcheck(both):
    ours, _, arguments = both
    assert gradgradcheck(ours, arguments, check_fwd_over_rev=True, check_rev_over_rev=True, check_batched_grad=True)


# Against the definition


def test_value_and_every_gradient(both):
    ours, plain, arguments = both
    close(ours(*arguments), plain(*arguments))
    close(
        torch.autograd.grad(scalar(ours)(*arguments), arguments),
        torch.autograd.grad(scalar(plain)(*arguments), arguments),
    )


def test_every_second_derivative(both):
    """The blocks of the Hessian between any two arguments, by each of the four nestings of modes."""
    ours, plain, arguments = both
    detached = tuple(argument.detach() for argument in arguments)
    places = tuple(range(len(arguments)))
    want = func.hessian(scalar(plain), places)(*detached)
    for outer, inner in itertools.product((func.jacfwd, func.jacrev), repeat=2):
        close(outer(inner(scalar(ours), places), places)(*detached), want)


THIRD = [("indices", "capped"), ("probabilities", "mean"), ("pairs", "sum"), ("layer, indices", "sum")]


@pytest.mark.parametrize(("case", "name"), THIRD)
def test_every_third_derivative_in_every_nesting(case, name):
    """Forward over forward over forward is not zero; PyTorch's chunked layer gives jvp = 0 (measured with 2.13)."""
    function, arguments = CASES[case]
    place = 0
    rest = [argument.detach() for argument in arguments]

    def of(function):
        return lambda part: scalar(functools.partial(function, **OPTIONS[name]))(part, *rest[1:])

    point = rest[place]
    want = func.jacrev(func.jacrev(func.jacrev(of(plain_of(case)))))(point)
    assert want.abs().max() > 1e-3
    for modes in itertools.product((func.jacfwd, func.jacrev), repeat=3):
        derivative = of(function)
        for mode in modes:
            derivative = mode(derivative)
        close(derivative(point), want, rtol=1e-9)


def test_mixed_third_derivatives():
    """∂³/∂(logits)²∂(each other argument), the last by each mode."""
    for case in ("probabilities", "layer, probabilities"):
        function, arguments = CASES[case]
        detached = tuple(argument.detach() for argument in arguments)
        for place in range(1, len(arguments)):
            want = func.jacrev(func.hessian(scalar(plain_of(case))), place)(*detached)
            for mode in (func.jacfwd, func.jacrev):
                close(mode(func.jacrev(func.grad(scalar(function))), place)(*detached), want, rtol=1e-9)


def test_func_transforms(both):
    ours, plain, arguments = both
    detached = tuple(argument.detach() for argument in arguments)
    places = tuple(range(len(arguments)))
    tangents = tuple(torch.randn_like(part) for part in detached)
    close(func.grad(scalar(ours), places)(*detached), func.grad(scalar(plain), places)(*detached))
    close(func.jvp(ours, detached, tangents), func.jvp(plain, detached, tangents))
    value, pull = func.vjp(ours, *detached)
    want, plain_pull = func.vjp(plain, *detached)
    close(pull(torch.ones_like(value)), plain_pull(torch.ones_like(want)))
    close(func.jacrev(ours, places)(*detached), func.jacrev(plain, places)(*detached))
    close(func.jacfwd(ours, places)(*detached), func.jacfwd(plain, places)(*detached))
    close(func.grad_and_value(scalar(ours))(*detached), func.grad_and_value(scalar(plain))(*detached))


def test_forward_mode_without_func(both):
    ours, plain, arguments = both
    tangents = [torch.randn_like(part) for part in arguments]

    def tangent_of(function):
        with forward_ad.dual_level():
            duals = [
                forward_ad.make_dual(part.detach(), along) for part, along in zip(arguments, tangents, strict=True)
            ]
            return forward_ad.unpack_dual(function(*duals)).tangent

    close(tangent_of(ours), tangent_of(plain))
    assert tangent_of(ours).abs().max() > 0


def test_vmap_over_each_argument_alone_and_over_all(both):
    ours, plain, arguments = both
    detached = [argument.detach() for argument in arguments]
    more = [torch.stack([part, part * 0.9, part * 0.8 + 0.02]) for part in detached]
    choices = [tuple(0 if i == place else None for i in range(len(more))) for place in range(len(more))]
    for dims in [*choices, (0,) * len(more)]:
        given = [more[i] if dim == 0 else detached[i] for i, dim in enumerate(dims)]
        close(func.vmap(ours, dims)(*given), func.vmap(plain, dims)(*given))
        gradient = func.vmap(func.grad(scalar(ours), tuple(range(len(more)))), dims)
        close(gradient(*given), func.vmap(func.grad(scalar(plain), tuple(range(len(more)))), dims)(*given))


def test_vmap_over_indices_and_other_dimensions():
    z, y = torch.randn(3, 4, 5, **DOUBLE), torch.randint(0, 3, (4, 5))
    found = func.vmap(luce.torch.cross_entropy, (2, 1))(z.transpose(0, 1), y)  # (4, 3, 5): 5 batches of 4 rows
    want = torch.stack([F.cross_entropy(z[:, :, i].T, y[:, i]) for i in range(5)])
    close(found, want)
    rows = func.vmap(functools.partial(luce.torch.cross_entropy, reduction="none"), (2, 1))(z.transpose(0, 1), y)
    close(rows.mean(1), want)
    per_sample = func.vmap(func.grad(lambda z, y: luce.torch.cross_entropy(z[None], y[None])), (0, 0))
    close(per_sample(z[:, :, 0].T, y[:, 0]), torch.softmax(z[:, :, 0].T, 1) - F.one_hot(y[:, 0], 3))


def test_nested_vmap():
    z, y = torch.randn(2, 3, 4, 5, **DOUBLE), torch.randint(0, 5, (2, 3, 4))
    found = func.vmap(func.vmap(luce.torch.cross_entropy))(z, y)
    want = torch.stack([torch.stack([F.cross_entropy(z[i, j], y[i, j]) for j in range(3)]) for i in range(2)])
    close(found, want)


def test_is_grads_batched(both):
    ours, plain, arguments = both
    values = [function(*arguments).reshape(-1) for function in (ours, plain)]
    upstream = torch.randn(5, values[0].numel(), **DOUBLE)
    found, want = (torch.autograd.grad(value, arguments, upstream, is_grads_batched=True) for value in values)
    close(found, want)


# One graph, more than one use


def losses_of(case, **options):
    function, arguments = CASES[case]
    return function(*arguments, **options), arguments


CASE_AND_REDUCTION = [(case, reduction) for case in CASES for reduction in ("mean", "sum", "none")]


@pytest.mark.parametrize(("case", "reduction"), CASE_AND_REDUCTION)
def test_a_second_backward_gives_the_same(case, reduction):
    """Liger (measured): logits are overwritten, and a second backward is off by two. Liger#272, #1251: stores in place
    that no version counter sees. Here the first result is modified by whoever got it, as optimisers do."""
    loss, arguments = losses_of(case, reduction=reduction)
    upstream = torch.linspace(0.3, 0.9, loss.numel(), **DOUBLE).reshape(loss.shape)
    first = torch.autograd.grad(loss, arguments, upstream, retain_graph=True)
    kept = [part.clone() for part in first]
    with torch.no_grad():
        for part in first:
            part.mul_(-7).add_(3)
    second, third = (torch.autograd.grad(loss, arguments, upstream, retain_graph=True) for _ in range(2))
    close(second, kept, rtol=1e-14)
    for a, b in zip(second, third, strict=True):
        assert_same_bits(array(a), array(b))
    (ones,) = torch.autograd.grad(loss, arguments[0], torch.ones_like(loss))
    assert ones.abs().sum() > kept[0].abs().sum()


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_loss_that_is_dropped_leaves_nothing_behind(case, graph):
    """A cycle of a node and what it keeps would hold a gradient until the garbage collector happens to run."""

    def call():
        loss, arguments = losses_of(case)
        torch.autograd.grad(loss, arguments, create_graph=graph)

    call()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        call()
        gc.collect()
        assert [type(left) for left in gc.garbage if isinstance(left, (torch.Tensor, torch.autograd.Function))] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("case", CASES)
def test_backward_accumulates(case):
    function, arguments = CASES[case]
    leaves = [part.detach().clone().requires_grad_() for part in arguments]
    loss = function(*leaves)
    loss.backward(retain_graph=True)
    once = [leaf.grad.clone() for leaf in leaves]
    loss.backward(retain_graph=True)
    function(*leaves).backward()
    for leaf, part in zip(leaves, once, strict=True):
        torch.testing.assert_close(leaf.grad, 3 * part, rtol=1e-14, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_the_loss_twice_in_one_graph(case):
    function, arguments = CASES[case]
    plain = plain_of(case)
    found = torch.autograd.grad(function(*arguments) ** 2 + 3 * function(*arguments), arguments)
    want = torch.autograd.grad(plain(*arguments) ** 2 + 3 * plain(*arguments), arguments)
    close(found, want)


@pytest.mark.parametrize("case", CASES)
def test_a_graph_can_be_walked_once_unless_it_is_kept(case):
    loss, arguments = losses_of(case)
    torch.autograd.grad(loss, arguments)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, arguments)


@pytest.mark.parametrize("case", CASES)
def test_only_some_arguments_want_gradients(case):
    function, arguments = CASES[case]
    want = torch.autograd.grad(function(*arguments), arguments)
    for place, truth in enumerate(want):
        alone = [part if i == place else part.detach() for i, part in enumerate(arguments)]
        (found,) = torch.autograd.grad(function(*alone), alone[place])
        close(found, truth, rtol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_leaves_and_what_comes_from_them(case):
    function, arguments = CASES[case]
    want = torch.autograd.grad(function(*arguments), arguments)
    found = torch.autograd.grad(function(*(2 * part / 2 for part in arguments)), arguments)
    close(found, want, rtol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_what_was_saved_may_not_change_before_backward(case):
    function, arguments = CASES[case]
    copies = [part.detach().clone().requires_grad_() for part in arguments]
    moved = [part * 1.0 for part in copies]
    loss = function(*moved)
    torch.autograd.grad(loss, copies, retain_graph=True)  # so that nothing is handed out that was kept
    moved[0].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, copies)


@pytest.mark.parametrize("case", CASES)
def test_the_first_backward_notices_a_change_as_well(case):
    function, arguments = CASES[case]
    copies = [part.detach().clone().requires_grad_() for part in arguments]
    moved = [part * 1.0 for part in copies]
    loss = function(*moved)
    moved[0].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, copies)


@pytest.mark.parametrize("case", CASES)
def test_inputs_keep_their_bits(case):
    function, arguments = CASES[case]
    copies = [part.detach().clone().requires_grad_() for part in arguments]
    versions = [part._version for part in copies]
    gradients = torch.autograd.grad(function(*copies), copies, create_graph=True)
    torch.autograd.grad(sum(part.square().sum() for part in gradients), copies)
    for part, copy, version in zip(arguments, copies, versions, strict=True):
        assert_same_bits(array(part), array(copy))
        assert copy._version == version


# Upstream gradients


@pytest.mark.parametrize("case", ["indices", "layer, indices"])
@pytest.mark.parametrize("factor", [0.0, 1.0, 0.25, -3.0, 1e30, 65536.0])
def test_the_upstream_gradient_scales(case, factor):
    loss, arguments = losses_of(case)
    (want,) = torch.autograd.grad(losses_of(case)[0], arguments[0])
    (found,) = torch.autograd.grad(loss, arguments[0], torch.tensor(factor, **DOUBLE))
    torch.testing.assert_close(found, factor * want, rtol=1e-15 * 8, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_is_subnormal_before_it_is_scaled_keeps_its_digits(dtype, reduction):
    """e^-90 and less are subnormal in float32; times 1e30 they are ordinary numbers."""
    margins = np.array([[0.0, -90, -95, -100]] if dtype == "float32" else [[0.0, -710, -720, -740]], dtype=dtype)
    z = torch.tensor(np.repeat(margins, 2, axis=0), requires_grad=True)
    y = torch.tensor([0, 0])
    loss = luce.torch.cross_entropy(z, y, reduction=reduction)
    huge = 1e30
    (found,) = torch.autograd.grad(loss, z, torch.full_like(loss, huge))
    exact = CrossEntropy(
        array(z),
        y.numpy(),
        sample_weight=np.full(2, huge),
        normalizer=2.0 if reduction == "mean" else None,
        reduction=reduction,
    )
    assert_gradient(array(found), exact)
    assert found.abs().min() > 0


def test_the_layer_under_a_huge_upstream_gradient():
    x = torch.tensor([[1.0]], requires_grad=True)
    weight = torch.tensor([[0.0], [-95.0]], requires_grad=True)
    y = torch.tensor([0])
    loss = luce.torch.linear_cross_entropy(x, weight, y)
    (found,) = torch.autograd.grad(loss, weight, torch.tensor(1e30))
    exact = CrossEntropy(np.array([[0.0, -95.0]], dtype=np.float32), [0], sample_weight=[1e30], normalizer=1.0)
    assert_gradient(array(found).T, exact)


@pytest.mark.parametrize("case", CASES)
def test_uneven_upstream_gradients_of_rows(case):
    """Liger#968, #678, #1298: ``reduction="none"`` scaled every row by the first one's upstream gradient."""
    function, arguments = CASES[case]
    upstream = torch.tensor([1.0, -2.0, 5.0, 0.0], **DOUBLE)
    found = torch.autograd.grad(function(*arguments, reduction="none"), arguments, upstream)
    want = torch.autograd.grad(plain_of(case)(*arguments, reduction="none"), arguments, upstream)
    close(found, want)
    assert not found[0][3].any()


@pytest.mark.parametrize("case", CASES)
def test_a_gradient_penalty_keeps_its_second_order_term(case):
    """Liger and flash-attention drop it without a word (measured); TensorFlow#5876, #7403, #14641."""
    function, arguments = CASES[case]

    def penalised(function):
        loss = function(*arguments)
        gradients = torch.autograd.grad(loss, arguments[:2], create_graph=True)
        return loss + 3 * sum(part.square().sum() for part in gradients)

    found = torch.autograd.grad(penalised(function), arguments)
    close(found, torch.autograd.grad(penalised(plain_of(case)), arguments))
    first = torch.autograd.grad(function(*arguments), arguments)
    assert (found[0] - first[0]).abs().max() > 1e-3


def test_no_grad_and_detached_inputs():
    for function, arguments in CASES.values():
        with torch.no_grad():
            assert not function(*arguments).requires_grad
        assert not function(*(part.detach() for part in arguments)).requires_grad


def test_deterministic_mode():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        for case, (function, arguments) in CASES.items():
            gradients = torch.autograd.grad(function(*arguments), arguments, create_graph=True)
            close(gradients, torch.autograd.grad(plain_of(case)(*arguments), arguments))
            torch.autograd.grad(gradients[0].square().sum(), arguments)
    finally:
        torch.use_deterministic_algorithms(before)


def test_threads_do_not_change_a_bit():
    z = torch.randn(3000, 50, requires_grad=True)
    y = torch.randint(0, 50, (3000,))
    before = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            loss = luce.torch.cross_entropy(z, y)
            found.append((array(loss), array(torch.autograd.grad(loss, z)[0])))
    finally:
        torch.set_num_threads(before)
    for loss, gradient in found[1:]:
        assert_same_bits(loss, found[0][0])
        assert_same_bits(gradient, found[0][1])


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_anomaly_mode_finds_nothing():
    with torch.autograd.detect_anomaly(check_nan=True):
        for function, arguments in CASES.values():
            gradients = torch.autograd.grad(function(*arguments), arguments, create_graph=True)
            torch.autograd.grad(gradients[0].square().sum(), arguments)


def test_hessian_vector_products_are_symmetric():
    z, y = torch.randn(5, 7, **DOUBLE, requires_grad=True), torch.randint(0, 7, (5,))
    (gradient,) = torch.autograd.grad(luce.torch.cross_entropy(z, y, z_loss=0.1, softcap=5.0), z, create_graph=True)
    a, b = torch.randn(2, 5, 7, **DOUBLE)
    products = [torch.autograd.grad(gradient, z, vector, retain_graph=True)[0] for vector in (a, b)]
    assert math.isclose(float((products[0] * b).sum()), float((products[1] * a).sum()), rel_tol=1e-12)
