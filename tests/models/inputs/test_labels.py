"""Labels from any library come back in a plain type of their own; what is no label is one error with its place."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

import luce
from luce.models.inputs.labels import plain_labels

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
CODE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
TEXT = [f"c{k}" for k in CODE]


class Arrow:
    """What a column of Arrow offers: a conversion to Python's own values."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)

    def __len__(self):
        return len(self.values)

    def to_pylist(self):
        return list(self.values)


GOOD = {
    "list of int": (CODE.tolist(), np.int64),
    "list of text": (TEXT, "U"),
    "list of NumPy's text": (list(np.array(TEXT)), "U"),
    "list of bool": ((CODE > 0).tolist(), bool),
    "objects that are int": (CODE.astype(object), np.int64),
    "objects that are bool": ((CODE > 0).astype(object), bool),
    "objects that are text": (np.array(TEXT, object), object),
    "decimals": ([decimal.Decimal(int(k)) for k in CODE], np.float64),
    "NumPy's text of any length": (np.array(TEXT, np.dtypes.StringDType()), object),
    "dates": (np.datetime64("2020-01-01") + CODE, "M"),
    "beyond int64": ([2**63 + int(k) for k in CODE], np.uint64),
    "pandas Int64": (pd.Series(CODE, dtype="Int64"), np.int64),
    "pandas UInt8": (pd.Series(CODE, dtype="UInt8"), np.int64),
    "pandas Float64": (pd.Series(CODE, dtype="Float64"), np.float64),
    "pandas boolean": (pd.Series(CODE > 0, dtype="boolean"), bool),
    "pandas string": (pd.Series(TEXT, dtype="string"), object),
    "pandas category": (pd.Series(TEXT, dtype="category"), object),
    "pandas category of Int64": (pd.Series(CODE, dtype="Int64").astype("category"), np.int64),
    "pandas index": (pd.Index(CODE), np.int64),
    "Categorical": (pd.Categorical(TEXT), object),
    "Polars int": (pl.Series(CODE), np.int64),
    "Polars text": (pl.Series(TEXT), object),
    "Polars bool": (pl.Series(CODE > 0), bool),
    "Polars categorical": (pl.Series(TEXT).cast(pl.Categorical), object),
    "Arrow int": (Arrow(CODE.tolist()), np.int64),
    "Arrow text": (Arrow(TEXT), object),
    "Arrow bool": (Arrow((CODE > 0).tolist()), bool),
}


@pytest.mark.parametrize("name", GOOD)
def test_labels_come_back_in_a_type_of_their_own(name):
    y, wanted = GOOD[name]
    plain = np.array([str(value) for value in plain_labels(y)])
    model = luce.SoftmaxClassifier().fit(X, y)
    assert model.classes_.dtype.kind == np.dtype(wanted).kind
    assert model.classes_.dtype == wanted or wanted in ("U", "M")
    assert model.predict(X).dtype == model.classes_.dtype
    expected = luce.SoftmaxClassifier().fit(X, plain)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert [str(label) for label in model.classes_.tolist()] == expected.classes_.tolist()
    assert model.score(X, y) == expected.score(X, plain) > 0.8
    streamed = luce.SoftmaxClassifier().partial_fit(X, y, classes=model.classes_)
    assert streamed.predict(X).dtype == model.classes_.dtype
    assert luce.compare(X, y, models=["softmax"], cv=2).n_classes == len(model.classes_)
    chosen = luce.SoftmaxClassifierCV(Cs=2, cv=2).fit(X, y)
    assert chosen.classes_.tolist() == model.classes_.tolist()
    assert luce.softmax_path(X, y, Cs=2).models[0].classes_.tolist() == model.classes_.tolist()


def holed(values, hole, kind=object):
    values = list(values)
    values[5] = hole
    values[9] = hole
    return values if kind is None else pd.Series(values, dtype=kind)


