"""Locust's side: the one user of a process that drives all its sessions, and the request event.

Importing this imports Locust, which replaces the standard library's sockets by gevent's.
"""

import time
from collections.abc import Callable
from typing import ClassVar, Final

import gevent
import locust
import locust.log
from gevent.event import Event
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from doorbuster.errors import DoorbusterError
from doorbuster.operations import REFUSALS
from scenarios.locust_stats import BatchedStats
from scenarios.outcome import Answer, Judgement, Reply
from scenarios.pacing import spread
from scenarios.step import Step

STARTS_WITHIN_S: Final = 10.0

_UNWELL: Final = ("fail", "info")


class RequestFailed(Exception):
    """What Locust's `request` event carries for a request that was neither ok nor refused."""


class Driver(User):
    """Drives every session of its process: Locust's users cannot begin at due times by themselves.

    `traffic` is started when Locust starts the user.
    """

    fixed_count = 1
    traffic: ClassVar[gevent.Greenlet | None] = None

    @task
    def drive(self) -> None:
        assert self.traffic is not None, "run_in_locust gives it one"
        self.traffic.start()
        self.traffic.join()
        raise StopUser


def run_in_locust(work: Callable[[], None]) -> None:
    """Run `work` as the task of Locust's one user, so that Locust's plug-ins see its events.

    Locust logs and swallows what goes wrong in tasks and listeners; here both are raised.
    """
    started = Event()

    def begin() -> None:
        started.set()
        work()

    traffic = gevent.Greenlet(begin)
    driver = type("Driver", (Driver,), {"traffic": traffic})
    environment = Environment(user_classes=[driver], events=locust.events)
    environment.stats = stats = BatchedStats()
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    if not started.wait(STARTS_WITHIN_S):
        raise DoorbusterError(f"Locust did not start its user within {STARTS_WITHIN_S:g} s")
    counting = gevent.spawn(keep_counting, stats)
    traffic.get()
    counting.kill()
    for _ in stats.flush():
        gevent.sleep(0)
    runner.quit()
    require_sound_listeners()


def require_sound_listeners() -> None:
    """Insist that no plug-in failed, which Locust only logs."""
    if locust.log.unhandled_greenlet_exception:
        raise DoorbusterError("a listener of Locust's events failed; its log line says how")


def keep_counting(stats: BatchedStats) -> None:
    """Keep Locust's statistics up to date, a little at a time."""
    while True:
        gevent.sleep(1.0)
        spread(stats.flush())


def fire_request(
    step: Step, method: str, reply: Reply, judgement: Judgement, began_s: float
) -> None:
    """Tell Locust's listeners about one HTTP request; a correct refusal is a success to them."""
    failed = judgement.outcome in _UNWELL and judgement.reason not in REFUSALS
    took_s = reply.ended_s - began_s
    locust.events.request.fire(  # type: ignore[no-untyped-call]
        request_type=method,
        name=step.op,
        response_time=took_s * 1000,
        response_length=len(reply.body) if type(reply) is Answer else 0,
        exception=RequestFailed(judgement.reason) if failed else None,
        context={"arrival": step.arrival, "persona": step.persona, "client_ref": step.client_ref},
        response=None,
        start_time=time.time() - took_s,
        url=None,
    )
