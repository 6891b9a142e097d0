"""Products with sparse rows: against exact sums, at every level, in every form that a sparse matrix comes in."""

import numpy as np
import pytest
from scipy import sparse

from levels import at_every_level
from luce import _core
from luce.check.truth.tolerance import assert_same_bits
from luce.models.linear.sparse_rows import SparseRows

WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 33, 64, 100, 129, 300, 1000]
DTYPES = ["float32", "float64"]


def drawn(n=40, d=30, per_row=8, dtype="float64", index="int32", form="csr", seed=0):
    """Unsorted, with entries stored twice, stored zeros and empty rows; and the dense matrix in float64."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 2 * per_row, n)
    counts[:: max(1, n // 5)] = 0
    start = np.concatenate([[0], np.cumsum(counts)]).astype(index)
    columns = rng.integers(0, d, start[-1]).astype(index)
    values = rng.standard_normal(start[-1]).astype(dtype)
    values[::7] = 0
    dense = np.zeros((n, d))
    np.add.at(dense, (np.repeat(np.arange(n), counts), columns), values)
    made = {"csr": sparse.csr_array, "csc": sparse.csc_array, "csr_matrix": sparse.csr_matrix}[form]
    shape = (n, d)
    if form == "csc":
        shape, dense = (d, n), np.ascontiguousarray(dense.T)
    X = made((values, columns, start), shape=shape)
    X.indices, X.indptr = columns, start  # SciPy narrows them
    assert X.indices.dtype == index and not X.has_sorted_indices and not X.has_canonical_format
    return X, dense


def factors(X, k, seed=1):
    rng = np.random.default_rng(seed)
    (n, d), draw = X.shape, lambda *shape: rng.standard_normal(shape).astype(X.dtype)
    return draw(d, k), draw(k), draw(n, k)


def assert_sum(found, a, b, start=0.0, eps=None, terms=40):
    """found = start + a b to within the rounding of a sum of so many terms, entry by entry."""
    eps = np.finfo(found.dtype).eps if eps is None else eps
    exact = start + a @ b.astype(np.float64)
    size = np.abs(start) + np.abs(a) @ np.abs(b.astype(np.float64))
    assert found.shape == exact.shape
    assert np.all(np.abs(found - exact) <= terms * eps * size)


@pytest.mark.parametrize("form", ["csr", "csc", "csr_matrix"])
@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_at_every_level(dtype, index, form):
    X, dense = drawn(dtype=dtype, index=index, form=form)
    for k in WIDTHS:
        W, b, G = factors(X, k)
        for level in at_every_level():
            before = dict(_core.isa_calls())
            rows = SparseRows(X)
            scores, pulled = rows.scores(W, b), rows.pull_back(G)
            after = dict(_core.isa_calls())
            assert {name for name in after if after[name] > before[name]} == {level}
            assert scores.dtype == X.dtype and pulled.dtype == np.float64
            assert_sum(scores, dense, W, b.astype(float))
            assert_sum(pulled, dense.T, G)
            assert_sum(rows.scores(W), dense, W)


def test_pulling_back_float32_is_summed_in_float64():
    n = 5000
    X = sparse.csr_array(np.full((n, 1), 0.1, np.float32))
    G = np.full((n, 3), 0.1, np.float32)
    found = SparseRows(X).pull_back(G)
    np.testing.assert_allclose(found, n * float(np.float32(0.1)) ** 2, rtol=1e-13)


@pytest.mark.parametrize("k", [1, 3, 20, 70])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_same_bits_for_any_number_of_threads(form, dtype, k):
    X, _ = drawn(3000, 700, 100, dtype, form=form)
    W, b, G = factors(X, k)
    for _ in at_every_level():
        alone = SparseRows(X, n_threads=1)
        scores, pulled = alone.scores(W, b), alone.pull_back(G)
        for n in (2, 3, 8):
            rows = SparseRows(X, n_threads=n)
            assert_same_bits(rows.scores(W, b), scores)
            assert_same_bits(rows.pull_back(G), pulled)


@pytest.mark.parametrize("rows", [slice(0, 7), slice(7, 31), slice(39, None), slice(5, 5), slice(9, 2), slice(-3, 99)])
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_blocks_of_rows(form, rows):
    X, dense = drawn(40, 40, form=form)
    W, b, G = factors(X, 11)
    for _ in at_every_level():
        whole = SparseRows(X)
        assert_same_bits(whole.scores(W, b, rows), whole.scores(W, b)[rows])
        block = np.ascontiguousarray(G[rows])
        assert_sum(whole.pull_back(block, rows), dense[rows].T, block)


def test_a_block_of_scores_copies_nothing():
    X, _ = drawn()
    rows = SparseRows(X)
    block = rows._rows.block(3, 20)
    assert np.shares_memory(block.value, X.data) and np.shares_memory(block.indices, X.indices)
    columns = SparseRows(sparse.csc_array(X))
    assert "_rows" not in vars(columns)
    columns.pull_back(factors(X, 2)[2])
    assert "_rows" not in vars(columns)


def test_out_is_written_and_added_to():
    X, dense = drawn()
    W, b, G = factors(X, 6)
    rows = SparseRows(X)
    out = np.full((40, 6), np.nan)
    assert rows.scores(W, b, out=out) is out
    assert_same_bits(out, rows.scores(W, b))
    total = np.arange(180.0).reshape(30, 6)
    before = total.copy()
    for part in (slice(0, 13), slice(13, 40)):
        assert rows.pull_back(np.ascontiguousarray(G[part]), part, total) is total
    assert_sum(total, dense.T, G, before)


@pytest.mark.parametrize("k", [0, 1, 5])
@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (3, 4)])
def test_nothing_stored(shape, k):
    X = SparseRows(sparse.csr_array(shape))
    b = np.arange(float(k))
    for _ in at_every_level():
        np.testing.assert_array_equal(X.scores(np.ones((shape[1], k)), b), np.broadcast_to(b, (shape[0], k)))
        np.testing.assert_array_equal(X.pull_back(np.ones((shape[0], k))), np.zeros((shape[1], k)))


@pytest.mark.parametrize("k", [1, 3, 5, 13])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_but_the_row_itself_matters(dtype, k):
    """What lies behind a gathered row is read along with it and must not show."""
    W = np.full((9, k), np.nan, dtype)
    W[::2] = 1
    X = np.zeros((5, 9), dtype)
    X[np.arange(5), 2 * np.arange(5)] = 2
    for _ in at_every_level():
        np.testing.assert_array_equal(SparseRows(sparse.csr_array(X)).scores(W), np.full((5, k), 2.0))


def test_inputs_may_be_read_only_and_stay_as_they_are():
    X, _ = drawn()
    W, b, G = factors(X, 5)
    arrays = [X.data, X.indices, X.indptr, W, b, G]
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    rows = SparseRows(X)
    rows.scores(W, b)
    rows.pull_back(G)
    rows.pull_back(G[:4], slice(0, 4))
    for a, was in zip(arrays, before, strict=True):
        assert_same_bits(a, was)


def broken(**parts):
    X, _ = drawn()
    for name, (at, value) in parts.items():
        getattr(X, name)[at] = value
    return X


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (broken(indices=(3, 30)), ValueError, ["X", "[0, 30)", "30"]),
        (broken(indices=(-1, -1)), ValueError, ["X", "[0, 30)", "-1"]),
        (broken(indptr=(5, 10**6)), ValueError, ["X", "indptr"]),
        (broken(indptr=(0, 1)), ValueError, ["X", "indptr"]),
        (broken(indptr=(-1, 10**6)), ValueError, ["X", "1000000"]),
        (sparse.csr_array(np.eye(3, dtype=int)), TypeError, ["X", "int64"]),
        (sparse.coo_array(np.eye(3)), TypeError, ["X", "coo"]),
        (np.eye(3), TypeError, ["X", "ndarray"]),
    ],
)
def test_a_broken_matrix_is_refused(X, error, words):
    with pytest.raises(error) as caught:
        SparseRows(X)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda X: X.scores(np.ones((29, 2))), ValueError, ["W", "(30, K)", "(29, 2)"]),
        (lambda X: X.scores(np.ones((30, 2), "f4")), TypeError, ["W", "float64", "float32"]),
        (lambda X: X.scores(np.ones((2, 30)).T), ValueError, ["W", "C-contiguous"]),
        (lambda X: X.scores([[1.0]] * 30), TypeError, ["W", "list"]),
        (lambda X: X.scores(np.ones((30, 2)), np.ones(3)), ValueError, ["b", "(2,)", "(3,)"]),
        (lambda X: X.scores(np.ones((30, 2)), out=np.ones((40, 3))), ValueError, ["out", "(40, 2)"]),
        (lambda X: X.scores(np.ones((30, 2)), rows=slice(0, 9, 2)), ValueError, ["rows", "step 1"]),
        (lambda X: X.pull_back(np.ones((39, 2))), ValueError, ["G", "(40, K)"]),
        (lambda X: X.pull_back(np.ones((40, 2)), slice(0, 4)), ValueError, ["G", "(4, K)"]),
        (lambda X: X.pull_back(np.ones((40, 2)), out=np.ones((30, 2), "f4")), TypeError, ["out", "float64"]),
    ],
)
def test_other_arguments_are_refused(call, error, words):
    with pytest.raises(error) as caught:
        call(SparseRows(drawn()[0]))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("n", [0, -1, 1.5, "2"])
def test_a_number_of_threads_is_positive(n):
    with pytest.raises((TypeError, ValueError), match="n_threads"):
        SparseRows(drawn()[0], n_threads=n)
