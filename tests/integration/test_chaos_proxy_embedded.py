"""Where our server promises more than Toxiproxy does, and the process it runs in."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
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


@pytest.fixture
def stalled() -> Iterator[str]:
    """The address of a listener whose queue is full, so that dialling it hangs."""
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_hanging_dial_stops_neither_the_api_nor_other_connections(
    server: ProxyServer, shop: Line, stalled: str
) -> None:
    address = server.create("stalled", stalled)
    with ExitStack() as held:
        clients = [held.enter_context(socket.create_connection(address, 10)) for _ in range(5)]
        assert all(silent(client, 0.05) for client in clients)
        started_s = time.monotonic()
        moved = {"upstream": shop.upstream.address}
        assert server.call("PATCH", "/proxies/stalled", moved).status == 200
        assert time.monotonic() - started_s < 5
        assert [client.recv(1) for client in clients] == [b""] * 5
        fresh = held.enter_context(socket.create_connection(address, 10))
        shop.upstream.accept().sendall(b"pong")
        assert receive(fresh, 4) == b"pong"
    server.call("DELETE", "/proxies/stalled")


def test_removing_a_waiting_reset_answers_at_once_and_still_resets(shop: Line) -> None:
    shop.add("reset_peer", timeout=1500, name="reset")
    client, server = shop.connect()
    server.sendall(b"lost")
    time.sleep(0.2)
    started_s = time.monotonic()
    shop.remove("reset")
    assert time.monotonic() - started_s < 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)


@pytest.mark.parametrize("call", [("DELETE", "/proxies/shop/toxics/slow"), ("POST", "/reset")])
def test_lifting_does_not_wait_for_readers_that_do_not_read(
    shop: Line, call: tuple[str, str]
) -> None:
    shop.add("bandwidth", rate=0, name="slow")
    shop.add("latency", latency=10, name="more")
    for _ in range(10):
        _, server = shop.connect()
        server.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                server.send(bytes(1 << 16))
    started_s = time.monotonic()
    assert shop.server.call(*call).status == 204
    assert time.monotonic() - started_s < 5


def test_refused_change_of_a_toxic_changes_nothing(shop: Line) -> None:
    shop.add("latency", latency=5, name="slow")
    path = "/proxies/shop/toxics/slow"
    before = shop.server.call("GET", path).body
    body = {"attributes": {"latency": 77, "jitter": "x"}}
    assert shop.server.call("PATCH", path, body).status == 400
    assert shop.server.call("GET", path).body == before


def test_neighbour_of_a_new_toxic_keeps_what_it_holds(shop: Line) -> None:
    shop.add("latency", latency=400, name="slow")
    client, server = shop.open()
    started_s = time.monotonic()
    server.sendall(b"held")
    time.sleep(0.05)
    shop.add("noop", name="other")
    assert receive(client, 4) == b"held"
    assert time.monotonic() - started_s >= 0.4


@pytest.mark.parametrize("kind", ["down", "loss"])
def test_toxic_that_is_not_built_is_refused_not_ignored(shop: Line, kind: str) -> None:
    reply = shop.server.call("POST", "/proxies/shop/toxics", {"type": kind})
    assert (reply.status, reply.json()["error"]) == (400, "invalid toxic type")


def test_body_without_end_is_refused(server: ProxyServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with closing(connection):
        connection.request("POST", "/populate", b"[" + b" " * (1024 * 1024))
        assert connection.getresponse().status == 413


def test_crowd_that_connects_at_once_is_queued(shop: Line) -> None:
    """Nothing is accepted while the process is stopped, so the kernel's queue must hold all."""
    crowd = 600
    os.kill(shop.server.pid, signal.SIGSTOP)
    try:
        connected = [shop.dial() for _ in range(crowd)]
    finally:
        os.kill(shop.server.pid, signal.SIGCONT)
    shop.upstream.accept().sendall(b"pong")
    assert len(connected) == crowd


