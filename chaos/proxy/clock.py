"""Time for toxics, exact to microseconds; uvloop's own timers count whole milliseconds."""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from heapq import heapify, heappop, heappush

CLOCK_MONOTONIC = 1
NONBLOCK_AND_CLOSE_ON_EXEC = 0o2004000
ABSOLUTE = 1
CANCELLED_MIN = 64
"""Fewer cancelled timers than this are not worth tidying up."""


class Timer:
    """One call to come."""

    __slots__ = ("_clock", "callback", "due_s")

    def __init__(self, due_s: float, callback: Callable[[], object], clock: "TimerFdClock") -> None:
        self.due_s = due_s
        self.callback: Callable[[], object] | None = callback
        self._clock = clock

    def __lt__(self, other: "Timer") -> bool:
        return self.due_s < other.due_s

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._clock.count_cancelled()


class TimerFdClock:
    """One timer of the kernel's for all toxics, rung for the call that is due first."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(CLOCK_MONOTONIC, NONBLOCK_AND_CLOSE_ON_EXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._timers: list[Timer] = []
        self._cancelled_count = 0
        self._armed_s = 0.0
        asyncio.get_running_loop().add_reader(self._fd, self._ring)

    def time(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call later, in a turn of the loop of its own even if that is now."""
        timer = Timer(time.monotonic() + delay, callback, self)
        heappush(self._timers, timer)
        self._arm()
        return timer

    def count_cancelled(self) -> None:
        """Throw cancelled timers out once they are most: some toxics set one for every chunk."""
        self._cancelled_count += 1
        if self._cancelled_count > max(CANCELLED_MIN, len(self._timers) // 2):
            self._timers = [timer for timer in self._timers if timer.callback is not None]
            heapify(self._timers)
            self._cancelled_count = 0

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def _ring(self) -> None:
        # It may have been set anew since the loop saw that it rang.
        with suppress(BlockingIOError):
            os.read(self._fd, 8)
        self._armed_s = 0.0
        now_s = time.monotonic()
        try:
            while self._timers and self._timers[0].due_s <= now_s:
                timer = heappop(self._timers)
                callback, timer.callback = timer.callback, None
                if callback is None:
                    self._cancelled_count -= 1
                else:
                    callback()
        finally:
            self._arm()

    def _arm(self) -> None:
        """Let the kernel ring for the first timer, unless it will anyway."""
        if not self._timers or self._timers[0].due_s == self._armed_s:
            return
        self._armed_s = self._timers[0].due_s
        whole_s = int(self._armed_s)
        # Never 0 and 0, which would be no time at all.
        nanoseconds = int((self._armed_s - whole_s) * 1e9) + 1
        times = (ctypes.c_long * 4)(0, 0, whole_s, min(nanoseconds, 999_999_999))
        self._libc.timerfd_settime(self._fd, ABSOLUTE, times, None)


class LoopClock:
    """The loop's own timers, where the kernel has no such thing."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def time(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call later, to the millisecond; it may be one too early and the caller has to look."""
        return self._loop.call_later(-(-delay * 1000 // 1) / 1000, callback)

    def close(self) -> None:
        """Nothing is held."""


def best_clock() -> TimerFdClock | LoopClock:
    return TimerFdClock() if sys.platform == "linux" else LoopClock()
