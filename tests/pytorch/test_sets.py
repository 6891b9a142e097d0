"""Cross-entropy and softmax of sets as tensors: the numbers of luce.sets, under the whole of autograd."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import luce.sets
import luce.torch
from luce.check.truth.tolerance import RIGHT_EPS, assert_same_bits, assert_within
from luce.sets import Sets
from luce.torch.sets import cross_entropy, log_softmax, logsumexp, softmax
from per_set import drawn, truth

OFFSETS = torch.tensor([0, 2, 5, 6, 6, 10])
CHOSEN = torch.tensor([1, 0, 0, 0, 3])
SKIPPING = Sets.from_offsets(OFFSETS.numpy(), on_empty="skip")
OPTIONS = [
    {},
    {"label_smoothing": 0.1, "reduction": "sum"},
    {"z_loss": 0.25, "temperature": 0.7},
    {"softcap": 3.0, "reduction": "none"},
]


def logits(seed=0, dtype=torch.double):
    return torch.randn(10, generator=torch.Generator().manual_seed(seed), dtype=torch.double).to(dtype).requires_grad_()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients_are_those_of_numpy(options, dtype):
    counts, z, chosen, shares, _ = drawn(21, dtype)
    z = np.where(np.isfinite(z), z, dtype(-30))
    sets = Sets.from_counts(counts)
    for target in (chosen, shares):
        x = torch.tensor(z, requires_grad=True)
        loss = cross_entropy(x, torch.from_numpy(target), sets, **options)
        want = luce.sets.cross_entropy_and_grad(z, target, sets, **options)
        np.testing.assert_allclose(loss.detach().numpy(), want[0], rtol=4 * np.finfo(dtype).eps)
        loss.sum().backward()
        eps = np.finfo(dtype).eps  # probability and share may cancel, a chosen item's may not
        plain = target is chosen and not options
        near = 0 if plain else 8 * eps * abs(want[1]).max()
        np.testing.assert_allclose(x.grad.numpy(), want[1], rtol=4 * eps, atol=near)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}], ids=str)
def test_the_formulas_keep_the_digits_of_confident_sets(options):
    counts, z, chosen, *_ = drawn(22, np.float32)
    sets, exact = Sets.from_counts(counts), truth(z, chosen, counts, **options)
    x = torch.tensor(z, requires_grad=True)
    offset = torch.zeros(len(z)) if not options else None  # an offset goes by the formulas
    loss = cross_entropy(x, torch.from_numpy(chosen), sets, reduction="none", offset=offset, **options)
    assert_within(loss.detach().numpy(), exact.losses, RIGHT_EPS)
    (grad,) = torch.autograd.grad(loss.sum(), x)
    assert_within(grad.numpy(), exact.gradient, RIGHT_EPS)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_order_and_mode(options):
    def loss(z):
        return cross_entropy(z, CHOSEN, OFFSETS, **options)

    assert gradcheck(loss, logits(1), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(loss, logits(1), check_fwd_over_rev=True)


def test_derivatives_in_shares_weights_and_offsets():
    shares, weight, offset = torch.rand(10).double(), torch.rand(5).double() + 0.5, torch.randn(10).double()
    arguments = [part.requires_grad_() for part in (logits(2), shares, weight, offset)]

    def loss(z, t, r, o):
        return cross_entropy(z, t, OFFSETS, sample_weight=r, offset=o, target_kind="shares", softcap=5.0)

    assert gradcheck(loss, arguments, check_forward_ad=True)
    assert gradgradcheck(loss, arguments)


def test_vmap_takes_many_logits_and_many_targets():
    z = torch.randn(4, 10, dtype=torch.double)
    chosen = torch.stack([CHOSEN, torch.zeros(5, dtype=torch.int64), CHOSEN, CHOSEN])
    found = torch.func.vmap(lambda z, y: cross_entropy(z, y, OFFSETS))(z, chosen)
    slope = torch.func.vmap(torch.func.grad(lambda z, y: cross_entropy(z, y, OFFSETS)))(z, chosen)
    for row in range(4):
        want = luce.sets.cross_entropy_and_grad(z[row].numpy(), chosen[row].numpy(), SKIPPING)
        assert float(found[row]) == pytest.approx(float(want[0]), rel=1e-13)
        np.testing.assert_allclose(slope[row].numpy(), want[1], rtol=1e-12)


def test_the_hessian_is_that_of_numpy():
    z, vector = logits(3).detach(), torch.randn(10, dtype=torch.double)
    want = luce.sets.cross_entropy_hvp(z.numpy(), CHOSEN.numpy(), SKIPPING, vector.numpy())

    def loss(z):
        return cross_entropy(z, CHOSEN, OFFSETS)

    over_reverse = torch.func.jvp(torch.func.grad(loss), (z,), (vector,))[1]
    np.testing.assert_allclose(over_reverse.numpy(), want, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose((torch.func.hessian(loss)(z) @ vector).numpy(), want, rtol=1e-11, atol=1e-15)


def test_it_compiles_whole():
    def loss(z):
        return cross_entropy(z, CHOSEN, OFFSETS, label_smoothing=0.1)

    x, y = logits(4), logits(4)
    torch.compile(loss, backend="aot_eager", fullgraph=True)(x).backward()
    loss(y).backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12)
    assert y.grad.abs().max() > 0.01


@pytest.mark.parametrize(("ours", "numpys"), [(softmax, luce.sets.softmax), (log_softmax, luce.sets.log_softmax)])
def test_probabilities_are_those_of_numpy(ours, numpys):
    z = logits(5)
    np.testing.assert_allclose(ours(z, OFFSETS).detach().numpy(), numpys(z.detach().numpy(), SKIPPING), rtol=1e-14)
    assert gradcheck(lambda z: ours(z, OFFSETS), logits(5), check_forward_ad=True)
    assert gradgradcheck(lambda z: ours(z, OFFSETS), logits(5))


def test_the_normaliser_is_that_of_numpy():
    z = logits(6)
    found = logsumexp(z, OFFSETS)
    np.testing.assert_allclose(found.detach().numpy(), luce.sets.logsumexp(z.detach().numpy(), SKIPPING), rtol=1e-14)
    assert found[3] == -torch.inf
    assert gradcheck(lambda z: logsumexp(z, torch.tensor([0, 4, 10])), logits(6), check_forward_ad=True)


def jagged(values):
    return torch.nested.nested_tensor_from_jagged(values, torch.tensor([0, 2, 5]))


def test_the_gradient_of_a_nested_softmax_is_right():
    """PyTorch 2.13's own softmax over the ragged dimension gives another gradient, in silence."""
    z = torch.tensor([0.3, -1.0, 0.5, 2.0, 0.1], dtype=torch.double, requires_grad=True)
    weight = torch.tensor([3.0, -1.0, 2.0, 0.5, 1.0], dtype=torch.double)
    softmax(jagged(z)).values().mul(weight).sum().backward()
    step, numeric = 1e-6, np.empty(5)
    for i in range(5):
        moved = [luce.sets.softmax(z.detach().numpy() + s * step * np.eye(5)[i], [0, 2, 5]) for s in (1, -1)]
        numeric[i] = ((moved[0] - moved[1]) * weight.numpy()).sum() / (2 * step)
    np.testing.assert_allclose(z.grad.numpy(), numeric, rtol=1e-6)
    assert abs(numeric).min() > 0.01


