"""One proxy: a listening address, an upstream, the toxics between and the open connections."""

import asyncio
import socket
from random import Random
from typing import Any

from chaos.proxy.address import Address, bind, bound, resolve
from chaos.proxy.connection import Connection
from chaos.proxy.errors import ApiError
from chaos.proxy.link import Link
from chaos.proxy.toxic import DIRECTIONS, Direction, Toxic

ACCEPTS_AT_ONCE = 256
ACCEPT_RETRY_S = 0.05


class Proxy:
    """Accepts connections while enabled. Its toxics outlive being disabled and moved."""

    def __init__(self, name: str, *, listen: str, upstream: str, random: Random) -> None:
        self.name = name
        self.listen = listen
        """As asked for until the first start, the bound address from then on."""
        self.upstream = upstream
        self.chains: dict[Direction, list[Toxic]] = {direction: [] for direction in DIRECTIONS}
        self._random = random
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._loop = asyncio.get_running_loop()

    @property
    def enabled(self) -> bool:
        return self._listener is not None

    @property
    def toxics(self) -> list[Toxic]:
        return [toxic for direction in DIRECTIONS for toxic in self.chains[direction]]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [toxic.as_json() for toxic in self.toxics],
        }

    async def differs(self, *, listen: str, upstream: str) -> bool:
        """Whether this proxy would have to move to have these addresses."""
        return str(await resolve(listen)) != self.listen or upstream != self.upstream

    async def start(self) -> None:
        """Listen; an address that cannot be had leaves the proxy disabled."""
        try:
            address = await resolve(self.listen)
        except ApiError as error:
            raise ApiError(error.status, f"listen tcp: {error.text}") from None
        self._listen_on(address)

    def stop(self) -> None:
        """Refuse new connections and close the open ones."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.abort()

    def toxic(self, name: str) -> Toxic:
        for toxic in self.toxics:
            if toxic.name == name:
                return toxic
        raise ApiError(404, "toxic not found")

    def add_toxic(self, toxic: Toxic) -> None:
        self.chains[toxic.direction].append(toxic)
        for link in self._open(toxic.direction):
            link.add(toxic)

    def update_toxic(self, toxic: Toxic) -> None:
        chain = self.chains[toxic.direction]
        chain[[other.name for other in chain].index(toxic.name)] = toxic
        for link in self._open(toxic.direction):
            link.update(toxic)

    def remove_toxic(self, toxic: Toxic) -> None:
        self.chains[toxic.direction].remove(toxic)
        for link in self._open(toxic.direction):
            link.remove(toxic)

    def _open(self, direction: Direction) -> list[Link]:
        links = [connection.link(direction) for connection in self._connections]
        return [link for link in links if link is not None]

    def _listen_on(self, address: Address) -> None:
        self._listener = bind(address)
        self.listen = bound(self._listener)
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            listener = self._listener
            if listener is None:
                return
            try:
                accepted, _peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of file descriptors: the socket stays readable, so asking on would spin.
                self._loop.remove_reader(listener)
                self._loop.call_later(ACCEPT_RETRY_S, self._accept_again, listener)
                return
            accepted.setblocking(False)
            self._connect(accepted)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener is self._listener:
            self._loop.add_reader(listener, self._accept)

    def _connect(self, accepted: socket.socket) -> None:
        connection = Connection(
            chains=self.chains, random=self._random, gone=self._connections.discard
        )
        self._connections.add(connection)
        connection.open(accepted, self.upstream)
