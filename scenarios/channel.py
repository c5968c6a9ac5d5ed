"""A socket that waits by gevent's loop: opened, encrypted if need be, watched while it is open."""

import _socket
import errno
import math
import os
from typing import Any, Final

from gevent import get_hub, getcurrent

from scenarios.deadlines import Deadlines
from scenarios.endpoint import Endpoint
from scenarios.tls import TlsCodec

RECEIVE_BYTES: Final = 65_536

Socket = _socket.socket
"""Without the layers of `socket.socket`: this one never waits by itself."""

_READ: Final = 1
_WRITE: Final = 2


class Channel:
    """A connection to an endpoint, for one greenlet at a time.

    Readability is watched as long as it is open, so waiting costs no system call, and an end that
    comes while nobody waits closes it. `sent_s` is when the first byte of a message left.
    """

    __slots__ = (
        "_deadlines",
        "_endpoint",
        "_hub",
        "_socket",
        "_tls",
        "_waiter",
        "_watcher",
        "deadline_s",
        "is_open",
        "overdue",
        "sent_s",
    )

    def __init__(self, endpoint: Endpoint, deadlines: Deadlines) -> None:
        self.is_open = False
        self.overdue = False
        self.deadline_s = math.inf
        self.sent_s: float | None = None
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._hub = get_hub()
        self._socket: Any = None
        self._tls: TlsCodec | None = None
        self._watcher: Any = None
        self._waiter: Any = None

    def open(self) -> None:
        """Connect to the first address that lets us, and shake hands if it is to be secret."""
        addresses = self._endpoint.addresses
        for number, (family, address) in enumerate(addresses, start=1):
            try:
                self._connect(family, address)
                break
            except OSError:
                self.close()
                if self.overdue or number == len(addresses):
                    raise
        if self._endpoint.tls is not None:
            self._shake_hands()
        self.is_open = True

    def send(self, message: bytes) -> None:
        """Send all of a message, waiting where the other side takes it slowly."""
        outgoing = message if self._tls is None else self._tls.encrypt(message)
        about_to_send_s = self._deadlines.now_s()
        try:
            sent = self._socket.send(outgoing)
        except BlockingIOError:
            sent = 0
        self.sent_s = about_to_send_s
        if sent < len(outgoing):
            self._send_rest(outgoing[sent:])

    def receive(self) -> bytes:
        """Wait for bytes and return them; nothing means that the other side has ended."""
        if self._tls is None:
            return self._receive_raw()
        while received := self._receive_raw():
            plain = self._tls.decrypt(received)
            if plain or self._tls.ended:
                return plain
        return b""

    def is_idle(self) -> bool:
        """Whether nothing has come meanwhile; the other side's end or stray bytes would show."""
        try:
            self._socket.recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def abort(self) -> None:
        """End what is under way, from another greenlet, by a TimeoutError."""
        self.overdue = True
        self.deadline_s = math.inf
        self._hub.loop.run_callback(self._wake)

    def close(self) -> None:
        """Close the socket, if there is one."""
        self.is_open = False
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if self._socket is not None:
            self._deadlines.open.discard(self)
            self._socket.close()
            self._socket = None
        self._tls = None

    def _connect(self, family: int, address: tuple[Any, ...]) -> None:
        self._socket = opened = Socket(family, _socket.SOCK_STREAM)
        self._deadlines.open.add(self)
        opened.setblocking(False)
        opened.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        error = opened.connect_ex(address)
        if error == errno.EINPROGRESS:
            self._wait_until_writable()
            error = opened.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self._watcher = self._hub.loop.io(opened.fileno(), _READ)
        self._watcher.start(self._on_readable)

    def _shake_hands(self) -> None:
        codec = TlsCodec(self._endpoint)
        over, to_send = codec.shake_hands(b"")
        while True:
            self._send_rest(to_send)
            if over:
                break
            received = self._receive_raw()
            if not received:
                raise ConnectionResetError(errno.ECONNRESET, "closed in the TLS handshake")
            over, to_send = codec.shake_hands(received)
        self._tls = codec

    def _send_rest(self, outgoing: bytes) -> None:
        rest = memoryview(outgoing)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                self._watcher.stop()  # an early answer would wake us again and again
                self._wait_until_writable()
                self._watcher.start(self._on_readable)

    def _receive_raw(self) -> bytes:
        """Wait first: what was just asked cannot have been answered yet."""
        while True:
            self._waiter = getcurrent()
            try:
                self._hub.switch()
            finally:
                self._waiter = None
            if self.overdue:
                raise TimeoutError
            try:
                received: bytes = self._socket.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            return received

    def _wait_until_writable(self) -> None:
        watcher = self._hub.loop.io(self._socket.fileno(), _WRITE)
        watcher.start(self._on_writable)
        self._waiter = getcurrent()
        try:
            self._hub.switch()
        finally:
            self._waiter = None
            watcher.stop()
            watcher.close()
        if self.overdue:
            raise TimeoutError

    def _wake(self) -> None:
        if self.overdue and self._waiter is not None:
            self._waiter.switch()

    def _on_writable(self) -> None:
        if self._waiter is not None:
            self._waiter.switch()

    def _on_readable(self) -> None:
        if self._waiter is not None:
            self._waiter.switch()
        elif not self._was_expected():
            self.close()

    def _was_expected(self) -> bool:
        """Take what nobody waits for; only messages of TLS itself are no reason to close."""
        try:
            received = self._socket.recv(RECEIVE_BYTES)
            if not received or self._tls is None:
                return False
            return not self._tls.decrypt(received) and not self._tls.ended
        except BlockingIOError:
            return True
        except OSError:
            return False
