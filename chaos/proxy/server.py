"""The server process: the API on its address, and the proxies that it makes."""

import asyncio
import resource
import signal
import sys
from random import Random

import uvloop

from chaos.proxy.address import Address, bind, bound
from chaos.proxy.api import Api
from chaos.proxy.http import HttpProtocol
from chaos.proxy.proxies import Proxies


def run(address: Address) -> None:
    """Serve until SIGINT or SIGTERM."""
    _raise_file_limit()
    uvloop.run(serve(address))


async def serve(address: Address) -> None:
    """Listen, say so in one line, and close every connection in the end."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    proxies = Proxies(Random())
    api = Api(proxies)
    listener = bind(address)
    server = await loop.create_server(lambda: HttpProtocol(api), sock=listener)
    sys.stdout.write(f"proxy API listens on {bound(listener)}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()
    proxies.close()
    # Aborted connections are closed in the next turn of the loop.
    await asyncio.sleep(0)


def _raise_file_limit() -> None:
    """Allow as many connections as the machine does; each takes two files."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
