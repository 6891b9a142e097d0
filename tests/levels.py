"""Running the same call at every instruction-set level of this machine."""

from contextlib import contextmanager

from luce import _core


@contextmanager
def forced(level):
    """Run at one level, then at the one before."""
    before = _core.isa()
    _core.force_isa(level)
    try:
        yield
    finally:
        _core.force_isa(before)


def at_every_level():
    """Yield each level's name while it is forced."""
    for level in _core.isa_levels():
        with forced(level):
            yield level
