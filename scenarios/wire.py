"""HTTP on one connection: a request's bytes in, its reply out, in bounded time."""

import errno
import math
import ssl
from typing import Final

from doorbuster.errors import DoorbusterError
from scenarios.channel import Channel
from scenarios.deadlines import Deadlines
from scenarios.endpoint import Endpoint
from scenarios.outcome import Answer, Cause, NoAnswer, Reply
from scenarios.response import ResponseReader

HEAD: Final = b"HEAD "
_SAFE: Final = (b"GET ", HEAD, b"OPTIONS ")
_OUR_OWN_LIMITS: Final = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS)


class Connection:
    """A connection to the shop: opened when needed, kept while both sides allow it."""

    __slots__ = ("_channel", "_deadlines", "_reader")

    def __init__(self, endpoint: Endpoint, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._channel = Channel(endpoint, deadlines)
        self._reader: ResponseReader | None = None

    def exchange(self, request: bytes) -> Reply:
        """Send a request and return its answer, or why and after which bytes there is none.

        A kept connection that turns out to have ended is replaced where that cannot do a thing
        twice: the request is safe, or none of its bytes left.
        """
        began_s = self._deadlines.now_s()
        channel = self._channel
        safe = request.startswith(_SAFE)
        if channel.is_open and not safe and not channel.is_idle():
            channel.close()
        kept = self._reader if channel.is_open else None
        reply = self._attempt(request, began_s)
        if kept is not None and isinstance(reply, NoAnswer) and not kept.received_bytes:
            harmless = safe or reply.sent_s is None
            if harmless and reply.cause in ("eof", "reset"):
                return self._attempt(request, began_s)
        return reply

    def close(self) -> None:
        """Close it; another exchange opens it anew."""
        self._channel.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _attempt(self, request: bytes, began_s: float) -> Reply:
        channel, deadlines = self._channel, self._deadlines
        channel.sent_s = None
        channel.overdue = False
        whole = False
        try:
            if not channel.is_open:
                self._open(began_s)
            reader = self._reader
            assert reader is not None
            reader.expect(head=request.startswith(HEAD))
            channel.deadline_s = began_s + deadlines.timeout_s
            channel.send(request)
            cause: Cause | None = None
            while cause is None and not reader.complete:
                received = channel.receive()
                cause = reader.feed(received) if received else reader.end()
            whole = cause is None and reader.reusable
        except OSError as error:
            cause = self._cause(error)
        finally:
            channel.deadline_s = math.inf
            if not whole:
                self.close()
        ended_s = deadlines.now_s()
        if cause is not None:
            return NoAnswer(cause, channel.sent_s, ended_s)
        assert reader is not None
        assert channel.sent_s is not None
        return Answer(reader.status, reader.body, channel.sent_s, ended_s, reader.headers)

    def _open(self, began_s: float) -> None:
        self.close()
        self._channel.deadline_s = began_s + self._deadlines.connect_s
        self._channel.open()
        self._reader = ResponseReader()

    def _cause(self, error: OSError) -> Cause:
        if self._channel.overdue:
            return "timeout"
        if error.errno in _OUR_OWN_LIMITS:
            raise DoorbusterError(
                f"the traffic process cannot open another connection: {error.strerror}"
            ) from error
        if isinstance(error, ConnectionRefusedError):
            return "refused"
        if isinstance(error, ssl.SSLCertVerificationError):
            return "untrusted"
        return "reset" if self._channel.is_open else "unreachable"
