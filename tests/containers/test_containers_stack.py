"""The containers stack: it sells, faults act on it, and nothing of it is left afterwards."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from chaos import probe
from chaos.postgres.asking import find_primary
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.components import Topology
from doorbuster.stack.containers import containers
from doorbuster.stack.containers.engine import engine
from doorbuster.stack.containers.images import Images
from doorbuster.stack.order import StackOrder
from doorbuster.stack.postgres import ask
from doorbuster.stack.ready import http_probe, wait_until_ready
from tests.containers.engine_here import names_with
from tests.containers.shopping import open_sale, pay, reserve, shows_replication
from tests.integration.drill_stack import Drill, drill_on
from tests.waiting import eventually

# The first test may have to wait for the engine and the images to be made.
pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

DELAY_S = 0.4
SYNCHRONOUS = "SELECT sync_state = 'sync' FROM pg_stat_replication"


@pytest.fixture(scope="module")
def up(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    run_id, logs = f"test{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("logs")
    order = StackOrder(run_id, logs, ToxiproxyApi, replicas=2, redis=True)
    with containers(order, images) as topology:
        yield topology
    assert names_with(run_id) == []


@pytest.fixture(scope="module")
def shop(up: Topology) -> Iterator[httpx.Client]:
    """Yield a shopper's client, at a shop whose sale is on."""
    with httpx.Client(base_url=up.shop_url, timeout=10, trust_env=False) as client:
        open_sale(client, ops_token=up.ops_token)
        yield client


def await_ready(topology: Topology, url: str) -> None:
    log = topology.components["storefront-1"].logs
    ready = http_probe(urlsplit(url).netloc, "/readyz")
    wait_until_ready(ready, what="the shop", log=log, alive=lambda: True)


def test_the_parts_are_those_of_the_embedded_stack(up: Topology) -> None:
    parts = {"storefront-1", "storefront-2", "postgres-a", "postgres-b", "provider", "proxy"}
    assert set(up.components) == parts | {"redis-server"}
    connections = {"edge", "payments", "webhooks", "replication", "postgres", "redis"}
    assert set(up.proxies) == connections
    assert [node.component.name for node in up.database] == ["postgres-a", "postgres-b"]
    assert ask(up.database[0].direct_dsn, SYNCHRONOUS) is True


def test_the_shop_says_how_far_the_standby_is_behind(shop: httpx.Client) -> None:
    assert shows_replication(shop)


def test_every_port_is_published_on_loopback_alone(up: Topology) -> None:
    with engine() as client:
        ports = [
            binding
            for part in client.containers.list(filters={"label": f"doorbuster.run={up.run_id}"})
            for bindings in part.attrs["NetworkSettings"]["Ports"].values()
            for binding in bindings or ()
        ]
    assert len(ports) == 10
    assert {port["HostIp"] for port in ports} == {"127.0.0.1"}


def test_an_order_is_sold_through_the_edge_and_paid_through_payments(
    up: Topology, shop: httpx.Client
) -> None:
    api = ToxiproxyApi(up.proxy_api)
    (payments,) = up.proxies["payments"]
    order_id = reserve(shop, "sold")
    delay = {"latency": int(DELAY_S * 1000)}
    api.add_toxic(payments, name="slow", type="latency", attributes=delay)
    try:
        began_s = time.monotonic()
        answer = pay(shop, order_id)
        took_s = time.monotonic() - began_s
    finally:
        api.remove_toxic(payments, "slow")
        api.close()
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
    assert took_s >= DELAY_S
    book = httpx.get(f"{up.provider_direct_url}/psp/book", trust_env=False).text
    assert '"captured"' in book


def test_a_shut_edge_is_seen_to_be_shut(up: Topology, shop: httpx.Client) -> None:
    api = ToxiproxyApi(up.proxy_api)
    (edge,) = up.proxies["edge"]
    assert probe.proxy_listens(up.proxy_api, edge)
    api.disable(edge)
    try:
        assert not probe.proxy_listens(up.proxy_api, edge)
        with pytest.raises(httpx.TransportError):
            shop.get("/v1/skus/HOT/stock")
    finally:
        api.enable(edge)
        api.close()
    assert probe.proxy_listens(up.proxy_api, edge)


@pytest.mark.parametrize("name", ["storefront-1", "postgres-b", "provider", "redis-server"])
def test_pause_stops_every_process_and_resume_undoes_it(up: Topology, name: str) -> None:
    component = up.components[name]
    component.pause()
    try:
        assert probe.is_stopped(component)
    finally:
        component.resume()
    assert probe.is_going(component)


def test_a_paused_provider_does_not_answer(up: Topology) -> None:
    provider = up.components["provider"]
    health = f"{up.provider_direct_url}/healthz"
    provider.pause()
    try:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(health, timeout=0.5, trust_env=False)
    finally:
        provider.resume()
    assert httpx.get(health, timeout=5, trust_env=False).status_code == 200


def test_a_part_that_is_asked_to_end_does_and_can_be_started_again(up: Topology) -> None:
    provider = up.components["provider"]
    provider.end(10.0)
    assert probe.is_ended(provider)
    provider.restart()
    health = f"{up.provider_direct_url}/healthz"
    assert httpx.get(health, timeout=5, trust_env=False).status_code == 200


