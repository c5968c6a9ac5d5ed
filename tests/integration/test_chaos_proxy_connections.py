"""What becomes of connections and their bytes, on our server and on a real Toxiproxy alike."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxy_servers import (
    Line,
    ProxyServer,
    both_servers,
    line,
    receive,
    running,
)

pytestmark = [pytest.mark.integration, both_servers]


@pytest.fixture(scope="module")
def server(kind: str) -> Iterator[ProxyServer]:
    with running(kind) as server:
        yield server


@pytest.fixture
def shop(server: ProxyServer) -> Iterator[Line]:
    with line(server, "shop") as made:
        yield made


def test_bytes_pass_unchanged_both_ways(shop: Line) -> None:
    client, server = shop.connect()
    client.sendall(b"ping")
    assert receive(server, 4) == b"ping"
    server.sendall(b"pong")
    assert receive(client, 4) == b"pong"


def test_server_may_speak_first(shop: Line) -> None:
    for _ in range(20):
        client, server = shop.connect()
        server.sendall(b"220 hello")
        assert receive(client, 9) == b"220 hello"


def test_reader_that_lags_gets_every_byte(shop: Line) -> None:
    client, server = shop.connect()
    sent = bytes(range(256)) * (64 * 1024)
    sender = threading.Thread(target=server.sendall, args=(sent,))
    server.settimeout(30)
    sender.start()
    time.sleep(0.3)
    assert receive(client, len(sent)) == sent
    sender.join()


def test_sender_is_held_up_by_a_reader_that_lags(shop: Line) -> None:
    _, server = shop.open()
    server.settimeout(2)
    with pytest.raises(TimeoutError):
        server.sendall(bytes(64 * 1024 * 1024))


def test_disabled_proxy_closes_and_refuses_until_enabled(shop: Line) -> None:
    client, server = shop.open()
    shop.enable(enabled=False)
    assert client.recv(1) == b""
    assert server.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        shop.dial()
    shop.enable(enabled=True)
    again, behind = shop.connect()
    behind.sendall(b"pong")
    assert receive(again, 4) == b"pong"


def test_dead_upstream_ends_the_connection_after_connecting(server: ProxyServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"127.0.0.1:{gone.getsockname()[1]}"
    address = server.create("dead", dead)
    with socket.create_connection(address, timeout=10) as client:
        assert client.recv(1) == b""
    server.clear()


def test_end_closes_the_whole_connection(shop: Line) -> None:
    client, server = shop.connect()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    assert client.recv(1) == b""


def test_end_of_the_client_loses_nothing_that_is_on_its_way_to_it(shop: Line) -> None:
    shop.add("latency", latency=300)
    client, server = shop.open()
    server.sendall(b"reply")
    time.sleep(0.1)
    client.shutdown(socket.SHUT_WR)
    assert receive(client, 10) == b"reply"


def test_moved_proxy_closes_connections_and_keeps_toxics(shop: Line) -> None:
    shop.add("latency", latency=300)
    client, _ = shop.open()
    moved = shop.server.call("PATCH", "/proxies/shop", {"listen": "127.0.0.1:0"}).json()
    assert client.recv(1) == b""
    shop.address = ("127.0.0.1", int(moved["listen"].rpartition(":")[2]))
    fresh, server = shop.connect()
    started_s = time.monotonic()
    server.sendall(b"pong")
    receive(fresh, 4)
    assert time.monotonic() - started_s >= 0.3


def test_toxic_is_removed_while_connections_are_busy(shop: Line) -> None:
    shop.add("latency", latency=10, jitter=5, name="slow")
    pairs = [shop.connect() for _ in range(20)]
    stopped = threading.Event()
    talkers = [threading.Thread(target=talk, args=(*pair, stopped)) for pair in pairs]
    for talker in talkers:
        talker.start()
    time.sleep(0.5)
    shop.remove("slow")
    stopped.set()
    for talker in talkers:
        talker.join(timeout=10)
    assert not any(talker.is_alive() for talker in talkers)


def talk(client: socket.socket, server: socket.socket, stopped: threading.Event) -> None:
    while not stopped.is_set():
        server.sendall(b"x" * 10_000)
        assert len(receive(client, 10_000)) == 10_000
