"""The catalogue of mistakes: its order, which decides between equal explanations, and the form of its entries."""

import ast
from pathlib import Path

import luce.check.doctor.mistakes
from luce.check.doctor.mistakes.behaviours import BEHAVIOURS
from luce.check.doctor.mistakes.catalogue import CATALOGUE, SUBJECTS

HERE = Path(__file__).parent
FOLDER = Path(luce.check.doctor.mistakes.__file__).parent
ORDER = (HERE / "catalogue.txt").read_text(encoding="utf-8").splitlines()


def test_the_order_is_the_one_that_decides_between_equal_explanations():
    """A new entry goes into catalogue.txt at its place; one that moves may change what is named first."""
    assert [mistake.name for mistake in CATALOGUE] == ORDER


def test_every_file_of_a_subject_is_ranked():
    others = {"__init__", "behaviours", "catalogue", "entry"}
    assert {path.stem for path in FOLDER.glob("*.py")} - others == {
        subject.__name__.rpartition(".")[2] for subject in SUBJECTS
    }


def test_an_entry_is_short_and_its_words_are_whole():
    for path in FOLDER.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                lines = (node.end_lineno or 0) - node.decorator_list[0].lineno + 1
                assert lines <= 8, f"{path.name}: {node.name} has {lines} lines"
    for finding in (*CATALOGUE, *BEHAVIOURS):
        words = (finding.name, finding.said, finding.computed, finding.right, finding.fix)
        assert all(words) and all(word == " ".join(word.split()) for word in words), finding
