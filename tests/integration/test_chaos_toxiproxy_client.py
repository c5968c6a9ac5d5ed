"""Our client against both servers, and against what only looks like one."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from chaos.probe import proxy_listens
from chaos.toxiproxy import NotFound, ToxiproxyApi, ToxiproxyError
from doorbuster.errors import DoorbusterError
from tests.proxy_servers import ProxyServer, both_servers, running
from tests.scripted_server import keep_answering
from tests.scripted_server import server as scripted

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def module_server(kind: str) -> Iterator[ProxyServer]:
    with running(kind) as server:
        yield server


@pytest.fixture
def server(module_server: ProxyServer) -> Iterator[ProxyServer]:
    yield module_server
    module_server.clear()


@pytest.fixture
def api(server: ProxyServer) -> Iterator[ToxiproxyApi]:
    with closing(ToxiproxyApi(server.url)) as api:
        yield api


@contextmanager
def answering(raw: bytes | None) -> Iterator[str]:
    """The URL of a listener that answers one request with `raw`, or never when that is None."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        done = threading.Event()

        def answer() -> None:
            with closing(listener.accept()[0]) as connection:
                connection.recv(65536)
                if raw is None:
                    done.wait(10)
                else:
                    connection.sendall(raw)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def refusal(words: str) -> bytes:
    lines = ["HTTP/1.1 " + words.partition("|")[0], "Connection: close", "", words]
    return "\r\n".join(lines).encode()


@both_servers
def test_proxy_is_created_listed_switched_and_deleted(
    api: ToxiproxyApi, server: ProxyServer
) -> None:
    listen = api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    assert listen == server.call("GET", "/proxies/shop").json()["listen"]
    assert api.names() == ["shop"]
    api.disable("shop")
    assert server.call("GET", "/proxies/shop").json()["enabled"] is False
    api.enable("shop")
    assert server.call("GET", "/proxies/shop").json()["enabled"] is True
    api.delete("shop")
    assert api.names() == []


@both_servers
def test_toxic_is_added_as_asked_and_removed(api: ToxiproxyApi) -> None:
    api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    api.add_toxic("shop", name="slow", type="latency", attributes={"latency": 5, "jitter": 2})
    api.add_toxic(
        "shop", name="hole", type="timeout", attributes={}, stream="upstream", toxicity=0.5
    )
    assert api.toxics("shop") == [
        {
            "attributes": {"timeout": 0},
            "name": "hole",
            "type": "timeout",
            "stream": "upstream",
            "toxicity": 0.5,
        },
        {
            "attributes": {"latency": 5, "jitter": 2},
            "name": "slow",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 1,
        },
    ]
    api.remove_toxic("shop", "hole")
    assert [toxic["name"] for toxic in api.toxics("shop")] == ["slow"]


@both_servers
def test_undoing_twice_is_fine(api: ToxiproxyApi) -> None:
    api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    api.remove_toxic("shop", "never there")
    api.delete("shop")
    api.remove_toxic("shop", "gone with its proxy")
    api.delete("shop")


