"""The conformance suite: the contract's options, edges and accuracy tried on any implementation of the loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from luce.check.conformance_suite.adapters import implementation, original
from luce.check.conformance_suite.checks import CHECKS
from luce.check.conformance_suite.scorecard import Scorecard
from luce.check.conformance_suite.trial import Trial
from luce.check.doctor.check_gradient import gradient

__all__ = ["CHECKS", "assert_conforms", "conformance"]


def conformance(
    fn: Any,
    framework: str | None = None,
    *,
    layer: bool | None = None,
    name: str | None = None,
    only: str | Iterable[str] | None = None,
) -> Scorecard:
    """Hold an implementation of the softmax cross-entropy to the contract.

    Parameters
    ----------
    fn, framework, layer, name
        As for :func:`luce.check.adapters.implementation`: a function of (logits, target, **options) or, for a layer,
        of (input, linear_weight, target, **options); options go by the contract's names, which are PyTorch's.
    only : str or iterable of str, optional
        Names of checks, keys of :data:`CHECKS`, in which -inf may stand for −inf; by default all, but those of layers
        for layers alone.

    Returns
    -------
    Scorecard
        What passed, what failed and how, and what is not supported.

    Raises
    ------
    ValueError
        For a check that does not exist, and for what cannot be called with logits and target at all.

    Examples
    --------
    A textbook loss of SciPy's parts, whose confident rows lose their digits in float32:

    >>> import numpy as np
    >>> from scipy.special import log_softmax
    >>> def textbook(logits, target):
    ...     return -log_softmax(logits, axis=1)[np.arange(len(target)), target]
    >>> card = conformance(textbook, only=["loss", "gradient", "confident rows, float32"])
    >>> for result in card.results:
    ...     print(result.check, result.status)
    loss passed
    gradient unsupported
    confident rows, float32 failed
    """
    named = [only] if isinstance(only, str) else [] if only is None else list(only)
    wanted = [check.replace("-inf", "−inf") for check in named]
    unknown = [check for check in wanted if check not in CHECKS]
    if unknown:
        raise ValueError(f"only: no check {unknown[0]!r}, expected some of: {'; '.join(CHECKS)}")
    it = implementation(fn, framework, layer=layer, name=name)
    if only is None:
        wanted = [check for check in CHECKS if it.layer or not check.startswith("layer: ")]
    trial = Trial(it)
    results = tuple(trial.outcome(CHECKS[check]) for check in wanted)
    return Scorecard(it.name, it.versions, results)


def assert_conforms(
    fn: Any,
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
