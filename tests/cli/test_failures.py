"""What the user can put right: one line on standard error, exit code 2, nothing written."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from luce.cli import main
from luce.tables.failure import Failure
from luce.tables.output_files import replacing

FILES = {
    "good.csv": "a,b,y\n1,p,u\n2,q,v\n3,p,u\n4,q,v\n",
    "one.csv": "a,y\n1,u\n2,u\n",
    "header.csv": "a,y\n",
    "empty.csv": "",
    "blank.csv": "\n \n",
    "ragged.csv": "a,y\n1,u\n2,v,3\n",
    "twice.csv": "a,a,y\n1,2,u\n3,4,v\n",
    "real.csv": "a,y\n1,0.5\n2,1.25\n",
    "idle.csv": "a,y\n1,u\n1,v\n1,u\n",
    "none.csv": "a,y\n1,\n2,NA\n",
    "zero.csv": "a,y\n1,\0\n",
    "text.csv": "u,y\nwide,1\nnarrow,2\n",
    "other.csv": "v,y\n1,1\n",
    "fake.parquet": "PAR1 but no more",
    "fake.luce": "not a model",
    "table.xlsx": "?",
    "table.json": "?",
    "headless.csv": "1,2.5\n2,3\n",
    "inf.csv": "a,y\n1,1\n2,inf\n3,2\n",
    "ids.csv": "a,y\n" + "".join(f"{k % 7},user {k}\n" for k in range(1500)),
    "weights.csv": "a,y,w,v,t,z\n1,u,1,1,x,0\n2,v,-0.5,,1,0\n3,u,2,1,1,0\n4,v,1,1,1,0\n",
    "soft.csv": "a,p_u,p_v\n1,0.5,0.5\n2,0.5,0.4\n3,1,0\n",
    "part.csv": "a,p_u,p_v\n1,0.5,0.5\n2,,0.4\n3,1,0\n",
    "over.csv": "a,p_u,p_v\n1,0.5,0.5\n2,1.5,-0.5\n3,1,0\n",
    "alone.csv": "a,p_u,p_\n1,0.5,0.5\n2,0.5,0.5\n",
}


@pytest.fixture
def folder(luce):
    for name, content in FILES.items():
        Path(name).write_text(content)
    Path("iris.data.csv").write_text("5.1,3.5,1.4,0.2,setosa\n4.9,3.0,1.4,0.2,versicolor\n" * 5)
    Path("caret.csv").write_text("a^b^y\n1^2^u\n2^3^v\n")
    Path("singly.csv").write_text("a,b,y\n1,2,'u, v'\n2,3,'w, x'\n")
    Path("latin.csv").write_bytes("a,y\n1,é\n2,b\n".encode("latin-1"))
    with zipfile.ZipFile("zip.luce", "w") as archive:
        archive.writestr("hello", "world")
    pl.DataFrame({"u": [0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 1]}).write_parquet("numbers.parquet")
    assert luce("fit", "numbers.parquet", "-t", "y", "-q", "-o", "numbers.luce").code == 0
    return luce


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("fit nowhere.csv -t y", "nowhere.csv: no such file"),
        ("fit . -t y", "is a folder"),
        ("fit good.csv", "--target COLUMN; there are 'a', 'b', 'y'"),
        ("fit good.csv -t z", "good.csv: no column 'z'; there are 'a', 'b', 'y'"),
        ("fit headless.csv -t y", "its first row looks like data"),
        (
            "fit iris.data.csv -t species",
            "no column 'species'; there are '5.1', '3.5', '1.4', '0.2', 'setosa'; its first",
        ),
        (
            "fit caret.csv -t y",
            "no column 'y'; there are 'a^b^y', no other: if another sign stands between fields, --sep",
        ),
        (
            "fit singly.csv -t y",
            "row 1 has 4 fields, the header has 3 (line 2: \"1,2,'u, v'\"; the header is line 1); if fi",
        ),
        ("fit good.csv -t Y --drop a", "no column 'Y', near 'y'; there are 'a', 'b', 'y'"),
        ("fit good.csv -t y --weights B", "no column 'B' for --weights, near 'b'"),
        ("fit good.csv -t y --text A", "no column 'A' for --text, near 'a'"),
        ("fit good.csv -t y --drop z", "no column 'z' to drop"),
        ("fit good.csv -t y --drop a --drop b", "no column left to learn from"),
        ("fit one.csv -t y", "one class only ('u')"),
        ("fit none.csv -t y", "'y' holds no value at all"),
        ("fit header.csv -t y", "a header and no rows"),
        ("fit empty.csv -t y", "the table is empty"),
        ("fit blank.csv -t y", "the table is empty"),
        ("fit ragged.csv -t y", "row 2 has 3 fields, the header has 2"),
        ("fit twice.csv -t y", "two columns are called 'a'"),
        ("fit real.csv -t y", "holds real numbers (0.5, …), not classes"),
        ("fit idle.csv -t y", "no column left to learn from"),
        ("fit zero.csv -t y", "not a text file"),
        ("fit latin.csv -t y", "not UTF-8 text (line 2, byte 0xE9 at position 6)"),
        ("fit fake.parquet -t y", "fake.parquet: not a table that can be read"),
        ("fit table.xlsx -t y", "a workbook of Excel or the like: save the sheet as CSV"),
        ("fit table.json -t y", "unknown extension '.json'; a table is .csv, .parquet"),
        ("fit good.csv -t y -o no/where.luce", "cannot be written, there is no folder"),
        ("fit good.csv -t y -o .", "cannot be written, it is a folder"),
        ("fit good.csv -t y -o good.csv", "the model would overwrite the table"),
        ("fit -o /dev/null", "not an ordinary file"),
        ("fit --C 0", "--C must be positive, got 0"),
        ("fit --C nan", "--C must be positive, got nan"),
        ("fit --folds 1", "--folds must be 0 or at least 2"),
        ("fit --target kind", "--target goes with a table"),
        ("fit inf.csv -t y", "'y' holds real numbers (inf, …), not classes"),
        ("fit ids.csv -t y", "1,500 distinct values in 1,500 rows: that looks like an identifier"),
        ("fit ids.csv -t y --stream", "1,340 distinct values in 1,340 rows: that looks like an identifier"),
        ("fit good.csv -t y --weights z", "no column 'z' for --weights"),
        ("fit good.csv -t y --weights y", "can't be both the target and the weights"),
        ("fit weights.csv -t y --weights w", "row 2: column 'w' holds -0.5; a weight must be a number from 0 up"),
        ("fit weights.csv -t y --weights w --stream", "row 2: column 'w' holds -0.5"),
        ("fit weights.csv -t y --weights v", "row 2: column 'v' holds no value"),
        ("fit weights.csv -t y --weights t", "row 1: column 't' holds 'x'"),
        ("fit weights.csv -t y --weights z", "every row with a target has weight 0"),
        ("fit weights.csv -t y --weights z --stream", "every row with a target has weight 0"),
        ("fit weights.csv -t y --weights w --drop w", "column 'w' is the target or the weights"),
        ("fit good.csv -t y --drop y", "column 'y' is the target or the weights"),
        ("fit soft.csv --soft-target q_", "two columns or more that begin with 'q_'; none does"),
        ("fit soft.csv --soft-target p_u", "two columns or more that begin with 'p_u'; only 'p_u' does"),
        ("fit soft.csv --soft-target p_ -t p_u", "--target and --soft-target exclude each other"),
        ("fit soft.csv --soft-target p_", "row 2: the probabilities in 'p_'… sum to 0.9, not 1"),
        ("fit soft.csv --soft-target p_ --stream", "row 2: the probabilities in 'p_'… sum to 0.9, not 1"),
        ("fit part.csv --soft-target p_", "row 2: column 'p_u' holds no value"),
        ("fit over.csv --soft-target p_", "row 2: column 'p_u' holds 1.5; a probability is needed"),
        ("fit alone.csv --soft-target p_", "the name of column 'p_' leaves no class"),
        ("fit soft.csv --soft-target p_ --model sigmoid", "exclude each other"),
        ("fit --l1-ratio 2", "--l1-ratio must be in [0, 1], got 2"),
        ("fit --C 1 --C 2", "--C is given 2 times: --cv chooses among several"),
        ("fit --l1-ratio 0 --l1-ratio 1", "--l1-ratio is given 2 times"),
        ("fit --model probit", "--model must be softmax or sigmoid"),
        ("fit --standard-errors --l1-ratio 0.5", "a model with an L1 penalty has none"),
        ("fit --report no/page.html", "there is no folder"),
        ("fit --report iris.luce", "the report would overwrite the model"),
        ("fit good.csv -t y --report good.csv", "the report would overwrite the table"),
        ("fit --stream", "--stream needs a table"),
        ("fit good.csv -t y --stream --cv", "--cv and --stream exclude each other"),
        ("fit good.csv -t y --stream --folds 3", "--folds and --stream exclude each other"),
        ("fit good.csv -t y --stream --l1-ratio 1", "--l1-ratio and --stream exclude each other"),
        ("fit good.csv -t y --stream --standard-errors", "--standard-errors and --stream exclude each other"),
        ("fit good.csv -t y --held-out 0.2", "--held-out goes with --stream"),
        ("fit good.csv -t y --stream --held-out 1", "--held-out must be in [0, 1), got 1"),
        ("fit header.csv -t y --stream", "a header and no rows"),
        ("fit empty.csv -t y --stream", "the table is empty"),
        ("fit one.csv -t y --stream", "one class only ('u')"),
        ("fit idle.csv -t y --stream", "no column left to learn from"),
        ("fit ragged.csv -t y --stream", "row 2 has 3 fields, the header has 2"),
        ("fit zero.csv -t y --stream", "not a text file"),
        ("fit latin.csv -t y --stream", "not UTF-8 text"),
        ("fit fake.parquet -t y --stream", "fake.parquet: not a table that can be read"),
        ("fit nowhere.csv -t y --stream", "nowhere.csv: no such file"),
        ("predict numbers.luce numbers.parquet -o numbers.parquet", "the predictions would overwrite the table"),
        ("predict numbers.luce good.csv -o ./good.csv", "the predictions would overwrite the table"),
        ("predict numbers.luce text.csv --stream", "'u' holds text ('wide') where the model saw numbers"),
        ("predict nowhere.luce good.csv", "nowhere.luce: no such file"),
        ("predict fake.luce good.csv", "fake.luce: not a Luce model file"),
        ("predict zip.luce good.csv", "zip.luce: not a Luce model file"),
        ("predict numbers.luce nowhere.csv", "nowhere.csv: no such file"),
        ("predict numbers.luce text.csv", "'u' holds text ('wide') where the model saw numbers"),
        ("predict numbers.luce other.csv", "column 'u' of the model not found; the table has 'v', 'y'"),
        ("predict numbers.luce numbers.parquet -o out.json", "unknown extension '.json'"),
        ("predict numbers.luce numbers.parquet -o no/where.csv", "there is no folder"),
    ],
)
def test_one_line_exit_code_two_nothing_written(folder, command, words):
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    result = folder(*command.split())
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("luce: ")
    assert result.err.count("\n") == 1
    assert words in result.err
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_a_write_that_fails_half_way_leaves_the_old_file(luce):
    Path("kept").write_text("old")

    def fail_half_way():
        with replacing(Path("kept")) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(Failure, match="kept: cannot be written, No space left"):
        fail_half_way()
    assert [path.name for path in Path().iterdir()] == ["kept"]
    assert Path("kept").read_text() == "old"


def test_unknown_options_are_usage_errors(luce):
    result = luce("fit", "--bogus")
    assert result.code == 2
    assert "--bogus" in result.err


def test_version_and_help(luce):
    assert luce("--version").out.startswith("luce 0.")
    shown = luce("--help").out
    assert all(command in shown for command in ("fit", "predict", "show-config"))
    assert "--target" in luce("fit", "--help").out
    assert "isa" in luce("show-config").out


@pytest.mark.parametrize("missing", ["typer", "polars", "sklearn"])
def test_a_missing_extra_is_named(tmp_path, missing):
    program = f"import sys; sys.modules[{missing!r}] = None; from luce.cli import main; sys.exit(main(['fit']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert f"needs {missing}" in done.stderr
    assert 'pip install "luce[cli]"' in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_instruction_set_is_one_line():
    program = "import sys; from luce_command import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "show-config"],
        capture_output=True,
        text=True,
        env={**os.environ, "LUCE_ISA": "foo"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("luce: LUCE_ISA: instruction-set level 'foo'") and done.stderr.count("\n") == 1


def test_a_page_that_cannot_be_written_is_one_line(luce, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("luce.whole_file.os.replace", full)
    result = luce("fit", "--report", "page.html")
    assert (result.code, result.out) == (2, "")
    assert "cannot be written, No space left on device" in result.err and result.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_other_import_errors_are_not_hidden(monkeypatch):
    monkeypatch.setitem(sys.modules, "luce.cli.app", None)
    with pytest.raises(ModuleNotFoundError):
        main(["fit"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,y\n1,2,p\n3,q\n5,6,q\n7,8,p\n", "row 2 has 2 fields, the header has 3"),
        ("1,0.5,2.5\n2,0.7,1.5\n1,0.1,0.3\n", "the first row looks like data"),
        ("x,y\n1e200,p\n2e200,q\n-1e200,p\n3,q\n", "numbers may be 1e+150 at most"),
    ],
)
def test_tables_that_would_be_read_wrongly(luce, text, said):
    Path("t.csv").write_text(text)
    result = luce("fit", "t.csv", "-t", "1" if text[0] == "1" else "y")
    assert result.code == 2 and said in result.err and len(result.err.splitlines()) == 1
    assert not list(Path().glob("*.luce"))


def test_the_model_is_called_after_the_whole_table(luce):
    for name in ("sales.v1", "sales.v2"):
        Path(f"{name}.csv").write_text("x,y\n1,p\n2,q\n3,p\n4,q\n")
        assert luce("fit", f"{name}.csv", "-t", "y", "-q").code == 0
    assert sorted(path.name for path in Path().glob("*.luce")) == ["sales.v1.luce", "sales.v2.luce"]
