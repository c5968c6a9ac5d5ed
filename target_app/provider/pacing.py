"""How many calls a second get through: an allowance that refuses, and a queue that delays."""


class Allowance:
    """A second's worth of calls at once, refilled at the rate; a rate of 0 allows none."""

    def __init__(self, rate_rps: float) -> None:
        self._rate_rps = rate_rps
        self._most = max(rate_rps, 1.0) if rate_rps else 0.0
        self._left = self._most
        self._counted_s: float | None = None

    def admits(self, now_s: float) -> bool:
        if self._counted_s is not None:
            gained = (now_s - self._counted_s) * self._rate_rps
            self._left = min(self._most, self._left + gained)
        self._counted_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Queue:
    """One call after the other at the rate, so that waiting grows with the crowd."""

    def __init__(self, rate_rps: float, *, longest_s: float) -> None:
        self._rate_rps = rate_rps
        self._longest_s = longest_s
        self._free_s = 0.0

    def wait_s(self, now_s: float) -> float | None:
        """Return how long a call that comes now waits; None if that were too long."""
        wait_s = max(0.0, self._free_s - now_s)
        if not self._rate_rps or wait_s > self._longest_s:
            return None
        self._free_s = now_s + wait_s + 1 / self._rate_rps
        return wait_s
