"""Something to do after a while unless it is called off, such as healing a fault."""

import asyncio
from collections.abc import Callable


class Countdown:
    """Does one thing later; asking again starts from the beginning."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def start(self, after_ms: int) -> None:
        self.stop()
        self._timer = self._loop.call_later(after_ms / 1000, self._ring)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def left_ms(self) -> int | None:
        """What is left, or None when it is not running."""
        if self._timer is None:
            return None
        return max(0, round((self._timer.when() - self._loop.time()) * 1000))

    def _ring(self) -> None:
        self._timer = None
        self._action()
