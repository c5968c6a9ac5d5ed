"""One proxy: a listening address, an upstream, the toxics between and the open connections."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from chaos.proxy.address import Address, bind, bound
from chaos.proxy.connection import Connection
from chaos.proxy.countdown import Countdown
from chaos.proxy.errors import ApiError
from chaos.proxy.link import Link
from chaos.proxy.tally import Tally, Totals
from chaos.proxy.toxic import DIRECTIONS, Direction, Toxic
from chaos.proxy.toxics.stage import Clock

ACCEPTS_AT_ONCE = 256
ACCEPT_RETRY_S = 0.05


@dataclass(frozen=True)
class Surroundings:
    """What all proxies of a server share.

    Args:
        seed: What toxics draw from, together with the name of the proxy and the connection's
            number: with the same seed the same connections are affected, and as much.
        totals: The counters of bytes; without, nothing is counted.
        heal: Starts a disabled proxy whose time is over.
    """

    clock: Clock
    seed: int
    totals: Totals | None
    heal: Callable[["Proxy"], None]


class Proxy:
    """Accepts connections while enabled. Its toxics outlive being disabled and moved."""

    def __init__(self, name: str, *, listen: str, upstream: str, around: Surroundings) -> None:
        self.name = name
        self.listen = listen
        """As asked for until the first start, the bound address from then on."""
        self.upstream = upstream
        self.chains: dict[Direction, list[Toxic]] = {direction: [] for direction in DIRECTIONS}
        self.healing = Countdown(partial(around.heal, self))
        """Runs while it is disabled for a time."""
        self._around = around
        self._accepted_count = 0
        self._lives: dict[str, Countdown] = {}
        """The toxics that go by themselves, by name."""
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

    def start(self, address: Address) -> None:
        """Listen; an address that cannot be had leaves the proxy disabled."""
        self.healing.stop()
        self._listener = bind(address)
        self.listen = bound(self._listener)
        self._loop.add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """Refuse new connections and close the open ones."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.abort()

    def forget(self) -> None:
        """Stop for good: nothing is to heal any more."""
        self.stop()
        for countdown in [self.healing, *self._lives.values()]:
            countdown.stop()

    def toxic(self, name: str) -> Toxic:
        for toxic in self.toxics:
            if toxic.name == name:
                return toxic
        raise ApiError(404, "toxic not found")

    def add_toxic(self, toxic: Toxic) -> None:
        self.chains[toxic.direction].append(toxic)
        for link in self._open(toxic.direction):
            link.add(toxic)
        self._limit_life(toxic)

    def update_toxic(self, toxic: Toxic) -> None:
        chain = self.chains[toxic.direction]
        chain[[other.name for other in chain].index(toxic.name)] = toxic
        for link in self._open(toxic.direction):
            link.update(toxic)
        self._limit_life(toxic)

    def remove_toxic(self, toxic: Toxic) -> None:
        self.chains[toxic.direction].remove(toxic)
        if toxic.name in self._lives:
            self._lives.pop(toxic.name).stop()
        for link in self._open(toxic.direction):
            link.remove(toxic)

    def remove_toxics(self) -> None:
        for toxic in self.toxics:
            self.remove_toxic(toxic)

    def _limit_life(self, toxic: Toxic) -> None:
        """Let a toxic with a time to live go by itself, counted from its last change."""
        if toxic.name in self._lives:
            self._lives.pop(toxic.name).stop()
        if toxic.ttl_ms is not None:
            self._lives[toxic.name] = Countdown(partial(self.remove_toxic, toxic))
            self._lives[toxic.name].start(toxic.ttl_ms)

    def _open(self, direction: Direction) -> list[Link]:
        links = [connection.link(direction) for connection in self._connections]
        return [link for link in links if link is not None]

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
        self._accepted_count += 1
        connection = Connection(
            chains=self.chains,
            clock=self._around.clock,
            seed=f"{self._around.seed}/{self.name}/{self._accepted_count}",
            tally=self._tally,
            gone=self._connections.discard,
        )
        self._connections.add(connection)
        connection.open(accepted, self.upstream)

    def _tally(self, direction: Direction) -> Tally | None:
        totals = self._around.totals
        labels = (direction, self.name, self.listen, self.upstream)
        return None if totals is None else Tally(totals, labels)
