"""The loss of logits and its derivatives, against the oracle, at every level, in every combination of two options."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp

import luce
from levels import at_every_level
from luce.check.inputs import cases
from luce.check.inputs.pairs import all_pairs
from luce.check.inputs.problems import FACTORS, ROWS, SIZES, DrawnProblem
from luce.check.oracle import CrossEntropy, Exact, softmax_jvp, to_float
from luce.check.truth.tolerance import assert_gradient, assert_loss, assert_product, assert_same_bits, assert_within

PAIRS = all_pairs(FACTORS)


def name_of(row: dict) -> str:
    return "-".join(str(value) for value in row.values())


def check_all(problem: DrawnProblem) -> None:
    """Value, gradient, Hessian-vector product and target gradient at every level, inputs untouched."""
    inputs = [a.copy() for a in flat(problem)]
    for _ in at_every_level():
        value = luce.cross_entropy(*problem.arguments, **problem.options)
        both = luce.cross_entropy_and_grad(*problem.arguments, **problem.options)
        assert_loss(value, problem.exact.value, problem.dtype)
        assert_same_bits(value, both[0])
        assert both[1].dtype == problem.dtype
        assert_gradient(both[1], problem.exact.gradient())
        hvp = luce.cross_entropy_hvp(*problem.arguments, problem.vector, **problem.options)
        assert hvp.dtype == problem.dtype
        assert_product(hvp, problem.exact.hvp(problem.vector))
        if problem.has_target_gradient:
            found = luce.cross_entropy_target_grad(*problem.arguments, **problem.options)
            assert_gradient(found, problem.exact.target_gradient())
    for before, after in zip(inputs, flat(problem), strict=True):
        assert_same_bits(before, after)


def flat(problem: DrawnProblem) -> list[np.ndarray]:
    target = problem.target if isinstance(problem.target, tuple) else (problem.target,)
    others = (problem.options.get("weight"), problem.options.get("sample_weight"))
    return [problem.logits, problem.vector, *target, *(a for a in others if a is not None)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", cases.LOGITS)
def test_each_case_at_each_width(case, dtype):
    for v in SIZES:
        problem = DrawnProblem(
            seed=v, case=case, n_rows=max(1, min(33, 300 // v)), n_classes=v, dtype=dtype, reduction="none"
        )
        losses, gradient = problem.exact.losses, problem.exact.gradient()
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(*problem.arguments, reduction="none")
            assert_loss(value, losses)
            assert_gradient(grad, gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", cases.TARGETS)
def test_each_target_at_each_number_of_rows(target, dtype):
    for n in ROWS:
        for v in (1, 2, 3, 10, 17):
            for reduction in ("mean", "none"):
                check_all(
                    DrawnProblem(seed=n + v, target=target, n_rows=n, n_classes=v, dtype=dtype, reduction=reduction)
                )


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # float16 ends at 65504
@pytest.mark.parametrize("row", PAIRS, ids=name_of)
def test_every_pair_of_options(row):
    check_all(DrawnProblem(seed=len(name_of(row)), **row))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # float16 ends at 65504
@settings(max_examples=120)
@given(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FACTORS.items()}),
    st.integers(0, 2**32 - 1),
)
def test_drawn_combinations(row, seed):
    check_all(DrawnProblem(seed=seed, **row))


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(SIZES),
    st.sampled_from(list(cases.TARGETS)),
    st.floats(0.1, 100.0),
    st.floats(-1e4, 1e4),
    st.sampled_from(["float32", "float64"]),
)
def test_scales_and_offsets(seed, v, target, scale, offset, dtype):
    rng = np.random.default_rng(seed)
    logits = (offset + scale * rng.standard_normal((2, v))).astype(dtype)
    t = cases.target(target, rng, 2, v, np.dtype(dtype))
    exact = CrossEntropy(logits, t, reduction="sum")
    for _ in at_every_level():
        value, grad = luce.cross_entropy_and_grad(logits, t, reduction="sum")
        assert_loss(value, exact)
        assert_gradient(grad, exact)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("softcap", [0.5, 2.0, 30.0, 1000.0, 10000.0])
@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01])
def test_capped_and_tempered_margins_keep_their_digits(softcap, temperature, dtype):
    """Rounding u = softcap(z)/temperature costs |u|/2 eps of exp(u): it may not be rounded."""
    rng = np.random.default_rng(8)
    span = min(1.5 * softcap, temperature * (40 if dtype == "float32" else 300))  # so that nothing underflows
    z = np.concatenate([rng.uniform(-span, span, (100, 3)), rng.uniform(-span, span, (100, 3)) / 100]).astype(dtype)
    target = z.argmax(axis=1)
    for options in ({"softcap": softcap, "temperature": temperature}, {"temperature": 0.7}):
        exact = CrossEntropy(z, target, reduction="none", **options)
        gradient, vector = exact.gradient(), np.ones_like(z)
        product = exact.hvp(vector)
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(z, target, reduction="none", **options)
            assert_loss(value, exact)
            assert_gradient(grad, gradient)
            assert_product(luce.cross_entropy_hvp(z, target, vector, reduction="none", **options), product)


@pytest.mark.parametrize(("v", "dtype"), [(50257, "float32"), (128256, "float32"), (32000, "float64")])
def test_vocabularies(v, dtype):
    rng = np.random.default_rng(v)
    logits = (3 * rng.standard_normal((1, v))).astype(dtype)
    for target in ([int(logits[0].argmax())], [17]):
        exact = CrossEntropy(logits, target)
        gradient = exact.gradient()
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(logits, target)
            assert_loss(value, exact)
            assert_gradient(grad[:, :5000], Exact(gradient.value[:, :5000], gradient.scale[:, :5000]))
            assert_gradient(grad[:, -99:], Exact(gradient.value[:, -99:], gradient.scale[:, -99:]))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_many_rows_add_up_without_drift(reduction):
    logits = np.random.default_rng(0).standard_normal((20000, 2)).astype(np.float32)
    target = np.arange(20000) % 2
    exact = CrossEntropy(logits, target, reduction=reduction)
    for _ in at_every_level():
        assert_loss(luce.cross_entropy(logits, target, reduction=reduction), exact)


# The rows that other libraries lose


@pytest.mark.parametrize("v", [2, 4, 16, 17, 100, 1000])
@pytest.mark.parametrize("margin", [16.0, 17.0, 20.0, 40.0, 60.0, 80.0])
def test_confident_rows_keep_every_digit_in_float32(margin, v):
    logits = np.zeros((3, v), dtype=np.float32)
    logits[:, 1] = margin
    for _ in at_every_level():
        loss, grad = luce.cross_entropy_and_grad(logits, [1, 1, 1], reduction="none")
        with mp.workdps(60):
            want = mp.log1p((v - 1) * mp.exp(-mp.mpf(margin)))
            other = mp.exp(-mp.mpf(margin)) / (1 + (v - 1) * mp.exp(-mp.mpf(margin)))
            row = np.array([other] * v, dtype=object)
            row[1] = -(v - 1) * other
            assert_within(loss, Exact(np.array([want] * 3), np.array([want] * 3)), 4)
            assert_within(grad, Exact(np.array([row] * 3), abs(np.array([row] * 3))), 8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_hundred_thousand_ties_do_not_drift(dtype):
    """Loss and gradient of equal logits have closed forms at any width."""
    v = 100_000
    z = np.full((1, v), 3.0, dtype=dtype)
    with mp.workdps(60):
        smoothing = mp.mpf(0.1)
        loss, off, on = mp.log(v), 1 / mp.mpf(v) - smoothing / v, 1 / mp.mpf(v) - smoothing / v - (1 - smoothing)
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(z, [1], label_smoothing=0.1)
            assert_within(value, Exact(np.asarray(loss), np.asarray(loss)), 4, dtype)
            for found, want in ((grad[0, :100], off), (grad[0, 1], on), (grad[0, -1], off)):
                want = np.full(found.shape, want)
                if found.ndim:
                    want[1] = on
                assert_within(found, Exact(want, abs(want) + 2 * smoothing / v), 8, dtype)


def test_the_figure_of_the_readme():
    loss, grad = luce.cross_entropy_and_grad(np.array([[60, 0, 0, 0]], dtype=np.float32), [0])
    assert f"{loss:.1e}" == "2.6e-26"
    assert f"{grad[0, 0]:.1e}" == "-2.6e-26"


@pytest.mark.parametrize("v", [10, 129, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("margin", [0.0, 3.0, 40.0])
def test_products_with_columns_of_the_identity(margin, softcap, dtype, v):
    """The row's own maximum may count for little: differences to the vector's entry there would lose v eps."""
    logits = (margin * (np.arange(v) == 3) + np.zeros((v, 1))).astype(dtype)
    options = {"softcap": softcap, "reduction": "sum"}
    at = [0, 3, v // 2, v - 1]
    vectors = 0.7 * np.eye(v, dtype=dtype)[at]
    product = CrossEntropy(logits[at], at, **options).hvp(vectors)
    for _ in at_every_level():
        assert_product(luce.cross_entropy_hvp(logits[at], at, vectors, **options), product)
        if softcap is None:
            assert_product(luce.softmax_jvp(logits[at], vectors), softmax_jvp(logits[at], vectors))


# Shapes, layouts, dtypes


def layouts(a: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in every way that NumPy can lay them out."""
    a = np.ascontiguousarray(a)
    wide = np.zeros((a.shape[0] * 2, *(2 * n for n in a.shape[1:])), dtype=a.dtype)
    sliced = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    sliced[...] = a
    backwards = np.ascontiguousarray(np.flip(a))
    unaligned = np.frombuffer(b"\0" + a.tobytes(), dtype=np.uint8)[1:].view(a.dtype).reshape(a.shape)
    frozen = a.copy()
    frozen.flags.writeable = False
    return {
        "sliced": sliced,
        "transposed": np.ascontiguousarray(a.T).T,
        "negative": np.flip(backwards),
        "fortran": np.asfortranarray(a),
        "read-only": frozen,
        "big-endian": a.astype(a.dtype.newbyteorder(">")),
        "unaligned": unaligned,
    }


