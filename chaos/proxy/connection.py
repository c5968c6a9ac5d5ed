"""One client connection and the upstream connection that answers it."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence

from chaos.proxy.address import resolve
from chaos.proxy.errors import ApiError
from chaos.proxy.link import Link
from chaos.proxy.side import Side
from chaos.proxy.tally import Tally
from chaos.proxy.toxic import DIRECTIONS, Direction, Toxic
from chaos.proxy.toxics.stage import Clock

Chains = Mapping[Direction, Sequence[Toxic]]


class Connection:
    """Two sockets and a link in each direction.

    A link that ends closes its destination whole, as Toxiproxy does: half-closed connections do
    not survive the proxy.
    """

    def __init__(
        self,
        *,
        chains: Chains,
        clock: Clock,
        seed: str,
        tally: Callable[[Direction], Tally | None],
        gone: Callable[["Connection"], None],
    ) -> None:
        self._chains = chains
        self._clock = clock
        self._seed = seed
        self._tally = tally
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._client = Side(made=self._join, lost=self._side_lost)
        self._server = Side(made=self._answered, lost=self._side_lost)
        self._sides: list[Side] = []
        self._links: dict[Direction, Link] = {}
        self._accepted: socket.socket
        self._opening: asyncio.Task[None]

    def open(self, accepted: socket.socket, upstream: str) -> None:
        """Dial `upstream` for a socket that was accepted, without anybody waiting for it."""
        self._accepted = accepted
        self._opening = self._loop.create_task(self._dial(upstream))

    def abort(self) -> None:
        """Close both sockets now, with what is still on its way."""
        self._opening.cancel()
        for side in self._sides:
            side.transport.abort()
        if self._client not in self._sides:
            self._accepted.close()
            self._gone(self)

    def link(self, direction: Direction) -> Link | None:
        """Return the link of a direction, or None as long as upstream has not answered."""
        return self._links.get(direction)

    async def _dial(self, upstream: str) -> None:
        """Open both sides; a client whose upstream does not answer sees its connection end."""
        try:
            address = await resolve(upstream)
            host = address.host or "localhost"
            await self._loop.create_connection(lambda: self._server, host, address.port)
            await self._loop.connect_accepted_socket(lambda: self._client, self._accepted)
        except (OSError, ApiError):
            self.abort()

    def _answered(self) -> None:
        self._sides.append(self._server)

    def _join(self) -> None:
        """Connect the two sockets; reading from the client starts after this."""
        self._sides.append(self._client)
        pairs = {
            "upstream": (self._client, self._server),
            "downstream": (self._server, self._client),
        }
        for direction in DIRECTIONS:
            self._links[direction] = Link(
                *pairs[direction],
                clock=self._clock,
                seed=f"{self._seed}/{direction}",
                tally=self._tally(direction),
            )
        upstream, downstream = self._links["upstream"], self._links["downstream"]
        self._client.join(outgoing=upstream, incoming=downstream)
        self._server.join(outgoing=downstream, incoming=upstream)
        for direction in DIRECTIONS:
            self._links[direction].start(self._chains[direction])
        self._server.say_early()

    def _side_lost(self) -> None:
        if self._client.lost and self._server.lost:
            self._gone(self)
