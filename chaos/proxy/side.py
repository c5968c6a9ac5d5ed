"""One socket of a connection, as an asyncio protocol."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Protocol, cast

LINGER_NOT = struct.pack("ii", 1, 0)


class Traffic(Protocol):
    """A link, as its sockets see it."""

    def end(self) -> None: ...
    def abandon(self) -> None: ...
    def hold(self) -> None: ...
    def resume(self) -> None: ...


class Side(asyncio.BaseProtocol):
    """A socket with the link it feeds and the link that ends in it.

    `data_received` is an attribute, not a method, so that it can *be* the other side's
    `transport.write`: without toxics a chunk then goes from one socket to the other inside uvloop.
    """

    transport: asyncio.Transport
    outgoing: Traffic
    incoming: Traffic

    def __init__(self, *, made: Callable[[], None], lost: Callable[[], None]) -> None:
        self.early: list[bytes] = []
        self.data_received: Callable[[bytes], None] = self.early.append
        self.ended_early = False
        self.joined = False
        self.lost = False
        self._made = made
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._made()

    def read_into(self, receiver: Callable[[bytes], None]) -> None:
        """Give what is read to `receiver` from now on."""
        self.data_received = receiver
        if not self.lost:
            # The event loop keeps the method it found; setting the protocol again replaces it.
            self.transport.set_protocol(self)

    def join(self, *, outgoing: Traffic, incoming: Traffic) -> None:
        self.outgoing = outgoing
        self.incoming = incoming
        self.joined = True

    def say_early(self) -> None:
        """Give on what the socket said before its link was there."""
        for data in self.early:
            self.data_received(data)
        self.early.clear()
        if self.lost:
            self.incoming.abandon()
        if self.ended_early or self.lost:
            self.outgoing.end()

    def eof_received(self) -> bool:
        if self.joined:
            self.outgoing.end()
        else:
            self.ended_early = True
        # The other direction may still have something to deliver here.
        return True

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  all the same here
        self.lost = True
        if self.joined:
            self.incoming.abandon()
            self.outgoing.end()
        self._lost()

    def pause_writing(self) -> None:
        self.incoming.hold()

    def resume_writing(self) -> None:
        self.incoming.resume()

    def pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def unpause(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def close_with_reset(self) -> None:
        """Make closing this socket a RST instead of a FIN."""
        if self.lost:
            return
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)

    def feed(self, chunk: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(chunk)

    def end(self) -> None:
        self.transport.close()