@pytest.mark.parametrize(
    "layout", ["sliced", "transposed", "negative", "fortran", "read-only", "big-endian", "unaligned"]
)
@pytest.mark.parametrize("target", cases.TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts_give_the_same_bits(layout, target, dtype):
    problem = DrawnProblem(target=target, n_rows=6, n_classes=13, dtype=dtype, weight="some", sample_weight="some")
    laid = lambda a: layouts(a)[layout]  # noqa: E731
    t = tuple(map(laid, problem.target)) if isinstance(problem.target, tuple) else laid(problem.target)
    options = {name: laid(a) for name, a in problem.options.items()}
    z, vector = laid(problem.logits), laid(problem.vector)
    before = z.copy()
    value, grad = luce.cross_entropy_and_grad(*problem.arguments, **problem.options)
    found = luce.cross_entropy_and_grad(z, t, **options)
    assert_same_bits(found[0], value)
    assert_same_bits(found[1], grad)
    assert found[1].dtype.isnative
    assert_same_bits(
        luce.cross_entropy_hvp(z, t, vector, **options),
        luce.cross_entropy_hvp(*problem.arguments, problem.vector, **problem.options),
    )
    if problem.has_target_gradient:
        assert_same_bits(
            luce.cross_entropy_target_grad(z, t, **options),
            luce.cross_entropy_target_grad(*problem.arguments, **problem.options),
        )
    assert_same_bits(z, before)


def test_broadcast_inputs():
    z = np.array([1.0, 2.0, -1.0])
    wide, target = np.broadcast_to(z, (5, 3)), np.broadcast_to(np.array(2), (5,))
    value, grad = luce.cross_entropy_and_grad(wide, target, sample_weight=np.broadcast_to(2.0, (5,)))
    alone = luce.cross_entropy_and_grad(z[None], [2])
    assert_loss(value, CrossEntropy(z[None], [2]))
    assert_gradient(grad, CrossEntropy(np.array(wide), [2] * 5, sample_weight=[2.0] * 5))
    assert alone[1].shape == (1, 3)
    assert grad.flags.writeable


@pytest.mark.parametrize("leading", [(), (1,), (4,), (2, 3), (2, 1, 3), (0,), (2, 0)])
@pytest.mark.parametrize("target", cases.TARGETS)
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_leading_axes(leading, target, reduction):
    n = int(np.prod(leading))
    problem = DrawnProblem(target=target, n_rows=n, n_classes=5, sample_weight="some", reduction=reduction)
    fold = lambda a: a.reshape((*leading, *a.shape[1:]))  # noqa: E731
    t = tuple(map(fold, problem.target)) if isinstance(problem.target, tuple) else fold(problem.target)
    options = {**problem.options, "sample_weight": fold(problem.options["sample_weight"])}
    value, grad = luce.cross_entropy_and_grad(fold(problem.logits), t, **options)
    flat_value, flat_grad = luce.cross_entropy_and_grad(*problem.arguments, **problem.options)
    assert_same_bits(value, fold(flat_value) if reduction == "none" else flat_value)
    assert_same_bits(grad, fold(flat_grad))
    hvp = luce.cross_entropy_hvp(fold(problem.logits), t, fold(problem.vector), **options)
    assert_same_bits(hvp, fold(luce.cross_entropy_hvp(*problem.arguments, problem.vector, **problem.options)))
    if problem.has_target_gradient:
        found = luce.cross_entropy_target_grad(fold(problem.logits), t, **options)
        assert_same_bits(found, fold(luce.cross_entropy_target_grad(*problem.arguments, **problem.options)))


@pytest.mark.parametrize("integer", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", ">i4"])
def test_integer_targets(integer):
    z = np.random.default_rng(0).standard_normal((4, 5))
    want = luce.cross_entropy_and_grad(z, np.array([0, 4, 2, 1]))
    found = luce.cross_entropy_and_grad(z, np.array([0, 4, 2, 1], dtype=integer))
    assert_same_bits(found[0], want[0])
    assert_same_bits(found[1], want[1])


def test_lists_are_float64():
    value, grad = luce.cross_entropy_and_grad([[1, 2, 3]], [0])
    assert np.asarray(value).dtype == grad.dtype == np.float64
    assert_gradient(grad, CrossEntropy([[1.0, 2.0, 3.0]], [0]))


def test_dtype_of_the_target_does_not_matter_to_the_result():
    z, t = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32), np.eye(4)[:3]
    for dtype in (np.float32, np.float64, np.float16):
        value, grad = luce.cross_entropy_and_grad(z, t.astype(dtype))
        assert np.asarray(value).dtype == grad.dtype == np.float32
        assert_gradient(grad, CrossEntropy(z, t))
        assert luce.cross_entropy_target_grad(z, t.astype(dtype)).shape == t.shape


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_value_has_the_dtype_of_the_logits(dtype):
    z = np.zeros((2, 3), dtype=dtype)
    for reduction in ("mean", "sum", "none"):
        assert np.asarray(luce.cross_entropy(z, [0, 1], reduction=reduction)).dtype == dtype


# out=


@pytest.mark.parametrize("v", [3, 17, 300])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_out_in_every_form(v, dtype):
    problem = DrawnProblem(n_rows=18, n_classes=v, dtype=dtype, target="ignored")
    value, grad = luce.cross_entropy_and_grad(*problem.arguments)
    buffers = {
        "fresh": np.full_like(grad, 7),
        "fortran": np.full(grad.shape, 7, dtype=dtype, order="F"),
        "sliced": np.full((36, 2 * v), 7, dtype=dtype)[::2, ::2],
        "negative": np.full(grad.shape, 7, dtype=dtype)[::-1, ::-1],
    }
    for out in buffers.values():
        found = luce.cross_entropy_and_grad(*problem.arguments, out=out)
        assert found[1] is out
        assert_same_bits(np.asarray(found[0]), np.asarray(value))
        assert_same_bits(out, grad)


@pytest.mark.parametrize("v", [1, 3, 16, 17, 33, 130, 3000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("target", cases.TARGETS)
def test_in_place_over_the_logits(target, dtype, v):
    for options in (
        {},
        {"label_smoothing": 0.1},
        {"softcap": 4.0, "z_loss": 0.1},
        {"temperature": 0.5, "reduction": "none"},
    ):
        problem = DrawnProblem(n_rows=18, n_classes=v, dtype=dtype, target=target, **options)
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(*problem.arguments, **problem.options)
            in_place = problem.logits.copy()
            found = luce.cross_entropy_and_grad(in_place, problem.target, out=in_place, **problem.options)
            assert found[1] is in_place
            assert_same_bits(found[0], value)
            assert_same_bits(in_place, grad)


def test_out_leaves_the_gaps_of_a_slice_alone():
    whole = np.full((4, 6), 7.0)
    luce.cross_entropy_and_grad(np.zeros((2, 3)), [0, 1], out=whole[::2, ::2])
    assert (whole[1::2] == 7).all() and (whole[:, 1::2] == 7).all()


@pytest.mark.parametrize("v", [3, 40])
def test_out_that_overlaps_an_input(v):
    problem = DrawnProblem(n_rows=9, n_classes=v, target="distribution", weight="some")
    want = luce.cross_entropy_and_grad(*problem.arguments, **problem.options)

    t = problem.target.copy()  # out is the target
    assert_same_bits(luce.cross_entropy_and_grad(problem.logits, t, out=t, **problem.options)[1], want[1])

    memory = np.zeros((10, v))  # out is the logits, one row further
    memory[:9] = problem.logits
    assert_same_bits(
        luce.cross_entropy_and_grad(memory[:9], problem.target, out=memory[1:], **problem.options)[1], want[1]
    )

    memory = np.zeros((10, v))  # out is the target, one row back
    memory[1:] = problem.target
    assert_same_bits(
        luce.cross_entropy_and_grad(problem.logits, memory[1:], out=memory[:9], **problem.options)[1], want[1]
    )

    memory = np.ascontiguousarray(problem.logits[::-1])  # out is the logits, upside down
    assert_same_bits(
        luce.cross_entropy_and_grad(memory[::-1], problem.target, out=memory, **problem.options)[1], want[1]
    )

    memory = np.zeros((9, v))  # out is the class weights
    memory[4] = problem.options["weight"]
    found = luce.cross_entropy_and_grad(*problem.arguments, weight=memory[4], out=memory)
    assert_same_bits(found[1], want[1])


# Edges


@pytest.mark.parametrize("v", [2, 3, 16, 17, 100, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_broken_row_touches_no_other(v, dtype, bad):
    rng = np.random.default_rng(v)
    z = rng.standard_normal((35, v)).astype(dtype)
    target = rng.integers(0, v, 35)
    for options in ({}, {"softcap": 5.0}, {"z_loss": 0.1, "label_smoothing": 0.1}):
        for _ in at_every_level():
            clean = luce.cross_entropy_and_grad(z, target, reduction="none", **options)
            broken = z.copy()
            for row in (0, 6, 17, 34):
                broken[row, slice(None) if np.isneginf(bad) else row % v] = bad
            value, grad = luce.cross_entropy_and_grad(broken, target, reduction="none", **options)
            vector = rng.standard_normal(z.shape).astype(dtype)
            hvp = luce.cross_entropy_hvp(broken, target, vector, reduction="none", **options)
            rows = np.isin(np.arange(35), (0, 6, 17, 34))
            assert np.isnan(value[rows]).all() and np.isnan(grad[rows]).all() and np.isnan(hvp[rows]).all()
            assert_same_bits(value[~rows], clean[0][~rows])
            assert_same_bits(grad[~rows], clean[1][~rows])
            assert np.isfinite(hvp[~rows]).all()
            assert np.isnan(luce.cross_entropy(broken, target, **options))


@pytest.mark.parametrize("v", [2, 17, 300])
def test_a_broken_row_that_is_ignored_counts_for_nothing(v):
    z = np.random.default_rng(0).standard_normal((3, v))
    z[1] = np.nan
    for _ in at_every_level():
        value, grad = luce.cross_entropy_and_grad(z, [0, -100, 1])
        assert_loss(value, CrossEntropy(z[[0, 2]], [0, 1]))
        assert_gradient(grad, CrossEntropy(z, [0, -100, 1]))


@pytest.mark.parametrize("case", ["block", "holes", "only last"])
@pytest.mark.parametrize(
    "options", [{}, {"softcap": 3.0}, {"label_smoothing": 0.1}, {"z_loss": 0.1}, {"temperature": 2.0}], ids=str
)
def test_an_impossible_class_has_no_part(case, options):
    for v in (2, 9, 33, 130):
        problem = DrawnProblem(case=case, n_classes=v, n_rows=20, target="distribution", reduction="none", **options)
        impossible = np.isneginf(problem.logits)
        possible_target = np.where(impossible, 0.0, problem.target)
        exact = CrossEntropy(problem.logits, possible_target, reduction="none", **options)
        for _ in at_every_level():
            value, grad = luce.cross_entropy_and_grad(problem.logits, possible_target, reduction="none", **options)
            hvp = luce.cross_entropy_hvp(problem.logits, possible_target, problem.vector, reduction="none", **options)
            assert "label_smoothing" in options or np.isfinite(value).all()
            assert (grad[impossible] == 0).all() and (hvp[impossible] == 0).all()
            assert_loss(value, exact)
            assert_gradient(grad, exact)
            assert_product(hvp, exact.hvp(problem.vector))


def test_a_target_that_can_not_happen_costs_infinity():
    z = np.array([[0.0, -np.inf, 1.0], [0.0, 0.0, 0.0]])
    for target in (
        np.array([1, 0]),
        np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]),
        (np.array([[1], [0]]), np.ones((2, 1))),
    ):
        value = luce.cross_entropy(z, target, reduction="none")
        assert value[0] == np.inf and np.isfinite(value[1])
        assert luce.cross_entropy(z, target) == np.inf


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_nothing_left_to_average(reduction, n):
    z, target = np.ones((n, 3), dtype=np.float32), np.full(n, -100)
    value, grad = luce.cross_entropy_and_grad(z, target, reduction=reduction)
    if reduction == "mean":
        assert np.isnan(value)
        assert luce.cross_entropy(z, target, on_empty="zero") == 0
        with pytest.raises(ValueError, match="on_empty"):
            luce.cross_entropy(z, target, on_empty="raise")
    else:
        assert np.all(value == 0)
    assert grad.shape == (n, 3)
    assert not grad.any()
    assert not luce.cross_entropy_hvp(z, target, np.ones_like(z), reduction=reduction).any()


def test_a_row_of_weight_0_counts_for_nothing_even_when_it_costs_infinity():
    z, r = np.array([[0.0, -np.inf], [1.0, 2.0]]), [0.0, 1.0]
    exact = CrossEntropy(z, [1, 1], sample_weight=r)
    for _ in at_every_level():
        value, grad = luce.cross_entropy_and_grad(z, [1, 1], sample_weight=r)
        assert_loss(value, exact)
        assert_gradient(grad, exact)


def test_nothing_left_because_of_weights():
    z = np.zeros((2, 2))
    assert np.isnan(luce.cross_entropy(z, [0, 0], weight=[0.0, 1.0]))
    assert luce.cross_entropy(z, [0, 0], sample_weight=[0.0, 0.0], on_empty="zero") == 0
    assert luce.cross_entropy(z, [-100, -100], normalizer=4.0) == 0


def test_normalizer_lets_pieces_add_up():
    problem = DrawnProblem(n_rows=12, target="ignored", weight="some", seed=4)
    w = problem.options["weight"]
    denominator = float(w[problem.target[problem.target >= 0]].sum())
    whole = luce.cross_entropy_and_grad(*problem.arguments, weight=w)
    pieces = [
        luce.cross_entropy_and_grad(problem.logits[s], problem.target[s], weight=w, normalizer=denominator)
        for s in (slice(0, 5), slice(5, 12))
    ]
    assert_same_bits(np.concatenate([grad for _, grad in pieces]), whole[1])
    assert abs(sum(value for value, _ in pieces) - whole[0]) <= 4 * np.finfo(np.float64).eps * whole[0]


# Identities


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(SIZES),
    st.sampled_from(list(cases.TARGETS)),
    st.sampled_from(["float32", "float64"]),
)
def test_rows_of_the_gradient_sum_to_zero(seed, v, target, dtype):
    problem = DrawnProblem(seed=seed, n_classes=v, n_rows=3, target=target, dtype=dtype, reduction="none")
    grad = luce.cross_entropy_and_grad(*problem.arguments, reduction="none")[1].astype(np.float64)
    room = 8 * np.finfo(dtype).eps * to_float(problem.exact.gradient().scale).sum(axis=1)
    assert (abs(grad.sum(axis=1)) <= room).all()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SIZES), st.sampled_from([-512.0, -3.0, 0.5, 1024.0]))
