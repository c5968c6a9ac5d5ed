"""The API of populate and reset; `tests/conformance` compares with a real Toxiproxy."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.proxy_servers import ProxyServer, running

pytestmark = pytest.mark.integration

NOWHERE = "127.0.0.1:9"
SHOP = {"name": "shop", "upstream": NOWHERE, "listen": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def module_server() -> Iterator[ProxyServer]:
    with running("embedded") as server:
        yield server


@pytest.fixture
def server(module_server: ProxyServer) -> Iterator[ProxyServer]:
    yield module_server
    module_server.clear()


def test_populate_creates_and_keeps_what_is_the_same(server: ProxyServer) -> None:
    first = server.call("POST", "/populate", [SHOP])
    assert first.status == 201
    listen = first.json()["proxies"][0]["listen"]
    server.add("shop", "noop")
    same = {**SHOP, "listen": listen.replace("127.0.0.1", "localhost"), "enabled": False}
    other = {"name": "other", "upstream": NOWHERE, "listen": "127.0.0.1:0", "enabled": False}
    again = server.call("POST", "/populate", [same, other]).json()["proxies"]
    assert [proxy["name"] for proxy in again] == ["shop", "other"]
    assert [proxy["enabled"] for proxy in again] == [True, False]
    assert [len(proxy["toxics"]) for proxy in again] == [1, 0]


def test_populate_replaces_what_differs_and_loses_its_toxics(server: ProxyServer) -> None:
    server.call("POST", "/populate", [SHOP])
    server.add("shop", "noop")
    moved = server.call("POST", "/populate", [{**SHOP, "upstream": "127.0.0.1:10"}]).json()
    assert moved["proxies"][0]["upstream"] == "127.0.0.1:10"
    assert moved["proxies"][0]["toxics"] == []


@pytest.mark.parametrize(
    ("second", "error"),
    [
        ({"name": "", "upstream": NOWHERE}, "missing required field: name at proxy 2"),
        ({"name": "other"}, "missing required field: upstream at proxy 2"),
    ],
)
def test_populate_with_a_bad_entry_creates_none(
    server: ProxyServer, second: dict[str, str], error: str
) -> None:
    reply = server.call("POST", "/populate", [SHOP, second])
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json() == {"error": error, "status": 400, "proxies": None}
    assert server.call("GET", "/proxies").body == "{}"


def test_populate_stops_at_an_address_that_is_taken(server: ProxyServer) -> None:
    taken = {"name": "taken", "upstream": NOWHERE, "listen": f"127.0.0.1:{server.port}"}
    last = {**SHOP, "name": "last"}
    reply = server.call("POST", "/populate", [SHOP, taken, last])
    assert (reply.status, reply.json()["status"]) == (500, 500)
    assert [proxy["name"] for proxy in reply.json()["proxies"]] == ["shop"]
    assert list(server.call("GET", "/proxies").json()) == ["shop"]


@pytest.mark.parametrize(("body", "status"), [([], 201), ({}, 400), ("", 400)])
def test_populate_without_entries(server: ProxyServer, body: Any, status: int) -> None:
    reply = server.call("POST", "/populate", body)
    assert (reply.status, reply.json()["proxies"]) == (status, None)


def test_reset_enables_proxies_and_removes_toxics(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "latency", latency=5)
    server.call("PATCH", "/proxies/shop", {"enabled": False})
    reply = server.call("POST", "/reset", "ignored")
    assert (reply.status, reply.body) == (204, "")
    shown = server.call("GET", "/proxies/shop").json()
    assert (shown["enabled"], shown["toxics"]) == (True, [])
