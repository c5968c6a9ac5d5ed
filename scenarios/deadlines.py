"""Deadlines of many exchanges, kept by one greenlet instead of a timer for each."""

from collections.abc import Callable
from typing import Final, Protocol

import gevent

SWEEP_EVERY_S: Final = 0.05
SWEPT_PER_TURN: Final = 2000


class Overseen(Protocol):
    """What can be late: `deadline_s` is infinite while nothing is under way."""

    deadline_s: float

    def abort(self) -> None: ...


class Deadlines:
    """Ends exchanges that take too long, by one greenlet instead of a timer for each.

    Args:
        now_s: The clock that replies are stamped by.
        timeout_s: The longest that an exchange may take, connecting included.
        connect_s: The longest that connecting may take; like an exchange when None.
    """

    def __init__(
        self, now_s: Callable[[], float], timeout_s: float, connect_s: float | None = None
    ) -> None:
        self.now_s = now_s
        self.timeout_s = timeout_s
        self.connect_s = timeout_s if connect_s is None else min(connect_s, timeout_s)
        self.open: set[Overseen] = set()

    def sweep_forever(self) -> None:
        while True:
            gevent.sleep(SWEEP_EVERY_S)
            self.sweep()

    def sweep(self) -> None:
        """End what is overdue, and let others run between many of them."""
        now_s = self.now_s()
        for number, overseen in enumerate(list(self.open), start=1):
            if overseen.deadline_s < now_s:
                overseen.abort()
            if number % SWEPT_PER_TURN == 0:
                gevent.sleep(0)
