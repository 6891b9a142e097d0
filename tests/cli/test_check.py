"""`luce check`: the exit code, the report in its forms, and files that crash, leave, hang or can't be loaded."""

import json
import stat
import time
from pathlib import Path

import pytest

FILE = """
import os, sys, time
import numpy as np

def right(z, y):
    m = z.max(axis=1, keepdims=True)
    log_p = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    grad = np.exp(log_p)
    grad[rows, y] -= 1
    return -log_p[rows, y].mean(), grad / len(y)

def wrong(z, y):
    print("noise on the output")
    loss, grad = right(z, y)
    return loss, -grad

def smoothed(z, y):
    p = np.exp(right(z, y)[1] * 0) * np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (p - 0.8 * np.eye(z.shape[1])[y] - 0.2 / z.shape[1]) / len(y)

def hang(z, y):
    while True:
        time.sleep(1)

def leave(z, y):
    os._exit(3)

def crash(z, y):
    os.kill(os.getpid(), 11)

def broken(z, y):
    a = 1
    return z[no_such_name]

def transposed(z, y):
    return z.T

def weighted(z, y):
    w = np.array([1.0, 2.0, 0.5])[y]
    loss, grad = zip(*(right(row[None], label[None]) for row, label in zip(z, y)))
    return (w * loss).sum() / w.sum(), w[:, None] * np.concatenate(grad) / w.sum()

class Unmade:
    def __init__(self, rate):
        self.rate = rate
    def summed(self, z, y):
        loss, grad = right(z, y)
        return loss * len(y), grad * len(y)

class Holder:
    @staticmethod
    def right(z, y):
        return right(z, y)
"""


@pytest.fixture
def check(luce):
    Path("mine.py").write_text(FILE)
    Path("absent.py").write_text("x = 1\nimport no_such_module\n")
    Path("grammar.py").write_text("def f(:\n")
    Path("exits.py").write_text("import sys\nsys.exit('enough')\n")
    return lambda *arguments: luce("check", *arguments)


def test_right(check):
    found = check("mine.py:right")
    assert found.code == 0 and "correct to 15 digits" in found.out and not found.err


def test_wrong(check):
    found = check("mine.py:wrong", "--html", "page.html")
    assert found.code == 1 and "sign flipped" in found.out and "noise" not in found.out
    assert "sign flipped" in Path("page.html").read_text()


def test_json(check):
    found = check("mine.py:wrong", "--json")
    report = json.loads(found.out)
    assert found.code == 1 and report["verdict"] == "wrong"
    assert [mistake["name"] for mistake in report["diagnosis"]] == ["sign flipped"]


def test_what_is_said_counts(check):
    assert check("mine.py:smoothed", "--label-smoothing", "0.2").code == 0
    assert check("mine.py:wrong", "--descent").code == 0
    assert check("mine.py:Holder.right").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mine.py:hang --timeout 2", "still running after 2 s"),
        ("mine.py:leave", "exit code 3"),
        ("mine.py:crash", "ended by SIGSEGV"),
        ("mine.py:broken", "NameError: name 'no_such_name' is not defined, line 35: return z[no_such_name]"),
        ("mine.py:transposed", "an array of shape (5, 7); expected loss () or loss (7,) or gradient (7, 5)"),
        ("mine.py:missing", "mine.py has no missing; it has right, wrong"),
        ("absent.py:f", "importing absent.py failed, line 2: ModuleNotFoundError"),
        ("grammar.py:f", "importing grammar.py failed, line 1: SyntaxError"),
        ("exits.py:f", "exit code 1: enough"),
    ],
)
def test_not_runnable_says_why(check, arguments, words):
    found = check(*arguments.split())
    assert found.code == 2 and words in " ".join(found.out.split()), found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("mine", "FILE.py or FILE.py:FUNCTION is needed"),
        ("nowhere.py:f", "nowhere.py: no such file"),
        ("mine.py:right --html mine.py", "the page would overwrite the file"),
        ("mine.py:right --html no/page.html", "there is no folder"),
        ("mine.py:right mine.py:wrong", "one FILE.py:FUNCTION at a time, got 2"),
    ],
)
def test_what_the_user_can_put_right(check, arguments, words):
    found = check(*arguments.split())
    assert found.code == 2 and words in found.err and not found.out


def test_a_function_of_a_module(check):
    found = check("luce:cross_entropy_and_grad")
    assert found.code == 0 and "correct to 15 digits" in found.out
    assert check("luce:cross_entrpy").code == 2


def test_the_file_stands_alone(check):
    before = time.perf_counter()
    assert check("mine.py:right").code == 0
    assert time.perf_counter() - before < 15  # 3 on a machine that is not shared: docs/check.md
    assert not Path("__pycache__").exists()


def test_what_is_built_in_is_said_with_options(check):
    assert check("mine.py:weighted").code != 0
    assert check("mine.py:weighted", "--weight", "1,2,0.5").code == 0
    assert check("mine.py:weighted", "--weight", "1,2,0.25").code == 1
    found = check("mine.py:weighted", "--weight", "1,two")
    assert found.code == 2 and "--weight takes numbers with commas between them" in found.err
    found = check("mine.py:weighted", "--weight", "1,2", "--classes", "3")
    assert found.code == 2 and "weight must have one dimension and 3 entries" in found.err and not found.out
    assert check("mine.py:right", "--classes", "4", "--layout", "rows").code == 0


def test_a_method_is_checked_without_its_constructor(check):
    found = check("mine.py:Unmade.summed")
    assert found.code == 0 and "sum instead of mean" in found.out
    found = check("mine.py:Unmade.summed", "--reduction", "mean")
    assert found.code == 1 and "sum instead of mean" in found.out
    assert check("mine.py:Unmade.summed", "--reduction", "sum").code == 0


