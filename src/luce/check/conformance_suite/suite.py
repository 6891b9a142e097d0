"""The conformance suite: the contract's options, edges and accuracy tried on any implementation of the loss."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from luce.check.calling.errors import Unsupported
from luce.check.conformance_suite.adapters import Conformable, implementation
from luce.check.conformance_suite.checks import CHECKS, Check
from luce.check.conformance_suite.scorecard import Result, Scorecard
from luce.check.conformance_suite.trial import Trial

__all__ = ["CHECKS", "conformance"]


def conformance(
    fn: Conformable,
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
    results = tuple(outcome(trial, CHECKS[check]) for check in wanted)
    return Scorecard(it.name, it.versions, results)


def outcome(trial: Trial, check: Check) -> Result:
    """Run a check on an implementation and say what it found."""
    trial.start()
    try:
        check.run(trial)
    except Unsupported as refusal:
        trial.refusals.append(str(refusal))
    result = partial(Result, check.name, what=check.what)
    if trial.failures:
        _, words = max(trial.failures, key=lambda failure: failure[0])
        others = len(trial.failures) - 1
        return result("failed", f"{words} (and {others} more)" if others else words, trial.worst)
    if trial.refusals and not trial.tried:
        return result("unsupported", trial.refusals[0])
    return result("passed", f"not tried: {trial.refusals[0]}" if trial.refusals else "", trial.worst)