def test_a_shift_changes_nothing(seed, v, shift):
    z = (np.round(np.random.default_rng(seed).standard_normal((3, v)) * 8) / 8).astype(np.float32)  # exact when shifted
    target = np.zeros(3, dtype=int)
    exact = CrossEntropy(z, target, reduction="none")
    for _ in at_every_level():
        value, grad = luce.cross_entropy_and_grad(z + np.float32(shift), target, reduction="none")
        assert_loss(value, exact)
        assert_gradient(grad, exact)


@pytest.mark.parametrize(
    "options", [{}, {"z_loss": 0.2}, {"softcap": 4.0, "temperature": 0.5}, {"label_smoothing": 0.2}], ids=str
)
@pytest.mark.parametrize("target", ["index", "unnormalised", "top-k"])
@pytest.mark.parametrize("v", [1, 2, 9, 17])
def test_the_hessian_is_what_its_products_say(v, target, options):
    problem = DrawnProblem(n_rows=1, n_classes=v, target=target, reduction="sum", seed=v, **options)
    basis = np.eye(v)
    columns = [luce.cross_entropy_hvp(*problem.arguments, e[None], **problem.options)[0] for e in basis]
    hessian = np.stack(columns, axis=1)
    exact = [problem.exact.hvp(e[None]) for e in basis]
    scale = np.stack([to_float(x.scale)[0] for x in exact], axis=1)
    room = 16 * np.finfo(np.float64).eps * (scale + scale.T)
    assert (abs(hessian - hessian.T) <= room).all()
    if "softcap" not in options:
        assert np.linalg.eigvalsh((hessian + hessian.T) / 2).min() >= -np.abs(room).sum()
    if not {"softcap", "z_loss"} & options.keys():
        ones = luce.cross_entropy_hvp(*problem.arguments, np.ones((1, v)), **problem.options)
        assert (abs(ones) <= 16 * np.finfo(np.float64).eps * scale.sum(axis=1)).all()


