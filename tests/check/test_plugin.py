"""The plugin of pytest: a test for each check, skipped where it is not supported, unless it is required."""

from tests.subprocesses import python

from luce.check import CHECKS

FILE = """
import luce

def tried(logits, target, weight=None):
    return luce.cross_entropy(logits, target, weight=weight)

def test_tried(conforms):
    conforms(tried, required=["weight", "softcap"])

def test_other(conforms):
    conforms(luce.cross_entropy)
"""


def run(folder, *arguments):
    (folder / "test_mine.py").write_text(FILE)
    options = ["-p", "luce.check.plugin", "-p", "no:cacheprovider", "-q", "-rsfp", str(folder), *arguments]
    return python(f"import pytest, sys; sys.exit(pytest.main({options}))").stdout


def test_each_check_is_a_test(tmp_path):
    listed = run(tmp_path, "--collect-only")
    assert "test_mine.py::test_tried[loss]" in listed and "test_mine.py::test_other[layer: bias]" in listed
    assert f"{2 * len(CHECKS)} tests collected" in listed


def test_what_is_not_supported_is_skipped_unless_it_is_required(tmp_path):
    found = run(tmp_path, "-k", "test_tried and (weight or softcap)")
    assert "test_mine.py::test_tried[weight]" in found.partition("PASSED")[2]
    assert "SKIPPED [1] " in found and "takes no sample_weight" in found
    assert "softcap (the option softcap, with every derivative that there is): takes no softcap" in found
    assert "def assert_conforms" not in found  # the message says it all
