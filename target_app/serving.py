"""Running an ASGI application on a socket of our own, until told to stop."""

import asyncio
import logging
import math
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from target_app.corking import CorkedProtocol

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that may wait to be accepted: asyncio's 100 turn a burst into false latencies."""

LAST_REQUESTS_S = 0.3
"""How long, on the way out, those who hold a connection may still begin a request."""


def raise_file_limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:  # without a hard limit, macOS takes no soft one of that
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def bound_socket(host: str, port: int, *, shared: bool) -> socket.socket:
    """Bind a socket; a `shared` port may be bound by every replica, and the kernel deals out."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


@dataclass
class Drain:
    """Whether the process is on its way out.

    Attributes:
        begun: From then on it is not ready, and each answer closes its connection.
        notice_s: How long it goes on accepting, for balancers that look at readiness.
        patience_s: How long what is in flight may take after that.
    """

    begun: bool = False
    notice_s: float = 0.0
    patience_s: float = 3.0


class DrainingServer(uvicorn.Server):
    """A server behind which nobody waits unseen, and that loses nobody when it stops.

    uvloop accepts one connection in each turn of the loop, so that under load a queue forms in the
    kernel: nothing can turn anybody away there, and in the end every request that comes out of it
    has been given up by its sender. Hence all who wait are accepted in each turn.

    When it stops, uvicorn closes the listening socket with all who wait there, and each connection
    on which no request has arrived yet; both have a request on its way. Here they are taken in
    first, and get a moment to speak.
    """

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain
        self._accepting: set[asyncio.Task[Any]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        self.servers = []
        for bound in sockets or ():
            bound.listen(self.config.backlog)
            bound.setblocking(False)
            asyncio.get_running_loop().add_reader(bound, self._accept, bound)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain.begun = True
        await asyncio.sleep(self._drain.notice_s)
        for bound in sockets or ():
            asyncio.get_running_loop().remove_reader(bound)
            self._accept(bound)
            bound.close()
        await asyncio.gather(*self._accepting)
        if self.server_state.connections:
            await asyncio.sleep(LAST_REQUESTS_S)
        await super().shutdown(sockets)

    def _accept(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for caller in _put_through(bound):
            accepting = loop.create_task(loop.connect_accepted_socket(self._protocol, caller))
            self._accepting.add(accepting)
            accepting.add_done_callback(self._accepting.discard)

    def _protocol(self) -> asyncio.Protocol:
        return CorkedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _put_through(bound: socket.socket) -> Iterator[socket.socket]:
    """Accept all who wait at `bound`."""
    with suppress(BlockingIOError):
        while True:
            caller, _address = bound.accept()
            caller.setblocking(False)
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield caller


async def serve(app: ASGIApp, bound: socket.socket, *, drain: Drain | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight while `drain` is patient."""
    drain = drain or Drain()
    config = uvicorn.Config(
        app,
        http=CorkedProtocol,
        ws="none",
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=math.ceil(drain.patience_s),
    )
    # uvicorn raises the signal once more when it is done; by then it must not cut our clean-up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    log.info("listening on %s:%s", *bound.getsockname())
    await DrainingServer(config, drain).serve(sockets=[bound])
