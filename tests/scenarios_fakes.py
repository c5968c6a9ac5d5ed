"""A tiny shop behind real HTTP for tests of traffic, and the process that drives it."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from doorbuster.plan import LoadedPlan, load_plan
from doorbuster.rundir import RunDirectory, new_run
from scenarios.adapter import load_adapter
from scenarios.attempts import Surroundings
from scenarios.order import StartSignal, TrafficOrder
from scenarios.outcome import Answer, Cause, Judgement, NoAnswer, Reply
from scenarios.shop import Shop, speak
from scenarios.step import Result, Step

REPOSITORY = Path(__file__).resolve().parent.parent

PLAN = """
name: traffic-test
sale:
  opens_at: rush
  items:
    - {sku: HOT, stock: 10, price: "99.00", demand: 80%}
    - {sku: "BASE-{n}", count: 5, stock: 1000, price: "19.90", demand: 20%}
traffic:
  arrivals:
    - {phase: baseline, for: 2s, rate: 20/s}
    - {phase: rush, for: 2s, rate: 40/s, burst: {visitors: 20, spread: 500ms}}
  warmup: 1s
  timeout: 1s
  patience: 2s
"""


def plan_of(text: str = PLAN) -> LoadedPlan:
    return load_plan(text, source="test", environ={})


class FakeShop:
    """An asyncio shop in a thread: sells `units` of everything, counts what it was asked.

    `answer` may replace the answer to a request: (method, path, body) to (status, JSON) or None
    for no answer at all.
    """

    def __init__(self, units: int = 1_000_000, *, host: str = "127.0.0.1") -> None:
        self.host = host
        self.units = units
        self.requests: Counter[str] = Counter()
        self.orders: dict[str, dict[str, object]] = {}
        self.answer: Callable[[str, str, dict[str, object]], tuple[int, object] | None] = self.sell
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def sell(self, method: str, path: str, body: dict[str, object]) -> tuple[int, object] | None:
        parts = path.strip("/").split("/")[1:]
        if parts[0] == "products":
            return 200, {"sku": parts[1]}
        if parts[0] == "skus":
            return 200, {"available": self.units, "reserved": 0, "sold": len(self.orders)}
        if parts[0] == "checkouts":
            key = str(body["client_ref"])
            if key not in self.orders:
                if self.units <= 0:
                    return 409, {"code": "sold_out"}
                self.units -= 1
                self.orders[key] = {"order_id": f"o-{len(self.orders)}", "total": 9900}
            return 201, {**self.orders[key], "status": "pending_payment"}
        if method == "POST" and parts[-1] == "payments":
            return 200, {"order_id": parts[1], "status": "paid", "amount": 9900}
        return 200, {"order_id": parts[1], "status": "paid", "total": 9900}

    def freeze(self, for_s: float) -> None:
        """Do nothing at all for a while; requests wait in the meantime."""
        self._loop.call_soon_threadsafe(time.sleep, for_s)

    def __enter__(self) -> "FakeShop":
        self._thread.start()
        assert self._listening.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, self.host, 0, backlog=1024)
        )
        self.url = f"http://{self.host}:{server.sockets[0].getsockname()[1]}"
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return False
        method, path, _ = head.split(" ", 2)
        length = next(
            (int(x.split(":")[1]) for x in head.split("\r\n") if x.startswith("Content-Length")), 0
        )
        content = await reader.readexactly(length)
        self.requests[f"{method} {path.split('/')[2]}"] += 1
        answer = self.answer(method, path, json.loads(content) if content else {})
        if answer is None:
            await asyncio.sleep(60)
            return False
        body = json.dumps(answer[1]).encode()
        writer.write(
            f"HTTP/1.1 {answer[0]} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        await writer.drain()
        return True


def new_traffic_run(folder: Path, loaded: LoadedPlan) -> RunDirectory:
    return new_run(folder / "runs", loaded.plan.name)


@contextmanager
def traffic(
    run: RunDirectory,
    loaded: LoadedPlan,
    url: str,
    *,
    index: int = 0,
    count: int = 1,
    adapter: str | None = None,
    **way: Any,
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start the traffic process and yield it with its second 0, once it has been told to go."""
    order = TrafficOrder(
        run_id=run.run_id,
        run_dir=str(run.path),
        plan=loaded.resolved,
        base_url=url,
        adapter=adapter,
        index=index,
        count=count,
        **way,
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "scenarios"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.flush()
        if (said := process.stdout.readline()) != b"ready\n":
            process.kill()
            raise AssertionError((said, *process.communicate()))
        zero_s = time.monotonic() + loaded.plan.traffic.warmup + 0.1
        process.stdin.write(msgspec.json.encode(StartSignal(zero_s)) + b"\n")
        process.stdin.flush()
        yield process, zero_s
    finally:
        process.kill()
        process.communicate()


class FakeClock:
    """A clock that jumps to where it is told to sleep until."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.at_s = now_s
        self.slept_until: list[float] = []

    def now_s(self) -> float:
        return self.at_s

    def sleep_until(self, at_s: float) -> None:
        self.slept_until.append(at_s)
        self.at_s = max(self.at_s, at_s)


class Script:
    """The talk of one attempt whose replies are written beforehand."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.judgements: list[Judgement] = []

    def ask(self, method: str, request: bytes, judge: Callable[[Reply], Judgement]) -> Judgement:
        assert request.startswith(method.encode())
        self.requests.append(request)
        self.judgements.append(judge(self.replies.pop(0)))
        return self.judgements[-1]


def replied(
    status: int, body: bytes | str | object = b"", headers: dict[str, str] | None = None
) -> Answer:
    """Return an answer; a body that is neither bytes nor text is written as JSON."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Answer(status, body, 1.0, 2.0, named)


class Notebook:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Step]] = []
        self.results: list[tuple[Step, Result]] = []

    def begun(self, step: Step) -> None:
        self.lines.append(("begun", step))

    def answered(self, step: Step) -> None:
        self.lines.append(("answered", step))

    def invoked(self, step: Step, at_s: float) -> None:
        self.lines.append(("invoke", step))

    def completed(self, step: Step, result: Result) -> None:
        self.lines.append((result.outcome, step))
        self.results.append((step, result))


class FakeWire:
    """A connection to a fake shop on a fake clock: each exchange takes `takes_s`.

    `answer` gives (status, JSON) for a request, with headers if there are any, or the cause of
    there being none; an exception in
    it is raised, as when a session is ended in the middle of an exchange.
    """

    def __init__(
        self,
        clock: FakeClock,
        answer: Callable[[str, str, dict[str, object]], tuple[int, object] | Cause],
        takes_s: float = 0.01,
    ) -> None:
        self.clock = clock
        self.answer = answer
        self.takes_s = takes_s
        self.asked: list[str] = []
        self.keys: list[str | None] = []

    def exchange(self, request: bytes) -> Reply:
        head, _, content = request.decode().partition("\r\n\r\n")
        first, *headers = head.split("\r\n")
        method, path, _ = first.split(" ")
        self.asked.append(f"{method} {path}")
        named = dict(header.split(": ", 1) for header in headers)
        self.keys.append(named.get("Idempotency-Key"))
        sent_s = self.clock.at_s
        self.clock.at_s += self.takes_s
        answer = self.answer(method, path, json.loads(content) if content else {})
        if isinstance(answer, str):
            unsent = answer in ("refused", "unreachable")
            return NoAnswer(answer, None if unsent else sent_s, self.clock.at_s)
        status, content_back, *rest = answer
        headers = [(k.encode(), v.encode()) for told in rest for k, v in told.items()]
        body = json.dumps(content_back).encode()
        return Answer(status, body, sent_s, self.clock.at_s, headers)


@cache
def reference() -> Shop:
    return speak(load_adapter(), host="shop", run_id="run")


def surroundings(
    clock: FakeClock, notebook: Notebook, *, patience_s: float = 8.0, seed: int = 1
) -> Surroundings:
    return Surroundings(
        operations=reference(),
        clock=clock,
        recorder=notebook,
        watch=lambda *_: None,
        patience_s=patience_s,
        jitter=random.Random(seed),
    )
