"""How long the API waits for a client that says nothing."""

import asyncio
import socket
from typing import cast

import pytest

from chaos.proxy import http
from chaos.proxy.api import Api
from chaos.proxy.messages import Answer, Request


class Echo:
    """An API that answers everything alike."""

    async def answer(self, request: Request) -> Answer:
        return Answer(200, request.path.encode())


async def said_until_closed(*sent: bytes) -> bytes:
    """Return what a client hears that sends these parts and then stays silent."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    api = cast("Api", Echo())
    await loop.connect_accepted_socket(lambda: http.HttpProtocol(api), ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    try:
        for part in sent:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("impatient", "sent", "heard"),
    [
        ("REQUEST_WITHIN_MS", [], b""),
        ("REQUEST_WITHIN_MS", [b"GET / HT"], b""),
        ("REQUEST_WITHIN_MS", [b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"], b""),
        ("IDLE_MS_MAX", [b"GET /once HTTP/1.1\r\n\r\n"], b"/once"),
    ],
)
def test_silent_client_is_given_up(
    monkeypatch: pytest.MonkeyPatch, impatient: str, sent: list[bytes], heard: bytes
) -> None:
    monkeypatch.setattr(http, impatient, 50)
    assert asyncio.run(said_until_closed(*sent)).endswith(heard)
