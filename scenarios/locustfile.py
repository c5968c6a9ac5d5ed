"""For `locust -f scenarios/locustfile.py --host URL`: shoppers of a plan, in Locust's own loop.

Users visit one after another as Locust and its web UI say, not when a plan's clock says, and only
Locust counts them. `DOORBUSTER_PLAN` is a plan file whose items, personas and shop are used;
without it they are those of the ready plan `smoke`. The sale has to be open.
"""

import itertools
import logging
import os
import random
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Final

import gevent
from locust import User, between, events, task

from doorbuster.arrivals import Arrival
from doorbuster.errors import DoorbusterError
from doorbuster.plan import Plan, load_plan
from doorbuster.plan.target import LOOPBACK_HOSTS
from scenarios.attempts import Surroundings
from scenarios.client import Client
from scenarios.deadlines import Deadlines
from scenarios.driver import fire_request
from scenarios.endpoint import Hosts
from scenarios.manners import POLITE
from scenarios.open_loop import RunClock
from scenarios.personas import JOURNEYS, MANNERS
from scenarios.pool import Pool
from scenarios.session import Hours, Session
from scenarios.shopper import shoppers
from scenarios.shops import known_shop
from scenarios.step import Result, Step

logger = logging.getLogger(__name__)

RUN_ID: Final = f"locust-{os.getpid()}-{random.getrandbits(32):08x}"
PHASE: Final = "locust"


class Unwritten:
    """A recorder that writes nothing: here Locust alone keeps the figures."""

    def begun(self, step: Step) -> None: ...
    def answered(self, step: Step) -> None: ...
    def invoked(self, step: Step, at_s: float) -> None: ...

    def completed(self, step: Step, result: Result) -> None: ...


class Shopping:
    """What all users of this process share."""

    def __init__(self, host: str, plan: Plan) -> None:
        allowed = plan.target.allow_hosts if plan.target else LOOPBACK_HOSTS
        self.hosts = Hosts(allowed, ca_file=plan.traffic.ca_file)
        self.endpoint = self.hosts.pin(host)
        self.plan = plan
        self.clock = RunClock(0.0)
        self.numbers = itertools.count()
        self.deadlines = Deadlines(
            self.clock.now_s, plan.traffic.timeout, plan.traffic.connect_timeout
        )
        self.sweeper = gevent.spawn(self.deadlines.sweep_forever)
        self.shopper_of = shoppers(plan)
        shop = known_shop(None if plan.shop == "reference" else plan.shop)
        self.around = Surroundings(
            operations=shop.open(self.endpoint.host_header, RUN_ID),
            clock=self.clock,
            recorder=Unwritten(),
            watch=fire_request,
            patience_s=plan.traffic.patience,
            jitter=random.Random(),
        )

    def visit(self) -> None:
        """Be the next shopper of the plan, from now."""
        now_s = self.clock.now_s()
        shopper = self.shopper_of(Arrival(next(self.numbers), now_s, PHASE))
        pool = Pool(self.deadlines)
        try:
            client = Client(self.endpoint, self.hosts, pool, redirects=self.plan.traffic.redirects)
            manners = MANNERS.get(shopper.persona, POLITE)
            own = replace(self.around, jitter=shopper.jitter, manners=manners)
            session = Session(shopper, client, own, run_id=RUN_ID, hours=Hours(now_s))
            JOURNEYS[shopper.persona](session)
        finally:
            pool.close()


def chosen_plan() -> Plan:
    """Return the plan that `DOORBUSTER_PLAN` names, or the smoke plan."""
    named = os.environ.get("DOORBUSTER_PLAN")
    inside = resources.files("doorbuster") / "plans" / "smoke.yaml"
    text = Path(named).read_text("utf-8") if named else inside.read_text("utf-8")
    return load_plan(text, source=named or "smoke").plan


class Shopper(User):
    """Comes, shops as one of the plan's personas does, and comes back as somebody else."""

    wait_time = between(0.5, 2.0)
    shopping: ClassVar[Shopping]

    @task
    def visit(self) -> None:
        self.shopping.visit()


def prepare(environment: Any, **_: Any) -> None:
    """Take host and plan before the first user comes; a mistake in either ends the test.

    Locust would log it and let users fail one by one.
    """
    try:
        Shopper.shopping = Shopping(str(environment.host or Shopper.host), chosen_plan())
    except (DoorbusterError, OSError) as error:
        logger.error("%s", error)  # noqa: TRY400 - the message says it all
        environment.process_exit_code = DoorbusterError.exit_code
        environment.runner.quit()


def finish(**_: Any) -> None:
    """Stop what watches over deadlines; the next test has its own."""
    Shopper.shopping.sweeper.kill()


_events: Any = events
_events.test_start.add_listener(prepare)
_events.test_stop.add_listener(finish)
