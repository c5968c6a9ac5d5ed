"""The gate only turns away: broken, wrong or gone, it costs time and never a wrong sale."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from target_app.redis.client import open_redis
from target_app.reservations import Line
from target_app.reservations.redis_gate import Gate, gate_key
from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.running_shop import OPS, Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = pytest.mark.integration

HOT = gate_key("HOT")


async def upkeep(run: Rehearsed) -> None:
    async with run.shop.database.connection() as connection:
        await run.shop.reservations.upkeep(connection)


def gated(dsn: str, folder: Path, server: RedisServer) -> AbstractAsyncContextManager[Rehearsed]:
    return running_shop(dsn, folder, reservation="redis_gate", redis_url=server.url)


def test_a_gate_that_is_down_is_passed_by(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with gated(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(stock=2)
            redis_server.kill()
            first = await run.ordered("k1")
            await run.ordered("k2")
            assert (await run.check_out("k3")).status_code == 409
            assert (await run.client.post(f"/v1/orders/{first}/cancel")).status_code == 200
            await upkeep(run)
            await run.ordered("k4")
            taken = (await run.client.post("/ops/stocktake", headers=OPS)).json()
            assert list(taken["unread"]) == ["redis"]
            assert taken["differences"] == 0
            redis_server.start()
            await upkeep(run)
            with redis_server.client() as client:
                assert client.hget(HOT, "left") == "0"

    asyncio.run(scenario())


def test_a_gate_that_hangs_costs_its_deadline_and_no_more(
    shop_dsn: str, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with open_redis(redis_server.url, deadline_s=0.1) as redis:
            redis_server.pause()
            left = await asyncio.wait_for(Gate(redis).left(["HOT"]), 5)
            assert "Timeout" in getattr(left, "why", "")

    asyncio.run(scenario())


def test_a_gate_that_is_too_high_leaves_the_decision_to_the_row(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with gated(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(stock=5)
            with redis_server.client() as client:
                client.hset(HOT, "left", 1000)
            answers = await asyncio.gather(*(run.check_out(f"k{n}") for n in range(30)))
            assert sorted(a.status_code for a in answers) == [201] * 5 + [409] * 25
            with redis_server.client() as client:
                # Whom the row refused has given back at the gate what the gate had let through.
                assert client.hget(HOT, "left") == "995"

    asyncio.run(scenario())


def test_a_gate_that_is_too_low_refuses_until_it_is_rebuilt(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with gated(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(stock=5)
            with redis_server.client() as client:
                client.hset(HOT, "left", 0)
            refused = await run.check_out("k")
            assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
            await upkeep(run)
            assert (await run.check_out("k")).status_code == 201

    asyncio.run(scenario())


def test_a_refusal_at_the_gate_takes_nothing_of_the_other_lines(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with gated(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(stock=5)
            with redis_server.client() as client:
                client.hset(HOT, "left", 0)
                assert (await run.check_out("k", lines={"BASE": 1, "HOT": 1})).status_code == 409
                assert client.hget(gate_key("BASE"), "left") == "100"
            assert await run.stock("BASE") == (100, 0, 0)

    asyncio.run(scenario())


def test_a_rebuild_keeps_off_units_that_are_just_coming_back(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """A release that is not committed yet has told the gate, and its row is what it was."""

    async def scenario() -> None:
        async with gated(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(stock=1)
            await run.ordered("k")
            with redis_server.client() as client:
                async with run.shop.database.transaction() as connection:
                    await run.shop.reservations.release(connection, [Line("HOT", 1)])
                    assert client.hget(HOT, "left") == "1"
                    await upkeep(run)
                    assert client.hget(HOT, "left") == "1"

    asyncio.run(scenario())


def test_a_flushed_redis_is_filled_again(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with gated(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(stock=2)
            with redis_server.client() as client:
                client.flushall()
                await run.ordered("k1")
                await upkeep(run)
                assert client.hget(HOT, "left") == "1"

    asyncio.run(scenario())
