"""Reading HTTP/1.1 responses from bytes as they arrive, within limits, trusting nobody."""

from typing import Final

import httptools

from scenarios.content_coding import CodingError, DecodedTooLarge, decoded
from scenarios.outcome import Cause

HEADER_LIMIT_BYTES: Final = 65_536
BODY_LIMIT_BYTES: Final = 4_194_304

_FRAMING_PER_BODY_BYTE: Final = 8
"""Chunks of one byte take five bytes around it; more than this is not meant to be read."""


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    `close` ends it: parser and reader refer to each other, and garbage collection is rare here.
    """

    __slots__ = (
        "_body_bytes",
        "_cause",
        "_coded",
        "_head",
        "_in_body",
        "_parser",
        "_parts",
        "body",
        "complete",
        "headers",
        "received_bytes",
        "reusable",
        "status",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head = False
        self.expect()

    def expect(self, *, head: bool = False) -> None:
        """Prepare for the response to the next request; to a HEAD none has a body.

        Its headers are those of a GET all the same, so a length in them is not what follows.
        """
        if self._head:  # the parser still waits for a body
            self._parser = httptools.HttpResponseParser(self)
        self._head = head
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.reusable = False
        self.received_bytes = 0
        self._cause: Cause | None = None
        self._in_body = False
        self._coded = False
        self.body = b""
        self._body_bytes = 0
        self._parts: list[bytes] = []

    def feed(self, received: bytes) -> Cause | None:
        """Take in bytes; return why there will be no answer, if that is certain now."""
        self.received_bytes += len(received)
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            return self._cause if self.complete else "malformed"
        if self.complete:
            return self._cause
        framing_bytes = self.received_bytes - self._body_bytes
        if framing_bytes > HEADER_LIMIT_BYTES + _FRAMING_PER_BODY_BYTE * self._body_bytes:
            return "too_large"
        return self._cause

    def end(self) -> Cause | None:
        """Take note of the end of the connection; return why there is no answer, if so."""
        self.reusable = False
        if not self.complete and self._in_body and not self._is_delimited():
            self._finish()
        return self._cause if self.complete else "eof"

    def close(self) -> None:
        del self._parser

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes after the body is not one."""
        if not self._in_body:
            self.headers.append((name, value))
            if len(name) == 16 and name.lower() == b"content-encoding":
                self._coded = True

    def on_headers_complete(self) -> None:
        if not self.complete:
            self.status = self._parser.get_status_code()
            self._in_body = self.status >= 200
            if self._head and self._in_body:
                self._finish()
                self.reusable = self._parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        if self.complete:
            self.reusable = False
            return
        self._body_bytes += len(part)
        if self._body_bytes > BODY_LIMIT_BYTES:
            self._cause = "too_large"
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        """End the response, unless it only was an interim one (1xx): the real one follows."""
        if self.complete:
            return
        if self.status < 200:
            self.headers = []
            self._coded = False
            return
        self._finish()
        self.reusable = self._parser.should_keep_alive()

    def _finish(self) -> None:
        self.complete = True
        self.body = b"".join(self._parts)
        if self._coded and self._cause is None and not self._head:
            self._decode()

    def _decode(self) -> None:
        codings = b",".join(
            value for name, value in self.headers if name.lower() == b"content-encoding"
        )
        try:
            self.body = decoded(self.body, codings, limit_bytes=BODY_LIMIT_BYTES)
        except DecodedTooLarge:
            self._cause = "too_large"
        except CodingError:
            self._cause = "malformed"

    def _is_delimited(self) -> bool:
        """Whether the response itself says where it ends, so that an early end cuts it short."""
        framed = (b"content-length", b"transfer-encoding")
        return any(name.lower() in framed for name, _ in self.headers)
