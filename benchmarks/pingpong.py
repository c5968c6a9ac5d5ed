"""A server that answers at once and clients that ask again and again: load for what is between."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import uvloop

REQUEST = b"GET /v1/stock HTTP/1.1\r\nHost: shop\r\nAccept: application/json\r\n\r\n"
RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"available": 7}'
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
