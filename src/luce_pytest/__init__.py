"""The pytest plugins: marks that make a function a test, and one test for each check of the conformance suite.

The marks are there wherever Luce is installed; :mod:`luce_pytest.conforms` has to be asked for. The room stands outside
the package, so that pytest starts without NumPy; Luce is loaded when the first of these tests runs.
"""

from luce_pytest.marks import Check, pytest_configure, pytest_pycollect_makeitem

__all__ = ["Check", "pytest_configure", "pytest_pycollect_makeitem"]
