"""Failover of a real Postgres pair behind a real proxy, with a customer who keeps buying."""

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chaos.hands import Hands
from chaos.inflict import inflict
from chaos.postgres import asking
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.components import DatabaseNode, Topology
from doorbuster.errors import DoorbusterError, FaultStuck
from doorbuster.stack import postgres
from doorbuster.stack.binaries import postgres_programs
from doorbuster.stack.component import LocalComponent, end_all
from doorbuster.stack.files import LocalFiles
from doorbuster.stack.place import postgres_account, temporary_place
from doorbuster.stack.ports import free_ports
from doorbuster.stack.postgres import PRIMARY, STANDBY, Cluster, ask
from tests.chaos_fakes import FakeJournal, fault
from tests.proxy_servers import running

pytestmark = pytest.mark.integration

STEPS = ["primary ended", "detected", "fenced", "standby freed", "promoted", "first write"]


@dataclass
class Pair:
    """Two nodes, their proxies and what is journalled about them."""

    hands: Hands
    journal: FakeJournal
    cluster: Cluster
    components: dict[str, LocalComponent]

    @property
    def nodes(self) -> dict[str, DatabaseNode]:
        return {node.component.name: node for node in self.hands.topology.database}

    @property
    def steps(self) -> list[str]:
        return [name for kind, name, _ in self.journal.events if kind == "step"]

    def is_open(self, name: str) -> bool:
        return self.hands.listens(self.proxy(name))

    def proxy(self, name: str) -> str:
        return f"doorbuster-{self.hands.topology.run_id}-{name}"

    def bought_at(self, node: str) -> set[int]:
        rows = ask(self.cluster.dsn(node), "SELECT array_agg(id) FROM bought")
        assert isinstance(rows, list)
        return set(rows)


@dataclass
class Buyer:
    """Buys without a pause on one connection; remembers what was confirmed, and when."""

    dsn: str
    confirmed_s: dict[int, float] = field(default_factory=dict)
    enough: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def buying(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._buy()))
        thread.start()
        try:
            yield
        finally:
            self.enough.set()
            thread.join(20)

    async def _buy(self) -> None:
        connection = await asyncpg.connect(self.dsn, ssl=False, timeout=5)
        with suppress(*asking.DATABASE_ERRORS):
            while not self.enough.is_set():
                order = len(self.confirmed_s) + 1
                await connection.execute("INSERT INTO bought VALUES ($1)", order, timeout=5)
                self.confirmed_s[order] = time.monotonic()
        connection.terminate()

    def await_sales(self) -> None:
        give_up_s = time.monotonic() + 10
        while len(self.confirmed_s) < 20:
            assert time.monotonic() < give_up_s, "nothing is sold"
            time.sleep(0.01)


@contextmanager
def pair_behind_proxy(logs: Path, *, synchronous: bool) -> Iterator[Pair]:
    run_id = f"test{uuid.uuid4().hex[:8]}"
    with ExitStack() as exits:
        server = exits.enter_context(running("embedded"))
        place = exits.enter_context(temporary_place(run_id, logs=logs))
        account = postgres_account(place)
        cluster = Cluster(
            place,
            programs=postgres_programs(place, account=account),
            account=account,
            ports=dict(zip((PRIMARY, STANDBY), free_ports(2), strict=True)),
        )
        ports = {
            name: server.create(
                f"doorbuster-{run_id}-{name}", f"127.0.0.1:{cluster.ports[behind]}"
            )[1]
            for name, behind in ((PRIMARY, PRIMARY), (STANDBY, STANDBY), ("replication", PRIMARY))
        }
        started: list[LocalComponent] = []
        exits.callback(end_all, started)
        started.append(postgres.create_primary(cluster))
        started[0].start()
        started[0].wait_ready()
        postgres.create_shop_database(cluster)
        started.append(postgres.create_standby(cluster, replication_port=ports["replication"]))
        started[1].start()
        started[1].wait_ready()
        postgres.begin_replication(cluster, started[1], synchronous=synchronous)
        shop_dsns = [cluster.shop_dsn(proxy_port=ports[part.name]) for part in started]
        ask(shop_dsns[0], "CREATE TABLE bought (id int PRIMARY KEY)")
        topology = Topology(
            run_id=run_id,
            components={component.name: component for component in started},
            database=[
                DatabaseNode(
                    component,
                    direct_dsn=cluster.dsn(component.name),
                    proxied_dsn=dsn,
                    proxy=f"doorbuster-{run_id}-{component.name}",
                    upstream=component.address,
                    files=LocalFiles(cluster, component, replication_port=ports["replication"]),
                )
                for component, dsn in zip(started, shop_dsns, strict=True)
            ],
            proxies={"replication": [f"doorbuster-{run_id}-replication"]},
            proxy_api=server.url,
            shop_url="",
            shop_direct_url="",
            provider_direct_url="",
            ops_token="",
        )
        journal = FakeJournal()
        api = exits.enter_context(closing(ToxiproxyApi(server.url)))
        hands = Hands(topology, api, journal, seed=7)
        yield Pair(hands, journal, cluster, {part.name: part for part in started})


