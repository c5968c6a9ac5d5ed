"""A provider on a real socket, in the test's own process, and the shop that hears its events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn

from target_app.provider.announcing import Announcer, Persistence
from target_app.provider.app import create_provider_app
from target_app.provider.book import Book
from target_app.provider.simulator import Simulator
from target_app.serving import bound_socket
from target_app.signatures import SIGNATURE_HEADER, is_signed

BOUND_S = 20.0


@dataclass(frozen=True)
class Heard:
    """A delivery as the shop got it."""

    event: dict[str, Any]
    signed: bool

    @property
    def type(self) -> str:
        return str(self.event["type"])


@dataclass
class Listening:
    """The shop's ear; `refusals` are the statuses of its first answers, then 200.

    It has heard an event only after `pause_s`.
    """

    heard: list[Heard] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    pause_s: float = 0.02
    most_at_once: int = 0
    _now: int = 0

    async def hear(self, request: httpx.Request) -> httpx.Response:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(self.pause_s)
        self._now -= 1
        signature = request.headers[SIGNATURE_HEADER]
        signed = is_signed(request.content, signature=signature, secret="webhooks")
        self.heard.append(Heard(msgspec.json.decode(request.content), signed))
        return httpx.Response(self.refusals.pop(0) if self.refusals else 200)


@dataclass
class Provided:
    """A provider under test: its client, its inside, and what the shop heard."""

    client: httpx.AsyncClient
    simulator: Simulator
    shop: Listening

    async def behave(self, *behaviours: dict[str, Any]) -> None:
        body = behaviours[0] if len(behaviours) == 1 else list(behaviours)
        answer = await self.client.put("/psp/_sim", json=body)
        assert answer.status_code == 200, answer.text

    async def charge(self, key: str = "k", **other: Any) -> httpx.Response:
        body = {"merchant_ref": f"o_{key}", "amount": 100, "currency": "EUR", "method": "card"}
        return await self.client.post(
            "/psp/intents", json=body | other, headers={"Idempotency-Key": key}
        )

    async def held(self, key: str = "k") -> str:
        return str((await self.charge(key, capture_method="manual")).json()["id"])

    async def act(self, charge_id: str, verb: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/psp/intents/{charge_id}/{verb}", json=body)

    async def refund(self, charge_id: str, key: str = "r", *, amount: int = 100) -> httpx.Response:
        return await self.client.post(
            "/psp/refunds",
            json={"intent_id": charge_id, "amount": amount},
            headers={"Idempotency-Key": key},
        )

    async def found(self, key: str = "k") -> list[dict[str, Any]]:
        answer = await self.client.get("/psp/intents", params={"merchant_ref": f"o_{key}"})
        return list(answer.json()["intents"])

    async def events(self, **query: Any) -> list[dict[str, Any]]:
        return list((await self.client.get("/psp/events", params=query)).json()["events"])

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not holds():  # noqa: ASYNC110  # what is waited for tells nobody
                await asyncio.sleep(0.01)

    async def rests(self) -> None:
        """Wait until every event that may arrive has."""
        await self.until(lambda: not self.simulator.events.pending())


@asynccontextmanager
async def running_provider(folder: Path, *, timeout_s: float = BOUND_S) -> AsyncIterator[Provided]:
    """Open a provider with an own book; its caller gives up after `timeout_s`."""
    shop = Listening()
    quick = Persistence(attempts=3, first_pause_s=0.02)
    async with httpx.AsyncClient(transport=httpx.MockTransport(shop.hear)) as ear:
        announcer = Announcer(ear, url="http://shop", secret="webhooks", persistence=quick)
        with closing(Book(folder / "book.sqlite")) as book:
            simulator = Simulator(book, announcer)
            async with (
                aclosing(announcer),
                served(create_provider_app(simulator)) as url,
                httpx.AsyncClient(base_url=url, trust_env=False, timeout=timeout_s) as client,
            ):
                yield Provided(client, simulator, shop)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    bound = bound_socket("127.0.0.1", 0, shared=False)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:  # noqa: ASYNC110  # uvicorn tells nobody
        await asyncio.sleep(0.01)
    try:
        host, port = bound.getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await serving
        bound.close()
