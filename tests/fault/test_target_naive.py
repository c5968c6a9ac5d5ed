"""The planted lost update must show: otherwise the check that looks for it proves nothing."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.running_shop import running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = [pytest.mark.integration, pytest.mark.fault]


def test_naive_reservation_sells_more_than_there_is(shop_dsn: str, tmp_path: Path) -> None:
    """Fifty buyers at once for ten units: more than ten orders, and a counter that looks fine."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, reservation="naive") as run:
            await run.sale(stock=10)
            answers = await asyncio.gather(*(run.check_out(f"k{n}") for n in range(50)))
            orders = [a.json()["order_id"] for a in answers if a.status_code == 201]
            available, reserved, sold = await run.stock()
            assert len(orders) > 10
            assert available >= 0
            assert available + reserved + sold > 10
            # The rest of an order's life still works: nothing may trip over the schema's checks.
            assert (await run.pay(orders[0], "p")).status_code == 200
            assert (await run.client.post(f"/v1/orders/{orders[1]}/cancel")).status_code == 200

    asyncio.run(scenario())
