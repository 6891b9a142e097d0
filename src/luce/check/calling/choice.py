"""The function of a file that is most likely meant where none is named: by the names of its parameters and its own."""

from __future__ import annotations

import inspect
import re
import types

from luce.check.calling.layers import is_layer
from luce.check.calling.roles import LOGITS, ROLES, TARGET, parameters_of, required_of

__all__ = ["chosen"]

OF_A_LOSS = re.compile(r"loss|entropy|(^|_)(ce|nll|xent)(_|$)|softmax|gradient|(^|_)grad(_|$)", re.IGNORECASE)


def chosen(module: types.ModuleType) -> str:
    r"""Return the name of the function or class of a module that looks most like a softmax cross-entropy.

    Of those that look alike it is the last one, which may call the others.

    Parameters
    ----------
    module : module

    Returns
    -------
    str

    Raises
    ------
    ValueError
        Where none does, with the functions that there are.

    Examples
    --------
    >>> module = types.ModuleType("mine")
    >>> exec("def shuffled(rows, seed): ...\ndef softmax(z): ...\ndef ce(logits, y): ...", vars(module))
    >>> chosen(module)
    'ce'
    """
    own = {
        name: value
        for name, value in vars(module).items()
        if (inspect.isfunction(value) or isinstance(value, type)) and value.__module__ in (module.__name__, "builtins")
    }
    likely = {name: _likeness(name, value) for name, value in own.items()}
    best = max(likely.values(), default=0)
    if not best:
        has = f"it has {', '.join(own)}; name one" if own else "it has no function"
        raise ValueError(f"nothing in it looks like a softmax cross-entropy: {has}")
    return [name for name, value in likely.items() if value == best][-1]


def _likeness(name: str, value: object) -> int:
    """Return how much a function looks like a softmax cross-entropy: 0 for not at all."""
    named = bool(OF_A_LOSS.search(name))
    if isinstance(value, type):
        return 3 * is_layer(value)
    names = required_of(parameters_of(value))
    scores, target = (any(part in known for part in names) for known in (LOGITS | ROLES["x"], TARGET))
    if len(names) > 1 and scores and target:
        return 3 + named
    return 2 * named * (len(names) in (2, 3, 4)) or int(named and len(names) == 1)
