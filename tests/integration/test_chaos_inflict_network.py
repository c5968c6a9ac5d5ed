"""Each fault of the network, inflicted on a real proxy: felt while it lasts, gone afterwards."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chaos.hands import Hands
from chaos.inflict import inflict
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.journal import Journal
from tests.chaos_fakes import RUN, fault, topology
from tests.proxy_servers import Line, ProxyServer, both_servers, line, receive, running, silent

pytestmark = [pytest.mark.integration, both_servers]


@pytest.fixture(scope="module")
def server(kind: str) -> Iterator[ProxyServer]:
    with running(kind) as server:
        yield server


@pytest.fixture
def edge(server: ProxyServer) -> Iterator[Line]:
    with line(server, f"doorbuster-{RUN}-edge") as made:
        yield made


@pytest.fixture
def hands(server: ProxyServer, tmp_path: Path) -> Iterator[Hands]:
    journal_path = tmp_path / "journal.ndjson"
    with closing(ToxiproxyApi(server.url)) as api, Journal(journal_path) as journal:
        yield Hands(topology(proxy_api=server.url), api, journal, seed=7)


def round_trip_s(edge: Line, ends: tuple[socket.socket, socket.socket]) -> float:
    client, upstream = ends
    begun_s = time.monotonic()
    client.sendall(b"ping")
    assert receive(upstream, 4) == b"ping"
    upstream.sendall(b"pong")
    assert receive(client, 4) == b"pong"
    return time.monotonic() - begun_s


def fastest_of_five_s(edge: Line, ends: tuple[socket.socket, socket.socket]) -> float:
    """One of them is fast on a busy machine too, unless something delays every one."""
    return min(round_trip_s(edge, ends) for _ in range(5))


def test_latency_delays_open_and_new_connections(edge: Line, hands: Hands) -> None:
    ends = edge.connect()
    with inflict(fault("edge", latency={"delay": "300ms"}), hands):
        assert round_trip_s(edge, ends) >= 0.3
        assert round_trip_s(edge, edge.connect()) >= 0.3
    assert fastest_of_five_s(edge, ends) < 0.3


def test_timeout_loses_the_answer_and_not_the_request(edge: Line, hands: Hands) -> None:
    """The request takes effect: that is what makes the outcome unknown."""
    client, upstream = edge.connect()
    with inflict(fault("edge", timeout={}), hands):
        client.sendall(b"pay!")
        assert receive(upstream, 4) == b"pay!"
        upstream.sendall(b"paid")
        assert silent(client, 0.3)
    assert client.recv(4) == b""
    assert round_trip_s(edge, edge.connect()) < 5


def test_timeout_closes_after_its_time(edge: Line, hands: Hands) -> None:
    with inflict(fault("edge", timeout={"after": "200ms"}), hands):
        client, _ = edge.connect()
        assert client.recv(4) == b""


def test_reset_peer_resets_when_the_answer_comes(edge: Line, hands: Hands) -> None:
    with inflict(fault("edge", reset_peer={}), hands):
        client, upstream = edge.connect()
        client.sendall(b"pay!")
        assert receive(upstream, 4) == b"pay!"
        upstream.sendall(b"paid")
        with pytest.raises(ConnectionResetError):
            client.recv(4)
    assert round_trip_s(edge, edge.connect()) < 5


def test_down_refuses_new_connections_and_closes_open_ones(edge: Line, hands: Hands) -> None:
    client, _ = edge.connect()
    with inflict(fault("edge", down={}), hands):
        assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            edge.dial()
    # The look at the healed proxy was a connection too.
    edge.upstream.accept()
    assert round_trip_s(edge, edge.connect()) < 5


def test_two_faults_on_one_connection_do_not_clash(edge: Line, hands: Hands) -> None:
    ends = edge.connect()
    slow = fault("edge", name="slow", latency={"delay": "200ms"})
    slower = fault("edge", name="slower", latency={"delay": "300ms"})
    with inflict(slow, hands), inflict(slower, hands):
        assert round_trip_s(edge, ends) >= 0.5
    assert hands.api.toxics(edge.name) == []
