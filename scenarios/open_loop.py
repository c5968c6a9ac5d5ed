"""The open loop: sessions begin when the clock says so, whether the shop keeps up or not."""

import gc
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import gevent
from gevent.event import Event
from gevent.pool import Group

from doorbuster.arrivals import Arrival
from scenarios.recording import Recording

ARRIVALS_PER_TURN: Final = 8
STOP_DRAIN_S: Final = 3.0


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

    An exception in a session, a writer or a helper greenlet ends the loop and is raised by `run`:
    traffic that lost a part of itself measures nothing.
    """

    def __init__(
        self,
        arrivals: Sequence[Arrival],
        visit: Callable[[Arrival], None],
        *,
        clock: RunClock,
        recording: Recording,
        max_in_flight: int,
    ) -> None:
        self._arrivals = arrivals
        self._visit = visit
        self._clock = clock
        self._recording = recording
        self._max_in_flight = max_in_flight
        self._sessions = Group()
        self._stopping = Event()
        self._over = Event()
        self._failure: BaseException | None = None
        self._stopped_s: float | None = None

    def stop(self) -> None:
        """Let no more sessions begin and give those in flight a moment to end."""
        self._stopped_s = self._clock.now_s()
        self._stopping.set()

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
            self._pace(ends_s)
            self._drain(drain_s)
        finally:
            self._sessions.kill()
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

    def _pace(self, ends_s: float) -> None:
        for number, arrival in enumerate(self._arrivals):
            wait_s = arrival.due_s - self._clock.now_s()
            if wait_s > 0:
                self._stopping.wait(wait_s)
            elif number % ARRIVALS_PER_TURN == 0:
                gevent.sleep(0)
            if self._stopping.is_set():
                return
            if len(self._sessions) >= self._max_in_flight:
                self._recording.missed(arrival.due_s)
            else:
                self._sessions.add(self.spawn(self._begin, arrival))
        self._stopping.wait(max(0.0, ends_s - self._clock.now_s()))

    def _begin(self, arrival: Arrival) -> None:
        self._recording.started(arrival.due_s, self._clock.now_s())
        self._visit(arrival)

    def _drain(self, drain_s: float) -> None:
        """Wait for the sessions in flight; whoever is left is ended by `run`."""
        last_s = self._clock.now_s() + drain_s
        while self._sessions and self._failure is None:
            stopped_s = math.inf if self._stopped_s is None else self._stopped_s
            if self._clock.now_s() > min(last_s, stopped_s + STOP_DRAIN_S):
                return
            self._sessions.join(timeout=0.1)

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
                second, in_flight=len(self._sessions), cpu_share=round(cpu_share, 4)
            )
            before_s = math.inf if over else second - settles_s
            for _ in self._recording.flush_latencies(before_s=before_s):
                gevent.sleep(0)
            gc.collect(1)
            second += 1
