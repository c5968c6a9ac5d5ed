"""The run's clock: second 0 is the start of the first phase, on the machine's monotonic clock."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Clock:
    """Converts between the run's clock and the machine's."""

    zero_monotonic_s: float

    def now_s(self) -> float:
        """Return the present moment on the run's clock; negative before the first phase."""
        return time.monotonic() - self.zero_monotonic_s

    def wall(self, at_s: float) -> datetime:
        """Return the time of day (UTC) of a moment on the run's clock."""
        return datetime.now(UTC) + timedelta(seconds=at_s - self.now_s())
