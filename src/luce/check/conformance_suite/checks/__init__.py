"""The checks of the conformance suite, a subject a file; they run in the order in which they are imported here."""

from luce.check.conformance_suite.checks import derivatives, options, edges, accuracy, behaviour, layers  # isort: skip
from luce.check.conformance_suite.checks.registry import CHECKS, Check

__all__ = ["CHECKS", "Check", "accuracy", "behaviour", "derivatives", "edges", "layers", "options"]
