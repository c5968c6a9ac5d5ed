"""Money that comes after the hold has ended, for an order with a gift."""

import asyncio
from pathlib import Path

import pytest

from target_app.jobs import expire_holds
from target_app.payments.findings import Captured
from target_app.payments.settlement import book_capture
from tests.integration.running_shop import OPS, Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

GIFTS = ({"sku": "A-GIFT", "stock": 1}, {"sku": "Z-GIFT", "stock": 9})
RULES = [{"kind": "gift", "id": gift["sku"], "sku": gift["sku"]} for gift in GIFTS]


async def lapsed(run: Rehearsed) -> str:
    order_id = await run.ordered("late")
    await run.age("expires_at", table="orders", by_s=3600)
    await expire_holds(run.shop)
    assert await run.status(order_id) == "expired"
    return order_id


async def money_comes(run: Rehearsed, order_id: str) -> None:
    async with run.shop.change() as change:
        capture = Captured("ch_1", 9900)
        await book_capture(change, order_id=order_id, psp_key="late", capture=capture)


async def differences(run: Rehearsed) -> int:
    taken = (await run.client.post("/ops/stocktake", headers=OPS)).json()
    return int(taken["differences"])


@pytest.mark.parametrize("reservation", ["conditional_update", "unit_rows", "buckets"])
def test_a_gift_that_is_gone_costs_nobody_the_order(
    shop_dsn: str, tmp_path: Path, reservation: str
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, reservation=reservation) as run:
            await run.sale(promotions=RULES, gifts=GIFTS)
            late = await lapsed(run)
            await run.ordered("quicker")
            await money_comes(run, late)
            order = (await run.client.get(f"/v1/orders/{late}")).json()
            assert (order["status"], order["refunds"]) == ("paid", [])
            assert [line["sku"] for line in order["lines"]] == ["HOT", "Z-GIFT"]
            holds = [row for row in await run.ledger() if row["table"] == "reservations"]
            assert {row["sku"]: row["state"] for row in holds if row["order_id"] == late} == {
                "A-GIFT": "expired",
                "HOT": "claimed",
                "Z-GIFT": "claimed",
            }
            assert await run.stock("A-GIFT") == (0, 1, 0)
            assert await run.stock("Z-GIFT") == (7, 1, 1)
            assert await differences(run) == 0

    asyncio.run(scenario())


def test_what_was_sold_must_be_there(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=1, promotions=RULES, gifts=GIFTS)
            late = await lapsed(run)
            await run.ordered("quicker")
            await money_comes(run, late)
            assert await run.status(late) == "refund_pending"
            assert await run.stock() == (0, 1, 0)
            assert await run.stock("Z-GIFT") == (8, 1, 0)
            assert await differences(run) == 0

    asyncio.run(scenario())
