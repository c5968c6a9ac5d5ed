"""The API to the byte; `tests/conformance` compares with a real Toxiproxy."""

import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.proxy_servers import ProxyServer, running

pytestmark = pytest.mark.integration

NOWHERE = "127.0.0.1:9"
SHOP = {"name": "shop", "upstream": NOWHERE, "listen": "127.0.0.1:0"}
PLAIN = "text/plain; charset=utf-8"


@pytest.fixture(scope="module")
def module_server() -> Iterator[ProxyServer]:
    with running("embedded") as server:
        yield server


@pytest.fixture
def server(module_server: ProxyServer) -> Iterator[ProxyServer]:
    yield module_server
    module_server.clear()


def described(proxy: dict[str, Any]) -> dict[str, Any]:
    """Return a proxy without the member that Toxiproxy shows by accident."""
    return {key: value for key, value in proxy.items() if key != "Logger"}


def test_version_is_json_with_its_own_content_type(server: ProxyServer) -> None:
    reply = server.call("GET", "/version")
    assert reply.headers["Content-Type"] == "application/json;charset=utf-8"
    assert reply.body.startswith('{"version": "')
    assert reply.body.endswith('"}\n')


def test_connection_is_kept_for_request_after_request(server: ProxyServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with closing(connection):
        for _ in range(300):
            connection.request("POST", "/reset", b"{}")
            assert connection.getresponse().read() == b""


def test_requests_sent_at_once_are_answered_in_order(server: ProxyServer) -> None:
    paths = [b"/version", b"/nope", b"/proxies"]
    requests = [b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths]
    last = b"GET /proxies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"".join([*requests, last]))
        answers = client.makefile("rb").read()
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answers)
    assert statuses == [b"200", b"404", b"200", b"200"]


def test_nonsense_instead_of_http_is_refused(server: ProxyServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_created_proxy_is_shown_with_its_bound_address(server: ProxyServer) -> None:
    reply = server.call("POST", "/proxies", SHOP)
    assert reply.status == 201
    assert reply.headers["Content-Type"] == "application/json"
    assert not reply.body.endswith("\n")
    shown = described(reply.json())
    assert list(shown) == ["name", "listen", "upstream", "enabled", "toxics"]
    host, _, port = shown.pop("listen").rpartition(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)
    assert shown == {"name": "shop", "upstream": NOWHERE, "enabled": True, "toxics": []}
    assert server.call("GET", "/proxies/shop").json() == reply.json()
    assert server.call("GET", "/proxies").json() == {"shop": reply.json()}


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        (None, "[::]"),
        ("", "[::]"),
        ("0.0.0.0:0", "[::]"),
        (":0", "[::]"),
        ("localhost:0", "127.0.0.1"),
        ("127.0.0.1:", "127.0.0.1"),
    ],
)
def test_listen_is_resolved(server: ProxyServer, listen: str | None, host: str) -> None:
    body = {"name": "shop", "upstream": NOWHERE, "listen": listen}
    shown = server.call("POST", "/proxies", body).json()
    assert shown["listen"].rpartition(":")[0] == host
    port = int(shown["listen"].rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_proxy_created_disabled_binds_nothing_until_enabled(server: ProxyServer) -> None:
    shown = server.call("POST", "/proxies", {**SHOP, "enabled": False}).json()
    assert (shown["listen"], shown["enabled"]) == ("127.0.0.1:0", False)
    shown = server.call("PATCH", "/proxies/shop", {"enabled": True}).json()
    assert (shown["listen"] != "127.0.0.1:0", shown["enabled"]) == (True, True)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"upstream": NOWHERE}, 400, "missing required field: name"),
        ({"name": "", "upstream": NOWHERE}, 400, "missing required field: name"),
        ({"name": "other"}, 400, "missing required field: upstream"),
        ("null", 400, "missing required field: name"),
        ("", 400, "bad request body: EOF"),
        ('{"name":', 400, "bad request body: unexpected EOF"),
        (SHOP, 409, "proxy already exists"),
        ({**SHOP, "listen": "nonsense"}, 409, "proxy already exists"),
        (
            {**SHOP, "name": "other", "listen": "nonsense"},
            500,
            "listen tcp: address nonsense: missing port in address",
        ),
        (
            {**SHOP, "name": "other", "listen": "127.0.0.1:99999"},
            500,
            "listen tcp: address 99999: invalid port",
        ),
        (
            {**SHOP, "name": "other", "listen": "192.0.2.1:0"},
            500,
            "listen tcp 192.0.2.1:0: bind: cannot assign requested address",
        ),
    ],
)
def test_refused_proxy_is_not_added(
    server: ProxyServer, body: Any, status: int, error: str
) -> None:
    server.call("POST", "/proxies", SHOP)
    reply = server.call("POST", "/proxies", body)
    assert (reply.status, reply.json()) == (status, {"error": error, "status": status})
    assert reply.headers["Content-Type"] == PLAIN
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.body.endswith("}\n")
    assert list(server.call("GET", "/proxies").json()) == ["shop"]


