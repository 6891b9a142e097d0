"""`luce explain`: scores, layers, tables and models, every face, and one line for what can't be explained."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.cells import cell_len
from sklearn.datasets import load_iris

from luce import cross_entropy, explain
from luce.tables.conversion import converted
from luce.tables.model_file import load_model


def steps(result):
    assert result.code == 0, result.err
    return {step["name"]: step for step in json.loads(result.out)["steps"]}


@pytest.fixture
def trained(luce):
    data = load_iris(as_frame=True)
    table = pl.from_pandas(data.data).with_columns(species=pl.Series(data.target_names[data.target]))
    table.write_csv("iris.csv")
    assert luce("fit", "iris.csv", "--target", "species", "-q", "-o", "m.luce").code == 0
    return table


def test_without_arguments_the_example_is_explained(luce):
    result = luce("explain")
    assert result.code == 0
    assert "z = (2, 1, 0.1)" in result.out
    assert "--html page.html" in result.out
    assert "\x1b" not in result.out
    assert max(map(cell_len, result.out.splitlines()[:-1])) <= 80
    assert luce("explain", 2, 1, 0.1, "--target", 0).out.splitlines() == result.out.splitlines()[:-2]


@pytest.mark.parametrize(
    "words",
    [
        ["-1", "2", "-3.5e0", "--target", "1"],
        ["--target", "1", "--", "-1", "2", "-3.5"],
        ["-1,2,-3.5", "--target", "1"],
        ["--target=1", "-1,", "2,", "-3.5"],
        ["−1", "2", "−3.5", "--target", "1"],
    ],
)
def test_negative_scores_are_numbers(luce, words):
    found = steps(luce("explain", "--json", *words))
    np.testing.assert_array_equal(found["scores"]["value"], [-1, 2, -3.5])
    np.testing.assert_allclose(found["loss"]["value"], cross_entropy([-1, 2, -3.5], 1))


@pytest.mark.parametrize(
    "words, target, options",
    [
        (["--target", "0.7,0.2,0.1", "--temperature", "2"], [0.7, 0.2, 0.1], {"temperature": 2.0}),
        (["--target", "2:0.7,0:0.2", "--tail", "uniform"], ([2, 0], [0.7, 0.2]), {"tail": "uniform"}),
        (["--target", "0", "--label-smoothing", "0.1"], 0, {"label_smoothing": 0.1}),
        (["--target", "2", "--weight", "1,2,3", "--reduction", "sum"], 2, {"weight": [1.0, 2, 3], "reduction": "sum"}),
        (["--target", "1", "--z-loss", "0.1", "--softcap", "5"], 1, {"z_loss": 0.1, "softcap": 5.0}),
        (["--target", "1", "--sample-weight", "3", "--normalizer", "2"], 1, {"sample_weight": 3.0, "normalizer": 2.0}),
        (["--target", "7", "--ignore-index", "7", "--on-empty", "zero"], 7, {"ignore_index": 7, "on_empty": "zero"}),
    ],
)
def test_every_option_of_the_loss(luce, words, target, options):
    if isinstance(target, tuple):
        target = tuple(map(np.array, target))
    found = steps(luce("explain", 2, 1, 0.1, *words, "--json"))
    wanted = cross_entropy([2, 1, 0.1], target if isinstance(target, int | tuple) else np.array(target), **options)
    np.testing.assert_allclose(found["value"]["value"], wanted, rtol=1e-12)


def test_a_layer_and_rows_of_it(luce):
    layer = ["--W", "1,0;0,1;1,1", "--b", "0,0,1"]
    found = steps(luce("explain", "--x", "1,2", *layer, "--target", "2", "--json"))
    wanted = explain(x=[1.0, 2.0], W=[[1.0, 0], [0, 1], [1, 1]], b=[0.0, 0, 1], target=2)
    for name in ("scores", "weight_gradient", "weight_jacobian", "layer_jacobian"):
        np.testing.assert_array_equal(found[name]["value"], wanted[name].value)
    rows = steps(luce("explain", "--x", "1,2;-3,4", *layer, "--target", "2;0", "--row", "2", "--json"))
    np.testing.assert_array_equal(rows["scores"]["value"], [-3, 4, 2])
    assert rows["batch_gradient"]["shape"] == [2, 3]


def test_a_table_of_scores(luce):
    Path("batch.csv").write_text("cat;dog;bird;y;w\n2;1;0,1;0;1\n0;-inf;3;bird;2\n1;1;;-100;1\n")
    found = steps(luce("explain", "batch.csv", "--target", "y", "--sample-weight", "w", "--row", "2", "--json"))
    np.testing.assert_array_equal(np.array(found["scores"]["value"], float), [0, -np.inf, 3])
    z = np.array([[2, 1, 0.1], [0, -np.inf, 3], [1, 1, np.nan]])
    wanted = cross_entropy(z, np.array([0, 2, -100]), sample_weight=np.array([1.0, 2, 1]))
    np.testing.assert_allclose(found["value"]["value"], wanted)
    text = luce("explain", "batch.csv", "--target", "y").out
    assert "batch.csv" in text
    assert "target: class 0 (cat)" in text  # the row of the largest loss


def test_a_row_under_a_model(luce, trained):
    model = load_model(Path("m.luce"))
    x = model.preparation.transform(converted(trained, model.columns, "t"))
    found = steps(luce("explain", "m.luce", "iris.csv", "--row", "7", "--json"))
    np.testing.assert_allclose(found["scores"]["value"], x[6] @ model.coef.T + model.intercept, rtol=1e-12)
    losses = cross_entropy(x @ model.coef.T + model.intercept, np.repeat([0, 1, 2], 50), reduction="none")
    np.testing.assert_allclose(found["loss"]["value"], losses[6], rtol=1e-12)
    worst = steps(luce("explain", "m.luce", "iris.csv", "--json"))
    np.testing.assert_allclose(worst["loss"]["value"], losses.max(), rtol=1e-12)
    text = " ".join(luce("explain", "m.luce", "iris.csv").out.split())
    assert f"row {losses.argmax() + 1}, the one with the largest loss" in text
    assert re.search(r"petal length \(cm\) +\S+ +\S+ +\S+ +\S+", text)


def test_a_row_without_a_label_is_explained_for_the_predicted_class(luce, trained):
    trained.drop("species").write_csv("new.csv")
    text = " ".join(luce("explain", "m.luce", "new.csv", "--row", "7").out.split())
    assert "target: class 0 (setosa), the predicted one, as no label was given" in text
    trained.with_columns(
        pl.when(pl.row_index() == 3).then(pl.lit("rose")).otherwise("species").alias("species")
    ).write_csv("odd.csv")
    assert (
        "row 4 has the label 'rose', which the model does not know"
        in luce("explain", "m.luce", "odd.csv", "--row", 4).err
    )
    text = " ".join(luce("explain", "m.luce", "new.csv", "--row", "7", "--target", "virginica").out.split())
    assert "target: class 2 (virginica)" in text
    assert "predicted" not in text.split("1 Scores")[0]


def test_faces_are_written_whole(luce):
    words = ["--html", "p.html", "--markdown", "d.md", "--latex", "d.tex", "--code", "d.py"]
    result = luce("explain", 2, 1, 0.1, "--target", 0, *words)
    assert (result.code, result.out) == (0, "")
    assert [line.removeprefix("Saved to ") for line in result.err.splitlines()] == ["p.html", "d.md", "d.tex", "d.py"]
    wanted = explain([2.0, 1.0, 0.1], 0)
    assert Path("d.md").read_text() == wanted.to_markdown()
    assert Path("d.tex").read_text() == wanted.to_latex()
    assert Path("d.py").read_text() == wanted.to_code()
    assert "<math" in Path("p.html").read_text()
    assert luce("explain", 2, 1, 0.1, "--target", 0, "--code", "-").out == wanted.to_code()


def test_parts_and_digits(luce):
    result = luce("explain", 2, 1, 0.1, "--target", 0, "--part", "jacobian", "--part", "softmax", "--digits", "8")
    assert [line.split()[2] for line in result.out.splitlines() if line.startswith("──")] == ["The", "The"]
    assert "0.65900114" in result.out
    assert "Cross" not in result.out


@pytest.mark.parametrize(
    "words, line",
    [
        ("2 1 0.1", "--target is needed"),
        ("2 1 0.1 --target 3", "--target is 3, expected 0 <= class < 3"),
        ("2 1 0.1 --target 0.7,0.3", "--target: a class, counted from 0"),
        ("2 1 0.1 --target 0.7,x,0.1", "got 'x' in '0.7,x,0.1'"),
        ("2 1 0.1 --target 2:0.7,0", "--target: CLASS:PROBABILITY is needed, got '0'"),
        ("2 1 0.1 --target 0;1", "--target: one row has one target, got 2"),
        ("2 1 0.1 --target -0.5,1,1", "--target"),
        ("2 1 0.1 --target 0 --temprature 2", "no such option: --temprature"),
        ("--target 0", "scores are needed"),
        ("iris.luce", "iris.luce is a model, and a table is needed, too: luce explain iris.luce TABLE"),
        ("2 1 abc --target 0", "scores are numbers, 'abc' is none"),
        ("-- 2 1 --target 0", "--target stands behind --"),
        ("2 1 --target 0 --temperature 0", "--temperature: expected a finite number > 0, got 0.0"),
        ("2 1 --target 0 --label-smoothing 2", "--label-smoothing: expected"),
        ("2 1 --target 0 --weight 1,2,3", "--weight: expected shape (2,)"),
        ("2 1 --target 0 --weight 1,x", "--weight takes numbers with commas between them"),
        ("2 1 --target 0 --weight 1,-1", "--weight: expected finite numbers that are not negative"),
        ("2 1 --target 0 --sample-weight 1,2", "--sample-weight: expected shape ()"),
        ("2 1 --target 0 --reduction most", "--reduction: expected one of"),
        ("2 1 --target 0 --tail uniform", '--tail: "uniform" goes with'),
        ("2 1 --target 0 --row 2", "--row must be from 1 to 1, got 2"),
        ("2 1 --target 0 --digits 1", "--digits: expected an integer from 2 to 30, got 1"),
        ("2 1 --target 0 --part nope", "--part: no part 'nope'; the parts are scores, shift"),
        ("2 1 --target 0 --class-names a", "--class-names: expected 2 names, got 1"),
        ("2 1 --target 0 --html nowhere/p.html", "nowhere/p.html: cannot be written"),
        ("2 1 --target 0 --html p.html --code p.html", "p.html: the script would overwrite the page"),
        ("2 1 --target 0 --separator ;", "options of text files go with a table"),
        ("2,1;3 --target 0;1", "its rows have 1 and 2 numbers"),
        ("2 1 --x 1 --target 0", "exclude each other"),
        ("--x 1,2 --target 0", "--W is needed"),
        ("--x 1,2 --W 1,0,0;0,1,1 --target 0", "--x: expected shape (3,)"),
        ("--x 1,2 --W 1,0;0,1 --b 1 --target 0", "--b: expected shape (2,)"),
        ("nope.csv --target y", "nope.csv: no such file"),
        ("t.csv", "--target COLUMN is needed"),
        ("t.csv --target z", "--target: t.csv has no column 'z'"),
        ("t.csv --target Y", "near 'y'"),
        ("t.csv --target y --sample-weight v", "--sample-weight: t.csv has no column 'v'"),
        ("t.csv --target y --row 9", "--row must be from 1 to 3, got 9"),
        ("bad.csv --target y", "row 2: column 'y' holds 'rose'"),
        ("far.csv --target y", "row 1: column 'y' holds '5'; there are 2 classes"),
        ("gap.csv --target y", "row 1: the target 'y' is missing"),
        ("text.csv --target y", "column 'a' holds 'x', scores are numbers"),
        ("t.csv t.csv", "t.csv: not a Luce model file"),
        ("a b c", "got 3 files"),
    ],
)
def test_bad_input_is_one_line_that_names_it(luce, words, line):
    Path("t.csv").write_text("a,b,y\n1,2,0\n2,3,1\n1,1,1\n")
    Path("bad.csv").write_text("a,b,y\n1,2,a\n2,3,rose\n")
    Path("far.csv").write_text("a,b,y\n1,2,5\n2,3,1\n")
    Path("gap.csv").write_text("a,b,y\n1,2,\n2,3,1\n")
    Path("text.csv").write_text("a,b,y\nx,2,0\nz,3,1\n")
    result = luce("explain", *words.split())
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1, result.err
    assert line in result.err
    assert not Path("p.html").exists()


@pytest.mark.parametrize("words", ["3 --target 0", "-inf -inf --target 0", "nan 1 --target 0", "1 -inf --target 1"])
def test_edges_are_told_in_words(luce, words):
    result = luce("explain", *words.split())
    assert result.code == 0
    assert "\n! " in result.out
