"""The configuration that runs: the instruction-set level and the number of threads, asked for and set."""

from __future__ import annotations

from typing import Any

from luce._core import compiler, isa, isa_levels, num_threads, vendor
from luce._core import set_num_threads as _set_num_threads
from luce._version import __version__
from luce.contract.numbers import threads

__all__ = ["num_threads", "set_num_threads", "show_config", "vendor"]


class Configuration(dict[str, Any]):
    """A dictionary that prints as a table."""

    def __repr__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{key:<{width}}  {', '.join(v) if isinstance(v, list) else v}" for key, v in self.items())


def show_config() -> Configuration:
    """What the library runs on.

    Returns
    -------
    dict
        ``version``; ``isa``, the instruction-set level in use, and ``isa_available``, those of this build that this
        machine can run (the environment variable ``LUCE_ISA`` chooses one when luce is imported); ``n_threads``;
        ``compiler``. It prints as a table.

    Examples
    --------
    >>> import luce
    >>> luce.show_config()["isa"] in luce.show_config()["isa_available"]
    True
    """
    return Configuration(
        version=__version__,
        isa=isa(),
        isa_available=isa_levels(),
        n_threads=num_threads(),
        compiler=compiler(),
    )


def set_num_threads(n_threads: int | None) -> None:
    """Set how many threads a call uses that names none.

    Parameters
    ----------
    n_threads : int or None
        None goes back to the environment: ``LUCE_NUM_THREADS``, else ``OMP_NUM_THREADS``, both as they were when luce
        was imported, else the CPUs that the process may use. Results do not depend on the number of threads.

    Raises
    ------
    TypeError, ValueError
        If it is not a positive integer or None.

    Examples
    --------
    >>> import luce
    >>> luce.set_num_threads(2)
    >>> luce.show_config()["n_threads"]
    2
    >>> luce.set_num_threads(None)
    """
    n = threads(n_threads)
    _set_num_threads(0 if n is None else n)
