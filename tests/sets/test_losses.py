"""Losses and derivatives of sets against the oracle, set by set, at every level of the machine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import luce
from levels import at_every_level
from luce.check.truth.oracle import to_float
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_product, assert_same_bits, assert_within
from luce.sets import Sets, cross_entropy, cross_entropy_and_grad, cross_entropy_hvp
from per_set import drawn, truth

OPTIONS = [
    {},
    {"label_smoothing": 0.1},
    {"z_loss": 0.25},
    {"temperature": 0.7},
    {"softcap": 5.0},
    {"label_smoothing": 1.0, "z_loss": 0.1},
    {"label_smoothing": 0.2, "temperature": 3.0, "softcap": 2.0, "z_loss": 0.5},
]
DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("of_items", [False, True], ids=["chosen", "shares"])
def test_every_number_is_the_oracles(options, dtype, of_items):
    counts, logits, chosen, shares, vector = drawn(1, dtype)
    if options.get("label_smoothing"):
        logits = np.where(np.isfinite(logits), logits, dtype(-50))  # else the loss is infinite, rightly
    target = shares if of_items else chosen
    exact = truth(logits, target, counts, vector=vector, **options)
    sets = Sets.from_counts(counts)
    for _ in at_every_level():
        losses, grad = cross_entropy_and_grad(logits, target, sets, reduction="none", **options)
        assert_loss(losses, exact.losses)
        assert_gradient(grad, exact.gradient)
        assert_product(cross_entropy_hvp(logits, target, sets, vector, reduction="sum", **options), exact.product)
        assert_same_bits(losses, cross_entropy(logits, target, sets, reduction="none", **options))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sets_results_are_those_of_a_row(dtype):
    counts, logits, chosen, *_ = drawn(2, dtype, most=130)
    losses, grad = cross_entropy_and_grad(logits, chosen, Sets.from_counts(counts), reduction="none")
    for which, end in enumerate(np.cumsum(counts)):
        part = slice(end - counts[which], end)
        row = luce.cross_entropy_and_grad(logits[None, part], [chosen[which]], reduction="none")
        assert_same_bits(losses[which], row[0][0])
        assert_same_bits(grad[part], row[1][0])


def test_an_infinite_loss_and_sets_that_are_broken_touch_no_other():
    sets = Sets.from_counts([2, 3, 2, 2])
    logits = np.array([0.0, 1.0, -np.inf, 0.0, 1.0, np.nan, 0.0, np.inf, 0.0])
    losses, grad = cross_entropy_and_grad(logits, [0, 0, 0, 0], sets, reduction="none")
    assert losses[1] == np.inf and grad[2] == 0
    assert np.isnan(losses[2:]).all() and np.isnan(grad[5:]).all()
    alone = cross_entropy_and_grad(logits[:2], [0], [0, 2], reduction="none")
    assert_same_bits(losses[:1], alone[0])
    assert_same_bits(grad[:2], alone[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_offset_is_added_to_what_is_scored(dtype):
    counts, logits, chosen, _, vector = drawn(3, dtype)
    offset = np.linspace(-7, 0, len(logits))
    u = logits.astype(np.float64) + offset
    sets = Sets.from_counts(counts)
    exact = truth(u, chosen, counts, vector=vector)
    losses, grad = cross_entropy_and_grad(logits, chosen, sets, offset=offset, reduction="none")
    assert_loss(losses, exact.losses, dtype)
    assert_gradient(grad, exact.gradient, dtype)
    product = cross_entropy_hvp(logits, chosen, sets, vector, offset=offset, reduction="sum")
    assert_product(product, exact.product, dtype)


@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"softcap": 4.0, "temperature": 2.0}], ids=str)
def test_an_offset_comes_after_softcap_and_temperature(options):
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 8, 20)
    sets, chosen = Sets.from_counts(counts), rng.integers(0, counts)
    logits, offset, vector = 3 * rng.normal(size=(3, counts.sum()))
    cap, temperature = options.get("softcap", 1e9), options["temperature"]
    scored = cap * np.tanh(logits / cap) / temperature + offset
    plain = cross_entropy(scored, chosen, sets)
    assert float(cross_entropy(logits, chosen, sets, offset=offset, **options)) == pytest.approx(plain, rel=1e-12)

    def grad(x):
        return cross_entropy_and_grad(x, chosen, sets, offset=offset, **options)[1]

    step = 1e-5
    rise = (
        cross_entropy(logits + step * vector, chosen, sets, offset=offset, **options)
        - cross_entropy(logits - step * vector, chosen, sets, offset=offset, **options)
    ) / (2 * step)
    assert float(grad(logits) @ vector) == pytest.approx(rise, rel=1e-7)
    curve = (grad(logits + step * vector) - grad(logits - step * vector)) / (2 * step)
    product = cross_entropy_hvp(logits, chosen, sets, vector, offset=offset, **options)
    np.testing.assert_allclose(product, curve, rtol=1e-6, atol=1e-9)
    assert abs(product).max() > 1e-3


def test_a_constant_offset_changes_nothing_and_an_infinite_one_takes_an_item_away():
    sets = Sets.from_counts([3, 2])
    logits, chosen = np.array([0.5, 1.0, -1.0, 2.0, 0.0]), [1, 0]
    moved = cross_entropy(logits, chosen, sets, offset=np.full(5, 2.0))
    assert float(moved) == pytest.approx(float(cross_entropy(logits, chosen, sets)), rel=1e-14)
    without = cross_entropy(logits, chosen, sets, offset=[0, 0, -np.inf, 0, 0])
    assert float(without) == float(cross_entropy(logits[[0, 1, 3, 4]], chosen, [0, 2, 4], offset=np.zeros(4)))


def test_kinds_of_target_say_the_same():
    counts, logits, chosen, *_ = drawn(5, np.float64)
    sets = Sets.from_counts(counts)
    one_hot = np.zeros(sets.n_items, np.int64)
    one_hot[sets.offsets[:-1] + chosen] = 1
    want = cross_entropy_and_grad(logits, chosen, sets)
    for target, kind in [(one_hot, None), (one_hot == 1, None), (one_hot.astype(float), "one_hot")]:
        value, grad = cross_entropy_and_grad(logits, target, sets, target_kind=kind)
        assert_same_bits(value, want[0])
        assert_same_bits(grad, want[1])
    for target, kind in [(one_hot.astype(float), None), (3 * one_hot, "gains"), (one_hot == 1, "gains")]:
        value, grad = cross_entropy_and_grad(logits, target, sets, target_kind=kind)
        assert float(value) == pytest.approx(float(want[0]), rel=1e-14)
        np.testing.assert_allclose(grad, want[1], rtol=1e-13)


def test_gains_are_shares_of_their_sets_sum_and_sets_without_count_for_nothing():
    counts, logits, _, gains, _ = drawn(6, np.float64)
    sets, ends = Sets.from_counts(counts), np.cumsum(counts)
    gains[: ends[1]] = 0  # the first two sets
    sums = np.add.reduceat(gains, sets.offsets[:-1])
    live = sums > 0
    shares = gains / np.repeat(np.where(live, sums, 1), counts)
    exact = truth(logits, shares, counts, weights=live.astype(float))
    losses, grad = cross_entropy_and_grad(logits, gains, sets, target_kind="gains", reduction="none")
    assert_within(losses, exact.losses, 16)
    assert_within(grad, exact.gradient, 16)
    assert not losses[~live].any() and not grad[: ends[1]].any()
    mean = cross_entropy(logits, gains, sets, target_kind="gains")
    assert float(mean) == pytest.approx(to_float(exact.losses.value).sum() / live.sum(), rel=1e-13)
    huge = cross_entropy(logits, gains * 1e300, sets, target_kind="gains")
    assert float(huge) == pytest.approx(float(mean), rel=1e-13)


def test_the_mean_is_that_of_the_sets_that_count():
    counts, logits, chosen, *_ = drawn(7, np.float64)
    sets = Sets.from_counts(counts)
    losses = cross_entropy(logits, chosen, sets, reduction="none")
    assert float(cross_entropy(logits, chosen, sets)) == pytest.approx(losses.mean(), rel=1e-14)
    weights = np.linspace(0, 2, len(sets))
    weighted = cross_entropy(logits, chosen, sets, sample_weight=weights)
    assert float(weighted) == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-14)
    some = np.where(np.arange(len(sets)) % 3, chosen, -100)
    assert float(cross_entropy(logits, some, sets)) == pytest.approx(losses[some >= 0].mean(), rel=1e-14)
    assert float(cross_entropy(logits, chosen, sets, normalizer=7.0)) == pytest.approx(losses.sum() / 7, rel=1e-14)
    assert float(cross_entropy(logits, chosen, sets, reduction="sum")) == pytest.approx(losses.sum(), rel=1e-14)


def test_a_set_of_weight_0_counts_for_nothing_whatever_it_holds():
    sets, logits = Sets.from_counts([2, 3]), np.array([1.0, 2.0, np.nan, np.inf, 0.0])
    for target in ([1, -7], [0.0, 1.0, -3.0, np.nan, 0.0]):
        value, grad = cross_entropy_and_grad(logits, target, sets, sample_weight=[1, 0])
        assert float(value) == float(cross_entropy(logits[:2], [1], [0, 2]))
        assert grad[:2].any() and not grad[2:].any()
        assert not cross_entropy_hvp(logits, target, sets, np.ones(5), sample_weight=[1, 0])[2:].any()


def test_sets_without_items_count_for_nothing():
    skipping = Sets.from_counts([0, 2, 0, 0, 3, 0], on_empty="skip")
    logits, dense = np.array([0.3, 1.0, 2.0, -1.0, 0.5]), Sets.from_counts([2, 3])
    losses, grad = cross_entropy_and_grad(logits, [9, 1, -4, 0, 2, 0], skipping, reduction="none")
    want, slope = cross_entropy_and_grad(logits, [1, 2], dense, reduction="none")
    np.testing.assert_array_equal(losses, [0, want[0], 0, 0, want[1], 0])
    assert_same_bits(grad, slope)
    mean = cross_entropy(logits, [0, 1, 0, 0, 2, 0], skipping)
    assert float(mean) == float(cross_entropy(logits, [1, 2], dense))
    none = Sets.from_counts([0, 0], on_empty="skip")
    assert np.isnan(cross_entropy([], [0, 0], none)) and cross_entropy([], [0, 0], none, on_empty="zero") == 0
    with pytest.raises(ValueError, match="nothing is left to average"):
        cross_entropy([], [0, 0], none, on_empty="raise")


@given(st.data())
def test_orders_of_items_and_sets_change_nothing(data):
    counts = np.array(data.draw(st.lists(st.integers(1, 70), min_size=1, max_size=30)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    logits, ids = 5 * rng.normal(size=counts.sum()), np.repeat(rng.permutation(len(counts)), counts)
    one_hot = np.zeros(len(logits), np.int64)
    one_hot[np.cumsum(counts) - 1 - rng.integers(0, counts)] = 1
    sets = Sets.from_ids(ids)
    losses, grad = cross_entropy_and_grad(logits, one_hot, sets, reduction="none", target_kind="one_hot")

    order = np.concatenate([np.flatnonzero(ids == i) for i in rng.permutation(len(counts))])  # whole sets moved
    moved = Sets.from_ids(ids[order])
    found, slope = cross_entropy_and_grad(logits[order], one_hot[order], moved, reduction="none", target_kind="one_hot")
    assert_same_bits(slope, grad[order])
    assert_same_bits(found, losses[[list(sets.ids).index(i) for i in moved.ids]])

    apart = rng.permutation(len(logits))  # items of a set stand apart, in any order
    mixed = Sets.from_ids(ids[apart], merge_runs=True)
    found, slope = cross_entropy_and_grad(logits[apart], one_hot[apart], mixed, reduction="none", target_kind="one_hot")
    np.testing.assert_allclose(slope, grad[apart], rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(found, losses[[list(sets.ids).index(i) for i in mixed.ids]], rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"softcap": 5.0}], ids=str)
def test_the_bits_are_those_of_one_thread(dtype, options):
    rng = np.random.default_rng(8)
    counts = np.concatenate([rng.integers(0, 30, 20000), [70000], rng.integers(40, 300, 500)])
    sets = Sets.from_counts(counts, on_empty="skip")
    logits, vector = (4 * rng.normal(size=(2, counts.sum()))).astype(dtype)
    chosen = rng.integers(0, np.maximum(counts, 1))
    want = cross_entropy_and_grad(logits, chosen, sets, n_threads=1, **options)
    product = cross_entropy_hvp(logits, chosen, sets, vector, n_threads=1, **options)
    for n in (2, 3, 5):
        got = cross_entropy_and_grad(logits, chosen, sets, n_threads=n, **options)
        assert_same_bits(got[0], want[0])
        assert_same_bits(got[1], want[1])
        assert_same_bits(cross_entropy_hvp(logits, chosen, sets, vector, n_threads=n, **options), product)


def test_a_set_of_a_million_items():
    rng = np.random.default_rng(9)
    logits = rng.normal(size=10**6)
    value, grad = cross_entropy_and_grad(
        np.append(logits, [1.0, 2.0]), [17, 1], [0, 10**6, 10**6 + 2], reduction="none"
    )
    top = logits.max()
    lse = top + np.log(np.sum(np.exp(logits - top), dtype=np.longdouble))
    assert value[0] == pytest.approx(float(lse - logits[17]), rel=1e-14)
    p = np.exp(logits - float(lse))
    p[17] -= 1
    np.testing.assert_allclose(grad[:-2], p, rtol=1e-12)


def test_float16_is_rounded_once():
    sets, logits = Sets.from_counts([2, 3]), np.float16([0.5, 1.0, 2.0, 0.25, -1.0])
    value, grad = cross_entropy_and_grad(logits, [0, 1], sets)
    wide = cross_entropy_and_grad(logits.astype(np.float32), [0, 1], sets)
    assert value.dtype == grad.dtype == np.float16
    assert value == wide[0].astype(np.float16) and (grad == wide[1].astype(np.float16)).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f, z, s: f(z, [0, 3], s), IndexError, r"target\[1\] is 3, expected 0 <= item < 3 in this set"),
        (lambda f, z, s: f(z, [-1, 0], s), IndexError, r"target\[0\] is -1"),
        (lambda f, z, s: f(z[:4], [0, 0], s), ValueError, r"logits: expected shape \(5,\)"),
        (lambda f, z, s: f(z, [0, 0, 0], s), ValueError, r"target: expected shape \(2,\)"),
        (lambda f, z, s: f(z, [0.0, 1.0], s), TypeError, "chosen items must be integers"),
        (lambda f, z, s: f(z, [1, 0, 0, 0, 0], s), ValueError, "set 1 has no positive item"),
        (lambda f, z, s: f(z, [1, 1, 0, 1, 0], s), ValueError, "set 0 has 2 positive items"),
        (lambda f, z, s: f(z, [2, 0, 0, 1, 0], s), ValueError, "expected 0 and 1, got 2 in set 0"),
        (lambda f, z, s: f(z, [0.5, 0.5, 0, -1.0, 0], s), ValueError, r"got -1.0 at 1 in set 1"),
        (lambda f, z, s: f(z, ["a", "b"], s), TypeError, "target: expected integers"),
        (lambda f, z, s: f(z, [0, 0], s, weight=[1, 1]), TypeError, "weight: sets share no classes"),
        (lambda f, z, s: f(z, [0, 0], s, sample_weight=[1]), ValueError, r"sample_weight: expected shape \(2,\)"),
        (lambda f, z, s: f(z, [0, 0], s, sample_weight=[1, -1]), ValueError, "sample_weight: expected finite"),
        (lambda f, z, s: f(z, [0, 0], s, offset=[1]), ValueError, r"offset: expected shape \(5,\)"),
        (lambda f, z, s: f(z, [0, 0], s, target_kind="class"), ValueError, "target_kind: expected one of"),
        (lambda f, z, s: f(z, [0, 0], s, tail="uniform"), TypeError, "there is no option 'tail'"),
        (lambda f, z, s: f(z, [0, 0], "abc"), TypeError, "sets: expected Sets, or offsets"),
        (lambda f, z, s: f(z, [0, 0], [1, 2, 5]), ValueError, "offsets that begin with 0"),
        (lambda f, z, s: f(z[None], [0, 0], s), ValueError, r"logits: expected shape \(5,\)"),
    ],
)
def test_errors_say_what_was_given(call, error, words):
    with pytest.raises(error, match=words):
        call(cross_entropy, np.zeros(5), Sets.from_counts([2, 3]))
