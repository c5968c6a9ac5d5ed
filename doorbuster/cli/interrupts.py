"""Ctrl-C and SIGTERM: the first ends the rehearsal in order, a second one only cleans up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """How often somebody asked to stop.

    Attributes:
        starting: Nothing has begun yet that would have to end in order, so once is enough.
        cleaning: The clean-up is on, which nothing stops.
    """

    def __init__(self) -> None:
        self.count = 0
        self.starting = False
        self.cleaning = False

    def start(self) -> None:
        """Begin what one request breaks off; it may have come already."""
        self.starting = True
        if self.asked:
            raise KeyboardInterrupt

    @property
    def asked(self) -> bool:
        """Whether the rehearsal is to end."""
        return self.count > 0

    def heard(self, _number: int, _frame: FrameType | None) -> None:
        """Take note; the second time drop everything but the clean-up, which nothing stops."""
        self.count += 1
        if self.count == (1 if self.starting else 2) and not self.cleaning:
            raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[Interrupts]:
    """Listen for SIGINT and SIGTERM while the context is open."""
    interrupts = Interrupts()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupts.heard) for number in numbers}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
