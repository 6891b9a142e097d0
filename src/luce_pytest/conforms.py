"""The fixture ``conforms``: a test that takes it runs once for each check of the conformance suite.

With ``pytest_plugins = ["luce.check.plugin"]`` in a `conftest.py`::

    def test_my_loss(conforms):
        conforms("mine:loss", required=["weight", "forward mode"])

What is not supported is skipped, with the reason, unless it is required.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["conforms", "pytest_generate_tests"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test for each check."""
    if "conforms" in metafunc.fixturenames:
        from luce.check import CHECKS

        metafunc.parametrize("conforms", list(CHECKS), indirect=True)


@pytest.fixture
def conforms(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return :func:`luce.check.assert_conforms` for the check whose turn it is."""
    from luce.check import assert_conforms

    def run(fn: Any, framework: str | None = None, **options: Any) -> None:
        __tracebackhide__ = True
        for result in assert_conforms(fn, framework, only=request.param, **options).unsupported:
            pytest.skip(result.detail)

    return run
