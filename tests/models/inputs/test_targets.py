"""What a classifier may be asked to predict, and what it says to the rest."""

import numpy as np
import pandas
import polars
import pytest

from luce.models.inputs.targets import is_table, targets


def found(y, weight=None, class_weight=None, *, loss="softmax", dtype=np.float64, classes=None):
    weight = None if weight is None else np.asarray(weight, float)
    return targets(y, weight, class_weight, loss=loss, dtype=dtype, classes=classes)


SOFT = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])


def test_labels_become_numbers_of_sorted_classes():
    got = found(["b", "a", "c", "a"])
    assert got.classes.tolist() == ["a", "b", "c"]
    assert got.target.tolist() == [1, 0, 2, 0] and got.target.dtype == np.int64
    assert got.weights is None and got.rows is None and got.total == 4


@pytest.mark.parametrize("y", [[3, -1, 3], [2.0, 1.0, 2.0], [True, False, True]])
def test_labels_of_any_kind(y):
    got = found(y)
    assert got.target.tolist() == [1, 0, 1]
    assert got.classes[got.target].tolist() == list(y)


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(Warning, match="column-vector"):
        assert found(np.array([[1], [0], [1]])).target.tolist() == [1, 0, 1]


def test_rows_without_weight_are_left_out_and_so_are_their_classes():
    got = found(["a", "b", "c", "a"], [1.0, 0.0, 2.0, 3.0])
    assert got.rows.tolist() == [0, 2, 3] and got.classes.tolist() == ["a", "c"]
    assert got.target.tolist() == [0, 1, 0] and got.weights.tolist() == [1, 2, 3] and got.total == 6
    soft = found(SOFT, [1.0, 0.0, 2.0])
    assert soft.rows.tolist() == [0, 2] and soft.target.tolist() == SOFT[[0, 2]].tolist()


def test_known_classes_are_kept_whether_or_not_they_occur():
    got = found([5, 3], classes=np.array([1, 3, 5, 9]))
    assert got.target.tolist() == [2, 1] and got.classes.tolist() == [1, 3, 5, 9]


def test_known_classes_come_in_any_order():
    classes = np.array(["c", "a", "b"])
    assert found(["a", "b", "c", "a"], classes=classes).target.tolist() == [1, 2, 0, 1]
    with pytest.raises(ValueError, match=r"'d'\)?, which is not among"):
        found(["a", "d"], classes=classes)


@pytest.mark.parametrize("stranger", [0, 4, 10])
def test_a_label_not_among_the_known_is_named(stranger):
    with pytest.raises(ValueError, match=f"y holds .*{stranger}.* not among the classes"):
        found([3, stranger, 5], classes=np.array([1, 3, 5, 9]))


def test_class_weights_of_labels():
    y = np.array(["a", "b", "a", "a"])
    assert found(y, None, {"b": 3.0}).weights.tolist() == [1, 3, 1, 1]
    assert found(y, [1.0, 2.0, 1.0, 1.0], {"b": 3.0}).weights.tolist() == [1, 6, 1, 1]
    np.testing.assert_allclose(found(y, None, "balanced").weights, [2 / 3, 2, 2 / 3, 2 / 3])
    np.testing.assert_allclose(found(y, [1.0, 6.0, 1.0, 1.0], "balanced").weights, [1.5, 4.5, 1.5, 1.5])


def test_distributions_are_kept_and_normalised_to_rounding():
    got = found(SOFT * (1 + 5e-6), dtype=np.float32)
    assert got.classes.tolist() == [0, 1, 2] and got.target.dtype == np.float32
    np.testing.assert_allclose(got.target, SOFT, atol=1e-7)
    np.testing.assert_allclose(found(SOFT * (1 + 5e-6)).target.sum(axis=1), 1, rtol=1e-15)


def test_columns_of_a_frame_name_the_classes():
    for frame in (pandas.DataFrame(SOFT, columns=["x", "y", "z"]), polars.DataFrame(SOFT, schema=["x", "y", "z"])):
        assert is_table(frame)
        got = found(frame)
        assert got.classes.tolist() == ["x", "y", "z"] and got.target.tolist() == SOFT.tolist()