def test_port_in_use_is_refused_with_the_reason(server: ProxyServer) -> None:
    taken = f"127.0.0.1:{server.port}"
    reply = server.call("POST", "/proxies", {**SHOP, "listen": taken})
    assert reply.json() == {
        "error": f"listen tcp {taken}: bind: address already in use",
        "status": 500,
    }


@pytest.mark.parametrize("body", ['{"name":5}', "[]", "nope", '{"name":"x","enabled":"x"}'])
def test_body_of_the_wrong_type_is_refused(server: ProxyServer, body: str) -> None:
    reply = server.call("POST", "/proxies", body)
    assert reply.status == 400
    assert reply.json()["error"].startswith("bad request body: ")


def test_body_is_read_as_go_does(server: ProxyServer) -> None:
    """Names in any case, unknown ones ignored, null leaves the default, the first value counts."""
    body = '{"NAME":"shop","Upstream":"x","bogus":[1],"enabled":null,"listen":"127.0.0.1:0"} and'
    reply = server.call("POST", "/proxies", body)
    assert (reply.status, reply.json()["name"], reply.json()["enabled"]) == (201, "shop", True)


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nope", 404, "404 page not found\n"),
        ("GET", "/proxies/", 404, "404 page not found\n"),
        ("GET", "/proxies/a%2Fb", 404, "404 page not found\n"),
        ("GET", "/metrics", 404, "404 page not found\n"),
        ("PUT", "/proxies", 405, ""),
        ("HEAD", "/proxies", 405, ""),
        ("PUT", "/proxies/none", 405, ""),
        ("GET", "/reset", 405, ""),
    ],
)
def test_router_answers_without_request_id(
    server: ProxyServer, method: str, path: str, status: int, body: str
) -> None:
    reply = server.call(method, path, agent="Mozilla/5.0")
    assert (reply.status, reply.body) == (status, body)
    assert "X-Toxiproxy-Request-Id" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path", "thing"),
    [
        ("GET", "/proxies/none", "proxy"),
        ("PATCH", "/proxies/none", "proxy"),
        ("DELETE", "/proxies/none", "proxy"),
        ("GET", "/proxies/none/toxics", "proxy"),
        ("POST", "/proxies/none/toxics", "proxy"),
        ("DELETE", "/proxies/none/toxics/none", "proxy"),
        ("GET", "/proxies/shop/toxics/none", "toxic"),
        ("PATCH", "/proxies/shop/toxics/none", "toxic"),
        ("DELETE", "/proxies/shop/toxics/none", "toxic"),
    ],
)
def test_absent_thing_is_not_found(server: ProxyServer, method: str, path: str, thing: str) -> None:
    server.call("POST", "/proxies", SHOP)
    reply = server.call(method, path)
    assert (reply.status, reply.json()["error"]) == (404, f"{thing} not found")
    assert len(reply.headers["X-Toxiproxy-Request-Id"]) == 20


def test_browser_is_not_allowed(server: ProxyServer) -> None:
    reply = server.call("POST", "/reset", agent="Mozilla/5.0 (X11)")
    assert (reply.status, reply.body) == (403, "User agent not allowed\n")
    assert reply.headers["Content-Type"] == PLAIN
    assert server.call("POST", "/reset", agent="mozilla/5.0").status == 204


def test_update_keeps_what_is_not_given(server: ProxyServer) -> None:
    before = server.call("POST", "/proxies", SHOP).json()
    reply = server.call("PATCH", "/proxies/shop", {"upstream": "127.0.0.1:10", "name": "other"})
    assert (reply.status, reply.json()) == (200, {**before, "upstream": "127.0.0.1:10"})


def test_update_with_post_is_still_understood(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    assert server.call("POST", "/proxies/shop", {"enabled": False}).json()["enabled"] is False


def test_update_to_a_taken_address_leaves_it_disabled_there(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    taken = f"127.0.0.1:{server.port}"
    assert server.call("PATCH", "/proxies/shop", {"listen": taken}).status == 500
    shown = server.call("GET", "/proxies/shop").json()
    assert (shown["listen"], shown["enabled"]) == (taken, False)
    body = {"listen": "127.0.0.1:0", "enabled": True}
    assert server.call("PATCH", "/proxies/shop", body).json()["enabled"] is True


def test_update_to_nonsense_changes_nothing(server: ProxyServer) -> None:
    before = server.call("POST", "/proxies", SHOP).json()
    reply = server.call("PATCH", "/proxies/shop", {"listen": "nope"})
    assert (reply.status, reply.json()["error"]) == (500, "address nope: missing port in address")
    assert server.call("GET", "/proxies/shop").json() == before


def test_deleted_proxy_is_gone(server: ProxyServer) -> None:
    server.call("POST", "/proxies", SHOP)
    reply = server.call("DELETE", "/proxies/shop")
    assert (reply.status, reply.body) == (204, "")
    assert "Content-Length" not in reply.headers
    assert server.call("GET", "/proxies").body == "{}"
