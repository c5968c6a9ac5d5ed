"""Finding a master: the connection, and Locust's one user, who waits for the work to be ready."""

from collections.abc import Callable
from typing import Final

import gevent
import locust
import locust.runners
from gevent.event import AsyncResult, Event
from locust.env import Environment
from locust.runners import WorkerRunner

from doorbuster.errors import DoorbusterError
from scenarios.distribution.messages import hasten_heartbeats
from scenarios.driver import Driver
from scenarios.locust_stats import BatchedStats

ATTEMPT_S: Final = 1


class Baton:
    """Hands the prepared work to Locust's user, who may be started before it is there."""

    def __init__(self) -> None:
        self._work: AsyncResult[Callable[[], None]] = AsyncResult()
        self.started = Event()
        self.stats = BatchedStats()
        self.traffic = gevent.Greenlet(self._run)

    def hand_over(self, work: Callable[[], None]) -> None:
        self._work.set(work)

    def _run(self) -> None:
        self.started.set()
        self._work.get()()


def join(host: str, port: int, *, within_s: float) -> tuple[WorkerRunner, Baton]:
    """Connect to the master at an address, waiting for one to listen there."""
    hasten_heartbeats()
    locust.runners.CONNECT_TIMEOUT = ATTEMPT_S
    locust.runners.CONNECT_RETRY_COUNT = round(within_s / ATTEMPT_S)
    baton = Baton()
    # As many users as workers, and no fixed count: with that, two workers make one driver.
    driver = type("Driver", (Driver,), {"fixed_count": 0, "traffic": baton.traffic})
    environment = Environment(user_classes=[driver], events=locust.events)
    environment.stats = baton.stats
    try:
        return environment.create_worker_runner(host, port), baton
    except ConnectionError as error:
        raise DoorbusterError(
            f"no rehearsal waited for workers at {host}:{port} within {within_s:g} s; expected "
            f"`doorbuster rehearse --expect-workers N --bind {host}:{port}` there"
        ) from error
