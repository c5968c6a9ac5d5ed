"""One generator in a process of its own: `python -m benchmarks.generating KIND URL SECONDS RATE`.

KIND is `session` (this project's, closed loop), `FastHttpUser` or `HttpUser` (Locust's, closed
loop) or `open` (this project's, RATE arrivals a second, one request each). It prints one line of
JSON. Importing this imports Locust, which replaces the standard library's sockets.
"""

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import locust
from locust import User, task
from locust.env import Environment

from benchmarks.lateness import lateness
from doorbuster.arrivals import Arrival
from doorbuster.open_files import raise_open_files
from doorbuster.operations import Attempt
from doorbuster.plan import load_plan
from doorbuster.rundir import RunDirectory, new_run, read_records
from doorbuster.series import GeneratorSecond
from scenarios.client import Client
from scenarios.deadlines import Deadlines
from scenarios.driver import fire_request, run_in_locust
from scenarios.endpoint import Hosts
from scenarios.open_loop import OpenLoop, RunClock
from scenarios.outcome import NOTHING, Answer, Judgement
from scenarios.pool import Pool
from scenarios.recording import Recording
from scenarios.step import Result, Step

CONNECTIONS = 32
WARM_S = 0.5
REQUEST = b"GET /small HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n"
PLAN = """
name: bench
sale:
  opens_at: all
  items: [{sku: HOT, stock: 10, price: "99.00", demand: 100%}]
traffic:
  arrivals: [{phase: all, for: 10m, rate: 1/s}]
  max_in_flight: 20000
"""


class Bench:
    """What a traffic process has around its sessions, with a run directory that is thrown away."""

    def __init__(self, url: str, folder: Path) -> None:
        self.run: RunDirectory = new_run(folder, "bench")
        self.plan = load_plan(PLAN, source="bench", environ={}).plan
        self.clock = RunClock(time.monotonic())
        self.hosts = Hosts(["127.0.0.1"])
        self.shop = self.hosts.pin(url)
        self.deadlines = Deadlines(self.clock.now_s, 3.0)
        self.requests = 0
        self.recording = Recording(self.run, self.plan, index=0, started_epoch_s=time.time())
        raise_open_files()

    def client(self, pool: Pool | None = None) -> Client:
        return Client(self.shop, self.hosts, pool or Pool(self.deadlines))

    def request(self, client: Client, number: int, due_s: float) -> None:
        """Make one request, fire Locust's event and record it, as a step of a journey is."""
        step = Step(f"{number}-0", "view", number, 0, "patient", "user", due_s)
        began_s = self.clock.now_s()
        reply = client.exchange(REQUEST)
        assert type(reply) is Answer, reply
        fire_request(step, "GET", reply, Judgement("ok"), began_s)
        attempt = Attempt("ok", reply.ended_s, reply.sent_s, None, reply.status)
        result = Result("ok", None, reply.ended_s, reply.sent_s, (attempt,), NOTHING)
        self.recording.completed(step, result)
        self.requests += 1


def counted(loops: list[gevent.Greenlet], count: Callable[[], int], for_s: float) -> dict[str, Any]:
    """Return what loops that are under way get done in a while, warm-up apart."""
    gevent.sleep(WARM_S)
    before, began_s = count(), time.monotonic()
    spent = cpu_of(lambda: gevent.sleep(for_s))
    per_s = (count() - before) / (time.monotonic() - began_s)
    gevent.killall(loops)
    return {
        "requests_per_s": per_s,
        "requests_per_cpu_s": per_s / spent["cpu_share"],
        **spent,
    }


def cpu_of(wait: Callable[[], None]) -> dict[str, float]:
    """Return how busy the process is until `wait` is over."""
    busy_s, began_s = time.process_time(), time.monotonic()
    wait()
    took_s = time.monotonic() - began_s
    return {"cpu_share": (time.process_time() - busy_s) / took_s}