def fail_over(pair: Pair, *, before: Any = None, **settings: Any) -> Buyer:
    """Fail over under a buyer and return the buyer; nothing may be confirmed without a primary."""
    buyer = Buyer(pair.nodes[PRIMARY].proxied_dsn)
    with buyer.buying():
        buyer.await_sales()
        if before is not None:
            pair.hands.api.add_toxic(pair.proxy("replication"), **before)
            time.sleep(1.0)
        with inflict(fault("postgres", failover=settings), pair.hands):
            ended_s = time.monotonic()
            assert pair.components[PRIMARY].pids() == []
            time.sleep(0.2)
    assert max(buyer.confirmed_s.values()) <= ended_s
    return buyer


def test_synchronous_replication_loses_nothing_even_with_the_machine(tmp_path: Path) -> None:
    with pair_behind_proxy(tmp_path, synchronous=True) as pair:
        # A base backup of a synchronous primary copies this; then every commit would hang.
        ask(
            pair.cluster.dsn(STANDBY),
            f"ALTER SYSTEM SET synchronous_standby_names = '\"{STANDBY}\"'",
        )
        buyer = fail_over(pair, lose="machine")
        assert buyer.confirmed_s.keys() <= pair.bought_at(STANDBY)
        assert pair.steps == STEPS
        assert not pair.is_open(PRIMARY), "the old primary has to stay fenced"
        assert pair.is_open("replication")
        assert ask(pair.cluster.dsn(STANDBY), "SELECT to_regnamespace('doorbuster_probe')") is None


def test_a_lost_machine_takes_what_was_under_way_to_the_standby(tmp_path: Path) -> None:
    """With 500 ms of lag on asynchronous replication, what was sold in the last 500 ms is lost."""
    lag = {"name": "lag", "type": "latency", "attributes": {"latency": 500, "jitter": 0}}
    with pair_behind_proxy(tmp_path, synchronous=False) as pair:
        buyer = fail_over(pair, before=lag, lose="machine")
        lost = buyer.confirmed_s.keys() - pair.bought_at(STANDBY)
        assert lost
        lost_s = max(buyer.confirmed_s.values()) - min(buyer.confirmed_s[order] for order in lost)
        assert lost_s >= 0.35


def test_a_process_that_is_killed_loses_less_than_its_machine(tmp_path: Path) -> None:
    """What it had sent still arrives: the proxy holds it, and the standby waits for it."""
    lag = {"name": "lag", "type": "latency", "attributes": {"latency": 500, "jitter": 0}}
    with pair_behind_proxy(tmp_path, synchronous=False) as pair:
        buyer = fail_over(pair, before=lag, lose="process", fence=False)
        survived = pair.bought_at(STANDBY)
        newest_s = max(buyer.confirmed_s[order] for order in survived & buyer.confirmed_s.keys())
        assert max(buyer.confirmed_s.values()) - newest_s < 0.35
        assert pair.steps == [step for step in STEPS if step != "fenced"]
        assert pair.is_open(PRIMARY), "without a fence nobody shuts it"


def test_the_node_that_says_nothing_is_taken_for_the_primary_and_a_lost_standby_is_stuck(
    tmp_path: Path,
) -> None:
    with pair_behind_proxy(tmp_path, synchronous=False) as pair:
        with inflict(fault("postgres-a", name="frozen", pause={}), pair.hands):
            found = asking.find_pair(pair.hands.topology.database)
            assert found.primary.component.name == PRIMARY
        with (
            pytest.raises(FaultStuck, match=r"SELECT pg_promote\(\) on postgres-b"),
            inflict(fault("postgres", failover={}), pair.hands),
        ):
            pair.components[STANDBY].kill()
        assert pair.steps[-1] == "fenced"
        with pytest.raises(DoorbusterError, match="one primary and a standby"):
            asking.find_pair(pair.hands.topology.database)
