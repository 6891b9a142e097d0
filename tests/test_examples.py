"""What a reader may copy runs and prints what it says: pages, examples, docstrings of models and commands, verbs."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import luce

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# the rooms above the NumPy API, whose docstrings test_docstrings.py reads
ROOMS = ("luce.cli", "luce.models", "luce.torch")
MODULES = sorted(m.name for m in pkgutil.walk_packages(luce.__path__, "luce.") if m.name.startswith(ROOMS))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# what each example must print, besides leaving with 0
PRINTED = {
    "compare_losses": r"\nsoftmax +0\.9[5-9].*\n(.*\n)+ +softmax +loss 2\.127 +derivative -0\.881\n(.*\n)+saved ",
    "confident_rows": r"\n +0( +4\.73){2} .*( +4\.73){2} .*\n(.*\n)+ +24( +4\.71){2} .*( +4\.71){2} .*\n$",
    "margins": r"\n +60 .* 2\.62695e-26 +-2\.62695e-26 .* 2\.62695e-26\n",
    "second_order": r"gradient\| \d\.\de-1[3-9]\n$",
    "train_softmax": r"not seen: 9[5-9]\.\d%\n$",
}
# what is given to examples that would take minutes
ARGUMENTS = {"confident_rows": ["--steps", "24", "--plot", "confident_rows.png"]}


def failures(test):
    """Run a doctest; return how many examples it has, and a report of those that fail."""
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    tried = runner.run(test, out=report.append, clear_globs=False).attempted
    return tried, "".join(report)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    module = importlib.import_module(name)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        _, report = failures(test)
        assert not report, report


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages(page, tmp_path, monkeypatch):
    """The Python of a page, from top to bottom in one namespace; ``pycon`` blocks must print what they show."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for found in re.finditer(r"^```(python|pycon)\n(.*?)^```$", page.read_text(), re.S | re.M):
        line = page.read_text()[: found.start()].count("\n") + 1
        if found[1] == "pycon":
            test = doctest.DocTestParser().get_doctest(found[2], namespace, page.name, str(page), line)
            tried, report = failures(test)
            namespace = test.globs
            assert tried and not report, report
        else:
            exec(compile("\n" * line + found[2], str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_the_verbs_that_pages_name_exist():
    verbs = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    named = {verb for page in PAGES for verb in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.M)}
    assert {"demo", "test", "lint", "bench"} <= named <= verbs


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path, tmp_path):
    # one thread for PyTorch's products, for the reason that the Makefile has
    environment = {**os.environ, "PYTHONWARNINGS": "error", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, path, *ARGUMENTS.get(path.stem, [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTED[path.stem], done.stdout), done.stdout
