"""Every instruction-set level: what runs has a name that can be asked for, forced and proved."""

import re

import numpy as np
import pytest

import luce
from levels import at_every_level, forced
from luce import _core
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.tolerance import assert_gradient, assert_loss
from subprocesses import output, python

LEVELS = _core.isa_levels()
Z, Y = np.random.default_rng(0).standard_normal((5, 30)), np.arange(5)
CALLS = {
    "softmax": lambda z: luce.softmax(z),
    "log_softmax": lambda z: luce.log_softmax(z),
    "logsumexp": lambda z: luce.logsumexp(z),
    "softmax_jvp": lambda z: luce.softmax_jvp(z, z),
    "softmax_vjp": lambda z: luce.softmax_vjp(z, z),
    "cross_entropy": lambda z: luce.cross_entropy(z, Y),
    "cross_entropy_and_grad": lambda z: luce.cross_entropy_and_grad(z, Y),
    "cross_entropy_hvp": lambda z: luce.cross_entropy_hvp(z, Y, z),
    "cross_entropy_target_grad": lambda z: luce.cross_entropy_target_grad(z, np.abs(z)),
    "linear_cross_entropy": lambda z: luce.linear_cross_entropy(z, z, Y % 5),
    "linear_cross_entropy_and_grad": lambda z: luce.linear_cross_entropy_and_grad(z, z, Y % 5),
    "linear_cross_entropy_hvp": lambda z: luce.linear_cross_entropy_hvp(z, z, Y % 5, (z, z, None)),
    "sigmoid_cross_entropy": lambda z: luce.sigmoid_cross_entropy(z, np.zeros_like(z)),
    "sigmoid_cross_entropy_and_grad": lambda z: luce.sigmoid_cross_entropy_and_grad(z, np.zeros_like(z)),
}


def grown(before, after):
    return {level for level in after if after[level] > before.get(level, 0)}


def test_baseline_is_always_there():
    assert "baseline" in LEVELS
    assert set(LEVELS) <= {"baseline", "avx2", "avx512"}
    assert len(set(LEVELS)) == len(LEVELS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [3, 30])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("level", LEVELS)
def test_the_forced_level_is_the_one_that_runs(level, name, width, dtype):
    z = (
        np.ascontiguousarray(Z[:, :width]).astype(dtype)
        if "linear" in name or width == 30
        else Z[:, :width].astype(dtype)
    )
    labels = Y % width
    calls = {**CALLS, "cross_entropy": lambda z: luce.cross_entropy(z, labels)}
    calls["cross_entropy_and_grad"] = lambda z: luce.cross_entropy_and_grad(z, labels)
    calls["cross_entropy_hvp"] = lambda z: luce.cross_entropy_hvp(z, labels, z)
    with forced(level):
        assert _core.isa() == level
        before = dict(_core.isa_calls())
        calls[name](z)
        assert grown(before, dict(_core.isa_calls())) == {level}


def test_forcing_is_undone():
    before = _core.isa()
    for level in at_every_level():
        assert _core.isa() == level
    assert _core.isa() == before


@pytest.mark.parametrize("name", ["avx1024", "", "AVX2 ", "sse"])
def test_an_unknown_level_is_an_error(name):
    before = _core.isa()
    with pytest.raises(ValueError, match="baseline") as caught:
        _core.force_isa(name)
    assert repr(name) in str(caught.value) or f'"{name}"' in str(caught.value)
    assert _core.isa() == before


def test_the_best_level_is_the_default():
    assert output("from luce import _core; print(_core.isa())") == LEVELS[-1]


@pytest.mark.parametrize("level", LEVELS)
def test_the_environment_forces_a_level(level):
    code = """
import numpy as np, luce
from luce import _core
luce.cross_entropy_and_grad(np.zeros((4, 40), np.float32), [0, 1, 2, 3])
luce.cross_entropy_and_grad(np.zeros((4, 4)), [0, 1, 2, 3])
print(_core.isa(), luce.show_config()["isa"], sorted(k for k, n in _core.isa_calls().items() if n))
"""
    lines = output(code, LUCE_ISA=level).splitlines()
    assert lines[-1] == f"{level} {level} ['{level}']"


@pytest.mark.parametrize("name", ["avx1024", "best"])
def test_an_unknown_level_in_the_environment_is_an_error(name):
    done = python("import luce; luce.softmax([1.0])", LUCE_ISA=name)
    assert done.returncode != 0
    assert "LUCE_ISA" in done.stderr and name in done.stderr and "baseline" in done.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_levels_agree_within_twice_the_promise(dtype):
    problem = DrawnProblem(n_rows=33, n_classes=100, dtype=dtype, reduction="none")
    found = {level: luce.cross_entropy_and_grad(*problem.arguments, reduction="none") for level in at_every_level()}
    for value, grad in found.values():
        assert_loss(value, problem.exact)
        assert_gradient(grad, problem.exact)


def test_show_config(capsys):
    config = luce.show_config()
    assert {"version", "isa", "isa_available", "n_threads", "compiler"} <= set(config)
    assert config["isa"] == _core.isa() and list(config["isa_available"]) == list(LEVELS)
    assert config["version"] == luce.__version__ and re.match(r"\d+\.\d+", config["version"])
