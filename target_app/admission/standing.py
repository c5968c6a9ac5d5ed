"""Telling a queue that stands from one that is being worked off, as CoDel does.

A burst makes some wait, but soon somebody finds the queue empty. If in a whole interval nobody did,
the shortest wait of that interval is time that everybody loses and nobody gains.
"""

from collections.abc import Callable

INTERVAL_S = 0.1
WAITS_MIN = 5
"""An interval goes on until so many have waited: one slow connection is not a queue."""

Heard = Callable[[float], None]


class StandingQueue:
    """The shortest wait of each interval, told to `tell` as the interval ends."""

    def __init__(self, tell: Heard) -> None:
        self._tell = tell
        self._began_s: float | None = None
        self._shortest_s = 0.0
        self._waits = 0

    def waited(self, wait_s: float, *, at_s: float) -> None:
        """Take in one wait that ended, at `at_s`, in a connection."""
        if self._began_s is None:
            self._began_s, self._shortest_s, self._waits = at_s, wait_s, 0
        self._waits += 1
        self._shortest_s = min(self._shortest_s, wait_s)
        if self._waits >= WAITS_MIN and at_s - self._began_s >= INTERVAL_S:
            self._began_s = None
            self._tell(self._shortest_s)
