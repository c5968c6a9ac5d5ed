"""What our server knows beyond Toxiproxy: faults that end by themselves or after a few."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.proxy_servers import Line, ProxyServer, line, receive, running, silent
from tests.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[ProxyServer]:
    with running("embedded") as server:
        yield server


@pytest.fixture
def shop(server: ProxyServer) -> Iterator[Line]:
    with line(server, "shop") as made:
        yield made


def toxics(shop: Line) -> list[str]:
    return [toxic["name"] for toxic in shop.server.call("GET", "/proxies/shop/toxics").json()]


def add(shop: Line, **members: object) -> None:
    reply = shop.server.call("POST", "/proxies/shop/toxics", {"type": "latency", **members})
    assert reply.status == 200, reply


def enabled(shop: Line) -> bool:
    return bool(shop.server.call("GET", "/proxies/shop").json()["enabled"])


def test_toxic_with_a_time_to_live_goes_by_itself(shop: Line) -> None:
    client, server = shop.open()
    attributes = {"latency": 60_000}
    started_s = time.monotonic()
    add(shop, name="short", attributes=attributes, ttl_ms=300)
    add(shop, name="stays", attributes={}, stream="upstream")
    server.sendall(b"held")
    assert receive(client, 4) == b"held"
    assert time.monotonic() - started_s >= 0.29
    assert toxics(shop) == ["stays"]


def test_time_to_live_is_shown_and_renewed_by_a_change(shop: Line) -> None:
    add(shop, name="short", ttl_ms=1500)
    assert shop.server.call("GET", "/proxies/shop/toxics/short").json()["ttl_ms"] == 1500
    for _ in range(2):
        time.sleep(0.9)
        shop.patch("short", latency=1)


def test_time_to_live_can_be_taken_away(shop: Line) -> None:
    add(shop, name="short", ttl_ms=600)
    shown = shop.server.call("PATCH", "/proxies/shop/toxics/short", {"ttl_ms": 0}).json()
    assert "ttl_ms" not in shown
    time.sleep(0.8)
    assert toxics(shop) == ["short"]


def test_removed_toxic_does_not_take_its_successor_along(shop: Line) -> None:
    add(shop, name="one", ttl_ms=200)
    shop.remove("one")
    add(shop, name="one")
    time.sleep(0.4)
    assert toxics(shop) == ["one"]


def test_disabled_proxy_heals_by_itself(shop: Line) -> None:
    body = {"enabled": False, "ttl_ms": 300}
    assert shop.server.call("PATCH", "/proxies/shop", body).json()["enabled"] is False
    with pytest.raises(ConnectionRefusedError):
        shop.dial()
    assert eventually(lambda: enabled(shop))
    shop.open()


def test_disabled_for_good_after_it_was_disabled_for_a_time(shop: Line) -> None:
    shop.server.call("PATCH", "/proxies/shop", {"enabled": False, "ttl_ms": 200})
    shop.enable(enabled=False)
    time.sleep(0.4)
    assert not enabled(shop)


def test_proxy_heals_as_soon_as_its_address_is_free(shop: Line) -> None:
    shop.enable(enabled=False)
    with socket.create_server(shop.address):
        shop.server.call("PATCH", "/proxies/shop", {"enabled": False, "ttl_ms": 100})
        time.sleep(0.4)
        assert not enabled(shop)
    assert eventually(lambda: enabled(shop))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"ttl_ms": 100}, "ttl_ms is for a proxy that is disabled"),
        ({"enabled": False, "ttl_ms": -1}, "ttl_ms must be 0 or more, not -1"),
        ({"enabled": False, "ttl_ms": "1"}, "bad request body: ttl_ms must be a 64-bit integer"),
    ],
)
def test_time_to_live_that_makes_no_sense_is_refused(
    shop: Line, body: dict[str, object], error: str
) -> None:
    reply = shop.server.call("PATCH", "/proxies/shop", body)
    assert (reply.status, reply.json()["error"]) == (400, error)
    assert enabled(shop)


def test_toxic_acts_on_the_first_connections_only(shop: Line) -> None:
    before, behind_before = shop.open()
    body = {"type": "timeout", "stream": "upstream", "first_connections": 2}
    shown = shop.server.call("POST", "/proxies/shop/toxics", body).json()
    assert shown["first_connections"] == 2
    heard = []
    for _ in range(4):
        client, server = shop.connect()
        client.sendall(b"ping")
        heard.append(not silent(server, 0.6))
    assert heard == [False, False, True, True]
    before.sendall(b"ping")
    assert receive(behind_before, 4) == b"ping"
    shop.remove("timeout_upstream")
    before.sendall(b"pong")
    assert receive(behind_before, 4) == b"pong"


def test_reset_of_the_first_connection_spares_the_second(shop: Line) -> None:
    body = {"type": "reset_peer", "first_connections": 1}
    shop.server.call("POST", "/proxies/shop/toxics", body)
    client, server = shop.connect()
    server.sendall(b"lost")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client, server = shop.connect()
    server.sendall(b"pong")
    server.close()
    assert receive(client, 5) == b"pong"


def test_lease_that_is_not_renewed_lifts_every_fault(shop: Line) -> None:
    api = shop.server.call
    add(shop, name="slow")
    shop.enable(enabled=False)
    assert api("POST", "/lease", {"ttl_ms": 1500}).json() == {"ttl_ms": 1500}
    time.sleep(0.9)
    api("POST", "/lease", {"ttl_ms": 1500})
    time.sleep(0.9)
    assert 0 < api("GET", "/lease").json()["ttl_ms"] <= 1500
    assert toxics(shop) == ["slow"]
    assert eventually(lambda: enabled(shop))
    assert toxics(shop) == []
    assert api("GET", "/lease").json() == {"error": "lease not found", "status": 404}


def test_lease_that_is_given_back_lifts_nothing(shop: Line) -> None:
    add(shop, name="slow")
    shop.server.call("POST", "/lease", {"ttl_ms": 200})
    assert shop.server.call("DELETE", "/lease").status == 204
    assert shop.server.call("DELETE", "/lease").status == 404
    time.sleep(0.4)
    assert toxics(shop) == ["slow"]


@pytest.mark.parametrize("body", [{}, {"ttl_ms": 0}, {"ttl_ms": -5}, ""])
def test_lease_needs_a_time(server: ProxyServer, body: object) -> None:
    assert server.call("POST", "/lease", body).status == 400
    assert server.call("GET", "/lease").status == 404


def spared(server: ProxyServer) -> list[bool]:
    """Which of 24 connections a toxic with toxicity 0.5 spares."""
    with line(server, "shop") as shop:
        shop.add("limit_data", bytes=0, toxicity=0.5)
        drawn = []
        for _ in range(24):
            client, behind = shop.connect()
            behind.sendall(b"x")
            drawn.append(client.recv(1) == b"x")
        return drawn


def test_same_seed_draws_the_same() -> None:
    draws = []
    for seed in ("7", "7", "8"):
        with running("embedded", "-seed", seed) as server:
            draws.append(spared(server))
    assert draws[0] == draws[1] != draws[2]
    assert len(set(draws[0])) == 2
