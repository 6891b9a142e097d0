"""The derivation of the loss: its quantities by their symbols, and the steps that compute one from another."""

from luce.derivation.arithmetic import FLOAT64, Arithmetic
from luce.derivation.quantities import Given, Quantities, Symbol, legend, one_hot
from luce.derivation.steps import OUTPUTS, STEPS, Step, derive, derived, outputs

__all__ = [
    "FLOAT64",
    "OUTPUTS",
    "STEPS",
    "Arithmetic",
    "Given",
    "Quantities",
    "Step",
    "Symbol",
    "derive",
    "derived",
    "legend",
    "one_hot",
    "outputs",
]
