"""Rows of 16 bits: widened exactly, computed as float32 rows are, rounded once to the nearest."""

import numpy as np
import pytest

from levels import at_every_level
from luce import _core
from luce.arrays.calls import checked_call
from luce.check.inputs import cases
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.tolerance import assert_same_bits

HALVES = ["bfloat16", "float16"]
PATTERNS = np.arange(1 << 16, dtype=np.uint32)


@pytest.fixture(autouse=True)
def every_pattern_is_a_number():
    """Patterns that are signalling NaNs warn when NumPy converts them, and some results are infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        yield


def widened(bits, half):
    """The float32 that a pattern stands for."""
    if half == "float16":
        return bits.astype(np.uint16).view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(floats, half):
    """The nearest pattern, by comparison with the two neighbours in exact arithmetic; every NaN is one."""
    sizes = widened(PATTERNS[: 0x7C01 if half == "float16" else 0x7F81], half).astype(np.float64)
    sizes[-1] = 2 * sizes[-2] - sizes[-3]  # infinity stands where the next number would
    x = np.abs(floats.astype(np.float64))
    above = np.clip(np.searchsorted(sizes, x), 1, len(sizes) - 1)
    up, down = sizes[above] - x, x - sizes[above - 1]
    even = above - above % 2
    nearest = np.where(up < down, above, np.where(up > down, above - 1, even))
    bits = np.where(x == 0, 0, nearest) | np.where(np.signbit(floats), 0x8000, 0)
    return np.where(np.isnan(x), 0x7FFF, bits).astype(np.uint16)


def patterns_of(floats, half):
    """Patterns near floats (the upper bits of a float32, or NumPy's own float16)."""
    if half == "float16":
        return floats.astype(np.float16).view(np.uint16)
    return (floats.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def one_nan(bits, half):
    return np.where(np.isnan(widened(bits, half)), np.uint16(0x7FFF), bits)


def plain_form(shape):
    return checked_call(shape, np.dtype(np.float32), np.full(shape[0], -100)).form._replace(
        ignored=None, n_listed=0, indices=None
    )


def gradient(bits, half, factor):
    """Of the log-sum-exp squared: 2 lse p, which for rows of one class is 2 factor z, in every float's range."""
    form = plain_form(bits.shape)._replace(z_loss=0.5)
    grad = np.empty_like(bits)
    _core.cross_entropy(bits, form, factor, None, grad, 1, None, half)
    return grad


@pytest.mark.parametrize("half", HALVES)
def test_every_pattern_comes_in_exactly(half):
    lse = np.empty(1 << 16)
    bits = PATTERNS.astype(np.uint16)[:, None]
    for _ in at_every_level():
        _core.cross_entropy(bits, plain_form(bits.shape), 1.0, None, None, 1, (lse, None, None), half)
        want = widened(PATTERNS, half).astype(np.float64)
        assert_same_bits(lse + 0.0, np.where(np.isfinite(want), want, np.nan) + 0.0)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    "factor", [1.0, 1 / 3, 1 / 256, 2.0**-24, 2.0**-25 * 3, 255 / 256, 257 / 256, 2049 / 2048, 7.0, 1e30, 1e-30]
)
def test_results_are_rounded_to_the_nearest_once(half, factor):
    """A row of one class has the gradient factor·z: products that fall between, on and beside the halfway points."""
    bits = PATTERNS.astype(np.uint16)[:, None]
    for _ in at_every_level():
        exact = gradient(widened(PATTERNS, half)[:, None], None, factor)
        assert_same_bits(one_nan(gradient(bits, half, factor), half), rounded(exact, half))


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("v", [1, 3, 16, 33, 100, 3000])
@pytest.mark.parametrize("target", cases.TARGETS)
def test_everything_is_the_float32_result_rounded(target, v, half):
    for case, options in (
        ("normal", {}),
        ("confident", {"z_loss": 0.1}),
        ("normal", {"softcap": 4.0, "weight": "some"}),
    ):
        problem = DrawnProblem(
            n_rows=70, n_classes=v, dtype="float32", target=target, case=case, sample_weight="some", **options
        )
        form = checked_call(problem.logits.shape, problem.dtype, problem.target, **problem.options).form
        z, x = patterns_of(problem.logits, half), patterns_of(problem.vector, half)
        floats, vector = widened(z, half), widened(x, half)
        for _ in at_every_level():
            found, want = [(np.empty(70), np.empty(70), np.empty(70), np.empty(70, np.int64)) for _ in range(2)]
            grad, product, grad_beside = (np.empty_like(floats) for _ in range(3))
            _core.cross_entropy(floats, form, 0.25, want[0], grad, 1, want[1:])
            _core.cross_entropy_hvp(floats, form, 0.25, vector, product, grad_beside, 1)
            for n_threads in (1, 3):
                over, along = z.copy(), x.copy()
                _core.cross_entropy(over, form, 0.25, found[0], over, n_threads, found[1:], half)
                for a, b in zip(found, want, strict=True):
                    assert_same_bits(a, b)
                assert_same_bits(one_nan(over, half), rounded(grad, half))
                over = z.copy()
                _core.cross_entropy_hvp(over, form, 0.25, along, along, over, n_threads, half)
                assert_same_bits(one_nan(along, half), rounded(product, half))
                assert_same_bits(one_nan(over, half), rounded(grad_beside, half))
                _core.cross_entropy_hvp(z, form, 0.25, x, along, None, n_threads, half)
                assert_same_bits(one_nan(along, half), rounded(product, half))


def test_rows_of_chunks_are_their_own():
    """Many chunks, and rows that are longer than one."""
    for shape in ((30000, 10), (3, 70000)):
        z = patterns_of(np.random.default_rng(1).standard_normal(shape), "bfloat16")
        form = checked_call(shape, np.dtype(np.float32), np.arange(shape[0]) % shape[1]).form
        losses, again, grad = np.empty(shape[0]), np.empty(shape[0]), np.empty(shape, np.float32)
        _core.cross_entropy(widened(z, "bfloat16"), form, 1.0, losses, grad, 1)
        for n_threads in (1, 2, 5):
            out = np.empty_like(z)
            _core.cross_entropy(z, form, 1.0, again, out, n_threads, None, "bfloat16")
            assert_same_bits(again, losses)
            assert_same_bits(out, rounded(grad, "bfloat16"))


def test_what_16_bits_stand_for_is_said():
    form = plain_form((2, 3))
    bits = np.zeros((2, 3), np.uint16)
    for half in (None, "float32", "float8"):
        with pytest.raises(ValueError, match="16 bits"):
            _core.cross_entropy(bits, form, 1.0, np.empty(2), None, 1, None, half)
    with pytest.raises(ValueError, match="16 bits"):
        _core.cross_entropy(bits.view(np.float16), form, 1.0, np.empty(2), None, 1, None, "bfloat16")
    with pytest.raises(ValueError, match="grad"):
        _core.cross_entropy(bits, form, 1.0, np.empty(2), np.empty((2, 3), np.float32), 1, None, "bfloat16")