@pytest.mark.parametrize("v", [2, 5, 33])
def test_hvp_is_linear_and_symmetric(v):
    problem = DrawnProblem(n_rows=4, n_classes=v, z_loss=0.1, softcap=6.0, temperature=2.0)
    rng = np.random.default_rng(v)
    a, b = rng.standard_normal((2, 4, v))
    hvp = lambda x: luce.cross_entropy_hvp(*problem.arguments, x, **problem.options)  # noqa: E731
    np.testing.assert_allclose(np.vdot(a, hvp(b)), np.vdot(b, hvp(a)), rtol=1e-11)
    np.testing.assert_allclose(hvp(2 * a - b), 2 * hvp(a) - hvp(b), rtol=1e-9, atol=1e-15)


def test_a_class_index_is_a_one_hot_distribution_and_a_pair():
    rng = np.random.default_rng(3)
    z, y = rng.standard_normal((6, 7)), rng.integers(0, 7, 6)
    forms = (y, np.eye(7)[y], (y[:, None], np.ones((6, 1))), (np.stack([y, y], 1), np.full((6, 2), 0.5)))
    exact = CrossEntropy(z, y, label_smoothing=0.1)
    for form in forms:
        value, grad = luce.cross_entropy_and_grad(z, form, label_smoothing=0.1)
        assert_loss(value, exact)
        assert_gradient(grad, exact)


