"""The time that a search may take: of the process, so that much is found on a busy machine too, and of the clock."""

from __future__ import annotations

import time

__all__ = ["Deadline"]

WAITED = 6.0  # how much longer it may take by the clock, on a busy machine or with a function that waits


class Deadline:
    """A moment after which a search goes no further.

    Parameters
    ----------
    seconds : float
        Of the process's time from now on; by the clock, six times as many.

    Examples
    --------
    >>> Deadline(60.0).passed, Deadline(0.0).passed
    (False, True)
    """

    def __init__(self, seconds: float) -> None:
        self.process, self.clock = time.process_time() + seconds, time.monotonic() + WAITED * seconds

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.process_time() >= self.process or time.monotonic() >= self.clock