TWO_LINES = """# -*- coding: latin-1 -*-
import numpy as np  # dérivée

def loss(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    value = -np.log(p[np.arange(len(y)), y]).sum()
    p[np.arange(len(y)), y] += 1  # é
    p /= len(y)
    return value / z.shape[1], p

def odd(z, y):
    value, grad = loss(z, y)
    return value, np.sin(grad) * z
"""


@pytest.fixture
def two_lines():
    """A file in another encoding, with other ends of lines, that others may not read."""
    file = Path("two.py")
    file.write_bytes(TWO_LINES.replace("\n", "\r\n").encode("latin-1"))
    file.chmod(0o640)
    return file


def test_fix_writes_what_was_tried(check, two_lines):
    before = two_lines.read_bytes()
    Path("two.py.bak").write_text("kept from last week")
    found = check("two.py:loss", "--fix")
    after = two_lines.read_bytes()
    assert found.code == 0 and "two.py.bak2" in found.out and "+    p[np.arange(len(y)), y] -= 1  # é" in found.out
    assert Path("two.py.bak").read_text() == "kept from last week" and Path("two.py.bak2").read_bytes() == before
    assert stat.S_IMODE(two_lines.stat().st_mode) == 0o640
    changed = [k for k, (a, b) in enumerate(zip(before.split(b"\r\n"), after.split(b"\r\n"), strict=True), 1) if a != b]
    assert changed == [8, 10] and b"  # \xe9\r\n" in after and after.count(b"\n") == after.count(b"\r\n")
    assert check("two.py:loss").code == 0
    found = check("two.py:loss", "--fix")
    assert found.code == 0 and "nothing written: there is nothing wrong to change" in found.out
    assert two_lines.read_bytes() == after and not Path("two.py.bak3").exists()


def test_fix_in_json(check, two_lines):
    found = check("two.py:loss", "--fix", "--json")
    fix = json.loads(found.out)["fix"]
    assert (
        found.code == 0 and fix["written"] is True and fix["backup"] == "two.py.bak" and fix["diff"].count("\n@@") == 1
    )


def test_fix_writes_nothing_unproven(check, two_lines):
    before = two_lines.read_bytes()
    found = check("two.py:odd", "--fix", "--json")
    fix = json.loads(found.out)["fix"]
    assert found.code == 1 and fix == {
        "written": False,
        "reason": "no change was found with which the function is right",
    }
    Path("other.py").write_text("from two import loss\n")
    found = check("other.py:loss", "--fix")
    assert found.code == 1 and "nothing written: the lines to change are in another file" in found.out
    found = check("two:loss", "--fix")
    assert found.code == 2 and "--fix writes into a FILE.py:FUNCTION" in found.err
    assert two_lines.read_bytes() == before and not list(Path().glob("*.bak*"))


def test_fix_writes_nothing_into_a_file_that_changed_meanwhile(check, two_lines):
    code = TWO_LINES.replace("import numpy as np", "import numpy as np; open(__file__, 'ab').write(b'#')")
    two_lines.write_bytes(code.encode("latin-1"))
    found = check("two.py:loss", "--fix")
    assert found.code == 1 and "nothing written: two.py has changed since it was checked" in found.out
    assert two_lines.read_bytes() == code.encode("latin-1") + b"#" and not list(Path().glob("*.bak*"))


def test_a_file_alone_says_what_was_chosen(check):
    Path("script.py").write_text(
        """
import numpy as np

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def cross_entropy(z, y):
    p = softmax(z)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    p[np.arange(len(y)), y] -= 1
    return loss, p

def shuffled(rows, seed):
    return rows[np.random.default_rng(seed).permutation(len(rows))]

if __name__ == "__main__":
    raise SystemExit(print(cross_entropy(np.zeros((2, 3)), np.array([0, 1]))))
"""
    )
    found = check("script.py", "--fix")
    assert found.code == 0 and "cross_entropy: wrong: gradient not divided by N" in found.out, found
    assert "cross_entropy is what looks like one here; script.py:NAME checks another" in found.out
    assert check("script.py").code == 0
    Path("empty.py").write_text("def shuffled(rows, seed):\n    return rows\n")
    found = check("empty.py")
    assert found.code == 2 and "it has shuffled; name one" in " ".join(found.out.split())


def test_a_notebook_is_named_by_cell_and_line(check):
    cells = [
        "%matplotlib inline\nimport numpy as np\nraise SystemExit('training')",
        "data = load('nothing')\ndef softmax(z):\n    e = np.exp(z - z.max(axis=1, keepdims=True))\n"
        "    return e / e.sum(axis=1, keepdims=True)",
        "# the loss\ndef cross_entropy(z, y):\n    p = softmax(z)\n    n = len(y)\n"
        "    value = -np.log(p[np.arange(n), y]).mean()\n    p[np.arange(n), y] += 1\n    return value, p / n\n",
        "%%bash\nexit 1",
    ]
    parts = [{"cell_type": "markdown", "source": ["# Title"]}]
    parts += [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    Path("mine.ipynb").write_text(json.dumps({"cells": parts}))
    found = check("mine.ipynb:cross_entropy")
    assert found.code == 1 and "cell 3, line 6  p[np.arange(n), y] += 1" in found.out, found
    assert "p[np.arange(n), y] -= 1" in found.out
    assert "cross_entropy is what looks like one here" in check("mine.ipynb").out
    found = check("mine.ipynb:cross_entropy", "--fix")
    assert found.code == 2 and "--fix writes into a FILE.py:FUNCTION" in found.err
    Path("no.ipynb").write_text("no notebook")
    assert check("no.ipynb:f").code == 2