def test_nested_tensors_bring_their_own_sets():
    z = torch.tensor([0.3, -1.0, 0.5, 2.0, 0.1], requires_grad=True)
    chosen, sets = torch.tensor([1, 2]), torch.tensor([0, 2, 5])
    assert_same_bits(cross_entropy(jagged(z), chosen).detach(), cross_entropy(z, chosen, sets).detach())
    one_hot = jagged(torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0]))
    want = cross_entropy(z, chosen, sets).item()
    assert cross_entropy(jagged(z), one_hot).item() == pytest.approx(want, rel=1e-6)
    cross_entropy(jagged(z), chosen).backward()
    want = luce.sets.cross_entropy_and_grad(z.detach().numpy(), chosen.numpy(), sets.numpy())[1]
    np.testing.assert_allclose(z.grad.numpy(), want, rtol=1e-6)
    assert softmax(jagged(z)).is_nested


def test_items_that_stand_apart_get_their_own_derivatives():
    apart = Sets.from_ids([7, 8, 7, 8, 8], merge_runs=True)
    z = torch.tensor([0.3, -1.0, 0.5, 2.0, 0.1], dtype=torch.double, requires_grad=True)
    cross_entropy(z, torch.tensor([1, 2]), apart).backward()
    want = luce.sets.cross_entropy_and_grad(z.detach().numpy(), [1, 2], apart)[1]
    np.testing.assert_allclose(z.grad.numpy(), want, rtol=1e-14)
    np.testing.assert_allclose(
        softmax(z, apart).detach().numpy(), luce.sets.softmax(z.detach().numpy(), apart), rtol=1e-14
    )


