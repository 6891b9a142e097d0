"""Classes as the table spells them: in the model, in predictions, and in what is said of unknown ones."""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luce.tables.labels import Labels


def write(name, labels, rows=60):
    """A table whose column x tells the label."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % len(labels)
    lines = [f"{k + 0.1 * noise:.3f},{labels[k]}" for k, noise in zip(y, rng.normal(size=rows), strict=True)]
    Path(name).write_text("x,y\n" + "\n".join(lines) + "\n")
    return y


SPELLINGS = [
    ["FALSE", "TRUE"],
    ["False", "True"],
    ["false", "true"],
    ["0.0", "1.0"],
    ["0", "1"],
    ["007", "07", "7"],
    ["-1", "1"],
    ["1.50 kg", "2.50 kg"],
    ["9", "10", "11"],
    ["1e5", "100000"],
    ["inf and more", "nan and less"],
    ["T", "F"],
    ["18446744073709551616", "18446744073709551617"],
    ["probability", "prediction"],
]


@pytest.mark.parametrize("options", [(), ("--stream", "--held-out", 0)])
@pytest.mark.parametrize("labels", SPELLINGS, ids=str)
def test_predictions_are_spelled_as_the_table(luce, labels, options):
    y = write("t.csv", labels)
    fitted = luce("fit", "t.csv", "-t", "y", "--json", "--C", 100, *options)
    assert fitted.code == 0, fitted.err
    assert sorted(json.loads(fitted.out)["data"]["classes"]) == sorted(labels)
    for more in ((), ("--stream",)):
        result = luce("predict", "t.luce", "t.csv", *more)
        lines = result.out.splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == [labels[k] for k in y]
        assert sorted(lines[0].split(",")[1:]) == sorted(f"probability_{label}" for label in labels)
        assert "with a known 'y': 100.0%" in result.err and "warning" not in result.err


@pytest.mark.parametrize(
    ("values", "dtype", "first"),
    [([3, 20], pl.Int64, 3), ([1.0, 2.0], pl.Float64, 1.0), ([False, True], pl.Boolean, False)],
)
def test_predictions_keep_the_type_of_parquet(luce, values, dtype, first):
    pl.DataFrame({"x": [0.0, 1.0] * 20, "y": values * 20}).write_parquet("t.parquet")
    assert luce("fit", "t.parquet", "-t", "y", "-q").code == 0
    assert "100.0%" in luce("predict", "t.luce", "t.parquet", "-o", "out.parquet").err
    written = pl.read_parquet("out.parquet")["prediction"]
    assert written.dtype == dtype and written[0] == first


@pytest.mark.parametrize(("here", "there"), [("1", "1.0"), ("1.0", "1"), ("TRUE", "true"), ("True", "TRUE")])
def test_other_spellings_of_the_same_class_are_known(luce, here, there):
    others = {"1": "2", "1.0": "2.0", "TRUE": "FALSE", "true": "false", "True": "False"}
    write("a.csv", [here, others[here]])
    write("b.csv", [there, others[there]])
    assert luce("fit", "a.csv", "-t", "y", "-q").code == 0
    result = luce("predict", "a.luce", "b.csv")
    assert result.err == "accuracy on the 60 rows with a known 'y': 100.0%\n"
    assert {line.split(",")[0] for line in result.out.splitlines()[1:]} == {here, others[here]}


def test_unknown_labels_are_named_beside_the_accuracy(luce):
    write("a.csv", ["<=50K", ">50K"])
    write("b.csv", ["<=50K.", ">50K.", "unemployed"])
    assert luce("fit", "a.csv", "-t", "y", "-q").code == 0
    for more in ((), ("--stream",)):
        first, second = luce("predict", "a.luce", "b.csv", "-o", "out.csv", *more).err.splitlines()
        assert first == (
            "luce: warning: b.csv: column 'y': 60 rows of classes that the model does not know: "
            "'<=50K.' (20), near '<=50K'; '>50K.' (20), near '>50K'; 'unemployed' (20)"
        )
        assert second == "accuracy on the 60 rows with a known 'y': 0.0%"


def test_one_class_in_two_spellings_is_one(luce):
    write("t.csv", ["1", "2", "1.0"], rows=90)
    found = json.loads(luce("fit", "t.csv", "-t", "y", "--json").out)["data"]
    assert (found["classes"], found["class_counts"]) == (["1", "2"], [60, 30])
    write("t.csv", ["true", "false", "TRUE", "FALSE", "true"], rows=100)
    found = json.loads(luce("fit", "t.csv", "-t", "y", "--json").out)["data"]
    assert (found["classes"], found["class_counts"]) == (["FALSE", "true"], [40, 60])


@pytest.mark.parametrize("labels", [["0.5", "1.5"], ["0,5", "1"], ["1", "2", "2.5"], ["1", "inf"], ["1", "-.5"]])
@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_real_numbers_are_no_classes(luce, labels, options):
    write("t.csv", [f'"{label}"' for label in labels])
    result = luce("fit", "t.csv", "-t", "y", *options)
    assert result.code == 2 and "'y' holds real numbers" in result.err and result.err.count("\n") == 1


def test_spellings_that_look_alike_are_one_class_and_one_level(luce):
    """Composed and decomposed letters, marks that nobody sees; the class is called as most rows call it."""
    spelled = ["gr\u00fcn", "rot", "gru\u0308n", "gru\u0308n", "rot\u200b", "rot"]
    table = pl.DataFrame({"x": spelled * 15, "y": spelled * 15})
    table.write_csv("t.csv")
    table.write_parquet("t.parquet")
    for name in ("t.csv", "t.parquet"):
        found = json.loads(luce("fit", name, "-t", "y", "--json").out)["data"]
        assert (found["classes"], found["class_counts"]) == (["gru\u0308n", "rot"], [45, 45])
        assert found["columns"][0]["done"].startswith("one-hot, 2 levels")
        result = luce("predict", "t.luce", name)
        assert "accuracy on the 90 rows with a known 'y': 100.0%" in result.err and "never saw" not in result.err
        assert set(pl.read_csv(io.StringIO(result.out))["prediction"]) == {"gru\u0308n", "rot"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["Blue", "blue", "red"], "'Blue' and 'blue'"),
        (["<=50K", "<=50K.", ">50K", ">50K."], "'<=50K' and '<=50K.'; '>50K' and '>50K.'"),
        (["dark red", "dark_red", "dark-red"], "'dark red' and 'dark-red' and 'dark_red'"),
        (["-1", "1", "+2"], None),
        (["A", "A-", "A+", "B"], None),
        (["<5", ">5", "5"], None),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_classes_that_are_spelled_almost_alike_are_told(luce, labels, said, kind):
    table = pl.DataFrame({"x": range(60), "z": [k % 7 for k in range(60)], "y": (labels * 30)[:60]})
    table.write_csv("t.csv") if kind == "csv" else table.write_parquet("t.parquet")
    found = json.loads(luce("fit", f"t.{kind}", "-t", "y", "--json").out)["data"]
    assert len(found["classes"]) == len(labels)
    notes = [note for note in found["remarks"] if "almost alike" in note]
    assert notes == ([] if said is None else [f"classes that are spelled almost alike: {said}"])


def test_numbers_in_order_text_by_its_letters():
    assert Labels.of(dict.fromkeys(["10", "9", "-3"], 1)).names == ["-3", "9", "10"]
    assert Labels.of(dict.fromkeys(["10", "9", "x"], 1)).names == ["10", "9", "x"]
    assert Labels.of(dict.fromkeys(["TRUE", "FALSE"], 1)).names == ["FALSE", "TRUE"]


@given(st.dictionaries(st.text(max_size=5), st.integers(1, 9), min_size=2, max_size=9))
def test_each_label_has_its_own_place(counts):
    labels = Labels.of(counts)
    column = pl.Series([*counts, None], dtype=pl.String)
    codes = labels.codes(column)
    assert codes[-1] == -1
    assert [labels.names[code] for code in labels.codes(pl.Series(labels.names, dtype=pl.String))] == labels.names
    assert set(codes[:-1]) == set(range(len(labels)))


def test_an_empty_name_and_a_target_without_one(luce):
    """A target whose name is empty, and a feature: a frame written with its index has such names."""
    table = pl.DataFrame({"x": [0.1, 1.2] * 20, "": ["a", "b"] * 20})
    table.write_csv("t.csv")
    fitted = luce("fit", "t.csv", "-t", "", "-q")
    assert fitted.code == 0, fitted.err
    assert pl.read_csv(io.StringIO(luce("predict", "t.luce", "t.csv").out))["prediction"].to_list() == ["a", "b"] * 20
