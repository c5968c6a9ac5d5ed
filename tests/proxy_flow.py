"""A link for tests of single toxics: time is moved by hand and what comes out is recorded."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, cast

from chaos.proxy.toxics import KINDS
from chaos.proxy.toxics.stage import Stage


class FakeTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.early_s = 0.0
        """How much too soon timers ring, where their delay allows it."""
        self._due: list[tuple[float, int, FakeTimer, Callable[[], object]]] = []
        self._order = count()

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        timer = FakeTimer()
        rings_s = self.now_s + (delay - self.early_s if delay > 2 * self.early_s else delay)
        heapq.heappush(self._due, (rings_s, next(self._order), timer, callback))
        return cast("asyncio.TimerHandle", timer)

    def advance(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self._due and self._due[0][0] <= until_s:
            due_s, _, timer, callback = heapq.heappop(self._due)
            # Repeated sums may fall short by an ulp; time never stands still in between.
            self.now_s = max(self.now_s, due_s)
            if not timer.cancelled:
                callback()
        self.now_s = until_s


class FakeLink:
    """What a stage asks of its link, and the socket that it writes to."""

    def __init__(self, *, seed: int = 0) -> None:
        self.clock = FakeClock()
        self.random = Random(seed)
        self.held = 0
        self.arrived: list[tuple[float, bytes]] = []
        self.ended_s: float | None = None

    def hold(self) -> None:
        self.held += 1

    def resume(self) -> None:
        self.held -= 1

    def feed(self, chunk: bytes) -> None:
        assert self.ended_s is None, "data after the end"
        self.arrived.append((round(self.clock.now_s, 6), chunk))

    def end(self) -> None:
        assert self.ended_s is None, "ended twice"
        self.ended_s = round(self.clock.now_s, 6)


def at_work(link: FakeLink, kind: str, **attributes: Any) -> Stage:
    """Return a toxic of this kind that acts on `link`."""
    stage = KINDS[kind]({**KINDS[kind].defaults, **attributes}, link)
    stage.output = link
    stage.active = True
    stage.begin()
    return stage
