"""Faults by chance on a shop that sells: nothing hangs, nothing stands, nothing confirmed is lost.

The stack stays up between seeds, as it does for whoever soaks it: `make soak`. A seed that fails
is in the test's name, and drawn again it is the same faults.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import get_args

import httpx
import pytest

from chaos.standing import fallen, standing
from doorbuster.faults import COMPONENTS, Fault
from doorbuster.faults.chance import RandomFaults, RandomKind, as_faults
from doorbuster.faults.lots import Ground
from doorbuster.run import act_out
from doorbuster.timeline import Event, fault_events
from tests.containers.shopping import open_sale, pay, reserve
from tests.integration.drill_stack import Drill, drill_stack, symptom
from tests.waiting import eventually

pytestmark = pytest.mark.integration

SEEDS = range(int(os.environ.get("DOORBUSTER_SEEDS", "1")))
FOR_S = float(os.environ.get("DOORBUSTER_SEED_SECONDS", "4"))
CUSTOMERS = 3
STOCK = 100_000
REPLICAS = 2
PARTS = (
    *(name for name in COMPONENTS if name != "storefront-N"),
    *(f"storefront-{n}" for n in range(1, REPLICAS + 1)),
)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with drill_stack(tmp_path_factory.mktemp("logs"), replicas=REPLICAS, redis=True) as drill:
        with httpx.Client(base_url=drill.topology.shop_direct_url, trust_env=False) as http:
            open_sale(http, ops_token=drill.topology.ops_token, stock=STOCK)
        yield drill


@dataclass
class Crowd:
    """Customers who buy without a pause and remember what was confirmed."""

    url: str
    confirmed: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def buying(self, seed: int) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._buy, args=(f"{seed}-{n}",)) for n in range(CUSTOMERS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.enough.set()
            for thread in threads:
                thread.join(30)

    def _buy(self, name: str) -> None:
        number = 0
        while not self.enough.wait(0.05):
            number += 1
            with (
                suppress(httpx.HTTPError, AssertionError),
                httpx.Client(base_url=self.url, timeout=1.0, trust_env=False) as http,
            ):
                order = reserve(http, f"{name}-{number}")
                self.confirmed.append(order)
                pay(http, order)


def drawn(seed: int) -> list[Fault]:
    wanted = RandomFaults.model_validate(
        {
            "at": "now",
            "for": f"{FOR_S:g}s",
            "kinds": get_args(RandomKind),
            "on": PARTS,
            "rate": "120/m",
            "longest": "2s",
        }
    )
    ground = Ground(items=[["HOT"]], replicas=REPLICAS)
    return [Fault.model_validate(line) for line in as_faults(wanted, seed=seed, ground=ground)]


def play(faults: list[Fault], drill: Drill) -> None:
    """Act the faults out as a run does, on a clock of their own."""
    events = sorted(
        (event for fault in faults for event in fault_events(fault, after_now_s(fault))),
        key=lambda event: event.at_s,
    )
    zero_s = time.monotonic()

    def act(event: Event) -> AbstractContextManager[Callable[[], None] | None]:
        assert event.fault is not None
        inflicted: AbstractContextManager[Callable[[], None] | None] = drill.inflict(event.fault)
        return inflicted

    def wait_until(at_s: float) -> None:
        time.sleep(max(zero_s + at_s - time.monotonic(), 0.0))

    act_out(events, act=act, wait_until=wait_until, gate=lambda: None)


def after_now_s(fault: Fault) -> float:
    return float(fault.at.removeprefix("now+").removesuffix("ms").removesuffix("s")) / (
        1000 if fault.at.endswith("ms") else 1
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_breaks_is_lifted_and_nothing_confirmed_is_lost(drill: Drill, seed: int) -> None:
    faults = drawn(seed)

    assert faults
    crowd = Crowd(drill.topology.shop_url)
    with crowd.buying(seed):
        play(faults, drill)
        assert standing(drill.hands) == []
        assert fallen(drill.hands) == []
        assert eventually(lambda: symptom(drill.topology.shop_url) == "200", bound_s=30.0)
        already = len(crowd.confirmed)
        assert eventually(lambda: len(crowd.confirmed) > already, bound_s=30.0), "nobody can buy"
    with httpx.Client(base_url=drill.topology.shop_direct_url, trust_env=False) as http:
        for order in crowd.confirmed:
            assert http.get(f"/v1/orders/{order}").status_code == 200, f"order {order} is lost"
        stock = http.get("/v1/skus/HOT/stock").json()
    assert stock["available"] + stock["reserved"] + stock["sold"] == STOCK
