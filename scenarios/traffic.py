"""Traffic of one process: an order turned into arrivals, sessions and files."""

import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gevent

from doorbuster.arrivals import Arrival, arrivals
from doorbuster.plan.model import Plan
from doorbuster.rundir import RunDirectory
from scenarios.adapter import load_adapter
from scenarios.attempts import Surroundings, Watcher, Wire
from scenarios.endpoint import Endpoint, pin
from scenarios.manners import POLITE
from scenarios.open_loop import OpenLoop, RunClock
from scenarios.order import TrafficOrder
from scenarios.personas import JOURNEYS, MANNERS
from scenarios.recording import Recording
from scenarios.session import Session
from scenarios.shop import speak
from scenarios.shopper import shoppers
from scenarios.staging import Beside, staging_of
from scenarios.step import Result
from scenarios.wire import Connection, Deadlines

SETTLES_AFTER_S = 2.0


class Traffic:
    """Everything prepared before the start; `run` does the rest."""

    def __init__(self, order: TrafficOrder, watch: Watcher) -> None:
        self._order = order
        self._watch = watch
        self._plan = Plan.model_validate(order.plan)
        adapter = load_adapter(Path(order.adapter) if order.adapter else None)
        self._endpoint = pin(order.base_url, order.allow_hosts)
        self._operations = speak(adapter, host=self._endpoint.host_header)
        everyone = arrivals(self._plan.traffic, self._plan.seed)
        self._arrivals = stripe(everyone, index=order.index, count=order.count)
        self._loop: OpenLoop | None = None
        allow_many_sockets()

    def stop(self) -> None:
        """End early, as `OpenLoop.stop` does."""
        assert self._loop is not None
        self._loop.stop()

    def prepare(self, zero_monotonic_s: float) -> Callable[[], None]:
        """Set second 0 of the run's clock and return what runs the traffic, to its end."""
        plan, order = self._plan, self._order
        clock = RunClock(zero_monotonic_s)
        recording = Recording(
            RunDirectory(Path(order.run_dir)),
            plan,
            index=order.index,
            started_epoch_s=time.time() - clock.now_s(),
        )
        deadlines = Deadlines(plan.traffic.timeout)
        around = Surroundings(
            operations=self._operations,
            clock=clock,
            recorder=recording,
            watch=self._watch,
            patience_s=plan.traffic.patience,
            jitter=random.Random(f"{plan.seed}/retries/{order.index}"),
            staging=staging_of(plan, _beside(self._endpoint, deadlines, clock)),
        )
        loop = self._loop = OpenLoop(
            self._arrivals,
            self._visits(around, deadlines, recording),
            clock=clock,
            recording=recording,
            max_in_flight=max(1, plan.traffic.max_in_flight // order.count),
        )

        def run() -> None:
            sweeper = loop.spawn(deadlines.sweep_forever)
            try:
                loop.run(
                    ends_s=plan.length_s,
                    drain_s=plan.traffic.patience + plan.traffic.timeout,
                    settles_s=plan.traffic.patience + SETTLES_AFTER_S,
                )
            finally:
                gevent.kill(sweeper)
                recording.close()

        return run

    def _visits(
        self, around: Surroundings, deadlines: Deadlines, recording: Recording
    ) -> Callable[[Arrival], None]:
        """Return what one arrival does: its persona's journey over a connection of its own."""
        shopper_of = shoppers(self._plan)
        run_id, sale_s = self._order.run_id, (self._plan.opens_s, self._plan.closes_s)
        endpoint, now_s = self._endpoint, around.clock.now_s

        def visit(arrival: Arrival) -> None:
            shopper = shopper_of(arrival)
            wire = Connection(endpoint, deadlines, now_s)
            own = replace(
                around, jitter=shopper.jitter, manners=MANNERS.get(shopper.persona, POLITE)
            )
            session = Session(shopper, wire, own, run_id=run_id, sale_s=sale_s)
            try:
                JOURNEYS[shopper.persona](session)
                session.leave()
            except gevent.GreenletExit:
                session.visit.stopped()
                raise
            finally:
                recording.left(shopper, session.visit)
                wire.close()

        return visit


def _beside(endpoint: Endpoint, deadlines: Deadlines, clock: RunClock) -> Beside:
    """Return what does some work at the same time, over a connection of its own."""

    @contextmanager
    def beside(work: Callable[[Wire], Result], _wire: Wire) -> Iterator[Callable[[], Result]]:
        wire = Connection(endpoint, deadlines, clock.now_s)
        greenlet = gevent.spawn(work, wire)
        try:
            yield greenlet.get
        finally:
            greenlet.kill()
            wire.close()

    return beside


def stripe(everyone: list[Arrival], *, index: int, count: int) -> list[Arrival]:
    """Return one process's share: every `count`-th arrival, so that all see the same curve."""
    if not 0 <= index < count:
        raise ValueError(f"stripe {index} of {count}: expected an index below the count")
    return everyone[index::count]


def allow_many_sockets() -> None:
    """Raise the soft limit of open files to the hard one: every session has a socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