def test_a_hog_in_a_container_can_be_seen_and_ended(up: Topology) -> None:
    storefront = up.components["storefront-1"]
    storefront.start_hog(cores=2, bound_s=30.0)
    try:
        assert eventually(lambda: len(storefront.hogs()) == 2)
    finally:
        storefront.end_hog()
    assert eventually(lambda: storefront.hogs() == [])
    assert storefront.pids()


def test_a_storefront_reaches_redis_through_its_proxy(up: Topology) -> None:
    """Asked from within a storefront, at the address that it was given."""
    (proxy,) = up.proxies["redis"]
    api = ToxiproxyApi(up.proxy_api)
    delay = {"latency": int(DELAY_S * 1000)}
    api.add_toxic(proxy, name="slow", type="latency", attributes=delay)
    try:
        assert ping_from_storefront_s(up) >= DELAY_S
    finally:
        api.remove_toxic(proxy, "slow")
        api.close()


PING = """
import os, time, redis
began_s = time.monotonic()
redis.Redis.from_url(os.environ["STOREFRONT_REDIS_URL"], socket_timeout=5).ping()
print(time.monotonic() - began_s)
"""


def ping_from_storefront_s(topology: Topology) -> float:
    with engine() as client:
        storefront = client.containers.get(f"doorbuster-{topology.run_id}-storefront-1")
        done = storefront.exec_run(["python", "-c", PING])
    assert done.exit_code == 0, done.output.decode()
    return float(done.output)


def test_a_killed_redis_comes_back_with_its_last_snapshot(up: Topology) -> None:
    assert up.redis_direct_url is not None
    part = up.components["redis-server"]
    with redis.Redis.from_url(up.redis_direct_url, socket_timeout=5) as client:
        client.set("stock", 10)
        client.save()
        client.decrby("stock", 3)
        part.kill()
        assert probe.is_ended(part)
        part.restart()
        assert client.get("stock") == b"10"


def test_a_killed_database_has_its_orders_after_the_restart(
    up: Topology, shop: httpx.Client
) -> None:
    order_id = reserve(shop, "kept")
    primary = up.components["postgres-a"]
    primary.kill()
    assert probe.is_ended(primary)
    primary.restart()
    await_ready(up, up.shop_url)
    assert shop.get(f"/v1/orders/{order_id}").json()["status"] == "pending_payment"


@pytest.fixture
def drill(up: Topology, tmp_path: Path) -> Iterator[Drill]:
    with drill_on(up, tmp_path) as drill:
        yield drill


def status_of(shop: httpx.Client, order_id: str) -> str:
    answer = shop.get(f"/v1/orders/{order_id}")
    return str(answer.json()["status"]) if answer.status_code == 200 else str(answer.status_code)


def test_a_standby_begins_anew_as_a_copy_and_follows(up: Topology, shop: httpx.Client) -> None:
    one, two = up.database
    two.files.follow()
    assert eventually(lambda: ask(one.direct_dsn, SYNCHRONOUS) is True, bound_s=30)
    order_id = reserve(shop, "copied")
    copied = f"SELECT count(*) FROM orders WHERE order_id = '{order_id}'"
    assert eventually(lambda: ask(two.direct_dsn, copied) == 1)


def test_a_failover_and_the_way_back_lose_no_order(
    up: Topology, shop: httpx.Client, drill: Drill
) -> None:
    one, two = up.database
    before = reserve(shop, "before")
    with drill.inflicted("postgres", name="there", failover={"detection": "1s"}):
        pass
    assert find_primary(up.database) is two
    await_ready(up, up.shop_url)
    between = reserve(shop, "between")
    with drill.inflicted("postgres", name="back", failback={}):
        assert status_of(shop, between) == "pending_payment", "copying disturbs nobody"
    assert find_primary(up.database) is one
    assert drill.steps("back") == [
        *("copied", "following", "fenced", "caught up"),
        *("standby freed", "promoted", "first write", "copied", "following"),
    ]
    assert eventually(lambda: ask(one.direct_dsn, SYNCHRONOUS) is True)
    await_ready(up, up.shop_url)
    assert [status_of(shop, order) for order in (before, between)] == ["pending_payment"] * 2
    assert reserve(shop, "after")


def test_what_came_after_the_backup_is_lost_with_both_databases(
    up: Topology, shop: httpx.Client, drill: Drill
) -> None:
    kept = reserve(shop, "backed-up")
    with drill.inflicted("postgres", name="gone", restore={}):
        lost = reserve(shop, "not-backed-up")
    assert drill.steps("gone") == [
        *("backed up", "lost", "restored", "first write", "copied", "following"),
    ]
    await_ready(up, up.shop_url)
    assert [status_of(shop, order) for order in (kept, lost)] == ["pending_payment", "404"]
    assert eventually(lambda: ask(up.database[0].direct_dsn, SYNCHRONOUS) is True)
    assert reserve(shop, "anew")


def test_output_is_in_the_logs_while_the_stack_is_up(up: Topology) -> None:
    assert "ready to accept connections" in up.components["postgres-a"].logs.read_text()
    assert "listening on" in up.components["storefront-2"].logs.read_text()
