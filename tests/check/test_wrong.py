"""Wrong code as people ask about it, a file each; its first lines say what has to be found in which function."""

import ast
import contextlib
import importlib.util
import re
from pathlib import Path

import pytest

import luce.check
from luce.check.calling.resolve import member

FILES = sorted((Path(__file__).parent.parent / "wrong").glob("*.py"))
HEAD = re.compile(r"^# ([\w.]+)\((.*)\): (.*)$", re.M)
CASES = [(path, *found.groups()) for path in FILES for found in HEAD.finditer(path.read_text())]


@pytest.mark.parametrize(("path", "function", "options", "expected"), CASES)
def test_what_was_done_is_named(path, function, options, expected):
    if "jax" in path.read_text():
        pytest.importorskip("jax", reason="JAX is an extra of its own")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    fn = importlib.util.module_from_spec(specification)
    with contextlib.redirect_stdout(None):
        specification.loader.exec_module(fn)
    for name in function.split("."):
        fn = member(fn, name)
    said = {word.arg: ast.literal_eval(word.value) for word in ast.parse(f"f({options})").body[0].value.keywords}
    report = luce.check.gradient(fn, repair=False, **said)
    found = [mistake.name for mistake in report.diagnosis if mistake.kind != "limit"]
    assert " + ".join(found) == expected, report
    assert report.correct == all(mistake.kind != "mistake" for mistake in report.diagnosis)
