"""Time for toxics: exact, where uvloop's own is that of the loop's turn in whole milliseconds."""

import asyncio
import math
import time
from collections.abc import Callable


class LoopClock:
    """The running loop's timers beside a clock that does not wait for them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def time(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call later, to the millisecond; it may be one too early and the caller has to look."""
        return self._loop.call_later(math.ceil(delay * 1000) / 1000, callback)
