"""Each planted stock strategy must be seen by the checks it names, and no correct one may be."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from target_app.strategies import STRATEGIES
from tests.fault.stock_verdicts import stock_verdicts
from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.running_shop import Rehearsed, lock_waits, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = [pytest.mark.integration, pytest.mark.fault]

Load = Callable[[Rehearsed, RedisServer, str], Awaitable[None]]
STOCK = 10
MOST_TURNS = 40


async def burst(run: Rehearsed, _redis: RedisServer, _dsn: str) -> None:
    """Sixty buyers at once."""
    await asyncio.gather(*(run.check_out(f"k{n}") for n in range(60)))


async def held_up(run: Rehearsed, _redis: RedisServer, dsn: str) -> None:
    """The last unit's buyer is held up for longer than a lease lasts, and another one comes."""
    for n in range(STOCK - 1):
        await run.ordered(f"k{n}")
    outside = await asyncpg.connect(dsn, ssl=False)
    try:
        async with outside.transaction():
            await outside.execute("SELECT FROM stock WHERE sku = 'HOT' FOR UPDATE")
            buyers = [asyncio.create_task(run.check_out(f"last{n}")) for n in range(2)]
            await asyncio.sleep(1.5)
        await asyncio.gather(*buyers)
    finally:
        await outside.close()


async def old_snapshot(run: Rehearsed, redis: RedisServer, _dsn: str) -> None:
    """Redis comes back as it was before most of the stock was sold."""
    redis.save()
    for n in range(STOCK - 2):
        await run.ordered(f"k{n}")
    redis.kill()
    redis.start()
    await burst(run, redis, _dsn)


async def with_upkeep(run: Rehearsed, _redis: RedisServer, _dsn: str) -> None:
    """Buyers come in twos while every replica sees to the stock, as it does each second."""
    for turn in range(MOST_TURNS):
        buyers = [run.check_out(f"k{turn}-{n}") for n in range(2)]
        async with run.shop.database.connection() as connection:
            keeping = asyncio.create_task(run.shop.reservations.upkeep(connection))
            await asyncio.sleep(0.05)
            answers = await asyncio.gather(*buyers)
            await keeping
        if turn >= STOCK or all(answer.status_code == 409 for answer in answers):
            return


async def many_clicks(run: Rehearsed, _redis: RedisServer, _dsn: str) -> None:
    """Three buyers click four times each, and then others come."""
    for n in range(6):
        for _ in range(4 if n < 3 else 1):
            await run.check_out(f"k{n}")


async def locked_units(run: Rehearsed, _redis: RedisServer, dsn: str) -> None:
    """Somebody has every unit locked for a moment, and buys none of them."""
    await run.ordered("first")
    outside = await asyncpg.connect(dsn, ssl=False)
    try:
        async with outside.transaction():
            await outside.execute("SELECT FROM stock_units WHERE sku = 'HOT' FOR UPDATE")
            buyers = [asyncio.create_task(run.check_out(f"k{n}")) for n in range(5)]
            await lock_waits(run, 1, unless=buyers)
        await asyncio.gather(*buyers)
    finally:
        await outside.close()


LOADS: dict[str, Load] = {
    "naive": burst,
    "blind_decrement": burst,
    "cache_aside": burst,
    "off_by_one": burst,
    "lock_lease": held_up,
    "redis_truth": old_snapshot,
    "absolute_overwrite": with_upkeep,
    "skip_locked": locked_units,
    "redis_decrement": many_clicks,
}
CORRECT = [name for name, (description, _acts) in STRATEGIES.items() if description.correct]
ROW_LOCKED = ["conditional_update", "row_lock", "redis_gate"]


def test_every_flaw_has_a_load_that_shows_it() -> None:
    flawed = {name for name, (description, _) in STRATEGIES.items() if not description.correct}
    assert flawed == set(LOADS)


@pytest.mark.parametrize(("strategy", "load"), LOADS.items(), ids=LOADS)
def test_the_checks_see_a_flaw(
    strategy: str, load: Load, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    description, _acts = STRATEGIES[strategy]

    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=STOCK)
            await load(run, redis_server, shop_dsn)
            verdicts = await stock_verdicts(run, stock=STOCK)
            seen = [name for name, verdict in verdicts.items() if verdict.ruling == "fail"]
            assert seen == list(description.seen_by), verdicts

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("strategy", "load"),
    [
        *((strategy, burst) for strategy in CORRECT),
        *((strategy, held_up) for strategy in ROW_LOCKED),
        *((strategy, with_upkeep) for strategy in CORRECT),
        ("redis_gate", old_snapshot),
    ],
)
def test_the_checks_find_nothing_in_a_correct_strategy(
    strategy: str, load: Load, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=STOCK)
            await load(run, redis_server, shop_dsn)
            verdicts = await stock_verdicts(run, stock=STOCK)
            assert {verdict.ruling for verdict in verdicts.values()} == {"pass"}, verdicts
            assert await run.stock() == (0, STOCK, 0)

    asyncio.run(scenario())


def test_one_unit_too_many_is_exactly_one(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, reservation="off_by_one") as run:
            await run.sale(stock=STOCK)
            answers = await asyncio.gather(*(run.check_out(f"k{n}") for n in range(60)))
            assert [a.status_code for a in answers].count(201) == STOCK + 1

    asyncio.run(scenario())


def test_the_rest_of_an_orders_life_still_works_under_a_flaw(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """A shop that trips over its own checks would be seen for the wrong reason."""

    async def scenario(strategy: str, folder: Path) -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, folder, **settings) as run:
            await run.sale(stock=STOCK)
            await burst(run, redis_server, shop_dsn)
            ledger = [row for row in await run.ledger() if row["table"] == "orders"]
            first, second = [row["order_id"] for row in ledger[:2]]
            assert (await run.pay(first, "p")).status_code == 200
            assert (await run.client.post(f"/v1/orders/{second}/cancel")).status_code == 200

    for strategy in LOADS:
        folder = tmp_path / strategy
        folder.mkdir()
        asyncio.run(scenario(strategy, folder))


@pytest.mark.parametrize(
    ("strategy", "load"), [("redis_gate", many_clicks), ("unit_rows", locked_units)]
)
def test_a_correct_strategy_sends_nobody_away_for_nothing(
    strategy: str, load: Load, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        settings = {"reservation": strategy, "redis_url": redis_server.url}
        async with running_shop(shop_dsn, tmp_path, **settings) as run:
            await run.sale(stock=STOCK)
            await load(run, redis_server, shop_dsn)
            verdicts = await stock_verdicts(run, stock=STOCK)
            assert {verdict.ruling for verdict in verdicts.values()} == {"pass"}, verdicts
            assert await run.stock() == (4, 6, 0)

    asyncio.run(scenario())
