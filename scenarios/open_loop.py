"""The open loop: sessions begin when the clock says so, whether the shop keeps up or not."""

import gc
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.pool import Group

from doorbuster.arrivals import Arrival
from scenarios.pacing import spread
from scenarios.recording import Recording

ARRIVALS_PER_TURN: Final = 8
STOP_DRAIN_S: Final = 1.5
DRAINED_EVERY_S: Final = 0.05


class RunClock:
    """The run's clock: seconds since second 0, which all processes of the run share."""

    def __init__(self, zero_monotonic_s: float) -> None:
        self._zero_monotonic_s = zero_monotonic_s

    def now_s(self) -> float:
        return time.monotonic() - self._zero_monotonic_s

    def sleep_until(self, at_s: float) -> None:
        """Let others run until `at_s`; not at all if that has passed."""
        wait_s = at_s - self.now_s()
        if wait_s > 0:
            gevent.sleep(wait_s)


class OpenLoop:
    """Starts each arrival's session at its due time and keeps the books once a second.

    Arrivals begin in a callback of gevent's loop, in greenlets that were used before: making one
    costs more than a small request. An exception in a session, a writer or a helper greenlet ends
    the loop and is raised by `run`: traffic that lost a part of itself measures nothing.
    """

    def __init__(
        self,
        arrivals: Iterable[Arrival],
        visit: Callable[[Arrival], None],
        *,
        clock: RunClock,
        recording: Recording,
        max_in_flight: int,
    ) -> None:
        self._visit = visit
        self._clock = clock
        self._recording = recording
        self._max_in_flight = max_in_flight
        self._to_come = iter(arrivals)
        self._next = next(self._to_come, None)
        self._hub = gevent.get_hub()
        self._in_flight = 0
        self._idle: list[gevent.Greenlet] = []
        self._workers = Group()
        self._timer: Any = None
        self._paced = Event()
        self._stopping = Event()
        self._over = Event()
        self._failure: BaseException | None = None
        self._stopped_s: float | None = None

    def stop(self) -> None:
        """Let no more sessions begin and give those in flight a moment to end."""
        self._stopped_s = self._clock.now_s()
        self._stopping.set()
        self._paced.set()

    def run(self, *, ends_s: float, drain_s: float, settles_s: float) -> None:
        """Run until `ends_s`, then wait up to `drain_s` for the sessions in flight.

        Args:
            ends_s: When the last phase is over.
            drain_s: The longest that a session's open operation can take.
            settles_s: After how long a second's latencies are written; later values add up.
        """
        scribe = self.spawn(self._keep_books, settles_s)
        gc.collect()
        gc.freeze()
        gc.disable()  # a full collection stops the loop; `_keep_books` does small ones
        try:
            self._start_due()
            self._paced.wait()
            self._stopping.wait(max(0.0, ends_s - self._clock.now_s()))
            self._drain(drain_s)
        finally:
            self._paced.set()
            self._workers.kill()
            gc.enable()
            self._over.set()
            scribe.join()
        if self._failure is not None:
            raise self._failure

    def spawn(self, work: Callable[..., None], *arguments: object) -> gevent.Greenlet:
        """Start a greenlet whose failure ends the loop."""
        greenlet = gevent.spawn(work, *arguments)
        greenlet.link_exception(self._fail)
        return greenlet

    def _fail(self, greenlet: gevent.Greenlet) -> None:
        self._failure = self._failure or greenlet.exception
        self._stopping.set()
        self._paced.set()

    def _start_due(self) -> None:
        """Start what is due and come back for the next, in a callback of gevent's loop.

        Only some at a time, so that what is under way is not kept waiting by a crowd.
        """
        wait_s = 0.0
        for _ in range(ARRIVALS_PER_TURN):
            arrival = self._next
            if arrival is None or self._paced.is_set():
                self._paced.set()
                return
            wait_s = arrival.due_s - self._clock.now_s()
            if wait_s > 0:
                break
            self._next = next(self._to_come, None)
            self._start(arrival)
        self._timer = self._hub.loop.timer(max(0.0, wait_s))
        self._timer.start(self._start_due, update=True)

    def _start(self, arrival: Arrival) -> None:
        if self._in_flight >= self._max_in_flight:
            self._recording.missed(arrival.due_s)
            return
        self._in_flight += 1
        if self._idle:
            self._idle.pop().switch(arrival)
        else:
            self._workers.add(self.spawn(self._work, arrival))

    def _work(self, arrival: Arrival) -> None:
        """Carry out one session after the other."""
        me = gevent.getcurrent()
        while True:
            self._recording.started(arrival.due_s, self._clock.now_s())
            try:
                self._visit(arrival)
            finally:
                self._in_flight -= 1
            self._idle.append(me)
            arrival = self._hub.switch()

    def _drain(self, drain_s: float) -> None:
        """Wait for the sessions in flight; whoever is left is ended by `run`."""
        last_s = self._clock.now_s() + drain_s
        while self._in_flight and self._failure is None:
            stopped_s = math.inf if self._stopped_s is None else self._stopped_s
            if self._clock.now_s() > min(last_s, stopped_s + STOP_DRAIN_S):
                return
            gevent.sleep(DRAINED_EVERY_S)

    def _keep_books(self, settles_s: float) -> None:
        second, busy_s = math.floor(self._clock.now_s()), time.process_time()
        over = False
        while not over:
            begun_s = self._clock.now_s()
            over = self._over.wait(max(0.0, second + 1 - begun_s))
            now_s, now_busy_s = self._clock.now_s(), time.process_time()
            cpu_share = (now_busy_s - busy_s) / max(now_s - begun_s, 1e-3)
            busy_s = now_busy_s
            self._recording.flush_second(
                second, in_flight=self._in_flight, cpu_share=round(cpu_share, 4)
            )
            before_s = math.inf if over else second - settles_s
            spread(self._recording.flush_latencies(before_s=before_s))
            gc.collect(1)
            second += 1
