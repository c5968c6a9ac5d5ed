"""While the provider hangs, people browse, payers hear something soon, and nothing is lost."""

import asyncio
from pathlib import Path

import httpx
import pytest

from target_app.jobs import run_once
from target_app.payments.breaker import Breaker, BreakerState
from tests.integration.running_shop import OPS, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

PAYERS = 30


def test_browsing_needs_nothing_that_hanging_payments_hold(shop_dsn: str, tmp_path: Path) -> None:
    """More payments hang than there are database connections."""
    hanging, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def provider(request: httpx.Request) -> httpx.Response:
        hanging.release()
        await go_on.wait()
        return httpx.Response(503)

    async def scenario() -> None:
        async with running_shop(
            shop_dsn, tmp_path, provider=provider, provider_timeout_s=60, pool_size=3
        ) as run:
            await run.sale(stock=PAYERS)
            orders = [await run.ordered(f"k{n}") for n in range(PAYERS)]
            paying = [asyncio.create_task(run.pay(order, "p")) for order in orders]
            for _ in range(PAYERS):
                await hanging.acquire()
            assert (await run.client.get("/v1/products/HOT")).status_code == 200
            assert await run.stock() == (0, PAYERS, 0)
            assert await run.status(orders[0]) == "payment_processing"
            assert not any(task.done() for task in paying)
            go_on.set()
            assert {(await task).status_code for task in paying} == {202}

    asyncio.run(scenario())


def test_an_open_breaker_spares_the_provider_and_keeps_the_intent(
    shop_dsn: str, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def provider(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(503)

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, provider=provider) as run:
            await run.sale()
            run.shop.provider.breaker = Breaker(lambda: 0.0, failures_max=3)
            for n in range(5):
                answer = await run.pay(await run.ordered(f"k{n}"), "p")
                assert (answer.status_code, answer.json()["status"]) == (202, "payment_processing")
            assert run.shop.provider.breaker.state is BreakerState.OPEN
            assert asked == ["POST"] * 3
            waiting = (await run.client.get("/ops/quiescence", headers=OPS)).json()
            assert waiting["payment_processing"] == 5

    asyncio.run(scenario())


def test_what_an_open_breaker_left_is_charged_once_it_closes(shop_dsn: str, tmp_path: Path) -> None:
    now_s = [0.0]

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            run.shop.provider.breaker = Breaker(lambda: now_s[0], failures_max=1)
            run.shop.provider.breaker.failed()
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 202
            for _ in range(2):
                for column in ("created_at", "next_query_at"):
                    await run.age(column, table="payments", by_s=10)
                await run_once(run.shop)
                now_s[0] += 10
            assert await run.status(order_id) == "paid"
            assert [c["state"] for c in run.charges(order_id)] == ["captured"]
            assert run.shop.provider.breaker.state is BreakerState.CLOSED

    asyncio.run(scenario())


def test_an_intent_that_cannot_be_kept_is_refused_without_trace(
    shop_dsn: str, tmp_path: Path
) -> None:
    """Without a database there is no intent, and without an intent nobody is charged."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, patience_s=0.2, pool_size=2) as run:
            await run.sale()
            order_id = await run.ordered("k")
            database = run.shop.database
            async with database.connection(), database.connection():
                refused = await run.pay(order_id, "p")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert refused.headers["Retry-After"]
            assert run.charges(order_id) == []
            assert await run.status(order_id) == "pending_payment"

    asyncio.run(scenario())
