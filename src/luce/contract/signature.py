"""The options in a function's signature and docstring, in place of a bare ``**options``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ForwardRef, TypeAlias, TypeVar

from luce.contract.options import Options, SetOptions, SigmoidOptions, described

__all__ = ["with_options"]

N_THREADS = """n_threads : int, optional
        Threads for this call; see :func:`luce.set_num_threads`. The result does not depend on it."""

OptionsKind: TypeAlias = type[Options] | type[SetOptions] | type[SigmoidOptions]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def with_options(kind: OptionsKind) -> Callable[[_Function], _Function]:
    """Return a decorator that shows options in a function's signature and in its docstring, for ``{options}``."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_type(kind, name))
        for name, default in kind._field_defaults.items()
    ]
    text = "\n    ".join([*(_entry(kind, name) for name in kind._fields), N_THREADS])

    def shown(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        own.sort(key=lambda p: (p.kind, p.name in ("out", "n_threads")))
        last = next((i for i, p in enumerate(own) if p.name in ("out", "n_threads")), len(own))
        whole = signature.replace(parameters=own[:last] + parameters + own[last:])
        function.__signature__ = whole  # type: ignore[attr-defined]
        if function.__doc__:
            function.__doc__ = function.__doc__.replace("{options}", text)
        return function

    return shown


def _type(kind: OptionsKind, name: str) -> Any:
    """Return an option's type as the function's own parameters have theirs: in words."""
    found = kind.__annotations__[name].__origin__
    if isinstance(found, ForwardRef):
        return found.__forward_arg__
    return found.__name__ if isinstance(found, type) else str(found).replace("typing.", "")


def _entry(kind: OptionsKind, name: str) -> str:
    """Return an option's entry in the list of parameters."""
    option, default = described(kind)[name], kind._field_defaults[name]
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{name} : {option.kind}, {'optional' if default is None else f'default={shown}'}\n        {option.text}"
