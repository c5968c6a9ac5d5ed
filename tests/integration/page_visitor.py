"""The shop under test on a real port, and what somebody without JavaScript reads on its pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from tests.integration.running_provider import served
from tests.integration.running_shop import Rehearsed, running_shop

UNSEEN = {"script", "style", "noscript", "head"}
VOID = {"meta", "link", "input", "br"}


class Reading(HTMLParser):
    """The text that is seen: not in `hidden` elements, and what each element says of itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._unseen: list[bool] = []
        self.feed(text)
        self.close()
        assert not self._unseen, "every element is closed"

    @property
    def seen(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._unseen.append(tag in UNSEEN or "hidden" in attributes)

    def handle_endtag(self, tag: str) -> None:
        self._unseen.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._unseen):
            self.words.append(data)


@asynccontextmanager
async def shop_on_port(
    dsn: str, folder: Path, **settings: Any
) -> AsyncIterator[tuple[Rehearsed, httpx.AsyncClient]]:
    """Open a shop, and a visitor who comes over a socket."""
    async with running_shop(dsn, folder, **settings) as run:
        transport = run.client._transport
        assert isinstance(transport, httpx.ASGITransport)
        async with (
            served(transport.app) as url,
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as visitor,
        ):
            yield run, visitor
