"""Reading HTTP/1.1 responses from bytes as they arrive, within limits, trusting nobody."""

from typing import Final

import httptools

from scenarios.outcome import Cause

HEADER_LIMIT_BYTES: Final = 65_536
BODY_LIMIT_BYTES: Final = 1_048_576


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    `close` ends it: parser and reader refer to each other, and garbage collection is rare here.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Prepare for the response to the next request."""
        self.status = 0
        self.complete = False
        self.reusable = False
        self.too_large = False
        self._in_body = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._body: list[bytes] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self._until_end = True

    @property
    def body(self) -> bytes:
        return b"".join(self._body)

    def feed(self, received: bytes) -> Cause | None:
        """Take in bytes; return why there will be no answer, if that is certain now."""
        if not self._in_body:
            self._head_bytes += len(received)
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.reusable = False
            return None if self.complete else "malformed"
        if not self._in_body and self._head_bytes > HEADER_LIMIT_BYTES:
            self.too_large = True
        return "too_large" if self.too_large and not self.complete else None

    def end(self) -> bool:
        """Take note of the end of the connection; return whether that completes the response."""
        if self._in_body and self._until_end and not self.too_large:
            self.complete = True
        self.reusable = False
        return self.complete

    def close(self) -> None:
        del self._parser

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False
        else:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self.headers.append((name, value))
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._until_end = False

    def on_headers_complete(self) -> None:
        if not self.complete:
            self.status = self._parser.get_status_code()
            self._in_body = self.status >= 200

    def on_body(self, part: bytes) -> None:
        if self.complete:
            return
        self._body_bytes += len(part)
        self.too_large = self.too_large or self._body_bytes > BODY_LIMIT_BYTES
        if not self.too_large:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """End the response, unless it only was an interim one (1xx): the real one follows."""
        if self.complete:
            return
        if self.status < 200:
            self._until_end = True
            return
        self.complete = not self.too_large
        self.reusable = self._parser.should_keep_alive()
