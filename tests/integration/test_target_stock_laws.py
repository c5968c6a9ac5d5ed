"""Whatever a strategy's acts are asked to do, its counters go where a plain model's go."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_app.database.pool import Database
from target_app.database.primary import Primary
from target_app.database.schema import create_schema
from target_app.redis.client import open_redis
from target_app.reservations import Line, Reservations, SoldOutError
from target_app.strategies import STRATEGIES, reservations_of
from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = pytest.mark.integration

CORRECT = [name for name, (description, _acts) in STRATEGIES.items() if description.correct]
SKUS = ("A", "B")
MOVES = {
    "reserve": ("available", "reserved"),
    "retake": ("available", "sold"),
    "claim": ("reserved", "sold"),
    "release": ("reserved", "available"),
    "take_back": ("sold", "available"),
    "write_off": ("sold", "gone"),
}
WISHES = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1)
ACTS = st.tuples(st.sampled_from(sorted(MOVES)), WISHES)
NEW_SALE = "TRUNCATE stock, stock_units, stock_buckets, alerts"
STOCK = "INSERT INTO stock (sku, initial, available) SELECT unnest($1::text[]), $2::bigint, $2"
SEEN = "SELECT sku, initial + adjusted AS units, available, reserved, sold FROM inventory"

Model = dict[str, Counter[str]]


@pytest.mark.parametrize("strategy", CORRECT)
def test_the_counters_go_where_a_model_goes(
    strategy: str, shop_dsn: str, redis_server: RedisServer
) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.integers(0, 12), st.lists(ACTS, max_size=14))
    def law(initial: int, acts: list[tuple[str, dict[str, int]]]) -> None:
        asyncio.run(scenario(initial, acts))

    async def scenario(initial: int, acts: list[tuple[str, dict[str, int]]]) -> None:
        primary = Primary([shop_dsn], application="laws", connect_timeout_s=60)
        patience = {"acquire_timeout_s": 60.0, "command_timeout_s": 60.0}
        async with (
            open_redis(redis_server.url, deadline_s=10) as redis,
            Database(primary, size=1, **patience) as database,
        ):
            await create_schema(database)
            await act_out(database, reservations_of(strategy, redis), initial, acts)

    law()


async def act_out(
    database: Database,
    reservations: Reservations,
    initial: int,
    acts: Sequence[tuple[str, dict[str, int]]],
) -> None:
    model: Model = {sku: Counter(available=initial) for sku in SKUS}
    async with database.transaction() as connection:
        await connection.execute(NEW_SALE)
        await connection.execute(STOCK, list(SKUS), initial)
        await reservations.prepare(connection)
    for name, wish in acts:
        source, target = MOVES[name]
        enough = all(model[sku][source] >= qty for sku, qty in wish.items())
        if not enough and source != "available":
            continue  # no order holds or bought as many: nobody asks for that
        acted = await _acted(database, reservations, name, wish)
        assert acted is enough
        if acted:
            for sku, qty in wish.items():
                model[sku].update({source: -qty, target: qty})
        await _same(database, model, initial)


async def _acted(
    database: Database, reservations: Reservations, name: str, wish: dict[str, int]
) -> bool:
    lines = [Line(sku, wish[sku]) for sku in sorted(wish)]
    try:
        async with database.transaction() as connection:
            await getattr(reservations, name)(connection, lines)
    except SoldOutError:
        return False
    return True


async def _same(database: Database, model: Model, initial: int) -> None:
    async with database.connection() as connection:
        for row in await connection.fetch(SEEN):
            expected = model[row["sku"]]
            states = {state: row[state] for state in ("available", "reserved", "sold")}
            assert states == {state: expected[state] for state in states}
            assert row["units"] == initial - expected["gone"] == sum(states.values())