@pytest.mark.parametrize("offset", [None, torch.zeros(5)], ids=["core", "formulas"])
def test_what_counts_for_nothing_brings_no_nan(offset):
    z = torch.tensor([0.3, -torch.inf, torch.nan, torch.inf, 0.0], requires_grad=True)
    sets = torch.tensor([0, 2, 5])
    for target, weight in [([0, -100], None), ([0, 9], torch.tensor([1.0, 0.0]))]:
        z.grad = None
        loss = cross_entropy(z, torch.tensor(target), sets, sample_weight=weight, offset=offset, z_loss=0.1)
        loss.backward()
        assert loss.isfinite() and (z.grad[1:] == 0).all() and z.grad[0] != 0


def test_means_of_nothing():
    none, empty = torch.tensor([0, 0]), torch.zeros(0)
    target = torch.zeros(1, dtype=torch.int64)
    assert cross_entropy(empty, target, none).isnan()
    assert cross_entropy(empty, target, none, on_empty="zero") == 0
    with pytest.raises(ValueError, match="nothing is left to average"):
        cross_entropy(empty, target, none, on_empty="raise")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_computed_in_float32(dtype):
    z = logits(7, dtype)
    loss = cross_entropy(z, CHOSEN, OFFSETS)
    want = luce.sets.cross_entropy(z.detach().float().numpy(), CHOSEN.numpy(), SKIPPING)
    assert loss.dtype == dtype and loss.item() == torch.tensor(want).to(dtype).item()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda z: cross_entropy(z, torch.tensor([0, 3]), torch.tensor([0, 2, 5])), IndexError, r"target\[1\] is 3"),
        (lambda z: cross_entropy(z, torch.tensor([0, 0]), torch.tensor([0, 2, 4])), ValueError, "divide 4 items"),
        (lambda z: cross_entropy(z, torch.tensor([0, 0]), torch.tensor([0, 6, 5])), ValueError, "never fall"),
        (lambda z: cross_entropy(z, torch.tensor([0, 0]), [0, 2, 5]), TypeError, "sets: expected Sets or a tensor"),
        (lambda z: cross_entropy(z, torch.tensor([0, 0])), TypeError, "sets: expected Sets or a tensor .* None"),
        (lambda z: cross_entropy(z, [0, 0], torch.tensor([0, 2, 5])), TypeError, "target: expected a tensor"),
        (lambda z: softmax(z[None], torch.tensor([0, 2, 5])), ValueError, r"one logit per item"),
        (lambda z: softmax(z.long(), torch.tensor([0, 2, 5])), TypeError, "floating-point"),
        (lambda z: softmax(jagged(z), torch.tensor([0, 2, 5])), TypeError, "a nested tensor has its own"),
        (lambda z: softmax(z, torch.tensor([0.0, 5.0])), TypeError, "offsets .* of integers"),
    ],
)
def test_errors_say_what_was_given(call, error, words):
    with pytest.raises(error, match=words):
        call(torch.zeros(5))
