"""The rows as a solver sees them: moments against exact sums, and every product against the standardised table."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from luce.models.linear import dense_matrix
from luce.models.linear import design as module
from luce.models.linear.dense_matrix import DenseMatrix
from luce.models.linear.design import Design, as_matrix
from luce.models.linear.sparse_matrix import SparseMatrix

SINGLE = 1e-6  # the Gram matrix is summed in single precision: it preconditions
FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
}


def exact_moments(X, weight, centred):
    """Weighted means and deviations in rational arithmetic, rounded once."""
    means, deviations = [], []
    weights = [Fraction(float(w)) for w in weight]
    total = sum(weights)
    for column in X.T:
        numbers = [Fraction(float(x)) for x in column]
        mean = sum(w * x for w, x in zip(weights, numbers, strict=True)) / total if centred else Fraction(0)
        square = sum(w * (x - mean) ** 2 for w, x in zip(weights, numbers, strict=True)) / total
        means.append(float(mean))
        largest = max(abs(x - mean) for x in numbers)  # squares may leave the range of float64
        deviations.append(float(largest) * np.sqrt(float(square / largest**2)) if largest else 0.0)
    return np.array(means), np.array(deviations)


def table(seed=0, rows=60, columns=5, zeros=0.4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) + 2
    X[rng.random(X.shape) < zeros] = 0
    return X


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_are_exact(form, centred, weighted, dtype):
    X = table().astype(dtype)
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else np.ones(len(X))
    means, deviations = exact_moments(X, weight, centred)
    design = Design(as_matrix(FORMS[form](X)), weight if weighted else None, centred)
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(design.centre, means, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(design.scale, deviations, rtol=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("offset", "width"), [(1e8, 1.0), (-1e8, 1e-3), (1e15, 1e5), (0.0, 1e-140), (1e140, 1e140)])
def test_moments_of_columns_far_from_zero_or_of_extreme_units(form, offset, width):
    rng = np.random.default_rng(3)
    X = offset + width * rng.normal(size=(1000, 3))
    X[0, :2] = 0  # the first row misleads about where the column is
    means, deviations = exact_moments(X, np.ones(1000), True)
    design = Design(as_matrix(FORMS[form](X)), None, True)
    np.testing.assert_allclose(design.centre, means, rtol=1e-14)
    off = 16 * np.finfo(float).eps * np.max(np.abs(means) / deviations)  # of a mean's last digits, in deviations
    np.testing.assert_allclose(design.scale, deviations, rtol=1e-12 + off**2)


@pytest.mark.parametrize("form", FORMS)
def test_a_late_part_of_the_rows_that_lies_elsewhere(form):
    X = np.concatenate([np.random.default_rng(0).normal(size=(3000, 1)), np.full((9, 1), 1e9)])
    means, deviations = exact_moments(X, np.ones(len(X)), True)
    design = Design(as_matrix(FORMS[form](X)), None, True)
    np.testing.assert_allclose(design.centre, means, rtol=1e-13)
    np.testing.assert_allclose(design.scale, deviations, rtol=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("constant", [0.1, 1e10, -3e-200, 0.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_column_has_no_width_beside_an_intercept(form, constant, dtype):
    X = np.column_stack([table()[:, 0], np.full(60, constant)]).astype(dtype)
    weight = np.random.default_rng(2).uniform(0.1, 3, 60)
    design = Design(as_matrix(FORMS[form](X)), weight, True)
    assert design.scale[1] == design.unit[1] == 0 < design.unit[0]
    assert (design.standardised(slice(0, 60))[:, 1] == 0).all()
    without = Design(as_matrix(FORMS[form](X)), weight, False)
    assert without.scale[1] == pytest.approx(abs(float(dtype(constant))), rel=1e-6)


def test_the_smallest_width_beside_the_largest_offset_is_kept():
    X = 1e8 + np.random.default_rng(0).normal(size=(500, 1)) * 1e-4
    design = Design(as_matrix(X), None, True)
    assert design.scale[0] == pytest.approx(X.std(), rel=1e-6)
    assert design.resolution == pytest.approx(np.finfo(float).eps * (8 + 1e8 / X.std()), rel=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_columns_that_cannot_be_squared_are_named(form):
    X = table()
    X[7, 3] = 1e200
    with pytest.raises(ValueError, match=r"column 3 spans .*e\+(199|200); 1e\+150 is the most"):
        Design(as_matrix(FORMS[form](X)), None, True)


@pytest.mark.parametrize("weighted", [True, False])
def test_shares_sum_to_one(weighted):
    weight = np.random.default_rng(0).uniform(0, 1e6, 60) if weighted else None
    design = Design(as_matrix(table()), weight, True)
    np.testing.assert_allclose(design.share, np.full(60, 1 / 60) if weight is None else weight / weight.sum())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@given(st.integers(0, 10**6))
def test_products_are_those_of_the_standardised_table(form, fit_intercept, seed):
    rng = np.random.default_rng(seed)
    X = table(seed, 40, 4) * np.exp(rng.uniform(-5, 5, 4))
    weight = rng.uniform(0.1, 3, 40)
    design = Design(as_matrix(FORMS[form](X)), weight, fit_intercept)
    everything = slice(0, 40)
    means = np.average(X, axis=0, weights=weight) if fit_intercept else 0.0
    deviations = np.sqrt(np.average((X - means) ** 2, axis=0, weights=weight))
    inner = (X - means) / deviations
    if fit_intercept:
        inner = np.column_stack([inner, np.ones(40)])
    np.testing.assert_allclose(design.standardised(everything), inner, atol=1e-12)
    picked = np.array([7, 3, 3])
    np.testing.assert_allclose(design.standardised(picked), inner[picked], atol=1e-12)
    assert design.standardised(picked, np.float32).dtype == np.float32

    A = rng.normal(size=(3, inner.shape[1]))
    coef, intercept = design.to_user(A)
    np.testing.assert_allclose(design.scores(everything, coef, intercept), inner @ A.T, atol=1e-11)
    np.testing.assert_allclose(design.scores(slice(5, 9), coef, intercept), (inner @ A.T)[5:9], atol=1e-11)
    np.testing.assert_allclose(design.to_standardised(coef, intercept), A, atol=1e-11)

    G = rng.normal(size=(40, 3))
    parts = [slice(0, 13), slice(13, 40)]
    pulled = design.pull_back(((part, G[part]) for part in parts), 3)
    np.testing.assert_allclose(pulled, G.T @ inner, atol=1e-10)
    positive = np.square(G)
    np.testing.assert_allclose(design.squares(everything, positive), positive.T @ inner**2, rtol=1e-9, atol=1e-10)
    halves = sum(design.squares(part, positive[part]) for part in parts)
    np.testing.assert_allclose(halves, positive.T @ inner**2, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(design.gram, (inner * design.share[:, None]).T @ inner, atol=SINGLE)


@pytest.mark.parametrize("form", FORMS)
def test_a_gram_matrix_too_wide_is_its_diagonal(form, monkeypatch):
    X = np.column_stack([table(), np.full(60, 3.0)])
    whole = Design(as_matrix(FORMS[form](X)), None, True).gram
    monkeypatch.setattr(module, "GRAM_COLUMNS", 3)
    diagonal = Design(as_matrix(FORMS[form](X)), None, True).gram
    np.testing.assert_allclose(diagonal, np.diagonal(whole), atol=SINGLE)
    assert diagonal.tolist() == [1, 1, 1, 1, 1, 0, 1]


def test_weights_of_a_constant_column_are_lost_and_its_part_of_the_intercept_is_kept():
    X = np.column_stack([table()[:, 0], np.full(60, 5.0)])
    design = Design(as_matrix(X), None, True)
    coef, intercept = np.array([[2.0, 3.0]]), np.array([1.0])
    there, free = design.to_user(design.to_standardised(coef, intercept))
    np.testing.assert_allclose(there, [[2.0, 0.0]])
    np.testing.assert_allclose(X @ there.T + free, X @ coef.T + intercept)


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_keeps_the_coordinates_of_the_whole(form):
    X = table()
    design = Design(as_matrix(FORMS[form](X)), np.random.default_rng(1).uniform(1, 2, 60), True)
    kept = design.gram
    rows, weights = np.array([3, 8, 50]), np.array([1.0, 2.0, 5.0])
    part = design.sample(rows, weights)
    assert part.n_rows == 3 and part.centre is design.centre and part.unit is design.unit
    np.testing.assert_allclose(part.share, weights / 8)
    np.testing.assert_allclose(part.standardised(slice(0, 3)), design.standardised(rows), atol=1e-14)
    inner = design.standardised(rows)
    np.testing.assert_allclose(part.gram, (inner * part.share[:, None]).T @ inner, rtol=SINGLE, atol=SINGLE)
    assert design.gram is kept and design.n_rows == 60


def test_scaling_given_beforehand_is_used():
    X = table()
    centre, scale = np.arange(5.0), np.arange(1.0, 6.0)
    design = Design(as_matrix(X), None, True, (centre, scale))
    np.testing.assert_allclose(design.standardised(slice(0, 60))[:, :5], (X - centre) / scale)


@pytest.mark.parametrize("form", FORMS)
def test_blocks_cover_all_rows_once(form, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ENTRIES", 2000)
    X = table(rows=1000)
    blocks = list(Design(as_matrix(FORMS[form](X)), None, True).blocks(3))
    assert len(blocks) > 1
    assert np.concatenate([np.arange(1000)[rows] for rows in blocks]).tolist() == list(range(1000))


def test_moments_in_blocks_equal_those_at_once(monkeypatch):
    X, weight = table(rows=500), np.random.default_rng(0).uniform(size=500)
    whole = Design(as_matrix(X), weight, True)
    monkeypatch.setattr(dense_matrix, "MOMENT_ENTRIES", 37)
    pieces = Design(as_matrix(X), weight, True)
    np.testing.assert_allclose(pieces.centre, whole.centre, rtol=1e-14)
    np.testing.assert_allclose(pieces.scale, whole.scale, rtol=1e-14)


def test_the_form_of_the_data_decides_the_matrix_and_nothing_is_copied():
    X = table()
    assert isinstance(as_matrix(X), DenseMatrix) and as_matrix(X).X is X
    rows = sparse.csr_matrix(X)
    assert isinstance(as_matrix(rows), SparseMatrix) and np.shares_memory(as_matrix(rows).X.data, rows.data)
    assert as_matrix(rows).take(np.array([2, 5])).dense(slice(0, 2)).tolist() == X[[2, 5]].tolist()
    assert as_matrix(X).take(np.array([2, 5])).dense(slice(0, 2)).tolist() == X[[2, 5]].tolist()


def test_entries_stored_twice_count_as_their_sum_and_the_input_is_left_alone():
    twice = sparse.csr_array(
        (np.array([1.0, 2.0, 4.0, 1.0]), np.array([1, 1, 0, 1]), np.array([0, 2, 4])), shape=(2, 2)
    )
    before = twice.indices.copy(), twice.data.copy()
    found, whole = Design(SparseMatrix(twice), None, True), Design(DenseMatrix(twice.toarray()), None, True)
    np.testing.assert_allclose(found.scale, whole.scale)
    piece = np.array([[1.0], [2.0]])
    np.testing.assert_allclose(found.squares(slice(0, 2), piece), whole.squares(slice(0, 2), piece))
    assert twice.indices.tolist() == before[0].tolist() and twice.data.tolist() == before[1].tolist()
