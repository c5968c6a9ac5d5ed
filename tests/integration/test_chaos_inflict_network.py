"""Each fault of the network, inflicted on a real proxy: felt while it lasts, gone afterwards."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.calls import calls_for
from chaos.hands import Hands
from chaos.inflict import inflict
from chaos.network import make_anew
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.faults import Timeout
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


def answered_s(ends: tuple[socket.socket, socket.socket], answer: bytes) -> float:
    """Send an answer and return how long it took until all of it had arrived."""
    client, upstream = ends
    begun_s = time.monotonic()
    upstream.sendall(answer)
    assert receive(client, len(answer)) == answer
    return time.monotonic() - begun_s


def test_bandwidth_lets_so_much_through_in_a_second(edge: Line, hands: Hands) -> None:
    ends = edge.open()
    with inflict(fault("edge", bandwidth={"rate": "50KB/s"}), hands):
        assert answered_s(ends, bytes(25_000)) >= 0.3
    assert min(answered_s(ends, bytes(25_000)) for _ in range(5)) < 0.3


def test_a_slicer_delays_each_piece(edge: Line, hands: Hands) -> None:
    ends = edge.open()
    with inflict(fault("edge", slicer={"size": "10B", "delay": "20ms"}), hands):
        assert answered_s(ends, bytes(200)) >= 0.3
    assert min(answered_s(ends, bytes(200)) for _ in range(5)) < 0.3


def test_limited_data_is_cut_and_then_flows_again(edge: Line, hands: Hands) -> None:
    with inflict(fault("edge", limit_data={"bytes": "100B"}), hands):
        client, upstream = edge.open()
        upstream.sendall(bytes(200))
        assert receive(client, 200) == bytes(100)
    assert answered_s(edge.open(), bytes(200)) < 5


def test_a_slow_close_holds_the_end_back(edge: Line, hands: Hands) -> None:
    with inflict(fault("edge", slow_close={"delay": "400ms"}), hands):
        client, upstream = edge.open()
        begun_s = time.monotonic()
        upstream.close()
        assert client.recv(1) == b""
        assert time.monotonic() - begun_s >= 0.4


def test_a_blackhole_swallows_requests_too(edge: Line, hands: Hands) -> None:
    client, upstream = edge.open()
    with inflict(fault("edge", blackhole={}), hands):
        client.sendall(b"pay!")
        assert silent(upstream, 0.3)
        upstream.sendall(b"paid")
        assert silent(client, 0.3)
    assert round_trip_s(edge, edge.connect()) < 5


def test_a_toxic_may_stand_in_the_way_of_requests_alone(edge: Line, hands: Hands) -> None:
    ends = edge.open()
    slow = {"delay": "300ms", "stream": "upstream"}
    with inflict(fault("edge", latency=slow), hands):
        assert round_trip_s(edge, ends) >= 0.3
        assert min(answered_s(ends, b"news") for _ in range(5)) < 0.3


def test_a_flap_turns_the_connection_off_and_on(edge: Line, hands: Hands) -> None:
    with inflict(fault("edge", flap={"down": "1s", "up": "1s"}), hands) as beat:
        assert beat is not None
        with pytest.raises(ConnectionRefusedError):
            edge.dial()
        beat()
        edge.upstream.accept()  # the look at the healed proxy
        assert round_trip_s(edge, edge.connect()) < 5
        beat()
        with pytest.raises(ConnectionRefusedError):
            edge.dial()
    edge.upstream.accept()
    assert round_trip_s(edge, edge.connect()) < 5


def test_a_proxy_that_is_made_anew_keeps_its_address_and_the_others_toxics(
    edge: Line, hands: Hands
) -> None:
    with inflict(fault("edge", name="slow", latency={"delay": "300ms"}), hands):
        edge.add("timeout", name="stays", timeout=0)
        (breakage,) = calls_for("stays", Timeout(), [edge.name])
        make_anew(replace(breakage, toxic=replace(breakage.toxic, name="stays")), "stays", hands)
        assert [toxic["type"] for toxic in hands.api.toxics(edge.name)] == ["latency"]
        assert round_trip_s(edge, edge.connect()) >= 0.3
    assert round_trip_s(edge, edge.connect()) < 5
