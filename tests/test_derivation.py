"""The derivation: every quantity has a symbol of the contract and the shape that the legend says."""

import re
from pathlib import Path

import numpy as np
import pytest

from luce.check.inputs.probes import LAYERS, ORDINARY, with_options
from luce.derivation import OUTPUTS, STEPS, Arithmetic, Given, Quantities, derive, legend, outputs

CONTRACT = Path(__file__).parent.parent / "docs" / "contract.md"


def finished(given):
    return derive(given)[STEPS[-1].name]


@pytest.mark.parametrize("given", [ORDINARY[0], ORDINARY[2], LAYERS[0], with_options("weight", "label_smoothing")])
def test_every_quantity_has_the_shape_of_the_legend(given):
    q = finished(given)
    sizes = {"N": q.N, "V": q.V, "D": given.layer[0].shape[1] if given.layer else 0, "1": 1}
    for name, value in vars(q).items():
        shape = legend()[name].shape
        if isinstance(value, str | bool | Arithmetic | None):
            continue
        wanted = tuple(sizes[size] for size in re.findall(r"\w+", shape))
        assert np.shape(value) == wanted, f"{name}: {np.shape(value)}, should be {shape}"


def test_every_attribute_is_in_the_legend_and_every_step_leaves_what_it_says():
    before = {*vars(Quantities(LAYERS[0]))}
    given = Given(logits=ORDINARY[0].logits[:, :5], target=ORDINARY[0].target, vector=ORDINARY[0].vector)
    for probe, absent in ((LAYERS[0], {"vector", "Jv"}), (given, {"x", "W", "b", "dW", "db", "dx"})):
        assert {*vars(finished(probe))} == {*legend()} - absent
    for step, q in zip(STEPS, derive(LAYERS[0]).values(), strict=True):
        if step.applies(q):
            assert {*vars(q)} - before <= {*step.leaves} <= {*vars(q)}
            assert step.value(q) is getattr(q, step.leaves[0]) or step.name == "divisor"
            assert step.shape == legend()[step.leaves[0]].shape
        before = {*vars(q)}
    assert {*outputs(finished(LAYERS[0]))} == {*OUTPUTS} - {"vjp"}


def test_the_symbols_are_those_of_the_contract():
    text = CONTRACT.read_text(encoding="utf-8")
    said = {"z": "softcap(z)", "u": "u    =", "p": "p = exp(u − lse)", "t": "⟨t, u⟩", "α": "α = Σ t", "V": "..., V)"}
    said |= {
        "D": "Σ r·loss / D",
        "r": "with r the sample weights",
        "G": "with G the gradient in z",
        "ε": "(1 − ε)·t + ε/V",
    }
    symbols = {symbol.symbol for symbol in legend().values()}
    for symbol, words in said.items():
        assert symbol in symbols and words in text, symbol


def test_the_steps_have_the_formulas_that_they_compute():
    q = finished(ORDINARY[0])
    assert np.array_equal(q.G, (q.p - q.t) / 7)
    assert np.array_equal(q.J[2], np.diag(q.p[2]) - np.outer(q.p[2], q.p[2]))
    assert np.allclose(q.L, -q.log_p[np.arange(7), q.y].mean())
    assert [step.name for step in STEPS if step.needs] == ["layer", "product"]
