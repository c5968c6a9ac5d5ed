"""What becomes of connections and bytes, by black box on our server and on a real Toxiproxy.

Times are seen as "at least so long", which is what toxics promise, and as "long before" something
far later: what is compared must be the same on a busy machine.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.conformance.comparing import Case, Look, Pair, judge
from tests.proxy_servers import ProxyServer, line, receive, silent

pytestmark = pytest.mark.integration

PAYLOAD = bytes(range(256)) * 500


def rest(connection: socket.socket) -> tuple[str, bytes]:
    """Return how a connection ends and what came before that."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        return "reset", b"".join(parts)
    except TimeoutError:
        return "open", b"".join(parts)
    return "end", b"".join(parts)


@contextmanager
def timed(look: Look, label: str, *, least_s: float, most_s: float = 8.0) -> Iterator[None]:
    started_s = time.monotonic()
    yield
    took_s = time.monotonic() - started_s
    look(label, (took_s >= least_s, took_s < most_s))


def echo(client: socket.socket, server: socket.socket, payload: bytes = b"ping") -> bool:
    """Send there and back; return whether it came back whole."""
    client.sendall(payload)
    there = receive(server, len(payload))
    server.sendall(there)
    return there == payload and receive(client, len(payload)) == payload


def latency_both_ways(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        for kinds in (("upstream",), ("downstream",), ("upstream", "downstream")):
            for stream in kinds:
                shop.add("latency", stream=stream, latency=150)
            with timed(look, f"{kinds}", least_s=0.15 * len(kinds)):
                look(f"{kinds} echo", echo(*shop.connect()))
            for stream in kinds:
                shop.remove(f"latency_{stream}")
        with timed(look, "none", least_s=0, most_s=5):
            echo(*shop.connect())


def latency_stacked_and_zero(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("latency", name="a", latency=100)
        shop.add("latency", name="b", latency=150)
        shop.add("latency", name="c", latency=0)
        shop.add("latency", name="d", latency=-100)
        with timed(look, "two", least_s=0.25):
            look("echo", echo(*shop.connect()))


def latency_large_body(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("latency", latency=50, jitter=20)
        client, behind = shop.connect()
        threading.Thread(target=behind.sendall, args=(PAYLOAD * 8,)).start()
        look("whole", receive(client, len(PAYLOAD) * 8) == PAYLOAD * 8)


def latency_and_ends(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("latency", latency=200)
        client, behind = shop.open()
        behind.sendall(b"bye")
        behind.close()
        with timed(look, "last words", least_s=0.1):
            look("then the end", rest(client))
        shop.patch("latency_downstream", latency=60_000)
        client, behind = shop.open()
        behind.close()
        with timed(look, "nothing said", least_s=0):
            look("end at once", rest(client))


def bandwidth_rate(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("bandwidth", rate=200)
        client, behind = shop.connect()
        threading.Thread(target=behind.sendall, args=(PAYLOAD,)).start()
        # 128,000 bytes at 200,000 a second take 0.64 s.
        with timed(look, "downstream", least_s=0.6, most_s=4):
            look("whole", receive(client, len(PAYLOAD)) == PAYLOAD)
        with timed(look, "upstream is free", least_s=0, most_s=5):
            client.sendall(PAYLOAD)
            look("whole upstream", receive(behind, len(PAYLOAD)) == PAYLOAD)


def bandwidth_slices(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("bandwidth", rate=2)
        client, behind = shop.connect()
        behind.sendall(bytes(1000))
        behind.close()
        first = client.recv(4096)
        look("a slice is a tenth of a second", len(first))
        look("the end comes last", rest(client) == ("end", bytes(1000 - len(first))))


def bandwidth_zero(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("bandwidth", rate=0, name="stall")
        client, behind = shop.connect()
        behind.sendall(b"abc")
        look("stalls", silent(client, 0.3))
        shop.remove("stall")
        look("delivers when removed", receive(client, 3))
        look("goes on", echo(client, behind))


def slow_close(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("slow_close", delay=300)
        client, behind = shop.open()
        behind.sendall(b"bye")
        with timed(look, "held", least_s=0.3):
            behind.close()
            look("data, then the end", rest(client))
        shop.patch("slow_close_downstream", delay=60_000)
        client, behind = shop.open()
        behind.close()
        look("not yet", silent(client, 0.3))
        shop.remove("slow_close_downstream")
        look("ends when removed", rest(client))


def slow_close_upstream(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("slow_close", delay=300, stream="upstream")
        client, behind = shop.open()
        with timed(look, "held", least_s=0.3):
            client.close()
            look("end", rest(behind))


def limit_data(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        for limit in (0, 1, 5, 99, 100, 101):
            shop.add("limit_data", bytes=limit)
            client, behind = shop.connect()
            with suppress(OSError):
                behind.sendall(b"x" * 60)
                behind.sendall(b"y" * 40)
            if limit > 100:
                look(f"{limit} open", receive(client, 100) == b"x" * 60 + b"y" * 40)
                look(f"{limit} silent", silent(client, 0.1))
            else:
                look(f"{limit}", rest(client))
                look(f"{limit} behind", rest(behind)[0] in {"end", "reset"})
            shop.remove("limit_data_downstream")


def limit_data_changed(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("limit_data", bytes=100, name="cut")
        client, behind = shop.connect()
        behind.sendall(b"abc")
        look("before", receive(client, 3))
        shop.patch("cut", bytes=5)
        behind.sendall(b"defg")
        look("counts on", rest(client))
        client, behind = shop.connect()
        behind.sendall(b"abcdefg")
        look("anew for each connection", rest(client))


def limit_data_lowered_below(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("limit_data", bytes=100, name="cut")
        client, behind = shop.connect()
        behind.sendall(b"abcdef")
        look("before", receive(client, 6))
        shop.patch("cut", bytes=3)
        look("stays open", silent(client, 0.2))
        behind.sendall(b"g")
        look("closes on the next chunk", rest(client))


def slicer(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("slicer", average_size=100, delay=20_000)
        client, behind = shop.connect()
        with timed(look, "eight pieces", least_s=0.14):
            behind.sendall(bytes(800))
            sizes = []
            while sum(sizes) < 800:
                sizes.append(len(client.recv(4096)))
        look("pieces apart", len(sizes) > 3)
        shop.remove("slicer_downstream")
        shop.add("slicer", average_size=50, size_variation=20)
        client, behind = shop.connect()
        threading.Thread(target=behind.sendall, args=(PAYLOAD,)).start()
        look("whole", receive(client, len(PAYLOAD)) == PAYLOAD)


def slicer_removed(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("slicer", average_size=1, delay=1_000_000)
        client, behind = shop.connect()
        behind.sendall(b"abcdefgh")
        look("first piece", receive(client, 1))
        shop.remove("slicer_downstream")
        with timed(look, "the rest at once", least_s=0, most_s=5):
            look("rest", receive(client, 7))


def timeout(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("timeout", timeout=300)
        client, behind = shop.connect()
        behind.sendall(b"lost")
        with timed(look, "closes", least_s=0.2):
            look("nothing came", rest(client))
        look("behind too", rest(behind)[0] in {"end", "reset"})
        shop.patch("timeout_downstream", timeout=0)
        client, behind = shop.connect()
        behind.sendall(b"lost")
        look("never closes", silent(client, 0.4))
        look("one way only", (client.sendall(b"up"), receive(behind, 2)))
        shop.remove("timeout_downstream")
        look("closes when removed", rest(client))


def timeout_upstream(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("timeout", stream="upstream", timeout=0)
        client, behind = shop.connect()
        client.sendall(b"lost")
        behind.sendall(b"pong")
        look("the other way", receive(client, 4))
        look("nothing up", silent(behind, 0.2))
        server.call("POST", "/reset")
        look("closes on reset", rest(behind))


def reset_peer(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        for stream in ("downstream", "upstream"):
            for after_ms in (0, 250):
                shop.add("reset_peer", stream=stream, timeout=after_ms)
                client, behind = shop.connect()
                look(f"{stream} {after_ms} quiet", silent(client, 0.1))
                with timed(look, f"{stream} {after_ms} time", least_s=after_ms / 1000):
                    (behind if stream == "downstream" else client).sendall(b"lost")
                    look(f"{stream} {after_ms}", rest(client))
                shop.remove(f"reset_peer_{stream}")


def reset_peer_and_older_connections(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        client, behind = shop.open()
        shop.add("reset_peer", timeout=0)
        behind.sendall(b"lost")
        look("older: plain end", rest(client))
        shop.remove("reset_peer_downstream")
        shop.add("reset_peer", toxicity=0)
        client, behind = shop.connect()
        look("spared", echo(client, behind))
        behind.close()
        look("spared, still reset at its end", rest(client))


def toxicity(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        for share in (0, -3, 1, 7.5):
            shop.add("limit_data", bytes=0, toxicity=share, name="cut")
            client, behind = shop.connect()
            behind.sendall(b"pong")
            look(f"{share}", client.recv(4))
            shop.remove("cut")
        shop.add("latency", latency=400, toxicity=0, name="slow")
        client, behind = shop.open()
        shop.server.call("PATCH", "/proxies/shop/toxics/slow", {"toxicity": 1})
        with timed(look, "drawn again on PATCH", least_s=0.4):
            behind.sendall(b"pong")
            receive(client, 4)


def disabled(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        client, behind = shop.open()
        shop.enable(enabled=False)
        look("client", rest(client))
        look("behind", rest(behind))
        with suppress(ConnectionRefusedError):
            shop.dial()
            look("refused", False)
        shop.enable(enabled=True)
        look("again", echo(*shop.connect()))
        client, _ = shop.open()
        shop.server.call("DELETE", "/proxies/shop")
        look("deleted", rest(client))


def half_close(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        client, behind = shop.open()
        client.shutdown(socket.SHUT_WR)
        look("behind", rest(behind))
        look("client", rest(client))


def dead_upstream(server: ProxyServer, look: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"127.0.0.1:{gone.getsockname()[1]}"
    for number, upstream in enumerate((dead, "nonsense", "127.0.0.1:99999")):
        address = server.create(f"dead{number}", upstream)
        with socket.create_connection(address, timeout=10) as client:
            look(f"{number}", rest(client))


def chains(server: ProxyServer, look: Look) -> None:
    """Order matters: what is cut before it is delayed, or delayed before it is cut."""
    with line(server, "shop") as shop:
        for kinds in (
            ("latency", "limit_data"),
            ("limit_data", "latency"),
            ("slicer", "limit_data", "bandwidth"),
            ("bandwidth", "slicer", "latency", "slow_close"),
            ("limit_data", "slow_close"),
            ("latency", "timeout"),
        ):
            for kind in kinds:
                shop.add(kind, name=kind, **CHAINED[kind])
            client, behind = shop.connect()
            behind.sendall(b"0123456789" * 10)
            behind.close()
            with timed(look, f"{kinds} time", least_s=0.05):
                look(f"{kinds}", rest(client))
            for kind in kinds:
                shop.remove(kind)


def waiting_reset(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("reset_peer", timeout=1200)
        client, behind = shop.connect()
        behind.sendall(b"lost")
        time.sleep(0.1)
        with timed(look, "removed", least_s=0.7):
            shop.remove("reset_peer_downstream")
        look("still reset", rest(client))


def timeout_of_an_ended_sender(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        for after_ms in (0, 60_000):
            shop.add("timeout", timeout=after_ms)
            client, behind = shop.open()
            behind.close()
            look(f"{after_ms}", rest(client))
            shop.remove("timeout_downstream")


def neighbour(server: ProxyServer, look: Look) -> None:
    with line(server, "shop") as shop:
        shop.add("latency", latency=500, name="slow")
        client, behind = shop.open()
        started_s = time.monotonic()
        behind.sendall(b"held")
        time.sleep(0.1)
        shop.add("noop", name="other")
        receive(client, 4)
        look("was let go", time.monotonic() - started_s < 0.5)


def large_request(server: ProxyServer, look: Look) -> None:
    body = "[]" + " " * (2 << 20)
    look("status", server.call("POST", "/populate", body).status)


CHAINED: dict[str, dict[str, int]] = {
    "latency": {"latency": 100},
    "bandwidth": {"rate": 1},
    "limit_data": {"bytes": 70},
    "slicer": {"average_size": 10, "delay": 10_000},
    "slow_close": {"delay": 150},
    "timeout": {"timeout": 300},
}

CASES: tuple[Case, ...] = (
    *(latency_both_ways, latency_stacked_and_zero, latency_large_body, latency_and_ends),
    *(bandwidth_rate, bandwidth_slices, bandwidth_zero, slow_close, slow_close_upstream),
    *(limit_data, limit_data_changed, limit_data_lowered_below, slicer, slicer_removed),
    *(timeout, timeout_upstream, reset_peer, reset_peer_and_older_connections, toxicity),
    *(disabled, half_close, dead_upstream, chains),
    *(waiting_reset, timeout_of_an_ended_sender, neighbour, large_request),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_flow_is_the_same(pair: Pair, table: list[str], case: Case) -> None:
    judge(case.__name__, pair.differences(case), table)
