"""What a proxy costs a small request: none, ours and a real Toxiproxy, side by side in one run.

    .venv/bin/python -m benchmarks.proxy

Under load the proxy has one core to itself, and the server and the client share another. Those two
are often the limit, so there is also the processor time that the proxy took: `per core` is what
one core would do at that price. Added latency is that of one request at a time with all processes
on one core, since waking a sleeping core costs a virtual machine more than either proxy does.

`crowd` is how many connections a second are opened and answered once, many at a time. `late` is by
how much more than asked a latency toxic delayed a request, for the median one and one in fifty.
The results go to `benchmarks/results/proxy.json`.
"""

import json
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
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.pingpong import READY_WITHIN_S, shop_at, upstream
from chaos.server import choose_proxy
from chaos.toxiproxy import ToxiproxyApi, ToxiproxyError
from doorbuster.errors import MissingPrerequisite

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 64
LOAD_S = 2.0
SINGLE_S = 1.0
ROUNDS = 3
CROWD = 500
CROWD_ROUNDS = 2
DELAY_MS = 20
DELAYED_S = 2.0
LATE = ("late_ms_p50", "late_ms_p98")


@dataclass(frozen=True)
class Way:
    """A way to the server: the port to shop at, and the proxy's process and API if there is one."""

    port: int
    pid: int | None = None
    url: str | None = None


@contextmanager
def proxy(command: list[str], *, url: str, upstream_port: int) -> Iterator[Way]:
    """A proxy process with nothing but one proxy."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet) as process:
        try:
            with closing(ToxiproxyApi(url)) as api:
                wait_until_ready(api)
                behind = f"127.0.0.1:{upstream_port}"
                listen = api.create("shop", listen="127.0.0.1:0", upstream=behind)
            yield Way(int(listen.rpartition(":")[2]), process.pid, url)
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


def measure(way: Way, *, cores: tuple[int, int]) -> dict[str, float]:
    """Return one round's figures for one way to the server; this process is on the last core."""
    proxy_core, other_core = cores
    move(way.pid, core=other_core)
    single = uvloop.run(shop_at(way.port, connections=1, for_s=SINGLE_S))
    move(way.pid, core=proxy_core)
    before_s = cpu_s(way.pid)
    started_s = time.perf_counter()
    trips = uvloop.run(shop_at(way.port, connections=CONNECTIONS, for_s=LOAD_S))
    elapsed_s = time.perf_counter() - started_s
    spent_s = cpu_s(way.pid) - before_s
    return {
        "requests_per_s": len(trips) / elapsed_s,
        "requests_per_core_s": len(trips) / spent_s if spent_s else 0.0,
        "proxy_busy_share": spent_s / elapsed_s,
        "latency_ms_p50": statistics.median(single) * 1000,
        "loaded_latency_ms_p50": statistics.median(trips) * 1000,
        "crowd_connections_per_s": crowd_per_s(way.port),
        **lateness(way),
    }


def crowd_per_s(port: int) -> float:
    """Return how many connections a second are opened at once, answered once and closed."""
    started_s = time.perf_counter()
    for _ in range(CROWD_ROUNDS):
        assert len(uvloop.run(shop_at(port, connections=CROWD, for_s=0))) == CROWD
    return CROWD * CROWD_ROUNDS / (time.perf_counter() - started_s)


def lateness(way: Way) -> dict[str, float]:
    """Return by how many milliseconds a latency toxic delayed a request more than it was to."""
    if way.url is None:
        return {}
    with closing(ToxiproxyApi(way.url)) as api:
        api.add_toxic("shop", name="slow", type="latency", attributes={"latency": DELAY_MS})
        trips = uvloop.run(shop_at(way.port, connections=1, for_s=DELAYED_S))
        api.remove_toxic("shop", "slow")
    late_ms = [trip * 1000 - DELAY_MS for trip in trips]
    p50, p98 = (statistics.quantiles(late_ms, n=50)[at] for at in (24, 48))
    return {"late_ms_p50": p50, "late_ms_p98": p98}


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
def proxies(upstream_port: int) -> Iterator[dict[str, Way]]:
    """Every way to the server that this machine has, by name."""
    ways = {"direct": Way(upstream_port)}
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
            for name, way in ways.items():
                rounds.setdefault(name, []).append(measure(way, cores=(first, last)))
    medians = {
        name: {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        for name, figures in rounds.items()
    }
    for figures in medians.values():
        figures["added_ms_p50"] = figures["latency_ms_p50"] - medians["direct"]["latency_ms_p50"]
    return medians


def table(medians: dict[str, dict[str, float]]) -> str:
    head = f"{'requests/s':>11} {'per core':>9} {'busy':>5} {'added ms':>9} {'crowd/s':>8}"
    lines = [f"{'':10} {head} {'late ms':>14}"]
    for name, figures in medians.items():
        late = " / ".join(f"{figures[key]:.2f}" for key in LATE if key in figures)
        lines.append(
            f"{name:10} {figures['requests_per_s']:11,.0f} {figures['requests_per_core_s']:9,.0f}"
            f" {figures['proxy_busy_share']:5.0%} {figures['added_ms_p50']:9.3f}"
            f" {figures['crowd_connections_per_s']:8,.0f} {late:>14}"
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