def test_a_class_weight_of_a_class_that_no_row_has_is_named():
    with pytest.warns(UserWarning, match=r"class_weight names 2, which no row has; the classes are \[0, 1\]"):
        weights = found([0, 1, 0], class_weight={0: 1.0, 1: 3.0, 2: 5.0}).weights
    np.testing.assert_array_equal(weights, [1, 3, 1])


def test_a_distribution_with_class_weights_is_its_rows_one_a_class():
    weight, factors = np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 0.5])
    got = found(SOFT, weight, {1: 4.0, 2: 0.5})
    np.testing.assert_allclose(got.weights[:, None] * got.target, weight[:, None] * SOFT * factors)
    np.testing.assert_allclose(got.target.sum(axis=1), 1)
    balanced = found(SOFT, weight, "balanced")
    np.testing.assert_allclose(balanced.weights @ balanced.target, [2, 2, 2])


def test_tables_of_labels():
    y = [[0, 1, 1], [1, 0, 0]]
    got = found(y, loss="sigmoid", dtype=np.float32)
    assert got.target.tolist() == y and got.target.dtype == np.float32 and got.classes.tolist() == [0, 1, 2]
    assert found([[0.2, 1 + 5e-6]], loss="sigmoid").target.tolist() == [[0.2, 1.0]]
    assert found(y, loss="sigmoid", classes=np.array(["a", "b", "c"])).classes.tolist() == ["a", "b", "c"]


def test_what_is_a_table():
    assert is_table([[1, 2]]) and is_table(np.zeros((3, 2))) and is_table(pandas.DataFrame({"a": [1], "b": [2]}))
    assert not is_table([1, 2]) and not is_table(np.zeros((3, 1))) and not is_table(["a", "b"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"y": ["a", "a"]}, "at least two classes, the data hold one class: 'a'"),
        ({"y": ["a", "b"], "weight": [0, 0]}, "the data hold no row of positive weight"),
        ({"y": SOFT, "weight": [0, 0, 0]}, "at least two classes"),
        ({"y": [0.5, 1.5]}, "[Uu]nknown label type|continuous"),
        ({"y": SOFT, "classes": np.arange(2)}, "y has 3 columns for 2 classes"),
        ({"y": [[0.5, 0.6]]}, r"those of row 0 sum to 1.1 \(for several labels a row use loss='sigmoid'\)"),
        ({"y": [[0.5, 0.5], [0.5, 0.4]]}, "those of row 1 sum to 0.9"),
        ({"y": [[0.5, 0.5], [1.5, -0.5]]}, r"probabilities in \[0, 1\], got 1.5 at \[1, 0\]"),
        ({"y": [[0.5, 0.5], [1.0, -0.5]]}, r"got -0.5 at \[1, 1\]"),
        ({"y": [[0.5, np.nan]]}, r"got nan at \[0, 1\]"),
        ({"y": [[0.5, 2.0]], "loss": "sigmoid"}, r"got 2.0 at \[0, 1\]"),
        ({"y": [["a", "b"]]}, "must hold probabilities, got <U1"),
        ({"y": [[1, 0]], "loss": "sigmoid", "class_weight": "balanced"}, "not for several labels a row"),
        ({"y": [0, 1], "class_weight": "even"}, "dict, 'balanced' or None, got 'even'"),
        ({"y": SOFT, "class_weight": "even"}, "dict, 'balanced' or None, got 'even'"),
        ({"y": [0, 1], "class_weight": 3.0}, "dict, 'balanced' or None, got 3.0"),
        ({"y": SOFT, "class_weight": 3.0}, "dict, 'balanced' or None, got 3.0"),
        ({"y": [0, 1], "class_weight": {0: 0.0}}, "class weights must be positive, got {0: 0.0}"),
        ({"y": SOFT, "class_weight": {0: -1.0}}, "class weights must be positive"),
    ],
)
def test_what_cannot_be_learned(arguments, words):
    arguments = dict(arguments)
    with pytest.raises(ValueError, match=words):
        found(arguments.pop("y"), arguments.pop("weight", None), arguments.pop("class_weight", None), **arguments)


def test_the_input_is_left_alone():
    y, weight = SOFT.copy(), np.array([1.0, 0.0, 2.0])
    found(y, weight, {0: 2.0})
    assert y.tolist() == SOFT.tolist() and weight.tolist() == [1, 0, 2]
