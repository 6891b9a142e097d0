"""The softmax of sets against the oracle, set by set."""

import numpy as np
import pytest

from levels import at_every_level
from luce.check.truth import oracle
from luce.check.truth.tolerance import assert_same_bits, assert_within
from luce.sets import Sets, log_softmax, logsumexp, softmax
from per_set import drawn, joined


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("function", "exact"),
    [(softmax, oracle.softmax), (log_softmax, oracle.log_softmax), (logsumexp, oracle.logsumexp)],
    ids=["softmax", "log_softmax", "logsumexp"],
)
def test_every_number_is_the_oracles(dtype, function, exact):
    counts, logits, *_ = drawn(11, dtype)
    sets = Sets.from_counts(counts)
    want = joined([exact(logits[None, a:b]) for a, b in zip(sets.offsets[:-1], sets.offsets[1:], strict=True)])
    for _ in at_every_level():
        assert_within(function(logits, sets), want, 8)


def test_items_that_stand_apart_get_their_own_numbers():
    logits = np.array([1.0, 5.0, 2.0, 7.0])
    apart = Sets.from_ids(["a", "b", "a", "b"], merge_runs=True)
    together = softmax(logits[[0, 2, 1, 3]], [0, 2, 4])
    assert_same_bits(softmax(logits, apart), together[[0, 2, 1, 3]])
    assert_same_bits(logsumexp(logits, apart), logsumexp(logits[[0, 2, 1, 3]], [0, 2, 4]))


def test_probabilities_sum_to_1_and_sets_of_one_are_certain():
    counts, logits, *_ = drawn(12, np.float64)
    sets = Sets.from_counts(counts)
    np.testing.assert_allclose(np.add.reduceat(softmax(logits, sets), sets.offsets[:-1]), 1, rtol=1e-14)
    many = Sets.from_counts(np.ones(10**5, int))
    z = np.random.default_rng(0).normal(size=10**5)
    np.testing.assert_allclose(softmax(z, many), 1, rtol=4e-16)
    assert (log_softmax(z, many) == 0).all()
    assert_same_bits(logsumexp(z, many), z)


def test_the_normaliser_of_a_set_without_items():
    sets = Sets.from_counts([0, 2, 0], on_empty="skip")
    np.testing.assert_array_equal(logsumexp([0.0, 0.0], sets), [-np.inf, np.log(2), -np.inf])
    assert logsumexp([], Sets.from_counts([])).shape == (0,)


def test_a_shift_of_a_thousand_gives_no_nan():
    sets = Sets.from_counts([2, 2])
    assert_same_bits(softmax([1000.0, 1001.0, 0.0, 1.0], sets)[:2], softmax([0.0, 1.0, 0.0, 1.0], sets)[:2])
    assert softmax([1000.0, 1001.0], [0, 2])[1] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-15)
