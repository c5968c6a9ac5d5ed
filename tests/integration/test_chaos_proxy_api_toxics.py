"""The API of toxics; `tests/conformance` compares with a real Toxiproxy."""

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


def test_toxic_has_defaults_and_every_attribute(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    reply = server.call("POST", "/proxies/shop/toxics", {"type": "latency"})
    assert reply.status == 200
    assert reply.body == (
        '{"attributes":{"latency":0,"jitter":0},"name":"latency_downstream",'
        '"type":"latency","stream":"downstream","toxicity":1}'
    )
    shown = server.call("GET", "/proxies/shop/toxics/latency_downstream")
    assert shown.body == reply.body


def test_toxics_are_listed_upstream_first_and_as_spelt(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "timeout", timeout=7, toxicity=7.5)
    server.add("shop", "latency", stream="UPSTREAM", latency=-7)
    server.add("shop", "reset_peer", stream="upstream", name="é<&>", toxicity=0.1)
    assert server.call("GET", "/proxies/shop/toxics").body == (
        '[{"attributes":{"latency":-7,"jitter":0},"name":"latency_UPSTREAM","type":"latency",'
        '"stream":"UPSTREAM","toxicity":1},'
        '{"attributes":{"timeout":0},"name":"é\\u003c\\u0026\\u003e","type":"reset_peer",'
        '"stream":"upstream","toxicity":0.1},'
        '{"attributes":{"timeout":7},"name":"timeout_downstream","type":"timeout",'
        '"stream":"downstream","toxicity":7.5}]'
    )


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "bad request body: EOF"),
        (
            {"type": "latency", "stream": "sideways"},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        (
            {"type": "down", "stream": "sideways"},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        ({"type": "down"}, 400, "invalid toxic type"),
        ({"type": "Latency"}, 400, "invalid toxic type"),
        ({"name": "x"}, 400, "invalid toxic type"),
        ({"type": "noop", "name": "slow", "stream": "upstream"}, 409, "toxic already exists"),
        (
            {"type": "latency", "name": "slow", "attributes": {"latency": "x"}},
            409,
            "toxic already exists",
        ),
    ],
)
def test_refused_toxic_is_not_added(
    server: ProxyServer, body: Any, status: int, error: str
) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "latency", name="slow", latency=5)
    reply = server.call("POST", "/proxies/shop/toxics", body)
    assert (reply.status, reply.json()) == (status, {"error": error, "status": status})
    assert [toxic["name"] for toxic in server.call("GET", "/proxies/shop/toxics").json()] == [
        "slow"
    ]


@pytest.mark.parametrize(
    "members",
    [
        '"attributes":{"latency":1.5}',
        '"attributes":{"latency":1.0}',
        '"attributes":{"latency":1e3}',
        '"attributes":{"latency":"1"}',
        '"attributes":{"latency":true}',
        '"attributes":{"latency":99999999999999999999}',
        '"attributes":[]',
        '"toxicity":"1"',
    ],
)
def test_attribute_of_the_wrong_type_is_refused(server: ProxyServer, members: str) -> None:
    server.call("POST", "/proxies", SHOP)
    body = f'{{"type":"latency",{members}}}'
    reply = server.call("POST", "/proxies/shop/toxics", body)
    assert reply.status == 400
    assert reply.json()["error"].startswith("bad request body: ")
    assert server.call("GET", "/proxies/shop/toxics").body == "[]"


def test_update_of_a_toxic_merges_member_by_member(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "latency", name="slow", latency=5, jitter=1)
    body = {"attributes": {"jitter": 3}, "toxicity": 0.5, "name": "x", "stream": "upstream"}
    reply = server.call("PATCH", "/proxies/shop/toxics/slow", {**body, "type": "noop"})
    assert (reply.status, reply.json()) == (
        200,
        {
            "attributes": {"latency": 5, "jitter": 3},
            "name": "slow",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 0.5,
        },
    )
    again = server.call("POST", "/proxies/shop/toxics/slow", {"attributes": {"latency": 9}})
    assert again.json()["attributes"] == {"latency": 9, "jitter": 3}
    assert again.json()["toxicity"] == 0.5


def test_deleted_toxic_is_gone(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    server.add("shop", "noop")
    reply = server.call("DELETE", "/proxies/shop/toxics/noop_downstream")
    assert (reply.status, reply.body) == (204, "")
    assert server.call("GET", "/proxies/shop/toxics").body == "[]"
