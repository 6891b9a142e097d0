"""The checks of the conformance suite, a subject a file; they run in the order in which they are imported here."""

from luce.check.checks import derivatives, options, edges, accuracy, behaviour, layers  # isort: skip
from luce.check.checks.registry import CHECKS, Check

__all__ = ["CHECKS", "Check", "accuracy", "behaviour", "derivatives", "edges", "layers", "options"]
