"""The model file: all that prediction needs, nothing that runs, older ones too, and one line for any that is none."""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from luce.tables.failure import Failure
from luce.tables.model_file import PARTS, load_model, save_model
from subprocesses import output

DATA = Path(__file__).parent / "data"


@pytest.fixture
def trained(luce):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    width = pl.Series(rng.normal(size=120) + y).set(pl.Series(np.arange(120) % 17 == 0), None)
    colour = pl.Series(np.array(["rot", "grün", "blau"])[(y + (rng.random(120) < 0.3)) % 3])
    colour = colour.set(pl.Series(np.arange(120) % 40 == 7), None).set(pl.Series(np.arange(120) == 5), "selten")
    table = pl.DataFrame({"width": width, "colour": colour, "": rng.normal(size=120), "class": y + 10})
    table.write_parquet("t.parquet")
    assert luce("fit", "t.parquet", "-t", "class", "-q").code == 0
    return luce


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, parts, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_what_is_written_is_what_is_read(trained):
    model = load_model(Path("t.luce"))
    save_model(Path("again.luce"), model)
    assert Path("again.luce").read_bytes() == Path("t.luce").read_bytes()
    again = load_model(Path("again.luce"))
    np.testing.assert_array_equal(again.coef, model.coef)
    assert (again.preparation, again.columns, again.classes) == (model.preparation, model.columns, model.classes)
    assert np.load("t.luce")["coef"].shape == (3, len(model.preparation.names))  # an archive of NumPy's, too


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_models_of_the_first_version_still_predict(luce, name):
    pytest.importorskip("skops.io")
    result = luce("predict", DATA / f"old_{name}.luce", DATA / "old_table.csv", "-o", "out.csv")
    assert result.code == 0 and "'colour': 1 value that training never saw" in result.err
    found, expected = pl.read_csv("out.csv"), pl.read_csv(DATA / f"old_{name}.csv")
    assert found["prediction"].to_list() == expected["prediction"].to_list()
    assert found.columns == expected.columns
    np.testing.assert_allclose(found.drop("prediction"), expected.drop("prediction"), rtol=1e-12)


def test_models_of_the_first_version_never_run_code(luce):
    skops = pytest.importorskip("skops.io")

    class Trap:
        def __reduce__(self):
            return os.mkdir, ("trapped",)

    skops.dump({"format": "luce model 1", "pipeline": Trap()}, "trap.luce")
    skops.dump({"format": "luce model 1", "run": os.system}, "evil.luce")
    skops.dump({"format": "something else"}, "foreign.luce")
    skops.dump({"format": "luce model 1", "pipeline": {"prepare": 1}, "columns": []}, "broken.luce")
    for name, words in {
        "trap": "refused, it holds what no Luce model consists of",
        "evil": "refused, it holds what no Luce model consists of",
        "foreign": "not a Luce model file",
        "broken": "a damaged model file",
    }.items():
        with pytest.raises(Failure, match=words):
            load_model(Path(f"{name}.luce"))
    assert not Path("trapped").exists()


def test_without_skops_old_models_say_what_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(Failure, match="pip install skops"):
        load_model(DATA / "old_softmax.luce")


def test_a_prediction_loads_neither_scikit_learn_nor_scipy(trained, tmp_path):
    code = (
        "import sys; from luce.cli import main;"
        f"code = main(['predict', {str(tmp_path / 't.luce')!r}, {str(tmp_path / 't.parquet')!r}, '-o', 'out.csv']);"
        "print(code, sorted({'sklearn', 'scipy', 'pandas', 'skops', 'jinja2', 'torch'} & set(sys.modules)))"
    )
    assert output(code) == "0 []"


