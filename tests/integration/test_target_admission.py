"""Overload on a real database: who is turned away leaves no trace, and the others are served."""

import asyncio
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.integration.running_shop import Rehearsed, running_shop
from tests.integration.shop_database import WAITING, postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

LOCK_HOT = "SELECT 1 FROM stock WHERE sku = 'HOT' FOR UPDATE"


async def until_waiting(connection: asyncpg.Connection, sessions: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if await connection.fetchval(WAITING) >= sessions:
                return
            await asyncio.sleep(0.01)


def test_one_checkout_too_many_is_told_at_once_and_changes_nothing(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, max_checkouts=2) as run:
            await run.sale()
            order = await run.ordered("before")
            blocker = await asyncpg.connect(shop_dsn)
            async with blocker.transaction():
                await blocker.execute(LOCK_HOT)
                stuck = [asyncio.create_task(run.check_out(f"stuck-{n}")) for n in range(2)]
                await until_waiting(blocker, 1)
                shed = await run.check_out("shed")
                browsing = await run.client.get("/v1/products/HOT")
                booked = await run.client.post(f"/v1/orders/{order}/cancel-not-known")
            await blocker.close()
            assert (shed.status_code, shed.json()["code"]) == (429, "shed")
            assert 1 <= int(shed.headers["Retry-After"]) <= 3
            assert {"X-Server-Time", "X-Request-Id"} <= {name.title() for name in shed.headers}
            assert (browsing.status_code, booked.status_code) == (200, 404)
            assert [(await each).status_code for each in stuck] == [201, 201]
            assert "shed" not in {row.get("client_ref") for row in await run.ledger()}
            assert (await run.check_out("shed")).status_code == 201

    asyncio.run(scenario())


async def buy(run: Rehearsed, shopper: int, answers: Counter[int]) -> None:
    for n in range(8):
        answer = await run.check_out(f"{shopper}-{n}", lines={"BASE": 1})
        answers[answer.status_code] += 1


def test_a_standing_queue_sheds_some_and_every_other_answer_is_true(
    shop_dsn: str, tmp_path: Path
) -> None:
    """Sixty buyers on two connections; at a patience of a millisecond that is an overload."""

    async def scenario() -> None:
        async with running_shop(
            shop_dsn, tmp_path, pool_size=2, queue_patience_s=0.001, hold_s=600
        ) as run:
            await run.sale(items=[{"sku": "BASE", "stock": 10_000, "price": 100}])
            answers = Counter[int]()
            await asyncio.gather(*(buy(run, shopper, answers) for shopper in range(60)))
            assert set(answers) == {201, 429}
            assert answers[201] > 60
            orders = [row for row in await run.ledger() if row["table"] == "orders"]
            assert len(orders) == answers[201]
            # Once nobody queues, the next second lets everybody in again.
            for n in range(200):
                await run.client.get("/v1/skus/BASE/stock")
                if (await run.check_out(f"after-{n}", lines={"BASE": 1})).status_code == 201:
                    break
            text = (await run.client.get("/metrics")).text
            shed = f'storefront_shed_total{{priority="checkout"}} {answers[429]:.1f}'
            assert shed in text or answers[429] < n

    asyncio.run(scenario())


def test_connections_are_lent_in_the_order_of_asking(shop_dsn: str, tmp_path: Path) -> None:
    """Ten regulars come back again and again; ten who wait must not be passed over each time."""

    async def scenario() -> None:
        async with (
            running_shop(shop_dsn, tmp_path, pool_size=2) as run,
            run.shop.database.connection(),  # leaves one
        ):
            turns: list[int] = []

            async def borrow(shopper: int) -> None:
                for _ in range(5):
                    async with run.shop.database.connection() as connection:
                        turns.append(shopper)
                        await connection.execute("SELECT 1")

            await asyncio.gather(*(borrow(shopper) for shopper in range(10)))
            assert turns == list(range(10)) * 5

    asyncio.run(scenario())
