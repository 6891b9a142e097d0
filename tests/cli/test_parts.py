"""The parts behind the commands: reading tables, folds, the plot, progress in a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from luce.cli.reports.curve import curve
from luce.models.evaluation.held_out import cross_validated
from luce.tables.reading import read_table


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a,b\n1,x\n,NA\n", {"a": [1, None], "b": ["x", None]}),
        (b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y\r\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a;b\n1,5;x\n-2;y\n".encode("utf-16"), {"a": [1.5, -2.0], "b": ["x", "y"]}),
        (b"a\tb\n1\tx,y\n2\tz\n", {"a": [1, 2], "b": ["x,y", "z"]}),
        (b'"a ""q"", r","b\nc"\n" 1 ","x\ny"\n2, z \n', {'a "q", r': [1.0, 2.0], "b\nc": ["x\ny", "z"]}),
        (b"a, b\n1, 2.5\n2, ?\n", {"a": [1, 2], "b": [2.5, None]}),
        (b"a\n1\n2.5\nx\n", {"a": ["1", "2.5", "x"]}),
        (b"\n\na\n1\n", {"a": [1]}),
    ],
)
def test_csv_as_people_write_it(tmp_path, content, expected):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert read_table(path).to_dict(as_series=False) == expected


@given(st.lists(st.integers(1, 7), min_size=2, max_size=8), st.integers(2, 6), st.integers(0, 100))
def test_every_fold_learns_every_class_and_every_row_is_held_out_once(sizes, folds, seed):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    seen = []

    class Spy(DummyClassifier):
        def fit(self, X, y):
            seen.append(set(y))
            return super().fit(X, y)

    finished = []
    table = pl.DataFrame({"x": np.arange(len(codes))})
    spy, each = Spy(strategy="prior"), lambda done, of: finished.append((done, of))
    judged = cross_validated(spy, table, codes, None, folds, seed, each)
    if max(sizes) == 1:
        assert judged is None
        return
    assert all(learnt == set(range(len(sizes))) for learnt in seen)
    assert judged.rows.tolist() == [row for row, code in enumerate(codes) if sizes[code] > 1]
    assert (f"{sizes.count(1)} class" in judged.method) == (1 in sizes)
    assert finished[-1][0] == finished[-1][1] == len(set(judged.fold))
    assert judged.true.tolist() == codes[judged.rows].tolist()
    np.testing.assert_allclose(np.exp(judged.log_probabilities), judged.baseline)  # the prior is the baseline


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.integers(8, 50), st.integers(2, 9), st.booleans())
def test_curves_have_their_size_and_their_ends(values, width, height, plain):
    lines = curve(values, width=width, height=height, plain=plain)
    assert len(lines) == height + 2
    assert max(map(len, lines)) <= 12 + width
    assert all(line.isascii() for line in lines) or not plain
    if max(values) > min(values) and plain:
        for value, column in ((values[0], 12), (values[-1], 11 + width)):
            row = round((max(values) - value) / (max(values) - min(values)) * (height - 1))
            assert lines[row][column] == "*"
    assert lines[-1].split()[0] == "0"


def test_a_falling_curve_falls():
    rows = [line[12:] for line in curve([3.0, 2.0, 1.0, 0.0], width=8, height=8, plain=True)[:8]]
    assert [row.index("*") for row in rows] == list(range(8))


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
def test_progress_is_live_in_a_terminal_and_leaves_nothing_behind(tmp_path):
    import pty

    controller, terminal = pty.openpty()
    program = "import sys; from luce.cli import main; sys.exit(main(['fit']))"
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=terminal, cwd=tmp_path, env=environment
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:  # the other end has been closed
            break
        if not piece:
            break
        shown += piece
    out, _ = process.communicate()
    os.close(controller)
    assert process.returncode == 0
    assert b"reading iris" in shown or b"training" in shown or b"cross-validating" in shown
    assert shown.rstrip().endswith((b"\x1b[2K", b"\x1b[?25h"))  # the line is erased, the cursor back
    assert b"\x1b" not in out
    assert Path(tmp_path, "iris.luce").exists()


def test_output_that_cannot_hold_braille_is_plain_ascii(tmp_path):
    program = "import sys; from luce.cli import main; sys.exit(main(['fit']))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode("ascii")
    assert "+-" in shown
    assert "?" not in shown
