"""Keep the stock in a cache: get, compare, set, and tell the database what came of it.

Each of the three is fast and none of them is one with the next: two buyers get the same number.
"""

from collections.abc import Sequence
from dataclasses import replace

from target_app.database.pool import UnavailableError
from target_app.database.primary import Connection
from target_app.redis.client import Failed, Redis
from target_app.reservations import Line, Reservations, SoldOutError

AVAILABLE = "SELECT available FROM stock WHERE sku = $1"
WRITE_THROUGH = "UPDATE stock SET available = $2, reserved = reserved + $3 WHERE sku = $1"
SKUS = "SELECT sku FROM stock"


def cache_aside(correct: Reservations, redis: Redis) -> Reservations:
    cache = Cache(correct, redis)
    return replace(correct, reserve=cache.reserve, release=cache.release, prepare=cache.prepare)


class Cache:
    """The stock as a cache has it."""

    def __init__(self, correct: Reservations, redis: Redis) -> None:
        self._correct = correct
        self._redis = redis

    async def prepare(self, connection: Connection) -> None:
        await self._forget([row["sku"] for row in await connection.fetch(SKUS)])

    async def reserve(self, connection: Connection, lines: Sequence[Line]) -> None:
        for line in lines:
            available = await self._available(connection, line.sku)
            if available < line.qty:
                raise SoldOutError(line.sku)
            left = available - line.qty
            await self._remember(line.sku, left)
            await connection.execute(WRITE_THROUGH, line.sku, left, line.qty)

    async def release(self, connection: Connection, lines: Sequence[Line]) -> None:
        await self._correct.release(connection, lines)
        await self._forget([line.sku for line in lines])

    async def _available(self, connection: Connection, sku: str) -> int:
        cached = await self._redis.ask(lambda client: client.get(_key(sku)))
        if isinstance(cached, Failed):
            raise UnavailableError(cached.why)
        if cached is not None:
            return int(cached)
        return int(await connection.fetchval(AVAILABLE, sku))

    async def _remember(self, sku: str, available: int) -> None:
        await self._redis.ask(lambda client: client.set(_key(sku), available))

    async def _forget(self, skus: Sequence[str]) -> None:
        await self._redis.ask(lambda client: client.delete(*map(_key, skus)))


def _key(sku: str) -> str:
    return f"cache:{sku}"