MISSING = {
    "None in a list of text": holed(TEXT, None, None),
    "NaN in a list of text": holed(TEXT, float("nan"), None),
    "None in a list of int": holed(CODE.tolist(), None, None),
    "NaN in floats": np.array(holed(CODE.tolist(), np.nan, None)),
    "NaN in half precision": np.array(holed(CODE.tolist(), np.nan, None), np.float16),
    "NaT": np.array(holed(np.datetime64("2020-01-01") + CODE, np.datetime64("NaT"), None)),
    "masked": np.ma.array(CODE, mask=np.isin(np.arange(60), [5, 9])),
    "NumPy's text": np.array(holed(TEXT, np.nan, None), np.dtypes.StringDType(na_object=np.nan)),
    "a decimal": holed([decimal.Decimal(int(k)) for k in CODE], decimal.Decimal("NaN"), None),
    "pandas object": holed(TEXT, None),
    "pandas NA": holed(TEXT, pd.NA),
    "pandas Int64": holed(CODE.tolist(), pd.NA, "Int64"),
    "pandas boolean": holed((CODE > 0).tolist(), pd.NA, "boolean"),
    "pandas string": holed(TEXT, pd.NA, "string"),
    "pandas category": holed(TEXT, None, "category"),
    "pandas NaT": pd.Series(pd.to_datetime(holed(["2020-01-01"] * 60, None, None))),
    "Polars text": pl.Series(holed(TEXT, None, None)),
    "Polars int": pl.Series(holed(CODE.tolist(), None, None)),
    "Polars NaN": pl.Series(holed(CODE.astype(float).tolist(), float("nan"), None)),
    "Arrow": Arrow(holed(TEXT, None, None)),
    "a frame of one column": pd.DataFrame({"y": holed(TEXT, None)}),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_label_is_one_error_with_its_place(name):
    y = MISSING[name]
    words = r"y: 2 of 60 labels are missing, the first in row 5 \(.*NaN.*drop such rows"
    model = luce.SoftmaxClassifier().fit(X, TEXT)
    numbered = luce.SoftmaxClassifier().fit(X, CODE)
    for call in (
        lambda: luce.SoftmaxClassifier().fit(X, y),
        lambda: luce.SoftmaxClassifier(loss="sigmoid").fit(X, y),
        lambda: luce.SoftmaxClassifierCV(Cs=2, cv=2).fit(X, y),
        lambda: luce.softmax_path(X, y, Cs=2),
        lambda: luce.compare(X, y),
        lambda: luce.SoftmaxClassifier().partial_fit(X, y, classes=["c0", "c1", "c2"]),
        lambda: model.score(X, y),
        lambda: numbered.score(X, y),
        lambda: model.calibrate(X, y),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_one_missing_label_is_singular():
    with pytest.raises(ValueError, match=r"y: 1 of 3 labels is missing, the first in row 1 \(None\)"):
        plain_labels(["a", None, "b"])


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([1, "1"], r"got numbers \(1 in row 0\) and text \('1' in row 1\)"),
        ([True, True, "x"], r"got booleans \(True in row 0\) and text \('x' in row 2\)"),
        ([0, True], r"got numbers \(0 in row 0\) and booleans \(True in row 1\)"),
        (["a", b"a"], r"got text \('a' in row 0\) and bytes"),
        (np.array([1, "1"], object), "labels of one kind"),
        (pd.Series([1, "1"]), "labels of one kind"),
        ([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)], "got date .*make them text"),
        ([2**70, 1], "numbers of 64 bits.*got int"),
        (pd.Series(pd.period_range("2020", periods=2, freq="Y")), "got Period"),
    ],
)
def test_labels_of_several_kinds_or_of_none_that_is_known(y, words):
    for call in (
        lambda: luce.SoftmaxClassifier().fit(X[: len(y)], y),
        lambda: luce.SoftmaxClassifierCV().fit(X[: len(y)], y),
        lambda: luce.compare(X[: len(y)], y),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_labels_of_another_kind_than_the_classes():
    model, text = luce.SoftmaxClassifier().fit(X, CODE), [str(k) for k in CODE]
    for call in (
        lambda: model.score(X, text),
        lambda: model.calibrate(X, text),
        lambda: luce.SoftmaxClassifier().partial_fit(X, text, classes=[0, 1, 2]),
    ):
        with pytest.raises(ValueError, match=r"y holds text \('.' in row 0\), the classes are numbers: \[0, 1, 2\]"):
            call()
    assert model.score(X, CODE.astype(float)) == model.score(X, CODE)


def test_what_was_given_is_left_alone():
    y = pd.Series(CODE, dtype="Int64")
    before = y.copy()
    luce.SoftmaxClassifier().fit(X, y)
    pd.testing.assert_series_equal(y, before)
    assert plain_labels(None) is None


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([[1], [1, 2]] * 30, r"rows of different lengths, \[1\] in row 0 and \[1, 2\] in row 1"),
        (np.array([1 + 1j, 2 + 0j] * 30), r"complex numbers name no classes, got \(1\+1j\) in row 0"),
        ([1.0, 2.5] * 30, r"numbers that are not whole name no classes, got 2\.5 in row 1"),
        (np.float32([1, 0.5] * 30), r"numbers that are not whole name no classes, got 0\.5 in row 1"),
    ],
)
def test_what_names_no_class_is_named(y, words):
    with pytest.raises(ValueError, match="^y: " + words):
        luce.SoftmaxClassifier().fit(X, y)
