"""What a proxy costs a small request: none, ours and a real Toxiproxy, side by side in one run.

    .venv/bin/python -m benchmarks.proxy

Under load the proxy has one core to itself, and the server and the client share another. Those two
are often the limit, so there is also the processor time that the proxy took: `per core` is what
one core would do at that price. Added latency is that of one request at a time with all processes
on one core, since waking a sleeping core costs a virtual machine more than either proxy does.
The results go to `benchmarks/results/proxy.json`.
"""

import asyncio
import json
import multiprocessing
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import uvloop

from chaos.server import choose_proxy
from chaos.toxiproxy import ToxiproxyApi, ToxiproxyError
from doorbuster.errors import MissingPrerequisite

ROOT = Path(__file__).resolve().parent.parent
REQUEST = b"GET /v1/stock HTTP/1.1\r\nHost: shop\r\nAccept: application/json\r\n\r\n"
RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"available": 7}'
CONNECTIONS = 64
LOAD_S = 2.0
SINGLE_S = 1.0
ROUNDS = 3
READY_WITHIN_S = 10.0


class Shop(asyncio.Protocol):
    """Answers every request with the same few bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  one request at a time
        self.transport.write(RESPONSE)


class Shopper(asyncio.Protocol):
    """Sends the next request when the answer to the one before is there."""

    def __init__(self, until_s: float) -> None:
        self.until_s = until_s
        self.received_bytes = 0
        self.round_trips_s: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self.received_bytes < len(RESPONSE):
            return
        now_s = time.perf_counter()
        self.round_trips_s.append(now_s - self.sent_s)
        if now_s < self.until_s:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        self.received_bytes = 0
        self.sent_s = time.perf_counter()
        self.transport.write(REQUEST)


def serve(core: int, told: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Shop, "127.0.0.1", 0, backlog=4096)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    os.sched_setaffinity(0, {core})
    uvloop.run(run())


async def shop_at(port: int, *, connections: int, for_s: float) -> list[float]:
    """Return the round trips, in seconds, of `connections` shoppers."""
    until_s = time.perf_counter() + for_s
    loop = asyncio.get_running_loop()
    shoppers = [Shopper(until_s) for _ in range(connections)]
    unused = iter(shoppers)
    for _ in shoppers:
        await loop.create_connection(lambda: next(unused), "127.0.0.1", port)
    async with asyncio.timeout(for_s + READY_WITHIN_S):
        await asyncio.gather(*(shopper.done for shopper in shoppers))
    return [trip for shopper in shoppers for trip in shopper.round_trips_s]


@contextmanager
def upstream(core: int) -> Iterator[int]:
    """A server process; yields its port."""
    context = multiprocessing.get_context("spawn")
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(core, tell), daemon=True)
    process.start()
    try:
        if not told.poll(READY_WITHIN_S):
            raise TimeoutError("the server did not start")
        yield told.recv()
    finally:
        process.terminate()
        process.join()


@contextmanager
def proxy(command: list[str], *, url: str, upstream_port: int) -> Iterator[tuple[int, int]]:
    """A proxy process; yields the port to shop at and its pid."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet) as process:
        try:
            with closing(ToxiproxyApi(url)) as api:
                wait_until_ready(api)
                behind = f"127.0.0.1:{upstream_port}"
                listen = api.create("shop", listen="127.0.0.1:0", upstream=behind)
            yield int(listen.rpartition(":")[2]), process.pid
        finally:
            process.terminate()


def wait_until_ready(api: ToxiproxyApi) -> None:
    give_up_s = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            api.version()
        except ToxiproxyError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.05)
        else:
            return


def measure(port: int, pid: int | None, *, cores: tuple[int, int]) -> dict[str, float]:
    """Return one round's figures for one way to the server; this process is on the last core."""
    proxy_core, other_core = cores
    move(pid, core=other_core)
    single = uvloop.run(shop_at(port, connections=1, for_s=SINGLE_S))
    move(pid, core=proxy_core)
    before_s = cpu_s(pid)
    started_s = time.perf_counter()
    trips = uvloop.run(shop_at(port, connections=CONNECTIONS, for_s=LOAD_S))
    elapsed_s = time.perf_counter() - started_s
    spent_s = cpu_s(pid) - before_s
    return {
        "requests_per_s": len(trips) / elapsed_s,
        "requests_per_core_s": len(trips) / spent_s if spent_s else 0.0,
        "proxy_busy_share": spent_s / elapsed_s,
        "latency_ms_p50": statistics.median(single) * 1000,
        "loaded_latency_ms_p50": statistics.median(trips) * 1000,
    }


def move(pid: int | None, *, core: int) -> None:
    """Let all threads of a process run on one core only."""
    if pid is not None:
        for thread in psutil.Process(pid).threads():
            os.sched_setaffinity(thread.id, {core})


def cpu_s(pid: int | None) -> float:
    if pid is None:
        return 0.0
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def proxies(upstream_port: int) -> Iterator[dict[str, tuple[int, int | None]]]:
    """Every way to the server that this machine has; yields ports and pids by name."""
    ways: dict[str, tuple[int, int | None]] = {"direct": (upstream_port, None)}
    with ExitStack() as held:
        for kind in ("embedded", "toxiproxy"):
            try:
                choice = choose_proxy(kind, environ={}, which=shutil.which)
            except MissingPrerequisite as missing:
                sys.stderr.write(f"without {kind}: {missing}\n")
                continue
            port = free_port()
            command = choice.command(host="127.0.0.1", port=port)
            started = proxy(command, url=f"http://127.0.0.1:{port}", upstream_port=upstream_port)
            ways[kind] = held.enter_context(started)
        yield ways


def run() -> dict[str, dict[str, float]]:
    """Measure every way in turn, several rounds, and return the medians of the rounds."""
    first, *_, last = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {last})
    rounds: dict[str, list[dict[str, float]]] = {}
    with upstream(last) as port, proxies(port) as ways:
        for _ in range(ROUNDS):
            for name, (way_port, pid) in ways.items():
                rounds.setdefault(name, []).append(measure(way_port, pid, cores=(first, last)))
    medians = {
        name: {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        for name, figures in rounds.items()
    }
    for figures in medians.values():
        figures["added_ms_p50"] = figures["latency_ms_p50"] - medians["direct"]["latency_ms_p50"]
    return medians


def table(medians: dict[str, dict[str, float]]) -> str:
    lines = [f"{'':10} {'requests/s':>11} {'per core':>9} {'busy':>5} {'added ms':>9}"]
    for name, figures in medians.items():
        lines.append(
            f"{name:10} {figures['requests_per_s']:11,.0f} {figures['requests_per_core_s']:9,.0f}"
            f" {figures['proxy_busy_share']:5.0%} {figures['added_ms_p50']:9.3f}"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    medians = run()
    sys.stdout.write(table(medians))
    results = ROOT / "benchmarks" / "results" / "proxy.json"
    results.parent.mkdir(exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average_1min": os.getloadavg()[0],
    }
    results.write_text(json.dumps({"machine": machine, "ways": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()
