"""Stopping a replica under load: nobody who got through to it goes without an answer."""

import asyncio
import os
import signal
import socket
import time
from collections import Counter

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from target_app.serving import Drain, DrainingServer, bound_socket
from tests.integration.running_shop import OPS
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.test_target_processes import (
    READY_BOUND_S,
    free_port,
    ready,
    started,
    storefront_environment,
)

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

SALE = {"starts_at": "2020-01-01T00:00:00Z", "items": [{"sku": "HOT", "stock": 9, "price": 100}]}
ASK = b"GET /v1/skus/HOT/stock HTTP/1.1\r\nHost: shop\r\n\r\n"


async def greet(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def until_started(server: uvicorn.Server) -> None:
    while True:
        if server.started:
            return
        await asyncio.sleep(0)


def test_whoever_was_put_through_but_not_accepted_is_served() -> None:
    """The loop gets no turn between the callers and the stop, so that all of them still wait."""

    async def scenario() -> list[bytes]:
        bound = bound_socket("127.0.0.1", 0, shared=True)
        server = DrainingServer(uvicorn.Config(greet, lifespan="off", log_config=None), Drain())
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        await until_started(server)
        callers = [socket.create_connection(bound.getsockname()) for _ in range(20)]
        for caller in callers:
            caller.sendall(ASK)
        await server.shutdown([bound])
        heard = []
        for caller in callers:
            caller.settimeout(5)
            heard.append(caller.recv(65536)[:12])
            caller.close()
        serving.cancel()
        return heard

    assert asyncio.run(scenario()) == [b"HTTP/1.1 204"] * 20


async def ask_until(port: int, stop: asyncio.Event, heard: Counter[str]) -> None:
    while not stop.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        heard[(await reader.readline()).decode().strip() or "hung up"] += 1
        writer.close()


def test_a_stop_under_load_loses_nobody(shop_dsn: str) -> None:
    """Two replicas share the port; twelve callers, each request on a connection of its own."""

    async def under_load(port: int, going: int) -> Counter[str]:
        stop, heard = asyncio.Event(), Counter[str]()
        async with asyncio.TaskGroup() as callers:
            for _ in range(12):
                callers.create_task(ask_until(port, stop, heard))
            await asyncio.sleep(1)
            os.kill(going, signal.SIGTERM)
            await asyncio.sleep(2)
            stop.set()
        return heard

    port = free_port()
    settings = storefront_environment(shop_dsn, free_port())
    with (
        started("storefront", "--port", str(port), **settings, STOREFRONT_REPLICA="one") as one,
        started("storefront", "--port", str(port), **settings, STOREFRONT_REPLICA="two"),
        ready(f"http://127.0.0.1:{port}") as shop,
    ):
        wait_for_both(shop)
        assert shop.put("/ops/sale", json=SALE, headers=OPS).status_code == 200
        heard = asyncio.run(under_load(port, one.pid))
        assert one.wait(READY_BOUND_S) == 0
        assert set(heard) == {"HTTP/1.1 200 OK"}
        assert heard.total() > 100


def wait_for_both(shop: httpx.Client) -> None:
    seen: set[str] = set()
    deadline = time.monotonic() + READY_BOUND_S
    while seen != {"one", "two"}:
        assert time.monotonic() < deadline, seen
        seen.add(shop.get("/healthz").json()["replica"])


def test_a_connection_that_has_not_spoken_yet_may_still_do_so(shop_dsn: str) -> None:
    port = free_port()
    settings = storefront_environment(shop_dsn, free_port())
    with (
        started("storefront", "--port", str(port), **settings) as process,
        ready(f"http://127.0.0.1:{port}") as shop,
    ):
        assert shop.put("/ops/sale", json=SALE, headers=OPS).status_code == 200
        with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
            process.send_signal(signal.SIGTERM)
            wait_until_closed(port)
            caller.sendall(ASK)
            answer = caller.recv(65536).decode().lower()
        assert answer.startswith("http/1.1 200 ok")
        assert "\r\nconnection: close\r\n" in answer
        assert process.wait(READY_BOUND_S) == 0


def wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + READY_BOUND_S
    while True:
        assert time.monotonic() < deadline
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.01)


def test_with_notice_a_replica_serves_on_and_says_that_it_is_leaving(shop_dsn: str) -> None:
    port = free_port()
    settings = storefront_environment(shop_dsn, free_port(), STOREFRONT_DRAIN_NOTICE_S="5")
    with (
        started("storefront", "--port", str(port), **settings) as process,
        ready(f"http://127.0.0.1:{port}") as shop,
    ):
        assert shop.put("/ops/sale", json=SALE, headers=OPS).status_code == 200
        assert shop.get("/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + READY_BOUND_S
        while (said := shop.get("/readyz")).status_code == 200:
            assert time.monotonic() < deadline
        assert said.json() == {"status": "not ready", "failing": {"draining": "stopping"}}
        assert shop.get("/v1/skus/HOT/stock").status_code == 200
        assert process.wait(READY_BOUND_S) == 0
