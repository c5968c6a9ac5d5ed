"""How many requests of one priority may be in flight, fewer while a queue stands."""

from dataclasses import dataclass

SHRUNK = 0.7
"""What is left of a limit after each interval with a standing queue."""

STEPS_BACK = 10
"""Intervals without one in which a limit grows from nothing to its most."""


@dataclass
class Limit:
    """A limit and what it counts; additive increase, multiplicative decrease.

    Attributes:
        most: The limit while there is no standing queue.
        least: What it never shrinks below, so that there is always work going on.
        yields_at_s: The standing wait from which on it shrinks; None if it never does.
    """

    most: int
    least: int
    yields_at_s: float | None
    in_flight: int = 0

    def __post_init__(self) -> None:
        self.now = self.most

    def is_reached(self) -> bool:
        return self.in_flight >= self.now

    def adapt(self, standing_s: float) -> None:
        """Take in how long even the luckiest had to wait in the interval that has ended."""
        if self.yields_at_s is None:
            return
        if standing_s > self.yields_at_s:
            # From what is in flight and not from the limit: an unused limit says nothing.
            self.now = max(self.least, int(min(self.now, self.in_flight) * SHRUNK))
        else:
            self.now = min(self.most, self.now + max(1, self.most // STEPS_BACK))
