"""The explanation: the derivation of the loss and its derivatives with the reader's numbers, and its faces."""

from luce.explanation.derivation import Derivation
from luce.explanation.explain import explain
from luce.explanation.step import Part, Step

__all__ = ["Derivation", "Part", "Step", "explain"]
