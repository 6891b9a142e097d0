"""Features against scikit-learn's transformers, and sparse ones against dense ones."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from luce.tables.preparation import MOST_LEVELS, learn_preparation

words = st.one_of(st.none(), st.sampled_from(["a", "b", "B", "é", "z z", "1", "1.0", ""]))
numbers = st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), st.sampled_from([0.0, 1.0, 1e9]))


def scikit_learns(least, numeric, textual):
    number = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    text = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=least, max_categories=MOST_LEVELS, sparse_output=False
    )
    return ColumnTransformer([("numbers", number, numeric), ("text", text, textual)])


def frame(rows, width):
    schema = {f"n{j}": pl.Float64 for j in range(width)} | {f"t{j}": pl.String for j in range(width)}
    return pl.DataFrame([list(row) for row in rows], schema=schema, orient="row")


def tables(width=2):
    row = st.tuples(*[numbers] * width, *[words] * width)
    return st.tuples(st.lists(row, min_size=2, max_size=30), st.lists(row, min_size=1, max_size=10)).map(
        lambda parts: tuple(frame(part, width) for part in parts)
    )


@given(tables(), st.integers(2, 5))
def test_features_are_those_of_scikit_learn(parts, least):
    learnt, new = parts
    ours = learn_preparation(learnt, least)
    numeric = [name for name in learnt.columns if name[0] == "n"]
    theirs = scikit_learns(least, numeric, [name for name in learnt.columns if name[0] == "t"]).fit(learnt)
    for table in (learnt, new):
        expected = theirs.transform(table)
        assert expected.shape[1] == len(ours) == len(ours.names)
        np.testing.assert_allclose(ours.transform(table), expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(ours.transform(table, sparse=True).toarray(), ours.transform(table))


def test_many_levels_share_a_feature():
    rng = np.random.default_rng(0)
    found = [f"level {k}" for k in (400 * rng.random(20_000) ** 2).astype(int)]
    table = pl.DataFrame({"t": found})
    ours, theirs = learn_preparation(table, 10), scikit_learns(10, [], ["t"]).fit(table)
    assert len(ours) == MOST_LEVELS
    np.testing.assert_array_equal(ours.transform(table), theirs.transform(table))


@pytest.mark.parametrize("offset", [0.0, 1e9, 1e15, -1e150])
@pytest.mark.parametrize("spread", [1e-140, 1.0, 1e140])
def test_scales_of_any_size(offset, spread):
    """The standardised values are right to the digits that the offset leaves the spread."""
    values = offset + spread * np.arange(-3.0, 4.0)
    features = learn_preparation(pl.DataFrame({"n": values}), 2).transform(pl.DataFrame({"n": values}))[:, 0]
    if values.min() == values.max():
        np.testing.assert_array_equal(features, 0)
        return
    lost = np.spacing(np.abs(values).max()) / spread
    np.testing.assert_allclose(features, np.arange(-3, 4) / 2, rtol=1e-12, atol=1e-12 + 4 * lost)


def test_names_say_what_the_features_are():
    table = pl.DataFrame({"w": [1.0, None, 3.0, 4.0], "c": ["red", "red", None, "x"]})
    assert learn_preparation(table, 2).names == ["w", "w missing", "c = red", "c rare"]
    assert learn_preparation(table, 1).names == ["w", "w missing", "c = red", "c = x", "c missing"]


def test_large_sets_of_levels_are_sparse():
    table = pl.DataFrame({"t": [f"level {k % 200}" for k in range(20_000)], "n": np.arange(20_000.0)})
    preparation = learn_preparation(table, 2)
    assert preparation.is_sparse(20_000) and not preparation.is_sparse(200)
    assert preparation.transform(table, sparse=True).nnz == 40_000
    assert not learn_preparation(table.select("n"), 2).is_sparse(10**9)
