"""A circuit breaker as a state machine: who keeps failing is spared, and asked now and then."""

from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """`half_open`: one call is out to find out; the others are still refused."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after `failures_max` failures in a row, and lets one call through every `open_s`.

    A probe that never reports back blocks nothing: the next one may go `open_s` later.
    """

    def __init__(
        self, clock: Callable[[], float], *, failures_max: int = 10, open_s: float = 1.0
    ) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._open_s = open_s
        self._failures = 0
        self._next_probe_s: float | None = None
        self.state = BreakerState.CLOSED

    def admits(self) -> bool:
        """Tell whether a call may be made now; whoever is told so should report what became."""
        if self._next_probe_s is None:
            return True
        now_s = self._clock()
        if now_s < self._next_probe_s:
            return False
        self._next_probe_s = now_s + self._open_s
        self.state = BreakerState.HALF_OPEN
        return True

    def answered(self) -> None:
        self._failures = 0
        self._next_probe_s = None
        self.state = BreakerState.CLOSED

    def failed(self) -> None:
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or self._failures >= self._failures_max:
            self._next_probe_s = self._clock() + self._open_s
            self.state = BreakerState.OPEN