def closed(bench: Bench, visit: Callable[[int], None], for_s: float) -> dict[str, Any]:
    """Let as many loops as there are connections call `visit`, within Locust, books kept."""
    figures: dict[str, Any] = {}

    def shop_forever(number: int) -> None:
        while True:
            visit(number)

    def work() -> None:
        books = OpenLoop(
            [], lambda _: None, clock=bench.clock, recording=bench.recording, max_in_flight=1
        )
        ends_s = bench.clock.now_s() + WARM_S + for_s
        keeper = gevent.spawn(books.run, ends_s=ends_s, drain_s=0.0, settles_s=1.0)
        loops = [gevent.spawn(shop_forever, number) for number in range(CONNECTIONS)]
        figures.update(counted(loops, lambda: bench.requests, for_s))
        keeper.get()

    run_in_locust(work)
    return figures


def session(bench: Bench, for_s: float) -> dict[str, Any]:
    clients = [bench.client() for _ in range(CONNECTIONS)]
    return closed(bench, lambda n: bench.request(clients[n], n, bench.clock.now_s()), for_s)


def open_loop(bench: Bench, rate_per_s: int, for_s: float) -> dict[str, Any]:
    """Begin one request at every due time, over shared connections that the warm-up opened."""
    pool = Pool(bench.deadlines)
    begins_s = bench.clock.now_s() + WARM_S
    warm_up = range(-int(WARM_S * rate_per_s), 0)
    measured = range(int(for_s * rate_per_s))
    arrivals = (
        Arrival(number, begins_s + WARM_S + number / rate_per_s, "all")
        for numbers in (warm_up, measured)
        for number in numbers
    )

    def visit(arrival: Arrival) -> None:
        bench.request(bench.client(pool), arrival.index, arrival.due_s)

    loop = OpenLoop(
        arrivals,
        visit,
        clock=bench.clock,
        recording=bench.recording,
        max_in_flight=bench.plan.traffic.max_in_flight,
    )
    ends_s = begins_s + WARM_S + for_s
    figures: dict[str, Any] = {}

    def watch() -> None:
        gevent.sleep(begins_s + WARM_S - bench.clock.now_s())
        figures.update(cpu_of(lambda: gevent.sleep(ends_s - bench.clock.now_s())))

    def work() -> None:
        sweeper = gevent.spawn(bench.deadlines.sweep_forever)
        gevent.spawn(watch)
        loop.run(ends_s=ends_s, drain_s=3.0, settles_s=1.0)
        sweeper.kill()
        pool.close()

    run_in_locust(work)
    bench.recording.close()
    return measured_in(bench.run, since_s=math.floor(begins_s + WARM_S)) | figures


def measured_in(run: RunDirectory, *, since_s: int) -> dict[str, Any]:
    """Read back what the run's own files say of the seconds after the warm-up."""
    seconds = read_records(run.series / "generator-0.ndjson", GeneratorSecond)
    rows = [row for row in seconds if row.second >= since_s]
    return {
        "offered": sum(row.offered for row in rows),
        "missed": sum(row.missed for row in rows),
        **lateness(run, since_s=since_s),
    }


def locusts_own(base: type[User], url: str, for_s: float) -> dict[str, Any]:
    """Let Locust's users repeat a request as fast as they can."""

    class Shopper(base):  # type: ignore[misc, valid-type]
        host = url

        @task
        def shop(self) -> None:
            while True:
                self.client.get("/small")

    environment = Environment(user_classes=[Shopper], events=locust.events)
    runner = environment.create_local_runner()
    runner.start(CONNECTIONS, spawn_rate=100)
    gevent.sleep(1.0)
    figures = counted([], lambda: environment.stats.total.num_requests, for_s)
    runner.quit()
    return figures


def main(kind: str, url: str, for_s: float, rate_per_s: int) -> dict[str, Any]:
    if kind in ("FastHttpUser", "HttpUser"):
        return locusts_own(getattr(locust, kind), url, for_s)
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        bench = Bench(url, Path(folder))
        if kind == "session":
            return session(bench, for_s)
        assert kind == "open", kind
        return open_loop(bench, rate_per_s, for_s)


if __name__ == "__main__":
    kind, url, seconds, rate = sys.argv[1:]
    sys.stdout.write(json.dumps(main(kind, url, float(seconds), int(rate))) + "\n")
