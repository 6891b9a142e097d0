"""What the cross-entropy's kernel says of rows in passing: log-sum-exp, entropy, the first largest logit."""

import numpy as np
import pytest

from levels import at_every_level
from luce import _core
from luce.arrays.calls import checked_call
from luce.check.inputs import cases
from luce.check.inputs.problems import SIZES, DrawnProblem
from luce.check.oracle import CrossEntropy
from luce.check.truth.tolerance import assert_same_bits, assert_within


def statistics(logits, target=None, n_threads=1, **options):
    """(lse, entropy, largest), and the losses and the gradient that were computed over the logits."""
    grad = logits.copy()
    form = checked_call(
        logits.shape, logits.dtype, np.zeros(len(logits), int) if target is None else target, **options
    ).form
    losses, lse, entropy = np.empty((3, len(logits)))
    largest = np.empty(len(logits), np.int64)
    _core.cross_entropy(grad, form, 1.0, losses, grad, n_threads, (lse, entropy, largest))
    return lse, entropy, largest, losses, grad


def assert_statistics(logits, **options):
    exact = CrossEntropy(logits, np.zeros(len(logits), int), **options)
    for _ in at_every_level():
        lse, entropy, largest, *_ = statistics(logits, **options)
        assert_within(lse.astype(logits.dtype), exact.logsumexp, 4)
        assert_within(entropy.astype(logits.dtype), exact.entropy, 8)
        np.testing.assert_array_equal(largest, logits.argmax(axis=1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", cases.LOGITS)
def test_each_case_at_each_width(case, dtype):
    for v in SIZES:
        assert_statistics(cases.logits(case, np.random.default_rng(v), max(1, min(33, 300 // v)), v, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [{"temperature": 0.3}, {"softcap": 4.0}, {"softcap": 30.0, "temperature": 2.0}], ids=str
)
def test_temperature_and_softcap(options, dtype):
    for case in cases.LOGITS:
        for v in (3, 17, 65, 129):
            assert_statistics(cases.logits(case, np.random.default_rng(v), 5, v, dtype), **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_entropy_of_a_confident_row_keeps_its_digits(dtype):
    """e (1 + m) for e = exp(-m) beside 1, which log s - Σ p u loses to the last digit."""
    margins = np.array([1.0, 10.0, 17.0, 40.0, 80.0] + ([300.0, 700.0] if dtype == "float64" else []))
    for offset in (0.0, 1024.0, -8192.0):
        logits = np.full((len(margins), 9), offset, dtype)
        logits[:, 4] += margins.astype(dtype)
        assert_statistics(logits)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("v", [1, 2, 9, 48, 49, 64, 100, 1031])
def test_the_first_of_several_largest(v, dtype):
    rng = np.random.default_rng(v)
    logits = rng.integers(-2, 3, (50, v)).astype(dtype)
    logits[1], logits[2], logits[3] = -np.inf, 0, np.inf
    for row in range(4, 30):
        logits[row, rng.integers(v, size=2)] = [np.nan, np.inf, -np.inf][row % 3]
    logits[30:33, rng.integers(v)] = np.nan
    logits[30:33, rng.integers(v)] = np.inf
    for _ in at_every_level():
        lse, entropy, largest, *_ = statistics(logits)
        np.testing.assert_array_equal(largest, logits.argmax(axis=1))
        broken = ~(np.isfinite(logits) | np.isneginf(logits)).all(axis=1) | np.isneginf(logits).all(axis=1)
        assert broken.any() and not broken.all()
        np.testing.assert_array_equal(np.isnan(lse), broken)
        np.testing.assert_array_equal(np.isnan(entropy), broken)


@pytest.mark.parametrize("v", [3, 100, 3000])
@pytest.mark.parametrize("target", cases.TARGETS)
def test_the_target_is_of_no_account_and_neither_are_the_statistics(target, v):
    problem = DrawnProblem(n_rows=40, n_classes=v, dtype="float32", target=target, weight="some", sample_weight="some")
    for _ in at_every_level():
        *alone, _, _ = statistics(problem.logits)
        form = checked_call(problem.logits.shape, problem.dtype, problem.target, **problem.options).form
        losses, grad = np.empty(40), np.empty_like(problem.logits)
        _core.cross_entropy(problem.logits, form, 1.0, losses, grad, 1)
        *beside, same_losses, same_grad = statistics(*problem.arguments, **problem.options)
        for a, b in zip([*alone, losses, grad], [*beside, same_losses, same_grad], strict=True):
            assert_same_bits(a, b)


@pytest.mark.parametrize("shape", [(20000, 10), (3000, 100), (40, 32000)], ids=str)
def test_same_bits_for_any_number_of_threads(shape):
    logits = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    alone = statistics(logits)
    for n in (2, 3, 8):
        for a, b in zip(alone, statistics(logits, n_threads=n), strict=True):
            assert_same_bits(a, b)


def test_each_part_may_be_left_out_and_is_checked():
    logits = np.random.default_rng(0).standard_normal((5, 60))
    form = checked_call(logits.shape, logits.dtype, [0] * 5).form
    parts = statistics(logits)[:3]
    for i, part in enumerate(parts):
        found = np.zeros_like(part)
        _core.cross_entropy(logits, form, 1.0, None, None, 1, tuple(found if i == j else None for j in range(3)))
        assert_same_bits(found, part)
    for wrong in (
        (np.empty(4), None, None),
        (None, np.empty(5, np.float32), None),
        (None, None, np.empty(5, np.int32)),
    ):
        with pytest.raises(ValueError, match="wrong dtype, alignment or size"):
            _core.cross_entropy(logits, form, 1.0, None, None, 1, wrong)
