"""The server process: the API on its address, and the proxies that it makes."""

import asyncio
import logging
import secrets
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from chaos.proxy.address import bind, bound, resolve
from chaos.proxy.api import Api
from chaos.proxy.body import Body, parse_array
from chaos.proxy.errors import ApiError
from chaos.proxy.http import HttpProtocol
from chaos.proxy.metrics import Metrics
from chaos.proxy.proxies import Proxies
from chaos.proxy.proxy import Proxy
from chaos.proxy.tally import Totals
from doorbuster.open_files import raise_open_files

log = logging.getLogger("doorbuster.proxy")


@dataclass(frozen=True)
class ServerOptions:
    """What a server is started with: the flags of `toxiproxy-server`."""

    host: str = "localhost"
    port: str = "8474"
    config: Path | None = None
    """A file with the proxies to begin with, in the form that `/populate` takes."""
    seed: int = field(default_factory=lambda: secrets.randbits(63))
    proxy_metrics: bool = False
    runtime_metrics: bool = False

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def run(options: ServerOptions) -> None:
    """Serve until SIGINT or SIGTERM."""
    raise_open_files()  # each connection takes two
    uvloop.run(serve(options))


async def serve(options: ServerOptions) -> None:
    """Listen, say so in one line, and close every connection in the end."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    totals = Totals() if options.proxy_metrics else None
    proxies = Proxies(seed=options.seed, totals=totals)
    shown = totals is not None or options.runtime_metrics
    metrics = Metrics(totals, runtime=options.runtime_metrics) if shown else None
    api = Api(proxies, metrics)
    listener = bind(await resolve(options.address))
    if options.config is not None:
        await populate(proxies, options.config)
    server = await loop.create_server(lambda: HttpProtocol(api), sock=listener)
    sys.stdout.write(f"proxy API listens on {bound(listener)}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()
    proxies.close()
    # Aborted connections are closed in the next turn of the loop.
    await asyncio.sleep(0)


async def populate(proxies: Proxies, config: Path) -> None:
    """Make the proxies of a file; what is wrong with it is told and the server starts anyway."""
    applied: list[Proxy] = []
    try:
        await proxies.populate(_wanted(config), applied)
    except OSError as error:
        why = error.strerror or error
        log.warning("config %s cannot be read (%s): starting without its proxies", config, why)
    except ApiError as error:
        log.warning(
            "config %s is wrong (%s): starting with %d of its proxies",
            config,
            error.text,
            len(applied),
        )


def _wanted(config: Path) -> list[Body]:
    return parse_array(config.read_bytes())
