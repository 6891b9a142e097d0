"""The fixture ``conforms``: a test that takes it runs once for each check of the conformance suite.

With ``pytest_plugins = ["luce.check.plugin"]`` in a `conftest.py`::

    def test_my_loss(conforms):
        conforms("mine:loss", required=["weight", "forward mode"])

What is not supported is skipped, with the reason, unless it is required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from luce.check.conformance_suite.adapters import Conformable

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

    def run(
        fn: Conformable, framework: str | None = None, *, layer: bool | None = None, required: Iterable[str] = ()
    ) -> None:
        __tracebackhide__ = True
        card = assert_conforms(fn, framework, layer=layer, only=request.param, required=required)
        for result in card.unsupported:
            pytest.skip(result.detail)

    return run
