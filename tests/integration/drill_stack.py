"""A whole embedded stack to inflict faults on, and ways to feel them as their victims do."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from chaos.hands import Hands
from chaos.inflict import inflict
from chaos.server import choose_proxy
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.cli.stacks import own_or_shared
from doorbuster.components import Topology
from doorbuster.faults import Fault
from doorbuster.stack.embedded import embedded
from doorbuster.stack.order import StackOrder
from tests.chaos_fakes import FakeJournal, fault


@dataclass
class Drill:
    """A stack that is up, and what faults act with."""

    topology: Topology
    hands: Hands
    journal: FakeJournal

    def inflicted(self, on: str, *, name: str = "", **kind: Any) -> Any:
        return inflict(fault(on, name=name, **kind), self.hands)

    def inflict(self, fault: Fault) -> Any:
        return inflict(fault, self.hands)

    def address_of(self, connection: str) -> tuple[str, int]:
        """Return where the proxy of a connection listens."""
        name = f"doorbuster-{self.topology.run_id}-{connection}"
        url = f"{self.topology.proxy_api}/proxies/{name}"
        listen = httpx.get(url, trust_env=False).json()["listen"]
        host, _, port = listen.rpartition(":")
        return host, int(port)

    def steps(self, fault_name: str) -> list[str]:
        return [
            name
            for kind, name, detail in self.journal.events
            if kind == "step" and detail["fault"] == fault_name
        ]


@contextmanager
def drill_stack(logs: Path, **order: Any) -> Iterator[Drill]:
    choice = choose_proxy("auto", environ=os.environ, which=shutil.which)
    stack = StackOrder(f"test{uuid.uuid4().hex[:8]}", logs, ToxiproxyApi, **order)
    with embedded(stack, own_or_shared(choice)) as topology, drill_on(topology, logs) as drill:
        yield drill


@contextmanager
def drill_on(topology: Topology, logs: Path) -> Iterator[Drill]:
    """Make faults possible on a stack that is up, whichever it is."""
    with closing(ToxiproxyApi(topology.proxy_api)) as api:
        journal = FakeJournal()
        hands = Hands(topology, api, journal, seed=7, logs=logs / "hooks.log")
        yield Drill(topology, hands, journal)


def symptom(url: str, path: str = "/readyz", *, patience_s: float = 0.7) -> str:
    """Return what a client meets: a status, or the error that it gets instead of an answer."""
    try:
        with httpx.Client(timeout=patience_s, trust_env=False) as http:
            return str(http.get(url + path).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


def answer_s(url: str, path: str = "/readyz") -> float:
    """Return how long an answer took."""
    with httpx.Client(timeout=10.0, trust_env=False) as http:
        return http.get(url + path).elapsed.total_seconds()


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
