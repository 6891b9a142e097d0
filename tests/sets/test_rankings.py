"""Rankings against the definition in many digits, written out stage by stage and order by order."""

from itertools import permutations

import numpy as np
import pytest
from mpmath import mp

from luce.check.truth.tolerance import assert_same_bits
from luce.sets import Sets, cross_entropy_and_grad, plackett_luce, plackett_luce_and_grad

TIES = ["breslow", "efron", "exact"]


def truth(u, ranks, ties, top=np.inf):
    """Return minus the log-likelihood of one ranking, in mpmath."""
    u, loss = [mp.mpf(x) for x in u], mp.zero
    for place in sorted(set(ranks)):
        if place > top:
            continue
        tied = [mp.exp(x) for x, r in zip(u, ranks, strict=True) if r == place]
        rest = sum((mp.exp(x) for x, r in zip(u, ranks, strict=True) if r > place), mp.zero)
        if ties == "exact":
            total = mp.zero
            for order in permutations(tied):
                chance = mp.one
                for k, e in enumerate(order):
                    chance *= e / (rest + sum(order[k:], mp.zero))
                total += chance
            loss -= mp.log(total)
            continue
        for k, e in enumerate(tied):
            loss += mp.log(
                rest + sum(tied, mp.zero) * (1 if ties == "breslow" else 1 - mp.mpf(k) / len(tied))
            ) - mp.log(e)
    return loss


def slope(u, ranks, ties, top=np.inf):
    """Return its gradient by central differences in many digits."""
    step, found = mp.mpf(10) ** -20, []
    for i in range(len(u)):
        up, down = ([mp.mpf(x) + s * step * (k == i) for k, x in enumerate(u)] for s in (1, -1))
        found.append((truth(up, ranks, ties, top) - truth(down, ranks, ties, top)) / (2 * step))
    return found


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(80):
        yield


CASES = [
    ([0.3, -1.0, 2.0, 0.5], [2, 4, 1, 3]),
    ([0.3, -1.0, 2.0, 0.5, 1.0], [1, 2, 2, 1, 2]),
    ([5.0, -30.0, 2.0, 0.5, 40.0, 1.0], [3, 3, 2, 3, 1, 3]),
    ([60.0, 30.0, 0.0, -900.0], [1, 2, 3, 4]),
    ([1.0], [1]),
    ([0.0, 0.0, 0.0], [1, 1, 1]),
]


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("top", [None, 1, 2])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_the_definition(case, ties, top):
    u, ranks = case
    limit = np.inf if top is None else top
    losses, grad = plackett_luce_and_grad(u, ranks, [0, len(u)], ties=ties, top=top, reduction="none")
    want = truth(u, ranks, ties, limit)
    assert float(losses[0]) == pytest.approx(float(want), rel=1e-13, abs=1e-14 * (1 if len(set(ranks)) < len(u) else 0))
    np.testing.assert_allclose(grad, [float(g) for g in slope(u, ranks, ties, limit)], rtol=1e-12, atol=1e-14)


def test_a_certain_ranking_keeps_its_digits():
    u, ranks = [60.0, 0.0, -70.0], [1, 2, 3]
    losses, grad = plackett_luce_and_grad(u, ranks, [0, 3], reduction="none")
    assert float(losses[0]) == pytest.approx(float(truth(u, ranks, "efron")), rel=1e-14)
    assert float(grad[0]) == pytest.approx(float(slope(u, ranks, "efron")[0]), rel=1e-13)
    assert -1e-25 < grad[0] < 0


def test_the_first_place_alone_is_the_choice_of_one():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, 50)
    z, sets = 3 * rng.normal(size=counts.sum()), Sets.from_counts(counts)
    ranks = np.concatenate([rng.permutation(n) + 1 for n in counts])
    value, grad = plackett_luce_and_grad(z, ranks, sets, top=1)
    want, gradient = cross_entropy_and_grad(z, (ranks == 1).astype(int), sets)
    assert float(value) == pytest.approx(float(want), rel=1e-14)
    np.testing.assert_allclose(grad, gradient, rtol=1e-12, atol=1e-17)


def test_sets_weights_and_threads():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 20, 3000)
    sets = Sets.from_counts(counts, on_empty="skip")
    z, ranks = rng.normal(size=counts.sum()), rng.integers(1, 6, counts.sum())
    weights = rng.random(len(counts))
    losses = plackett_luce(z, ranks, sets, reduction="none")
    whole = plackett_luce_and_grad(z, ranks, sets, sample_weight=weights, n_threads=1)
    assert float(whole[0]) == pytest.approx((weights * losses).sum() / weights[counts > 0].sum(), rel=1e-13)
    for n in (2, 3):
        assert_same_bits(plackett_luce_and_grad(z, ranks, sets, sample_weight=weights, n_threads=n)[1], whole[1])
    assert float(plackett_luce(z, ranks, sets)) == pytest.approx(losses[counts > 0].mean(), rel=1e-13)
    np.testing.assert_allclose(np.add.reduceat(whole[1], sets.offsets[:-1][counts > 0]), 0, atol=1e-15)
    assert abs(whole[1]).max() > 1e-5


def test_items_that_stand_apart_in_any_order():
    u, ranks = np.array([0.3, 1.0, 2.0, -1.0, 0.5]), np.array([1, 2, 2, 1, 3])
    apart = Sets.from_ids([0, 1, 0, 1, 0], merge_runs=True)
    together = plackett_luce_and_grad(u[[0, 2, 4, 1, 3]], ranks[[0, 2, 4, 1, 3]], [0, 3, 5], ties="exact")
    value, grad = plackett_luce_and_grad(u, ranks, apart, ties="exact")
    assert_same_bits(value, together[0])
    assert_same_bits(grad[[0, 2, 4, 1, 3]], together[1])


def test_what_cannot_happen_and_what_is_broken():
    losses, grad = plackett_luce_and_grad(
        [0.0, -np.inf, 1.0, np.nan, 0.0, -np.inf, 0.0], [1, 3, 2, 1, 2, 1, 2], [0, 3, 5, 7], reduction="none"
    )
    assert losses[0] == plackett_luce([0.0, 1.0], [1, 2], [0, 2]) and grad[1] == 0
    assert np.isnan(losses[1]) and np.isnan(grad[3:5]).all() and losses[2] == np.inf


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda z: plackett_luce(z, [1, 2], [0, 3]), ValueError, r"ranks: expected shape \(3,\)"),
        (lambda z: plackett_luce(z, [1, 0, 2], [0, 3]), ValueError, "places from 1 on, got 0 at 1"),
        (lambda z: plackett_luce(z, [1.0, 2.0, 3.0], [0, 3]), TypeError, "ranks: expected integers"),
        (lambda z: plackett_luce(z, [1, 2, 3], [0, 3], ties="average"), ValueError, "ties: expected one of"),
        (lambda z: plackett_luce(z, [1, 2, 3], [0, 3], top=0), ValueError, "top: expected a positive integer"),
        (
            lambda _: plackett_luce(np.zeros(20), [1] * 5 + [2] * 15, [0, 5, 20], ties="exact"),
            ValueError,
            "at most 12 items of one rank, set 1 has 15 of rank 2",
        ),
    ],
)
def test_errors_say_what_was_given(call, error, words):
    with pytest.raises(error, match=words):
        call(np.zeros(3))
