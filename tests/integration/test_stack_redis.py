"""Redis as a part of the embedded stack: proxied, killed, paused, restarted, gone at the end."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from chaos import probe
from chaos.toxiproxy import ToxiproxyApi
from doorbuster import leftovers
from doorbuster.components import Topology
from doorbuster.errors import MissingPrerequisite, TargetNotReady
from doorbuster.stack.component import LocalComponent
from doorbuster.stack.embedded import embedded
from doorbuster.stack.order import StackOrder
from doorbuster.stack.place import temporary_place
from doorbuster.stack.ports import LOOPBACK, free_ports
from doorbuster.stack.redis import REDIS, objection, redis_url, server
from tests.integration.test_stack_embedded import OWN_PROXY
from tests.waiting import eventually

pytestmark = pytest.mark.integration

DELAY_S = 0.4
PASSWORD = "sesame"


def order_for(logs: Path) -> StackOrder:
    return StackOrder(f"test{uuid.uuid4().hex[:8]}", logs, ToxiproxyApi, redis=True)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    order = order_for(tmp_path_factory.mktemp("logs"))
    with embedded(order, OWN_PROXY) as topology:
        yield topology
    leftovers.require_nothing_left(order.run_id)


def storefront_url(topology: Topology) -> str:
    """Return where the storefront was told that Redis is."""
    (pid, *_) = topology.components["storefront-1"].pids()
    return psutil.Process(pid).environ()["STOREFRONT_REDIS_URL"]


def ping_s(url: str) -> float:
    began_s = time.monotonic()
    assert objection(url) == ""
    return time.monotonic() - began_s


def test_the_storefront_reaches_redis_through_the_proxy(up: Topology) -> None:
    """A toxic on `redis` is felt on the address that the shop has, and on no other."""
    (proxy,) = up.proxies["redis"]
    assert up.redis_direct_url is not None
    assert storefront_url(up) != up.redis_direct_url
    api = ToxiproxyApi(up.proxy_api)
    api.add_toxic(proxy, name="slow", type="latency", attributes={"latency": int(DELAY_S * 1000)})
    try:
        assert ping_s(storefront_url(up)) >= DELAY_S
        assert ping_s(up.redis_direct_url) < DELAY_S
        api.disable(proxy)
        assert "ConnectionError" in objection(storefront_url(up))
    finally:
        api.enable(proxy)
        api.remove_toxic(proxy, "slow")
        api.close()
    assert objection(storefront_url(up)) == ""


def test_nobody_gets_in_without_the_password(up: Topology) -> None:
    stranger = redis_url(port=int(up.components[REDIS].address.split(":")[1]), password="guess")
    assert "AuthenticationError" in objection(stranger)


def test_it_listens_on_loopback_only(up: Topology) -> None:
    sockets = psutil.Process(up.components[REDIS].pids()[0]).net_connections("inet")
    assert {socket.laddr.ip for socket in sockets} == {LOOPBACK}


def test_a_killed_one_is_down_and_comes_back_empty_on_the_same_address(up: Topology) -> None:
    part, url = up.components[REDIS], storefront_url(up)
    with client_of(url) as client:
        client.set("before", "1")
    part.kill()
    assert probe.is_ended(part)
    assert "ConnectionError" in objection(url)
    part.restart()
    with client_of(url) as client:
        assert client.get("before") is None


def test_a_paused_one_does_not_answer_and_forgets_nothing(up: Topology) -> None:
    part, url = up.components[REDIS], storefront_url(up)
    with client_of(url) as client:
        client.set("kept", "1")
    part.pause()
    try:
        assert probe.is_stopped(part)
        assert "TimeoutError" in objection(url)
    finally:
        part.resume()
    with client_of(url) as client:
        assert client.get("kept") == b"1"


def client_of(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)


@pytest.fixture
def alone(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LocalComponent]:
    """Yield a server without the rest of the stack; the parameter is how often it saves itself."""
    run_id = f"test{uuid.uuid4().hex[:8]}"
    (port,) = free_ports(1)
    with temporary_place(run_id, logs=tmp_path) as place:
        part = server(place, port=port, password=PASSWORD, snapshot_s=request.param)
        part.start()
        part.wait_ready()
        yield part
        part.kill()
    leftovers.require_nothing_left(run_id)


def direct(part: LocalComponent) -> Any:
    return client_of(redis_url(port=int(part.address.split(":")[1]), password=PASSWORD))


@pytest.mark.parametrize("alone", [None], indirect=True)
def test_it_comes_back_as_it_was_when_a_snapshot_was_asked_for(alone: LocalComponent) -> None:
    with direct(alone) as client:
        client.set("stock", 10)
        client.bgsave()
        assert eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == 0)
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"
        client.decrby("stock", 3)
    alone.kill()
    alone.restart()
    with direct(alone) as client:
        assert client.get("stock") == b"10"


@pytest.mark.parametrize("alone", [1], indirect=True)
def test_it_saves_itself_as_often_as_it_was_told(alone: LocalComponent) -> None:
    with direct(alone) as client:
        client.set("stock", 10)
        assert eventually(lambda: client.info("persistence")["rdb_changes_since_last_save"] == 0)
        assert eventually(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == 0)
    alone.kill()
    alone.restart()
    with direct(alone) as client:
        assert client.get("stock") == b"10"


def test_nothing_is_left_of_a_paused_one(tmp_path: Path) -> None:
    run_id = f"test{uuid.uuid4().hex[:8]}"
    with temporary_place(run_id, logs=tmp_path) as place:
        part = server(place, port=free_ports(1)[0], password=PASSWORD, snapshot_s=None)
        part.start()
        part.wait_ready()
        part.pause()
        assert leftovers.stack_processes_of(run_id)
    assert not part.is_up()
    leftovers.require_nothing_left(run_id)


def test_a_program_of_ones_own_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "my-redis"
    mine.write_text("#!/bin/sh\necho nothing on the shelf\nexit 3\n")
    mine.chmod(0o755)
    monkeypatch.setenv("DOORBUSTER_REDIS_SERVER", str(mine))
    run_id = f"test{uuid.uuid4().hex[:8]}"
    with temporary_place(run_id, logs=tmp_path / "logs") as place:
        part = server(place, port=free_ports(1)[0], password=PASSWORD, snapshot_s=None)
        part.start()
        with pytest.raises(TargetNotReady, match=r"(?s)redis-server ended.*nothing on the shelf"):
            part.wait_ready()
    leftovers.require_nothing_left(run_id)


def test_a_program_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOORBUSTER_REDIS_SERVER", str(tmp_path))
    with (
        temporary_place(f"test{uuid.uuid4().hex[:8]}", logs=tmp_path) as place,
        pytest.raises(MissingPrerequisite, match="is no program: set DOORBUSTER_REDIS_SERVER"),
    ):
        server(place, port=1, password=PASSWORD, snapshot_s=None)
