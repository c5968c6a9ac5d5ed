"""A server that answers at once, for measuring clients: `python -m benchmarks.small_server CORE`.

It says its port, then serves until its standard input ends. It reads no more of a request than it
needs, answers what a shop would to a purchase, and everything else with the same few bytes.
"""

import asyncio
import os
import sys
from typing import Any

import uvloop


def _answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


SMALL = _answer("200 OK", b'{"available": 7, "reserved": 2, "sold": 1}')
RESERVED = _answer("201 Created", b'{"order_id": "o-1", "total": 9900, "status": "pending"}')
PAID = _answer("200 OK", b'{"order_id": "o-1", "amount": 9900, "status": "paid"}')


class Shop(asyncio.Protocol):
    """One connection; requests arrive one at a time and in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET"):
            self.transport.write(SMALL)
        elif b"/checkouts " in data[:40]:
            self.transport.write(RESERVED)
        else:
            self.transport.write(PAID)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Shop, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    uvloop.run(serve())
