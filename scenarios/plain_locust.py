"""A plain Locust file as traffic: each arrival of the plan is one user of it, for one task.

The arrivals stay the plan's: a user begins when the clock says so, does `on_start`, one task chosen
by weight (see `locust_pass`), and `on_stop`. Each request event is recorded as an operation
`request`; from the call to its return a request is under way, so that stop conditions see those
that hang.
"""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import gevent
import locust
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

from doorbuster.arrivals import Arrival
from doorbuster.errors import PlanError
from doorbuster.operations import REQUEST, Attempt, Outcome
from scenarios.attempts import Surroundings
from scenarios.locust_client import let_go, watch
from scenarios.locust_pass import Pass, endless
from scenarios.outcome import INFO_STOPPED, NOTHING
from scenarios.step import Result, Step

logger = logging.getLogger(__name__)

PERSONA: Final = "locust"


class LocustUsers:
    """The users of one Locust file, and where their requests are written down."""

    def __init__(self, classes: list[Any], *, host: str, around: Surroundings, seed: int) -> None:
        self._classes = classes
        for user_class in self._classes:
            user_class.host = host
        self._weights = [user_class.weight for user_class in self._classes]
        self._around = around
        self._seed = seed
        self._number = 0
        self._environment = Environment(user_classes=self._classes, events=locust.events, host=host)
        events: Any = locust.events
        events.request.add_listener(self._record)
        events.init.fire(environment=self._environment, runner=None, web_ui=None)

    def visit(self, arrival: Arrival) -> None:
        """Be one user for one pass; what a task raises is counted, as Locust does."""
        choices = random.Random(f"{self._seed}/{arrival.index}")
        user_class = choices.choices(self._classes, self._weights)[0]
        user = user_class(self._environment)

        def failed(error: Exception) -> None:
            logger.error("a task of %s failed", user_class.__name__, exc_info=error)
            events: Any = self._environment.events
            events.user_error.fire(user_instance=user, exception=error, tb=error.__traceback__)
            now_s = self._around.clock.now_s()
            self._complete(now_s, now_s, "info", "task_failed")

        watch(user, self._under_way)
        try:
            Pass(user, choices, failed=failed).go()
        finally:
            let_go(user)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """Count a request as begun until its call returns; one that is cut off then is unknown."""
        began_s = self._around.clock.now_s()
        step = self._step(began_s)
        self._around.recorder.begun(step)
        try:
            yield
        except gevent.GreenletExit:
            self._complete(began_s, self._around.clock.now_s(), "info", INFO_STOPPED)
            raise
        finally:
            self._around.recorder.answered(step)

    def _record(self, *, response_time: float, exception: Any = None, **told: Any) -> None:
        """Write down one request; one that failed may have had an effect all the same."""
        ended_s = self._around.clock.now_s()
        began_s = ended_s - (response_time or 0.0) / 1000
        status = getattr(told.get("response"), "status_code", None)
        if exception is None:
            self._complete(began_s, ended_s, "ok", None)
        else:
            reason = f"http_{status}" if status else type(exception).__name__.lower()
            self._complete(began_s, ended_s, "info", reason)

    def _complete(
        self, began_s: float, ended_s: float, outcome: Outcome, reason: str | None
    ) -> None:
        step = self._step(began_s)
        attempt = Attempt(outcome, ended_s, began_s, reason)
        result = Result(outcome, reason, ended_s, began_s, (attempt,), NOTHING)
        self._around.recorder.begun(step)
        self._around.recorder.completed(step, result)

    def _step(self, began_s: float) -> Step:
        self._number += 1
        return Step(
            id=f"request-{self._number}",
            op=REQUEST,
            arrival=0,
            number=self._number,
            persona=PERSONA,
            user_ref=PERSONA,
            due_s=began_s,
        )


def user_classes(path: Path) -> list[Any]:
    """Return the users of a Locust file that have something to do."""
    if not path.is_file():
        raise PlanError(f"traffic.locustfile {str(path)!r}: no such file")
    try:
        found, shapes = load_locustfile(str(path))
    except Exception as error:
        raise PlanError(f"traffic.locustfile {str(path)!r}: {error!r}") from error
    if shapes:
        raise PlanError(
            f"traffic.locustfile {str(path)!r} has a LoadTestShape; expected none, since the "
            "plan's `traffic.arrivals` say who comes when"
        )
    classes = [user_class for user_class in found.values() if user_class.tasks]
    if not classes:
        raise PlanError(f"traffic.locustfile {str(path)!r}: expected a User class with tasks")
    for user_class in classes:
        if (name := endless(user_class.tasks)) is not None:
            raise PlanError(
                f"traffic.locustfile {str(path)!r}: {name} is a MarkovTaskSet, which has no end; "
                "expected a TaskSet (one task of it is done) or a SequentialTaskSet (each once)"
            )
    return classes
