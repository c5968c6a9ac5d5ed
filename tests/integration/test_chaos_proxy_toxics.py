"""What the toxics do to bytes; `tests/conformance` compares with a real Toxiproxy."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.proxy_servers import (
    Line,
    ProxyServer,
    line,
    receive,
    running,
    silent,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[ProxyServer]:
    with running("embedded") as server:
        yield server


@pytest.fixture
def shop(server: ProxyServer) -> Iterator[Line]:
    with line(server, "shop") as made:
        yield made


def test_latency_delays_chunks_downstream_only(shop: Line) -> None:
    shop.add("latency", latency=300)
    client, server = shop.connect()
    started_s = time.monotonic()
    client.sendall(b"ping")
    receive(server, 4)
    upstream_s = time.monotonic() - started_s
    server.sendall(b"pong")
    receive(client, 4)
    assert time.monotonic() - started_s >= 0.3
    assert upstream_s < 0.3


def test_latency_upstream_and_downstream_add_up(shop: Line) -> None:
    shop.add("latency", stream="upstream", latency=200)
    shop.add("latency", stream="downstream", latency=200)
    shop.add("latency", stream="downstream", latency=100, name="more")
    client, server = shop.connect()
    started_s = time.monotonic()
    client.sendall(b"ping")
    receive(server, 4)
    server.sendall(b"pong")
    receive(client, 4)
    assert time.monotonic() - started_s >= 0.5


def test_latency_counts_from_the_receipt_of_a_chunk(shop: Line) -> None:
    shop.add("latency", latency=500)
    client, server = shop.connect()
    started_s = time.monotonic()
    for part in (b"1", b"2", b"3", b"4"):
        server.sendall(part)
        time.sleep(0.05)
    assert receive(client, 4) == b"1234"
    # One after the other they would have taken 2 s.
    assert time.monotonic() - started_s < 1.5


def test_latency_with_jitter_keeps_the_order(shop: Line) -> None:
    shop.add("latency", latency=20, jitter=20)
    client, server = shop.connect()
    numbers = [b"%04d" % number for number in range(100)]
    for number in numbers:
        server.sendall(number)
        time.sleep(0.001)
    assert receive(client, 400) == b"".join(numbers)


def test_latency_does_not_delay_the_end(shop: Line) -> None:
    shop.add("latency", latency=5000)
    client, server = shop.connect()
    started_s = time.monotonic()
    server.close()
    assert client.recv(1) == b""
    assert time.monotonic() - started_s < 4


def test_latency_delivers_what_was_sent_before_the_end(shop: Line) -> None:
    shop.add("latency", latency=200)
    client, server = shop.connect()
    server.sendall(b"bye")
    server.close()
    assert receive(client, 10) == b"bye"


def test_toxic_acts_on_a_connection_that_is_open(shop: Line) -> None:
    client, server = shop.connect()
    server.sendall(b"before")
    receive(client, 6)
    shop.add("latency", latency=300)
    started_s = time.monotonic()
    server.sendall(b"after")
    assert receive(client, 5) == b"after"
    assert time.monotonic() - started_s >= 0.3


def test_changed_latency_acts_on_a_connection_that_is_open(shop: Line) -> None:
    shop.add("latency", latency=0, name="slow")
    client, server = shop.open()
    shop.patch("slow", latency=300)
    started_s = time.monotonic()
    server.sendall(b"pong")
    receive(client, 4)
    assert time.monotonic() - started_s >= 0.3


def test_removed_latency_lets_go_of_what_it_held(shop: Line) -> None:
    shop.add("latency", latency=60_000, name="slow")
    client, server = shop.connect()
    for part in (b"1", b"2", b"3"):
        server.sendall(part)
        time.sleep(0.02)
    shop.remove("slow")
    assert receive(client, 3) == b"123"
    server.sendall(b"4")
    assert receive(client, 1) == b"4"


def test_toxicity_zero_spares_every_connection(shop: Line) -> None:
    shop.add("latency", latency=60_000, toxicity=0)
    client, server = shop.connect()
    server.sendall(b"pong")
    assert receive(client, 4) == b"pong"


def test_toxicity_is_drawn_once_per_connection(shop: Line) -> None:
    shop.add("latency", latency=150, toxicity=0.5)
    for _ in range(8):
        client, server = shop.connect()
        slow = []
        for _ in range(3):
            started_s = time.monotonic()
            server.sendall(b"pong")
            receive(client, 4)
            slow.append(time.monotonic() - started_s >= 0.15)
        assert len(set(slow)) == 1, slow


def test_timeout_drops_everything_and_stays_open(shop: Line) -> None:
    shop.add("timeout", timeout=0)
    client, server = shop.connect()
    server.sendall(b"lost")
    assert silent(client, 0.4)
    client.sendall(b"ping")
    assert receive(server, 4) == b"ping"


def test_timeout_closes_after_its_time(shop: Line) -> None:
    shop.add("timeout", timeout=300)
    started_s = time.monotonic()
    client, _ = shop.connect()
    assert client.recv(1) == b""
    assert time.monotonic() - started_s >= 0.3


def test_timeout_counts_again_from_every_chunk(shop: Line) -> None:
    shop.add("timeout", timeout=600)
    client, server = shop.connect()
    for _ in range(5):
        server.sendall(b"lost")
        assert silent(client, 0.2)
    assert client.recv(1) == b""


def test_timeout_acts_on_an_idle_open_connection(shop: Line) -> None:
    client, _ = shop.open()
    started_s = time.monotonic()
    shop.add("timeout", timeout=300)
    assert client.recv(1) == b""
    assert time.monotonic() - started_s >= 0.3


@pytest.mark.parametrize("toxicity", [1, 0])
def test_removed_timeout_closes_since_data_was_dropped(shop: Line, toxicity: float) -> None:
    shop.add("timeout", timeout=0, name="hole", toxicity=toxicity)
    client, server = shop.open()
    shop.remove("hole")
    assert client.recv(1) == b""
    assert server.recv(1) == b""


def test_reset_removes_toxics_and_ends_connections_that_lost_data(
    server: ProxyServer, shop: Line
) -> None:
    shop.add("timeout", timeout=0)
    client, _ = shop.open()
    assert server.call("POST", "/reset").status == 204
    assert client.recv(1) == b""
    fresh, behind = shop.connect()
    behind.sendall(b"pong")
    assert receive(fresh, 4) == b"pong"


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_reset_peer_resets_a_new_connection(shop: Line, stream: str) -> None:
    shop.add("reset_peer", stream=stream, timeout=0)
    client, server = shop.connect()
    speak(client, server, stream)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_reset_peer_waits_its_time(shop: Line) -> None:
    shop.add("reset_peer", timeout=300)
    client, server = shop.connect()
    assert silent(client, 0.2)
    started_s = time.monotonic()
    server.sendall(b"lost")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert time.monotonic() - started_s >= 0.3


def test_reset_peer_ends_an_older_connection_without_reset(shop: Line) -> None:
    client, server = shop.open()
    shop.add("reset_peer", timeout=0)
    server.sendall(b"lost")
    assert client.recv(10) == b""


def test_reset_peer_turns_ordinary_ends_of_spared_connections_into_resets(shop: Line) -> None:
    shop.add("reset_peer", toxicity=0)
    client, server = shop.connect()
    server.sendall(b"pong")
    assert receive(client, 4) == b"pong"
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def speak(client: socket.socket, server: socket.socket, stream: str) -> None:
    with suppress(OSError):
        (client if stream == "upstream" else server).sendall(b"lost")
