"""Every correct stock strategy against a real Postgres: sells what there is, all of it, once."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from target_app.reservations import Line, SoldOutError
from target_app.strategies import STRATEGIES
from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.running_shop import OPS, Rehearsed, replicas_of, running_shop
from tests.integration.shop_database import WAITING, postgres, shop_dsn

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = pytest.mark.integration

CORRECT = [name for name, (description, _acts) in STRATEGIES.items() if description.correct]


async def stocktake(run: Rehearsed) -> dict[str, dict[str, Any]]:
    answer = await run.client.post("/ops/stocktake", headers=OPS)
    assert answer.status_code == 200, answer.text
    return {line["sku"]: line for line in answer.json()["skus"]}


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("strategy", CORRECT)
def test_two_hundred_buyers_of_fifty_units_get_fifty(
    strategy: str, number: int, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        opened = partial(running_shop, **settings)
        async with replicas_of(opened, shop_dsn, tmp_path, number=number) as shops:
            await shops[0].sale(stock=50)
            answers = await asyncio.gather(
                *(shops[n % number].check_out(f"k{n}") for n in range(200))
            )
            assert sorted(a.status_code for a in answers) == [201] * 50 + [409] * 150
            assert {a.json()["code"] for a in answers if a.status_code == 409} == {"sold_out"}
            assert await shops[-1].stock() == (0, 50, 0)
            for line in (await stocktake(shops[-1])).values():
                assert not line["differences"]

    asyncio.run(scenario())


@pytest.mark.parametrize("strategy", CORRECT)
def test_buyers_of_several_get_what_is_left(
    strategy: str, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """Units of one SKU in threes and twos, two SKUs in both orders: no deadlock, nothing over."""

    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=31)
            wishes: list[dict[str, int]] = [
                {"HOT": 3, "BASE": 2},
                {"BASE": 3, "HOT": 2},
                {"HOT": 1},
            ]
            answers = await asyncio.gather(
                *(run.check_out(f"k{n}", lines=wishes[n % 3]) for n in range(90))
            )
            assert {a.status_code for a in answers} == {201, 409}
            # Only single buyers can have taken the last one or two.
            singles = await asyncio.gather(*(run.check_out(f"s{n}") for n in range(3)))
            assert singles[-1].status_code == 409
            assert (await run.stock())[:2] == (0, 31)
            for line in (await stocktake(run)).values():
                assert not line["differences"]

    asyncio.run(scenario())


@pytest.mark.parametrize("strategy", CORRECT)
def test_units_come_back_and_are_sold_again(
    strategy: str, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=4)
            orders = [await run.ordered(f"k{n}") for n in range(4)]
            assert (await run.check_out("late")).status_code == 409
            assert (await run.client.post(f"/v1/orders/{orders[0]}/cancel")).status_code == 200
            assert await run.stock() == (1, 3, 0)
            assert (await run.check_out("late")).status_code == 201
            assert (await run.check_out("later")).status_code == 409
            assert (await run.pay(orders[1], "p")).status_code == 200
            assert await run.stock() == (0, 3, 1)
            for line in (await stocktake(run)).values():
                assert not line["differences"]

    asyncio.run(scenario())


class GivenUpError(Exception):
    """A buyer who had units in hand rolls back."""


@pytest.mark.parametrize("strategy", [name for name in CORRECT if name != "redis_gate"])
def test_busy_is_not_sold_out(strategy: str, shop_dsn: str, tmp_path: Path) -> None:
    """The last units are locked by somebody who gives up: whoever waited for them gets them.

    The gate is the exception that it says it is: it refuses whom units in hand leave none.
    """

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, reservation=strategy) as run:
            await run.sale(stock=3)
            with suppress(GivenUpError):
                async with run.shop.database.transaction() as connection:
                    await run.shop.reservations.reserve(connection, [Line("HOT", 2)])
                    buyer = asyncio.create_task(run.check_out("k", lines={"HOT": 3}))
                    assert await someone_waits(run)
                    raise GivenUpError
            assert (await buyer).status_code == 201
            assert await run.stock() == (0, 3, 0)

    asyncio.run(scenario())


async def someone_waits(run: Rehearsed) -> bool:
    for _ in range(200):
        async with run.shop.database.connection() as connection:
            if await connection.fetchval(WAITING):
                return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("strategy", CORRECT)
def test_units_of_a_lapsed_hold_are_taken_again_for_late_money(
    strategy: str, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=3)
            acts = run.shop.reservations
            lines = [Line("BASE", 2), Line("HOT", 2)]
            async with run.shop.database.transaction() as connection:
                await acts.retake(connection, lines)
            assert await run.stock() == (1, 0, 2)
            with pytest.raises(SoldOutError, match="HOT"):
                async with run.shop.database.transaction() as connection:
                    await acts.retake(connection, lines)
            assert await run.stock("BASE") == (98, 0, 2)
            async with run.shop.database.transaction() as connection:
                await acts.take_back(connection, [Line("HOT", 1)])
                await acts.write_off(connection, [Line("HOT", 1)])
            assert await run.stock() == (2, 0, 0)
            async with run.shop.database.connection() as connection:
                await acts.upkeep(connection)
            taken = (await stocktake(run))["HOT"]
            assert (taken["initial"], taken["adjusted"]) == (3, -1)
            assert not taken["differences"]

    asyncio.run(scenario())


@pytest.mark.parametrize("strategy", CORRECT)
def test_one_alert_when_stock_runs_low(
    strategy: str, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            items = [
                {"sku": "HOT", "stock": 6, "price": 9900, "low_stock_at": 3},
                {"sku": "BASE", "stock": 2, "price": 100},
            ]
            await run.sale(items=items)
            for n in range(2):
                await run.ordered(f"k{n}")
            assert await alerts(run) == []
            await asyncio.gather(*(run.check_out(f"l{n}", lines={"HOT": 2}) for n in range(2)))
            async with run.shop.database.connection() as connection:
                await run.shop.reservations.upkeep(connection)
            assert [(alert["sku"], alert["available"] <= 2) for alert in await alerts(run)] == [
                ("HOT", True)
            ]
            book = [row for row in await run.ledger() if row["table"] == "alerts"]
            assert [row["sku"] for row in book] == ["HOT"]
            assert book[0]["at"] == (await alerts(run))[0]["at"]

    asyncio.run(scenario())


@pytest.mark.parametrize("strategy", CORRECT)
def test_a_glance_at_the_stock_is_right_and_reads_no_more_than_it_must(
    strategy: str, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """Every checkout pays for it, the thousands that come too late as well."""

    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=500)
            taken = await run.check_out("k", lines={"HOT": 3})
            assert taken.status_code == 201, taken.text
            async with run.shop.database.connection() as connection:
                glance = f"""SELECT ({run.shop.reservations.enough}) FROM stock s
                    JOIN unnest($1::text[], $2::bigint[]) AS wanted (sku, qty) USING (sku)"""
                for qty, there in ((1, True), (497, True), (498, False)):
                    assert await connection.fetchval(glance, ["HOT"], [qty]) is there
                await connection.execute("ANALYZE stock, stock_units, stock_buckets")
                explained = await connection.fetchval(
                    f"EXPLAIN (ANALYZE, FORMAT JSON) {glance}", ["HOT"], [2]
                )
            assert max(rows_read(json.loads(explained)[0]["Plan"])) < 100

    asyncio.run(scenario())


def rows_read(plan: dict[str, Any]) -> Iterator[int]:
    """Yield how many rows each step of `plan` looked at."""
    yield plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    for step in plan.get("Plans", ()):
        yield from rows_read(step)


async def alerts(run: Rehearsed) -> list[dict[str, Any]]:
    answer = await run.client.get("/ops/alerts", headers=OPS)
    assert answer.status_code == 200
    return list(answer.json())
