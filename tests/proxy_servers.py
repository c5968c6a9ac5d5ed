"""Both proxy servers for tests, each in its own process, and sockets on both ends of a proxy."""

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from chaos.server import Choice, choose_proxy
from chaos.toxiproxy import ToxiproxyApi, ToxiproxyError

READY_WITHIN_S = 15.0
PATIENCE_S = 10.0
"""How long a socket waits for what should come: a hang fails a test instead of stopping it."""

both_servers = pytest.mark.parametrize("kind", ["embedded", "toxiproxy"], scope="module")


@dataclass(frozen=True)
class Reply:
    """An answer of the API as it was on the wire."""

    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class ProxyServer:
    """A running server, spoken to without any client library in between."""

    kind: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None, *, agent: str = "test") -> Reply:
        """Send a request; a body that is not text already goes as JSON."""
        sent = body if body is None or isinstance(body, str) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with closing(connection):
            raw = sent.encode() if sent is not None else None
            connection.request(method, path, raw, {"User-Agent": agent})
            response = connection.getresponse()
            text = response.read().decode()
        return Reply(response.status, dict(response.getheaders()), text)

    def create(self, name: str, upstream: str, **members: Any) -> tuple[str, int]:
        """Create a proxy on a free port and return its address."""
        body = {**members, "name": name, "upstream": upstream, "listen": "127.0.0.1:0"}
        reply = self.call("POST", "/proxies", body)
        assert reply.status == 201, reply
        host, _, port = reply.json()["listen"].rpartition(":")
        return host, int(port)

    def add(self, proxy: str, kind: str, *, stream: str = "downstream", **members: Any) -> None:
        """Add a toxic; its attributes are the members that are not its toxicity or name."""
        body: dict[str, Any] = {"type": kind, "stream": stream, "attributes": members}
        body |= {key: members.pop(key) for key in ("toxicity", "name") if key in members}
        reply = self.call("POST", f"/proxies/{proxy}/toxics", body)
        assert reply.status == 200, reply

    def remove(self, proxy: str, toxic: str) -> None:
        assert self.call("DELETE", f"/proxies/{proxy}/toxics/{toxic}").status == 204

    def clear(self) -> None:
        for name in self.call("GET", "/proxies").json():
            assert self.call("DELETE", f"/proxies/{quote(name, safe='')}").status == 204


@contextmanager
def running(kind: Choice, *flags: str) -> Iterator[ProxyServer]:
    """Start a server of its own on a free port; skipped by name when it is not installed."""
    if kind == "toxiproxy" and shutil.which("toxiproxy-server") is None:
        pytest.skip("toxiproxy-server is not on PATH")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    choice = choose_proxy(kind, environ={}, which=shutil.which)
    command = [*choice.command(host="127.0.0.1", port=port), *flags]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            server = ProxyServer(kind, port, process.pid)
            wait_until_ready(server)
            yield server
        finally:
            process.terminate()


def wait_until_ready(server: ProxyServer) -> None:
    give_up_s = time.monotonic() + READY_WITHIN_S
    with closing(ToxiproxyApi(server.url)) as api:
        while True:
            try:
                api.version()
            except ToxiproxyError:
                assert time.monotonic() < give_up_s, f"{server.kind} did not start"
                time.sleep(0.05)
            else:
                return


@dataclass
class Upstream:
    """A listening socket whose accepted connections the test drives itself."""

    listener: socket.socket
    accepted: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_S)
        self.accepted.append(connection)
        return connection


@contextmanager
def upstream() -> Iterator[Upstream]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        made = Upstream(listener)
        try:
            yield made
        finally:
            for connection in made.accepted:
                connection.close()


@dataclass
class Line:
    """A proxy under test with the sockets on both of its ends."""

    server: ProxyServer
    upstream: Upstream
    name: str
    address: tuple[str, int]
    clients: list[socket.socket] = field(default_factory=list)

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """Return the client's and the server's socket of a new connection."""
        client = self.dial()
        return client, self.upstream.accept()

    def open(self) -> tuple[socket.socket, socket.socket]:
        """Connect and wait until the proxy has joined both ends, so that what follows is later."""
        client, server = self.connect()
        client.sendall(b"!")
        assert receive(server, 1) == b"!"
        return client, server

    def dial(self) -> socket.socket:
        client = socket.create_connection(self.address, timeout=PATIENCE_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients.append(client)
        return client

    def add(self, kind: str, **members: Any) -> None:
        self.server.add(self.name, kind, **members)

    def remove(self, toxic: str) -> None:
        self.server.remove(self.name, toxic)

    def patch(self, toxic: str, **attributes: int) -> None:
        path = f"/proxies/{self.name}/toxics/{toxic}"
        assert self.server.call("PATCH", path, {"attributes": attributes}).status == 200

    def enable(self, *, enabled: bool) -> None:
        reply = self.server.call("PATCH", f"/proxies/{self.name}", {"enabled": enabled})
        assert reply.status == 200, reply


@contextmanager
def line(server: ProxyServer, name: str) -> Iterator[Line]:
    """A proxy in front of an upstream of its own, without toxics."""
    with upstream() as behind:
        made = Line(server, behind, name, server.create(name, behind.address))
        try:
            yield made
        finally:
            for client in made.clients:
                client.close()
            server.call("DELETE", f"/proxies/{name}")


def receive(connection: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes, or fewer if the other side ended before."""
    parts = []
    while size > 0:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def silent(connection: socket.socket, for_s: float) -> bool:
    """Whether nothing arrives for a while, neither data nor an end."""
    before_s = connection.gettimeout()
    connection.settimeout(for_s)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        connection.settimeout(before_s)