@both_servers
def test_names_are_quoted(api: ToxiproxyApi) -> None:
    api.create("the shop?", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    api.add_toxic("the shop?", name="50% slow", type="latency", attributes={"latency": 1})
    api.disable("the shop?")
    api.remove_toxic("the shop?", "50% slow")
    assert api.toxics("the shop?") == []
    api.delete("the shop?")
    assert api.names() == []


@both_servers
def test_toxic_that_cannot_be_addressed_is_not_taken_for_gone(api: ToxiproxyApi) -> None:
    api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    api.add_toxic("shop", name="a/b", type="noop", attributes={})
    with pytest.raises(ToxiproxyError, match="404 page not found"):
        api.remove_toxic("shop", "a/b")


@both_servers
def test_refusal_is_raised_with_call_status_and_words(
    api: ToxiproxyApi, server: ProxyServer
) -> None:
    taken = f"127.0.0.1:{server.port}"
    with pytest.raises(ToxiproxyError) as refused:
        api.create("shop", listen=taken, upstream="127.0.0.1:9")
    assert refused.value.status == 500
    assert str(refused.value) == (
        f"POST {server.url}/proxies: 500 "
        f'{{"error":"listen tcp {taken}: bind: address already in use","status":500}}'
    )


@both_servers
def test_proxy_is_moved_and_keeps_its_toxics(api: ToxiproxyApi, server: ProxyServer) -> None:
    api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    api.add_toxic("shop", name="slow", type="latency", attributes={"latency": 5})
    api.update("shop", upstream="127.0.0.1:10", listen="localhost:0")
    shown = server.call("GET", "/proxies/shop").json()
    assert (shown["upstream"], len(shown["toxics"])) == ("127.0.0.1:10", 1)


@both_servers
def test_toxic_is_changed_member_by_member(api: ToxiproxyApi) -> None:
    api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")
    attributes = {"latency": 5, "jitter": 2}
    api.add_toxic("shop", name="slow", type="latency", attributes=attributes, toxicity=1 / 3)
    api.update_toxic("shop", "slow", attributes={"latency": 9})
    api.update_toxic("shop", "slow", attributes={}, toxicity=0.7)
    (shown,) = api.toxics("shop")
    assert (shown["attributes"], shown["toxicity"]) == ({"latency": 9, "jitter": 2}, 0.7)
    with pytest.raises(NotFound, match="toxic not found"):
        api.update_toxic("shop", "none", attributes={})


@both_servers
def test_proxies_of_others_are_looked_at_and_not_touched(server: ProxyServer) -> None:
    server.create("theirs", "127.0.0.1:9")
    server.add("theirs", "noop")
    before = server.call("GET", "/proxies").body
    with closing(ToxiproxyApi(server.url, owner="doorbuster-7-")) as api:
        assert api.names() == ["theirs"]
        assert len(api.toxics("theirs")) == 1
        for change in (
            lambda: api.create("theirs", listen="127.0.0.1:0", upstream="127.0.0.1:9"),
            lambda: api.delete("theirs"),
            lambda: api.disable("theirs"),
            lambda: api.enable("theirs"),
            lambda: api.update("theirs", upstream="127.0.0.1:10"),
            lambda: api.add_toxic("theirs", name="x", type="noop", attributes={}),
            lambda: api.update_toxic("theirs", "noop_downstream", attributes={}),
            lambda: api.remove_toxic("theirs", "noop_downstream"),
        ):
            with pytest.raises(ToxiproxyError, match="'theirs' is not ours to change"):
                change()
        api.create("doorbuster-7-edge", listen="127.0.0.1:0", upstream="127.0.0.1:9")
        api.delete("doorbuster-7-edge")
    assert server.call("GET", "/proxies").body == before


@both_servers
@pytest.mark.parametrize("call", ["enable", "disable", "toxics"])
def test_acting_on_an_absent_proxy_is_an_error(api: ToxiproxyApi, call: str) -> None:
    with pytest.raises(NotFound, match="proxy not found"):
        getattr(api, call)("none")


@both_servers
def test_environment_proxies_are_not_obeyed(
    server: ProxyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with closing(ToxiproxyApi(server.url)) as api:
        assert api.names() == []


@both_servers
def test_instances_keep_their_own_host_in_threads(server: ProxyServer) -> None:
    """The library keeps one host for the whole process."""
    seen: list[list[str]] = []
    with running("embedded") as second, closing(ToxiproxyApi(second.url)) as other:
        other.create("other", listen="127.0.0.1:0", upstream="127.0.0.1:9")
        with closing(ToxiproxyApi(server.url)) as api:
            api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:9")

            def ask(one: ToxiproxyApi) -> None:
                seen.extend(one.names() for _ in range(30))

            threads = [threading.Thread(target=ask, args=(one,)) for one in (api, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert sorted(seen) == [["other"]] * 30 + [["shop"]] * 30


@pytest.mark.parametrize(
    "words",
    [
        "503 Service Unavailable|<html><head><title>Timeout</title>",
        "403 Forbidden|User agent not allowed",
        "302 Found|elsewhere",
        "404 Not Found|404 page not found",
    ],
)
def test_anything_but_success_is_raised(words: str) -> None:
    status, _, _body = words.partition(" ")
    with answering(refusal(words)) as url, closing(ToxiproxyApi(url)) as api:
        with pytest.raises(DoorbusterError) as raised:
            api.delete("shop")
        assert isinstance(raised.value, ToxiproxyError)
        assert raised.value.status == int(status)
        assert words in str(raised.value)


@pytest.mark.parametrize("body", ["<html>hello</html>", '["a", 2]', '{"hello": 1}', ""])
@pytest.mark.parametrize("call", ["create", "toxics", "recreate", "enable", "version", "listens"])
def test_what_is_no_toxiproxy_is_said_to_be_none(body: str, call: str) -> None:
    success = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    answer = scripted(keep_answering(success.encode(), times=1))
    with answer as url, closing(ToxiproxyApi(url)) as api:
        calls: dict[str, Callable[[], object]] = {
            "create": lambda: api.create("shop", listen="127.0.0.1:0", upstream="127.0.0.1:1"),
            "toxics": lambda: api.toxics("shop"),
            "recreate": lambda: api.recreate("shop"),
            "enable": lambda: api.enable("shop"),
            "version": api.version,
            "listens": lambda: proxy_listens(url, "shop"),
        }
        with pytest.raises(DoorbusterError, match=r"no Toxiproxy answers|enabled was set"):
            calls[call]()


def test_server_that_never_answers_is_given_up() -> None:
    started_s = time.monotonic()
    with answering(None) as url, closing(ToxiproxyApi(url, timeout_s=0.3)) as api:
        with pytest.raises(ToxiproxyError, match="timed out") as raised:
            api.names()
        assert raised.value.status is None
        assert time.monotonic() - started_s < 5


def test_server_that_is_not_there_is_an_error() -> None:
    refused = pytest.raises(ToxiproxyError, match="Connection refused")
    with closing(ToxiproxyApi("http://127.0.0.1:1")) as api, refused:
        api.version()
