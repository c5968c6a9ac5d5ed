"""Running an ASGI application on a socket of our own, until told to stop."""

import logging
import resource
import signal
import socket

import uvicorn
from starlette.types import ASGIApp

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that may wait to be accepted: asyncio's 100 turn a burst into false latencies."""


def raise_file_limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def bound_socket(host: str, port: int, *, shared: bool) -> socket.socket:
    """Bind a socket; a `shared` port may be bound by every replica, and the kernel deals out."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound


async def serve(app: ASGIApp, bound: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight, for three seconds at most."""
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
    # uvicorn raises the signal once more when it is done; by then it must not cut our clean-up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    log.info("listening on %s:%s", *bound.getsockname())
    await uvicorn.Server(config).serve(sockets=[bound])
