"""A shop and a provider in the test's own process, joined by ASGI instead of sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from doorbuster.operations import OperationEvent, Outcome
from target_app.database.pool import Database
from target_app.database.primary import Primary
from target_app.database.schema import create_schema
from target_app.provider.announcing import Announcer
from target_app.provider.app import Simulator, create_provider_app
from target_app.provider.behaviour import Behaviour
from target_app.provider.book import Book
from target_app.redis.client import Redis, open_redis
from target_app.settings import StorefrontSettings
from target_app.shop import Shop
from target_app.web.app import create_app
from tests.integration.shop_database import WAITING

OPS = {"Authorization": "Bearer ops"}
OVER = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2021-01-01T00:00:00Z"}
"""When a sale was that nobody can buy in any more."""

Answers = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass
class Rehearsed:
    """A shop under test: its client, its inside, and the provider behind it."""

    client: httpx.AsyncClient
    shop: Shop
    simulator: Simulator
    history: list[OperationEvent] = field(default_factory=list)

    async def sale(self, *, stock: int = 10, starts_in_s: float = -60, **sale: Any) -> None:
        starts_at = datetime.now(UTC) + timedelta(seconds=starts_in_s)
        body = {
            "starts_at": starts_at.isoformat(),
            "items": [
                {"sku": "HOT", "stock": stock, "price": 9900},
                {"sku": "BASE", "stock": 100, "price": 100},
            ],
            **sale,
        }
        answer = await self.client.put("/ops/sale", json=body, headers=OPS)
        assert answer.status_code == 200, answer.text

    async def check_out(
        self, key: str, *, lines: dict[str, int] | None = None, **other: str
    ) -> httpx.Response:
        body = {
            "client_ref": key,
            "customer": f"customer-{key}",
            "campaign_id": "sale",
            "lines": [{"sku": sku, "qty": qty} for sku, qty in (lines or {"HOT": 1}).items()],
            **other,
        }
        began_s = time.time()
        answer = await self.client.post(
            "/v1/checkouts", json=body, headers={"Idempotency-Key": key}
        )
        self._note(body, answer, began_s)
        return answer

    def _note(self, body: dict[str, Any], answer: httpx.Response, began_s: float) -> None:
        """Write a checkout down as a rehearsal's generator would."""
        line, ref = body["lines"][0], body["client_ref"]
        same: dict[str, Any] = {"id": f"{ref}-{len(self.history)}", "op": "reserve"}
        same |= {"client_ref": ref, "sku": line["sku"], "qty": line["qty"]}
        said: dict[int, Outcome] = {201: "ok", 500: "info"}
        outcome = said.get(answer.status_code, "fail")
        reason = None if outcome == "ok" else answer.json()["code"]
        self.history += (
            OperationEvent("invoke", at_s=began_s, **same),
            OperationEvent(outcome, at_s=time.time(), reason=reason, **same),
        )

    async def ordered(self, key: str) -> str:
        answer = await self.check_out(key)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["order_id"])

    async def pay(self, order_id: str, key: str, *, method: str = "card") -> httpx.Response:
        return await self.client.post(
            f"/v1/orders/{order_id}/payments",
            json={"method": method},
            headers={"Idempotency-Key": key},
        )

    async def status(self, order_id: str) -> str:
        return str((await self.client.get(f"/v1/orders/{order_id}")).json()["status"])

    async def stock(self, sku: str = "HOT") -> tuple[int, int, int]:
        counters = (await self.client.get(f"/v1/skus/{sku}/stock")).json()
        return counters["available"], counters["reserved"], counters["sold"]

    async def ledger(self) -> list[dict[str, Any]]:
        answer = await self.client.get("/ops/ledger", headers=OPS)
        return [msgspec.json.decode(line) for line in answer.text.splitlines()]

    def charges(self, order_id: str) -> list[dict[str, Any]]:
        return self.simulator.book.charges_of(order_id)

    def behave(self, **behaviour: Any) -> None:
        self.simulator.behave(msgspec.convert(behaviour, Behaviour))

    async def age(self, column: str, *, table: str, by_s: float) -> None:
        """Make rows as old as waiting would have made them."""
        async with self.shop.database.connection() as connection:
            await connection.execute(
                f"UPDATE {table} SET {column} = {column} - $1 * interval '1 second'", by_s
            )


async def lock_waits(
    run: Rehearsed, sessions: int, *, unless: Sequence["asyncio.Task[Any]"] = ()
) -> None:
    """Return once so many sessions wait for a lock, or none of `unless` is left to do so."""
    async with asyncio.timeout(60), run.shop.database.connection() as looking:
        while await looking.fetchval(WAITING) < sessions:
            if unless and all(task.done() for task in unless):
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_shop(
    dsn: str,
    folder: Path,
    *,
    provider: Answers | None = None,
    patience_s: float = 60,
    **settings: Any,
) -> AsyncIterator[Rehearsed]:
    """Open a shop on `dsn`, patient with a busy machine unless `patience_s` says otherwise.

    `provider` answers its calls in place of the simulator.
    """
    wanted: dict[str, Any] = {
        "databases": (dsn,),
        "provider_url": "http://provider",
        "ops_token": "ops",
        "webhook_secret": "webhooks",
        "provider_timeout_s": 0.3,
    }
    chosen = StorefrontSettings.model_validate(wanted | settings)
    book = Book(folder / "book.sqlite")
    nobody = httpx.MockTransport(lambda _: httpx.Response(200))
    async with httpx.AsyncClient(transport=nobody) as lost:
        simulator = Simulator(book, Announcer(lost, url="http://shop", secret="webhooks"))
        transport = (
            httpx.MockTransport(provider)
            if provider
            else httpx.ASGITransport(create_provider_app(simulator))
        )
        primary = Primary(
            chosen.databases,
            application="test",
            connect_timeout_s=patience_s,
        )
        pool = Database(
            primary,
            size=chosen.pool_size,
            acquire_timeout_s=patience_s,
            command_timeout_s=patience_s,
        )
        async with (
            pool as database,
            httpx.AsyncClient(transport=transport, base_url="http://provider") as http,
            _redis_of(chosen) as redis,
        ):
            await create_schema(database)
            shop = Shop(chosen, database=database, http=http, redis=redis)
            app = httpx.ASGITransport(create_app(shop), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=app, base_url="http://shop") as client:
                yield Rehearsed(client, shop, simulator)
    book.close()


@asynccontextmanager
async def replicas_of(
    opened: Callable[[str, Path], AbstractAsyncContextManager[Rehearsed]],
    dsn: str,
    folder: Path,
    *,
    number: int,
) -> AsyncIterator[list[Rehearsed]]:
    """Open so many replicas of one shop."""
    async with AsyncExitStack() as held:
        shops = []
        for n in range(number):
            own = folder / f"replica-{n}"
            own.mkdir()
            shops.append(await held.enter_async_context(opened(dsn, own)))
        yield shops


@asynccontextmanager
async def _redis_of(settings: StorefrontSettings) -> AsyncIterator[Redis | None]:
    if settings.redis_url is None:
        yield None
    else:
        async with open_redis(settings.redis_url, deadline_s=10) as redis:
            yield redis
