"""What `luce conform` does with its targets."""

import json

import pytest

from luce.cli import main
from luce.cli.conform import conform_all
from luce.tables.failure import Failure

OURS, TORCHS = "luce.torch:cross_entropy", "torch.nn.functional:cross_entropy"
ONLY = ["loss", "−inf in distributions"]


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_one_target_is_a_card(capsys):
    assert conform_all([OURS], only=ONLY) == 0
    assert "2 passed, 0 failed, 0 not supported" in capsys.readouterr().out


def test_several_are_a_table_and_a_failure_is_1(capsys, tmp_path):
    assert conform_all([OURS, TORCHS], only=ONLY, markdown=tmp_path / "table.md") == 1
    out = capsys.readouterr().out
    assert "✗ −inf in distributions: 0 · −inf is 0" in out and f"{TORCHS}: holes: loss is nan, should be" in out
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert f"| check | {OURS} | {TORCHS} |" in table and f"    * {TORCHS}: holes: loss is nan" in table


def test_json_is_json_alone(capsys):
    assert conform_all([TORCHS], only=ONLY, json=True) == 1
    (card,) = json.loads(capsys.readouterr().out)
    assert [result["status"] for result in card["results"]] == ["passed", "failed"]
    assert "torch" in card["versions"]


@pytest.mark.parametrize(
    ("target", "only", "words"),
    [
        ("luce", ["loss"], "expected module:function"),
        ("no_such_module:loss", ["loss"], "No module named"),
        ("absent.py:loss", ["loss"], "no such file"),
        (OURS, ["lost"], "no check 'lost'"),
    ],
)
def test_what_cannot_be_run_is_a_failure_of_one_line(target, only, words):
    with pytest.raises(Failure, match=words):
        conform_all([target], only=only)


def test_the_command_runs_some_checks_and_refuses_them_without_the_suite(capsys, tmp_path):
    table = tmp_path / "table.md"
    assert main(["conform", "--only", "loss", "--only", "-inf", "--markdown", str(table), OURS]) == 0
    assert "2 passed, 0 failed" in capsys.readouterr().out and "| −inf |" in table.read_text(encoding="utf-8")
    assert main(["check", "--only", "loss", "mine.py:loss"]) == 2
    assert main(["conform", "--framework", "list", OURS]) == 2
    assert "expected numpy, torch, jax, got 'list'" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--conformance"], ["--only", "loss"], ["--markdown", "table.md"]])
def test_luce_check_says_where_the_suite_went(capsys, options):
    for arguments in (["check", *options], ["check", *options, OURS], ["check", OURS, OURS, *options, "--json"]):
        assert main(arguments) == 2
        found = capsys.readouterr()
        assert found.err.startswith("luce: ") and "luce conform TARGET" in found.err
        assert found.err.count("\n") == 1 and not found.out


FILE = """
import os, time
import luce

def leaves(logits, target):
    os._exit(3)

def hangs(logits, target):
    time.sleep(60)

def prints(logits, target):
    print("noise")
    return luce.cross_entropy(logits, target)

class Losses:
    def loss(self, logits, target):
        return luce.cross_entropy(logits, target)
"""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("leaves", "the file ended the process with exit code 3"),
        ("hangs", "still running after 5 s, stopped"),
        ("absent", "mine.py has no absent; it has leaves, hangs, prints, Losses"),
    ],
)
def test_a_file_does_no_harm(capsys, tmp_path, function, words):
    (tmp_path / "mine.py").write_text(FILE)
    assert main(["conform", f"{tmp_path}/mine.py:{function}", "--only", "loss", "--timeout", "5"]) == 2
    found = capsys.readouterr()
    assert words in found.err and found.err.count("\n") == 1 and not found.out


@pytest.mark.parametrize("function", ["prints", "Losses.loss"])
def test_what_a_file_prints_is_not_seen_and_a_method_is_tried(capsys, tmp_path, function):
    (tmp_path / "mine.py").write_text(FILE)
    assert main(["conform", f"{tmp_path}/mine.py:{function}", "--only", "loss"]) == 0
    found = capsys.readouterr()
    assert "1 passed" in found.out and "noise" not in found.out
    assert not (tmp_path / "__pycache__").exists()
