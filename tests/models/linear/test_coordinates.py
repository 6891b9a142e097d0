"""The coordinates: orthonormal where they should be, and transposes of each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luce.models.linear.coordinates import LogOdds, SumZero, Whole

KINDS = [SumZero(2), SumZero(3), SumZero(17), SumZero(1000), Whole(1), Whole(4), LogOdds()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{type(kind).__name__}-{kind.n_scores}")
@given(st.integers(0, 10**6))
def test_gather_is_the_transpose_of_spread(kind, seed):
    rng = np.random.default_rng(seed)
    reduced, full = rng.normal(size=(kind.n_rows, 3)), rng.normal(size=(kind.n_scores, 3))
    before = reduced.copy(), full.copy()
    spread, gathered = kind.spread(reduced), kind.gather(full)
    assert spread.shape == (kind.n_scores, 3) and gathered.shape == (kind.n_rows, 3)
    assert np.vdot(spread, full) == pytest.approx(np.vdot(reduced, gathered), rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(kind.gather(spread), reduced, atol=1e-13)
    assert np.linalg.norm(spread) == pytest.approx(np.linalg.norm(reduced), rel=1e-13)
    np.testing.assert_array_equal(reduced, before[0])
    np.testing.assert_array_equal(full, before[1])


@pytest.mark.parametrize("classes", [2, 3, 17, 1000])
def test_rows_sum_to_zero_and_only_the_common_shift_is_lost(classes):
    kind, rng = SumZero(classes), np.random.default_rng(0)
    assert np.abs(kind.spread(rng.normal(size=(classes - 1, 4))).sum(axis=0)).max() < 1e-12
    full = rng.normal(size=(classes, 4))
    np.testing.assert_allclose(kind.spread(kind.gather(full)), full - full.mean(axis=0), atol=1e-12)


def test_the_log_odds_are_the_second_row():
    np.testing.assert_array_equal(LogOdds().spread(np.array([[1.0, 2.0]])), [[0, 0], [1, 2]])
    np.testing.assert_array_equal(LogOdds().gather(np.array([[5.0, 6.0], [1.0, 2.0]])), [[1, 2]])