def test_training_loads_neither_the_page_nor_what_it_does_not_need(tmp_path):
    code = (
        f"import os, sys; from luce.cli import main; os.chdir({str(tmp_path)!r}); code = main(['fit', '-q']);"
        "heavy = {'sklearn.ensemble', 'sklearn.compose', 'sklearn.impute', 'jinja2', 'torch', 'skops', 'matplotlib'};"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    assert output(code) == "0 []"


def test_the_first_screen_of_help_loads_no_numbers():
    code = (
        "import sys; from luce.cli import main; code = main(['fit', '--help']);"
        "print(); print(code, sorted({'sklearn', 'scipy', 'polars', 'pandas'} & set(sys.modules)))"
    )
    assert output(code).splitlines()[-1] == "0 []"


def changed(**values):
    def change(content):
        content.update(values)

    return change


def first_number(**values):
    return lambda content: content["numbers"][0].update(values)


HOSTILE = {
    "newer": (changed(version=3, luce="9.1"), "written by Luce 9.1, this is"),
    "foreign": (changed(format="x"), "not a Luce model file"),
    "no classes": (changed(classes=[]), "damaged"),
    "one class twice": (changed(classes=["10", "10", "12"]), "damaged"),
    "a class of a number": (changed(classes=[1, 2, 3]), "damaged"),
    "half a surrogate pair": (changed(classes=["\ud800", "b", "c"]), "damaged"),
    "a target of a list": (changed(target=["class"]), "damaged"),
    "another loss": (changed(loss="hinge"), "damaged"),
    "no columns": (changed(columns=[]), "damaged"),
    "columns that are none": (changed(columns={"name": "x"}), "damaged"),
    "numbers that are none": (changed(numbers=None), "damaged"),
    "a median of NaN": (first_number(median=float("nan")), "damaged"),
    "a median of text": (first_number(median="1"), "damaged"),
    "a spread of 0": (first_number(scale=[0, 0]), "damaged"),
    "a scale of three": (first_number(scale=[0, 1, 2]), "damaged"),
    "a level more": (lambda content: content["levels"][0]["kept"].append("x"), "damaged"),
    "a column renamed": (lambda content: content["columns"][0].update(name="x"), "damaged"),
    "a part missing": (lambda content: content.pop("levels"), "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_contents_that_do_not_fit_are_one_line(trained, name):
    change, words = HOSTILE[name]
    parts = parts_of("t.luce")
    content = json.loads(parts[PARTS[0]])
    change(content)
    write("bad.luce", parts | {PARTS[0]: json.dumps(content)})
    result = trained("predict", "bad.luce", "t.parquet")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("luce: bad.luce: ") and words in result.err and result.err.count("\n") == 1


def npy(header, body=b""):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + body


ARRAYS = {
    "a size that no memory holds": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
    "a negative size": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 8)}\n", bytes(64)),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}\n", b"cos\nsystem\n."),
    "code in the header": npy("__import__('os').mkdir('trapped')\n"),
    "other numbers": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}\n", bytes(12)),
    "not finite": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\n", np.full(3, np.nan).tobytes()),
    "nothing": b"",
    "no array": b"hello",
    "a header without an end": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,"),
    "a cut one": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\n", bytes(23)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_none_are_one_line(trained, name):
    write("bad.luce", parts_of("t.luce") | {PARTS[2]: ARRAYS[name]})
    result = trained("predict", "bad.luce", "t.parquet")
    assert (result.code, result.out) == (2, "")
    assert "bad.luce: a damaged model file" in result.err and result.err.count("\n") == 1
    assert not Path("trapped").exists()


def test_archives_that_are_none_are_one_line(trained):
    whole, parts = Path("t.luce").read_bytes(), parts_of("t.luce")
    Path("cut.luce").write_bytes(whole[: len(whole) // 2])
    Path("empty.luce").write_bytes(b"")
    Path("text.luce").write_text("hello\n" * 99)
    Path("changed.luce").write_bytes(whole.replace(b'"median"', b'"Median"', 1))
    write("bomb.luce", parts | {PARTS[0]: b" " * 10**8 + parts[PARTS[0]]}, compression=zipfile.ZIP_DEFLATED)
    write("deep.luce", parts | {PARTS[0]: "[" * 100_000})
    write("short.luce", {PARTS[0]: parts[PARTS[0]]})
    write("zip.luce", {"hello": "world"})
    Path("folder.luce").mkdir()
    for path in sorted(Path().glob("*.luce")):
        result = trained("predict", path, "t.parquet")
        if path.name == "t.luce":
            assert result.code == 0
            continue
        assert (result.code, result.out) == (2, ""), path
        assert result.err.startswith(f"luce: {path}: ") and result.err.count("\n") == 1, result.err
        assert "damaged" in result.err or "not a Luce model file" in result.err, result.err


def test_a_model_of_a_folder_that_moves(trained):
    before = trained("predict", "t.luce", "t.parquet")
    shutil.move("t.luce", "other.bin")
    assert trained("predict", "other.bin", "t.parquet") == before
