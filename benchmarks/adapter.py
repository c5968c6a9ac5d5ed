"""What an adapter costs: build and judge per operation, beside the same calls written by hand.

Two figures, in processor time since nothing here waits: what building a request and judging its
answer takes, and the throughput of whole operations over a real connection to a server that answers
at once, both ways side by side in turns. The bar is 90 % of the throughput of hand-written calls.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import gevent
import msgspec
from gevent import socket
from gevent.server import StreamServer

from scenarios.adapter import load_adapter
from scenarios.client import Client
from scenarios.deadlines import Deadlines
from scenarios.endpoint import Hosts
from scenarios.outcome import Answer, Extracted, Judgement, Reply, judge_silence, unmapped
from scenarios.pool import Pool
from scenarios.shop import SpokenOperation, speak
from scenarios.step import Step

RESULTS: Final = Path(__file__).parent / "results" / "adapter.json"
BAR: Final = 0.9
ROUNDS: Final = 7
ALONE: Final = 20_000
EXCHANGED: Final = 2_000

BODY: Final = msgspec.json.encode(
    {"order_id": "o-1234567", "total": 9900, "status": "pending_payment", "lines": [{"sku": "HOT"}]}
)
CREATED: Final = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
STEP: Final = Step("7-1", "reserve", 7, 1, "patient", "user-7", 0.0, "HOT-1", 1, "run-7-1", "key-7")
TRACE: Final = "00-0123456789abcdef0000000700000001"

Exchange = Callable[[bytes], Reply]


def by_hand(exchange: Exchange, step: Step, span: int) -> Judgement:
    """Reserve as a careful author would without an adapter."""
    body = msgspec.json.encode(
        {
            "client_ref": step.client_ref,
            "customer": step.user_ref,
            "campaign_id": "sale",
            "lines": [{"sku": step.sku, "qty": step.qty}],
        }
    )
    head = (
        f"POST /v1/checkouts HTTP/1.1\r\nHost: shop\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nX-Load-Test: run\r\n"
        f"Idempotency-Key: {quote(str(step.key))}\r\ntraceparent: {TRACE}-{span:016x}-01\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    reply = exchange(head.encode() + body)
    if not isinstance(reply, Answer):
        return judge_silence(reply)
    if reply.status != 201:
        return unmapped(reply.status)
    found = msgspec.json.decode(reply.body)
    told = Extracted(
        order_id=str(found["order_id"]), amount=int(found["total"]), state=str(found["status"])
    )
    return Judgement("ok", extracted=told)


class Talk:
    """One attempt, as the traffic has it, without anything to record."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def ask(self, _method: str, request: bytes, judge: Callable[[Reply], Judgement]) -> Judgement:
        return judge(self._exchange(request))


def main() -> None:
    reserve = speak(load_adapter(), host="shop", run_id="run")["reserve"]
    canned = Answer(201, BODY, 1.0, 2.0)
    alone = compared(reserve, lambda _request: canned, ALONE)
    with_server = over_a_connection(reserve)
    result = {
        "what": "reserve of the reference shop, ratios of one run",
        "build_and_judge_us": alone,
        "operations_per_s": {
            name: round(1e6 / us) if us else None
            for name, us in with_server.items()
            if name != "adapter_over_by_hand"
        },
        "throughput_share": round(1 / with_server["adapter_over_by_hand"], 3),
        "bar": BAR,
    }
    result["met"] = result["throughput_share"] >= BAR
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def compared(reserve: SpokenOperation, exchange: Exchange, count: int) -> dict[str, float]:
    """Return microseconds per operation both ways, the medians of rounds taken in turns."""
    talk = Talk(exchange)
    assert reserve.perform(STEP, talk) == by_hand(exchange, STEP, 1), "both say the same"
    ways: dict[str, Callable[[int], object]] = {
        "by_hand": lambda span: by_hand(exchange, STEP, span),
        "adapter": lambda _span: reserve.perform(STEP, talk),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(_timed_us(way, count))
    found = {name: round(statistics.median(us), 2) for name, us in taken.items()}
    ratios = [a / b for a, b in zip(taken["adapter"], taken["by_hand"], strict=True)]
    return {**found, "adapter_over_by_hand": round(statistics.median(ratios), 3)}


def _timed_us(way: Callable[[int], object], count: int) -> float:
    gc.collect()
    gc.disable()
    began_s = time.process_time()
    for span in range(count):
        way(span)
    taken_s = time.process_time() - began_s
    gc.enable()
    return taken_s / count * 1e6


def over_a_connection(reserve: SpokenOperation) -> dict[str, float]:
    """Return the same over one kept connection of the traffic's own client."""
    server = StreamServer(("127.0.0.1", 0), _answer)
    server.start()
    hosts = Hosts(("127.0.0.1",))
    deadlines = Deadlines(time.monotonic, 5.0)
    sweeper = gevent.spawn(deadlines.sweep_forever)
    pool = Pool(deadlines)
    try:
        endpoint = hosts.pin(f"http://127.0.0.1:{server.server_port}")
        return compared(reserve, Client(endpoint, hosts, pool).exchange, EXCHANGED)
    finally:
        pool.close()
        sweeper.kill()
        server.stop()


def _answer(connection: Any, _address: object) -> None:
    """Answer each request as it comes; a request here is one piece, and short."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while connection.recv(65_536):
        connection.sendall(CREATED)


if __name__ == "__main__":
    main()
