"""What `luce check --conformance` does with its targets."""

import json

import pytest

from luce.cli import main
from luce.cli.check_conformance import check_conformance
from luce.tables.failure import Failure

OURS, TORCHS = "luce.torch:cross_entropy", "torch.nn.functional:cross_entropy"
ONLY = ["loss", "−inf in distributions"]


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_one_target_is_a_card(capsys):
    assert check_conformance([OURS], only=ONLY) == 0
    assert "2 passed, 0 failed, 0 not supported" in capsys.readouterr().out


def test_several_are_a_table_and_a_failure_is_1(capsys, tmp_path):
    assert check_conformance([OURS, TORCHS], only=ONLY, markdown=tmp_path / "table.md") == 1
    out = capsys.readouterr().out
    assert "✗ −inf in distributions: 0 · −inf is 0" in out and f"{TORCHS}: holes: loss is nan, should be" in out
    table = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert f"| check | {OURS} | {TORCHS} |" in table and f"    * {TORCHS}: holes: loss is nan" in table


def test_json_is_json_alone(capsys):
    assert check_conformance([TORCHS], only=ONLY, json=True) == 1
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
        check_conformance([target], only=only)


def test_the_command_runs_some_checks_and_refuses_them_without_the_suite(capsys, tmp_path):
    table = tmp_path / "table.md"
    assert main(["check", "--conformance", "--only", "loss", "--only", "-inf", "--markdown", str(table), OURS]) == 0
    assert "2 passed, 0 failed" in capsys.readouterr().out and "| −inf |" in table.read_text(encoding="utf-8")
    assert main(["check", "--only", "loss", "mine.py:loss"]) == 2
    assert main(["check", "--conformance", "--framework", "list", OURS]) == 2
    assert "expected numpy, torch, jax, got 'list'" in capsys.readouterr().err
