"""HTTP/1.1 for the API, on httptools: requests in, answers out, one at a time per connection."""

import asyncio
from collections import deque
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import httptools

from chaos.proxy.api import Api
from chaos.proxy.countdown import Countdown
from chaos.proxy.messages import Answer, Request, plain_answer

BODY_BYTES_MAX = 1024 * 1024
REQUEST_WITHIN_MS = 15_000
IDLE_MS_MAX = 60_000


class HttpProtocol(asyncio.Protocol):
    """One connection of an API client; it is kept alive as the client wishes."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._patience = Countdown(self._transport.close)
        """Runs while something is awaited from the client."""
        self._patience.start(REQUEST_WITHIN_MS)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        # A request that was begun is finished: half a populate helps nobody.
        self._waiting.clear()
        self._patience.stop()

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400)

    def on_message_begin(self) -> None:
        self._patience.start(REQUEST_WITHIN_MS)
        self._target, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self._refuse(413)

    def on_message_complete(self) -> None:
        self._patience.stop()
        request = Request(
            method=self._parser.get_method().decode(),
            path=self._target.decode(errors="replace"),
            user_agent=self._headers.get(b"user-agent", b"").decode(errors="replace"),
            body=self._body,
        )
        if self._transport.is_closing():
            return
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer_waiting())
            self._answering.add_done_callback(self._answered)

    async def _answer_waiting(self) -> None:
        while self._waiting:
            request, keep_alive = self._waiting.popleft()
            answer = await self._api.answer(request)
            self._send(answer, keep_alive=keep_alive, with_body=request.method != "HEAD")
        # Not in the callback: the next request may come before that is called.
        self._answering = None
        if not self._transport.is_closing():
            self._patience.start(IDLE_MS_MAX)

    def _answered(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # A defect of ours: it is logged, and the client must not wait for an answer.
            context = {"message": "request failed", "exception": error}
            task.get_loop().call_exception_handler(context)
            self._transport.abort()

    def _refuse(self, status: int) -> None:
        self._send(plain_answer(status, HTTPStatus(status).phrase), keep_alive=False)

    def _send(self, answer: Answer, *, keep_alive: bool, with_body: bool = True) -> None:
        if self._transport.is_closing():
            return
        headers = {**answer.headers, "Date": formatdate(usegmt=True)}
        if answer.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(answer.body))
        if not keep_alive:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        self._transport.write(head + (answer.body if with_body else b""))
        if not keep_alive:
            self._transport.close()
