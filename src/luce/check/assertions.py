"""Assertions for people's own tests: the doctor's and the conformance suite's."""

from __future__ import annotations

from collections.abc import Iterable

from luce.check.conformance_suite.adapters import Conformable, original
from luce.check.conformance_suite.scorecard import Scorecard
from luce.check.conformance_suite.suite import conformance
from luce.check.doctor.check_gradient import gradient
from luce.derivation.quantities import OptionValue

__all__ = ["assert_conforms", "assert_gradient"]


def assert_gradient(fn: object, **options: OptionValue) -> None:
    """Fail with the diagnosis unless :func:`gradient` finds the function right; for people's own tests.

    Parameters
    ----------
    fn : callable
    **options
        As for :func:`gradient`.

    Raises
    ------
    AssertionError
        When it is wrong or can't be run; the message is the report.

    Examples
    --------
    >>> import luce, luce.check
    >>> luce.check.assert_gradient(luce.cross_entropy_and_grad)
    """
    __tracebackhide__ = True  # pytest then shows the caller's line and the report
    report = gradient(fn, **options)
    if not report.correct:
        raise AssertionError(f"\n{report}")


def assert_conforms(
    fn: Conformable,
    framework: str | None = None,
    *,
    layer: bool | None = None,
    only: str | Iterable[str] | None = None,
    required: Iterable[str] = (),
) -> Scorecard:
    """Raise an AssertionError that says what an implementation gets wrong; for test suites.

    Where the plain loss or its gradient is wrong, it says also which known mistake gives these numbers.

    Parameters
    ----------
    fn, framework, layer, only
        As for :func:`conformance`.
    required : iterable of str
        Checks that must not come out as not supported.

    Returns
    -------
    Scorecard
        Of an implementation that passed.

    Raises
    ------
    AssertionError
        With each check that failed, or that is required and was not supported.

    Examples
    --------
    One test for each check:

    >>> import pytest, luce.check
    >>> @pytest.mark.parametrize("check", luce.check.CHECKS)
    ... def test_my_loss(check):
    ...     luce.check.assert_conforms(luce.cross_entropy, only=check)
    >>> test_my_loss("gradient")

    :mod:`luce.check.plugin` does that for pytest, and skips what is not supported.
    """
    __tracebackhide__ = True  # of pytest: what is wrong is in the message
    card = conformance(fn, framework, layer=layer, only=only)
    wrong = [*card.failures, *(result for result in card.unsupported if result.check in set(required))]
    if wrong:
        lines = [f"{result.check} ({result.what}): {result.detail}" for result in wrong]
        plain = {"loss", "gradient"} & {result.check for result in card.failures}
        diagnosis = gradient(original(fn)).diagnosis if plain else ()
        lines += [f"known mistake: {mistake.name}; {mistake.fix}" for mistake in diagnosis if mistake.kind == "mistake"]
        raise AssertionError("\n".join([f"{card.name} does not conform:", *lines]))
    return card
