"""Traffic of one process: an order turned into arrivals, sessions and files."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from gevent import socket

from doorbuster.arrivals import Arrival, timetable
from doorbuster.errors import TargetNotReady
from doorbuster.open_files import raise_open_files
from doorbuster.plan.model import Plan
from doorbuster.rundir import RunDirectory
from scenarios.additions import additions_of
from scenarios.attempts import Surroundings, Watcher, Wire
from scenarios.client import Client
from scenarios.deadlines import Deadlines
from scenarios.detour import lead_to
from scenarios.endpoint import Hosts
from scenarios.manners import POLITE
from scenarios.open_loop import OpenLoop, RunClock
from scenarios.order import TrafficOrder
from scenarios.personas import JOURNEYS, MANNERS
from scenarios.pool import Pool
from scenarios.recording import Recording
from scenarios.session import Hours, Session
from scenarios.shopper import shoppers
from scenarios.shops import known_shop
from scenarios.staging import staging_of
from scenarios.step import Result

SETTLES_AFTER_S = 2.0


class Traffic:
    """Everything prepared before the start; `run` does the rest."""

    def __init__(self, order: TrafficOrder, watch: Watcher) -> None:
        self._order = order
        self._watch = watch
        self._plan = Plan.model_validate(order.plan)
        shop = known_shop(order.adapter, additions=additions_of(self._plan))
        ca_file = self._plan.traffic.ca_file
        self._hosts = Hosts(order.allow_hosts, ca_file=ca_file, via=order.via)
        self._endpoint = self._hosts.pin(order.base_url)
        self._operations = shop.open(self._endpoint.host_header, order.run_id)
        self._shopper_of = shoppers(self._plan)
        self._locust_users = _users_of_file(self._plan.traffic.locustfile)
        self._arrivals = timetable(
            self._plan.traffic, self._plan.seed, index=order.index, count=order.count
        )
        self._loop: OpenLoop | None = None
        raise_open_files()  # every session has a socket

    def require_shop(self, *, within_s: float) -> None:
        """Insist that the shop takes connections from here."""
        failures = [
            failure
            for family, address in self._endpoint.addresses
            if (failure := _failure_of(family, address, within_s=within_s))
        ]
        if len(failures) == len(self._endpoint.addresses):
            raise TargetNotReady(
                f"{socket.gethostname()} cannot reach the shop at {self._order.base_url}: "
                f"{failures[0]}"
            )

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
        around = Surroundings(
            operations=self._operations,
            clock=clock,
            recorder=recording,
            watch=self._watch,
            patience_s=plan.traffic.patience,
            jitter=random.Random(f"{plan.seed}/retries/{order.index}"),
            staging=staging_of(plan, _beside),
        )
        deadlines = Deadlines(clock.now_s, plan.traffic.timeout, plan.traffic.connect_timeout)
        loop = self._loop = OpenLoop(
            self._arrivals,
            self._visits(around, deadlines, recording),
            clock=clock,
            recording=recording,
            max_in_flight=share_of(
                plan.traffic.max_in_flight, index=order.index, count=order.count
            ),
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
        """Return what one arrival does: its persona's journey, by a client of its own."""
        if self._locust_users:
            return self._locust_visits(around)
        shopper_of = self._shopper_of
        run_id, plan = self._order.run_id, self._plan
        hours = Hours(plan.opens_s, plan.closes_s, plan.sale.early_access)
        endpoint, hosts, redirects = self._endpoint, self._hosts, self._plan.traffic.redirects
        shared = Pool(deadlines) if self._plan.traffic.connections == "shared" else None

        def visit(arrival: Arrival) -> None:
            shopper = shopper_of(arrival)
            pool = shared or Pool(deadlines)
            client = Client(endpoint, hosts, pool, redirects=redirects)
            manners = MANNERS.get(shopper.persona, POLITE)
            own = replace(around, jitter=shopper.jitter, manners=manners)
            session = Session(shopper, client, own, run_id=run_id, hours=hours)
            try:
                JOURNEYS[shopper.persona](session)
                session.leave()
            except gevent.GreenletExit:
                session.visit.stopped()
                raise
            finally:
                recording.left(shopper, session.visit)
                if pool is not shared:
                    pool.close()

        return visit

    def _locust_visits(self, around: Surroundings) -> Callable[[Arrival], None]:
        """Return what one arrival does where a Locust file says it."""
        from scenarios.plain_locust import LocustUsers  # noqa: PLC0415 - as in `_users_of_file`

        order, seed = self._order, self._plan.seed
        if order.via is not None:
            lead_to(order.via, base_url=order.base_url)
        users = LocustUsers(self._locust_users, host=order.base_url, around=around, seed=seed)
        return users.visit


def _users_of_file(locustfile: str | None) -> list[Any]:
    """Return the user classes of a plan's Locust file, none where it has no such file."""
    if locustfile is None:
        return []
    # Here and not above: importing Locust replaces the sockets of whoever only wants a stripe.
    from scenarios.plain_locust import user_classes  # noqa: PLC0415

    return user_classes(Path(locustfile))


@contextmanager
def _beside(work: Callable[[Wire], Result], wire: Wire) -> Iterator[Callable[[], Result]]:
    """Do some work at the same time, by the same client over another of its connections."""
    greenlet = gevent.spawn(work, wire)
    try:
        yield greenlet.get
    finally:
        greenlet.kill()


def _failure_of(family: int, address: tuple[Any, ...], *, within_s: float) -> str:
    """Return why no connection can be had to `address`, or nothing if one can."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(within_s)
        try:
            probe.connect(address)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def share_of(total: int, *, index: int, count: int) -> int:
    """Return one process's share of a whole number; together the shares are the number."""
    return total // count + (index < total % count)