def test_file_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with running("embedded") as server:
            assert psutil.Process(server.pid).rlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_closed_connections_leave_no_file_open(shop: Line) -> None:
    process = psutil.Process(shop.server.pid)
    shop.add("latency", latency=5)
    client, server = shop.connect()
    client.sendall(b"warm")
    receive(server, 4)
    before = process.num_fds()
    pairs = [shop.connect() for _ in range(50)]
    assert process.num_fds() >= before + 100
    for client, _ in pairs[:25]:
        client.close()
    for _, server in pairs[25:]:
        server.close()
    for client, server in pairs:
        for end in (client, server):
            if end.fileno() != -1:
                assert end.recv(1) == b""
    give_up_s = time.monotonic() + 10
    while process.num_fds() > before and time.monotonic() < give_up_s:
        time.sleep(0.02)
    assert process.num_fds() == before


def test_accepting_goes_on_after_files_ran_out(shop: Line) -> None:
    process = psutil.Process(shop.server.pid)
    limits = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds() + 10, limits[1]))
    crowd = [shop.dial() for _ in range(40)]
    time.sleep(0.2)
    for client in crowd:
        client.close()
    process.rlimit(resource.RLIMIT_NOFILE, limits)
    client = shop.dial()
    client.sendall(b"hello")
    assert any(receive(shop.upstream.accept(), 5) == b"hello" for _ in range(41))


def test_attribute_as_large_as_it_can_be_is_survived(shop: Line) -> None:
    shop.add("latency", latency=2**63 - 1, jitter=2**63 - 1, name="slow")
    shop.add("timeout", timeout=2**63 - 1, stream="upstream", name="hole")
    client, server = shop.connect()
    server.sendall(b"pong")
    assert silent(client, 0.2)
    shop.remove("slow")
    assert receive(client, 4) == b"pong"


def start(*flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "chaos.proxy", *flags]
    root = Path(__file__).resolve().parents[2]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=root, text=True, **both)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_says_where_it_listens_and_ends_when_told(number: signal.Signals) -> None:
    with start("-host", "127.0.0.1", "-port=0") as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        port = int(told.removeprefix("proxy API listens on 127.0.0.1:"))
        server = ProxyServer("embedded", port, process.pid)
        address = server.create("shop", f"127.0.0.1:{port}")
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(b"GET /version HTTP/1.1\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            process.send_signal(number)
            rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_process_says_why_it_cannot_listen(server: ProxyServer) -> None:
    with start("-host", "127.0.0.1", "-port", str(server.port)) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors == f"listen tcp 127.0.0.1:{server.port}: bind: address already in use\n"


def test_command_serves_with_the_flags_of_the_original(tmp_path: Path) -> None:
    config = tmp_path / "proxies.json"
    config.write_text('[{"name":"shop","upstream":"127.0.0.1:9","listen":"127.0.0.1:0"}]')
    flags = ["-host", "127.0.0.1", "-port", "0", "-config", str(config), "-proxy-metrics"]
    command = [sys.executable, "-m", "doorbuster", "proxy", *flags, "-seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        port = int(told.removeprefix("proxy API listens on 127.0.0.1:"))
        server = ProxyServer("embedded", port, process.pid)
        assert list(server.call("GET", "/proxies").json()) == ["shop"]
        assert server.call("GET", "/metrics").status == 200
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read (No such file or directory): starting without its proxies"),
        (
            '[{"name": "one", "upstream": "h:1", "listen": "127.0.0.1:0"}, {"name": "two"}]',
            "starting with 0 of its",
        ),
    ],
)
def test_a_config_that_cannot_be_taken_is_told_before_it_listens(
    tmp_path: Path, text: str | None, said: str
) -> None:
    config = tmp_path / "proxies.json"
    if text is not None:
        config.write_text(text)
    with start("-host", "127.0.0.1", "-port", "0", "-config", str(config)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("proxy API listens on")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert f"config {config}" in errors
    assert said in errors


def test_command_says_why_it_cannot_listen(server: ProxyServer) -> None:
    flags = ["-host", "127.0.0.1", "-port", str(server.port)]
    command = [sys.executable, "-m", "doorbuster", "proxy", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 4
    assert ended.stderr == (
        "the proxy's API cannot listen: "
        f"listen tcp 127.0.0.1:{server.port}: bind: address already in use\n"
    )