@pytest.mark.parametrize("n_classes", [3, 48, 49, 100])
def test_nothing_that_an_ignored_row_holds_matters(n_classes):
    """Not its logits, and not its direction either."""
    z, v = np.zeros((2, n_classes)), np.ones((2, n_classes))
    z[1] = v[1] = np.nan
    value, grad = luce.cross_entropy_and_grad(z, [0, -100])
    assert np.isfinite(value) and not grad[1].any()
    product = luce.cross_entropy_hvp(z, [0, -100], v)
    assert np.isfinite(product).all() and not product[1].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_rounding_of_the_listed_mass_is_no_tail(dtype):
    """.6 + .3 + .1 lacks 1e-16 to 1, which must not fall to a class that cannot happen."""
    z = np.array([[1, 2, 3, -np.inf]], dtype)
    for listed in ([0.6, 0.3, 0.1], [0.1, 0.2, 0.7]):
        pair = (np.array([[0, 1, 2]]), np.array([listed]))
        assert luce.cross_entropy(z, pair, tail="uniform") == luce.cross_entropy(z, pair)


def test_a_small_tail_keeps_its_digits():
    """The mass that is left is a difference of nearly equal numbers: 1e-9 in float64."""
    listed = [0.1, 0.2, 0.7 - 1e-9]
    _, grad = luce.cross_entropy_and_grad(
        [[0.0, 0.0, 0.0, -80.0]], (np.array([[0, 1, 2]]), np.array([listed])), tail="uniform"
    )
    left = float(1 - sum(map(Fraction, listed)))
    assert grad[0, 3] == pytest.approx(-left, rel=8 * np.finfo(float).eps)
