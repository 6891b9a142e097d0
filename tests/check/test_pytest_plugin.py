"""The pytest plugin: tests without bodies, the report in place of a traceback, marks that work."""

import re
from pathlib import Path

import pytest
import torch  # noqa: F401

from subprocesses import output

pytest_plugins = "pytester"  # runs in this process, which has loaded once what can't be loaded twice

MINE = """
import numpy as np

def right(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return loss, p / len(y)

def summed(z, y):
    loss, grad = right(z, y)
    return loss * len(y), grad * len(y)

def flipped(z, y):
    loss, grad = right(z, y)
    return loss, -grad
"""


@pytest.fixture
def run(pytester):
    pytester.makepyfile(mine=MINE)

    def run(text, *arguments):
        pytester.makepyfile("import luce.check\nimport mine\nimport pytest\n" + text)
        # the plugin by its name: where Luce is installed its entry point is the same
        return pytester.runpytest("-p", "luce_pytest", "-p", "no:xdist", *arguments)

    return run


def test_a_marked_function_is_a_test(run):
    text = """
test_right = pytest.mark.luce_gradient(mine.right)
test_wrong = pytest.mark.luce_gradient(mine.flipped)
"""
    result = run(text)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*flipped: wrong: sign flipped*", "*change*grad = p - t*"])
    result.stdout.no_fnmatch_line("*doctor.py*")


def test_options_are_passed_and_one_function_may_stand_twice(run):
    text = """
test_as_it_is = pytest.mark.luce_gradient(mine.summed)
test_sum = pytest.mark.luce_gradient(mine.summed, reduction="sum")
test_mean = pytest.mark.luce_gradient(mine.summed, reduction="mean")
"""
    result = run(text)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*summed: wrong: sum instead of mean*", "FAILED *::test_mean*"])


def test_a_written_function_needs_no_fixtures(run):
    text = """
@pytest.mark.luce_gradient(label_smoothing=0.1)
def test_smoothed(logits, target):
    return luce.cross_entropy_and_grad(logits, target, label_smoothing=0.1)

@pytest.mark.luce_gradient
def test_not_smoothed(logits, target):
    return luce.cross_entropy_and_grad(logits, target, label_smoothing=0.1)

@pytest.mark.luce_gradient
def helper(logits, target):
    raise ValueError
"""
    result = run("import luce\n" + text)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*label smoothing of 0.1*"])


def test_an_object_that_takes_no_mark(run):
    text = "import torch\ntest_module = pytest.mark.luce_gradient(torch.nn.CrossEntropyLoss())\n"
    run(text).assert_outcomes(passed=1)


def test_other_marks_and_selection_work(run):
    text = """
@pytest.mark.skip
@pytest.mark.luce_gradient
def test_skipped(logits, target):
    return None

@pytest.mark.xfail
@pytest.mark.luce_gradient
def test_expected(logits, target):
    return mine.flipped(logits, target)

test_right = pytest.mark.luce_gradient(mine.right)
"""
    run(text).assert_outcomes(passed=1, skipped=1, xfailed=1)
    run(text, "-k", "right", "--strict-markers").assert_outcomes(passed=1, deselected=2)
    run(text, "-m", "not luce_gradient").assert_outcomes(deselected=3)


def test_conformance(run):
    text = """
import luce
test_loss = pytest.mark.luce_conforms(luce.cross_entropy, framework="numpy", only=["loss"])
"""
    run(text).assert_outcomes(passed=1)


def test_assertions_carry_the_diagnosis_and_no_frame_of_ours(run):
    text = """
def test_helper():
    luce.check.assert_gradient(mine.flipped)

def test_plain():
    assert luce.check.gradient(mine.flipped)
"""
    result = run(text)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*luce.check.assert_gradient(mine.flipped)*", "E*flipped: wrong: sign flipped*"])
    result.stdout.fnmatch_lines(["E*assert <flipped: wrong: sign flipped>*"])
    result.stdout.no_fnmatch_line("*doctor.py*")


def test_the_example_of_the_page(pytester):
    page = Path(__file__).parent.parent.parent / "docs" / "check.md"
    pytester.makepyfile(test_mine=re.search("^```py\n(.*?)^```$", page.read_text(), re.S | re.M)[1])
    pytester.runpytest("-p", "luce_pytest", "-p", "no:xdist").assert_outcomes(passed=2)


def test_pytest_starts_without_numpy():
    assert output("import luce_pytest, sys; print('numpy' in sys.modules, 'luce' in sys.modules)") == "False False"
