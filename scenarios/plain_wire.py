"""One blocking connection for asking a shop a few questions, outside of any traffic."""

import socket
import ssl
import time
from contextlib import closing
from typing import Final
from urllib.parse import SplitResult

from scenarios.outcome import Answer, NoAnswer, Reply
from scenarios.response import ResponseReader

TIMEOUT_S: Final = 10.0
RECEIVE_BYTES: Final = 65_536


class PlainWire:
    """Sends one request at a time, each over a connection of its own, with the cookies so far.

    `via` is the host and port to connect to; `url` says whether that is TLS and under which name,
    and `trust` whose certificates are taken then.
    """

    def __init__(
        self, url: SplitResult, via: tuple[str, int], *, trust: ssl.SSLContext | None = None
    ) -> None:
        self._url = url
        self._trust = trust or ssl.create_default_context()
        self._via = via
        self._cookies: dict[str, str] = {}

    def exchange(self, request: bytes) -> Reply:
        sent_s: float | None = None
        reader = ResponseReader()
        reader.expect(head=request.startswith(b"HEAD "))
        try:
            with closing(self._connected()) as connection:
                connection.sendall(self._with_cookies(request))
                sent_s = time.monotonic()
                while not reader.complete:
                    received = connection.recv(RECEIVE_BYTES)
                    if not received:
                        reader.end()
                        break
                    if (cause := reader.feed(received)) is not None:
                        return NoAnswer(cause, sent_s, time.monotonic())
        except TimeoutError:
            return NoAnswer("timeout", sent_s, time.monotonic())
        except OSError:
            return NoAnswer("reset" if sent_s else "unreachable", sent_s, time.monotonic())
        if not reader.complete or sent_s is None:
            return NoAnswer("eof", sent_s, time.monotonic())
        answer = Answer(reader.status, reader.body, sent_s, time.monotonic(), tuple(reader.headers))
        self._keep_cookies(answer)
        return answer

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(self._via, TIMEOUT_S)
        if self._url.scheme != "https":
            return connection
        return self._trust.wrap_socket(connection, server_hostname=self._url.hostname)

    def _keep_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() == b"set-cookie":
                cookie, _, _ = value.decode("latin-1").partition(";")
                cookie_name, _, content = cookie.partition("=")
                self._cookies[cookie_name.strip()] = content.strip()

    def _with_cookies(self, request: bytes) -> bytes:
        head, end, body = request.partition(b"\r\n\r\n")
        if not self._cookies or b"\r\ncookie:" in head.lower():
            return request
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return head + f"\r\nCookie: {cookies}".encode("latin-1") + end + body
