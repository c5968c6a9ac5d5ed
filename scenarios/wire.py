"""HTTP over gevent sockets: one kept-alive connection per session, deadlines by one sweeper."""

import errno
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent import socket

from doorbuster.errors import DoorbusterError
from scenarios.endpoint import Endpoint
from scenarios.outcome import Answer, Cause, NoAnswer, Reply
from scenarios.response import ResponseReader

RECEIVE_BYTES: Final = 16_384
SWEEP_EVERY_S: Final = 0.05

_OUR_OWN_LIMITS: Final = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS)


class Deadlines:
    """Ends exchanges that take too long, by one greenlet instead of a timer for each.

    All have the same timeout, so the first to begin is the first to be overdue.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._begun: deque[tuple[float, Connection, int]] = deque()

    def watch(self, connection: "Connection", serial: int) -> None:
        self._begun.append((time.monotonic() + self._timeout_s, connection, serial))

    def sweep_forever(self) -> None:
        while True:
            gevent.sleep(SWEEP_EVERY_S)
            self.sweep()

    def sweep(self) -> None:
        """End what is overdue; forget what has ended by itself."""
        now_monotonic_s = time.monotonic()
        while self._begun:
            deadline_s, connection, serial = self._begun[0]
            under_way = connection.serial == serial
            if under_way and deadline_s > now_monotonic_s:
                return
            self._begun.popleft()
            if under_way:
                connection.abort()


class Connection:
    """A session's connection: opened when needed, kept while both sides allow it.

    `serial` counts the exchanges that are over, for the sweeper to know one from the next.
    """

    def __init__(
        self, endpoint: Endpoint, deadlines: Deadlines, now_s: Callable[[], float]
    ) -> None:
        self.serial = 0
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._now_s = now_s
        self._overdue = False
        self._socket: Any = None
        self._reader: ResponseReader | None = None

    def exchange(self, request: bytes) -> Reply:
        """Send a request and return its answer, or why and after which bytes there is none."""
        self._overdue = False
        self._deadlines.watch(self, self.serial)
        sent_s: float | None = None
        try:
            self._open()
            about_to_send_s = self._now_s()
            unsent = request[self._socket.send(request) :]
            sent_s = about_to_send_s
            if unsent:
                self._socket.sendall(unsent)
            cause = self._receive()
        except OSError as error:
            cause = self._cause(error, connecting=self._reader is None)
        finally:
            self.serial += 1
        return self._reply(cause, sent_s)

    def abort(self) -> None:
        """End the exchange under way, from another greenlet: its socket calls fail at once."""
        self._overdue = True
        if self._socket is not None:
            self._socket.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> None:
        """Connect unless there is a connection that the shop has not closed meanwhile."""
        if self._reader is not None and self._is_idle():
            self._reader.expect()
            return
        self.close()
        self._socket = socket.socket(self._endpoint.family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.connect(self._endpoint.address)
        self._reader = ResponseReader()

    def _is_idle(self) -> bool:
        """Whether nothing has come since the last response; its end or stray bytes would show."""
        self._socket.settimeout(0.0)
        try:
            self._socket.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(None)
        return False

    def _receive(self) -> Cause | None:
        reader = self._reader
        assert reader is not None
        while not reader.complete:
            received = self._socket.recv(RECEIVE_BYTES)
            if not received:
                return None if reader.end() else "eof"
            cause = reader.feed(received)
            if cause is not None:
                return cause
        return None

    def _cause(self, error: OSError, *, connecting: bool) -> Cause:
        if self._overdue:
            return "timeout"
        if error.errno in _OUR_OWN_LIMITS:
            self.close()
            raise DoorbusterError(
                f"the traffic process cannot open another connection: {error.strerror}"
            ) from error
        if isinstance(error, ConnectionRefusedError):
            return "refused"
        return "unreachable" if connecting else "reset"

    def _reply(self, cause: Cause | None, sent_s: float | None) -> Reply:
        ended_s = self._now_s()
        reader = self._reader
        if cause is None:
            assert reader is not None
            assert sent_s is not None
            answer = Answer(reader.status, reader.body, sent_s, ended_s, reader.headers)
            if not reader.reusable:
                self.close()
            return answer
        self.close()
        return NoAnswer(cause, sent_s, ended_s)
