"""Docstrings: every example runs and prints what it says, and every public function has its sections."""

import doctest
import importlib
import sys

import pytest

import luce

ROOMS = [
    "luce",
    "luce.configuration",
    "luce.arrays.calls",
    "luce.arrays.given",
    "luce.contract.form",
    "luce.contract.options",
    "luce.contract.reduction",
    "luce.contract.targets",
    "luce.rows.chunks",
    "luce.rows.core",
    "luce.rows.targets",
    "luce._softmax",
    "luce.sets.losses",
    "luce.sets.probabilities",
    "luce.sets.rankings",
    "luce.sets.sets",
    "luce._cross_entropy",
    "luce._linear",
    "luce._sigmoid",
    "luce.jacobians",
    "luce.models.linear.sparse_rows",
    "luce.derivation.quantities",
    "luce.derivation.steps",
    "luce.check.truth.oracle",
    "luce.check.truth.tolerance",
    "luce.check.inputs.cases",
    "luce.check.inputs.pairs",
    "luce.check.inputs.probes",
    "luce.check.inputs.problems",
    "luce.check.calling.arrays",
    "luce.check.calling.choice",
    "luce.check.calling.detection",
    "luce.check.calling.frameworks",
    "luce.check.calling.layers",
    "luce.check.calling.resolve",
    "luce.check.calling.roles",
    "luce.check.doctor.deadline",
    "luce.check.doctor.fix",
    "luce.check.doctor.check_gradient",
    "luce.check.doctor.walk",
    "luce.check.conformance_suite.adapters",
    "luce.check.conformance_suite.checks",
    "luce.check.conformance_suite.checks.registry",
    "luce.check.conformance_suite.scorecard",
    "luce.check.conformance_suite.suite",
    "luce.check.conformance_suite.trial",
    "luce.check.assertions",
    "luce.cli.conform",
    "luce.whole_file",
    "luce.printing.words",
    "luce.printing.table",
    "luce.printing.data",
    "luce.pages.shell",
    "luce.pages.svg",
    "luce.pages.recording",
    "luce.models.evaluation.score",
    "luce.models.evaluation.metrics",
    "luce.models.evaluation.cross_validation",
    "luce.models.evaluation.calibration",
    "luce.models.evaluation.held_out",
    "luce.report.facts",
    "luce.report.held_out",
    "luce.report.builder",
    "luce.report.figures",
    "luce.report.page",
    "luce.report.classifier_page",
]


def in_room(room):
    """The module, also where the package has a function of its name."""
    importlib.import_module(room)
    return sys.modules[room]


@pytest.mark.parametrize("room", ROOMS)
def test_examples_run(room):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testmod(in_room(room), optionflags=flags)
    assert failed == 0
    assert tried > 0 or room in (
        "luce",
        "luce.arrays.calls",
        "luce.arrays.given",
        "luce.contract.form",
        "luce.contract.options",
        "luce.contract.reduction",
        "luce.contract.targets",
        "luce.rows.chunks",
        "luce.rows.core",
        "luce.rows.targets",
        "luce.pages.shell",
        "luce.pages.svg",
        "luce.models.evaluation.held_out",
        "luce.report.facts",
        "luce.report.held_out",
        "luce.report.builder",
        "luce.report.figures",
        "luce.report.classifier_page",
        "luce.check.calling.frameworks",
        "luce.check.conformance_suite.trial",
        "luce.check.conformance_suite.checks",
        "luce.check.conformance_suite.checks.registry",
    )


@pytest.mark.parametrize(
    "name", sorted(n for n in luce.__all__ if "cross_entropy" in n or "softmax" in n or "logsumexp" in n)
)
def test_every_function_has_its_sections(name):
    text = getattr(luce, name).__doc__
    for section in ("Parameters", "Returns", "Raises", "Examples", "References"):
        assert (
            f"\n    {section}\n    {'-' * len(section)}\n" in text or f"\n{section}\n{'-' * len(section)}\n" in text
        ), section


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "luce"])
def test_every_room_says_what_it_is_for(room):
    first = in_room(room).__doc__.splitlines()[0]
    assert first.endswith(".") and len(first) > 20
