"""Count each click down in Redis before anything is judged, and never count it up again.

Whoever clicks twice, comes too early or has had theirs takes a unit from the counter all the same.
The stock row stays right, so nothing is sold twice: units are left that nobody gets to see.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from target_app.database.primary import Connection
from target_app.problems import ProblemError
from target_app.redis.client import Failed, Redis
from target_app.reservations import Line, Reservations

# Returns 0 or the number of the SKU of which nothing is left.
COUNT_DOWN = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') < 1 then return i end
end
for i, key in ipairs(KEYS) do redis.call('DECR', key) end
return 0
"""
GIVE = "for i, key in ipairs(KEYS) do redis.call('INCRBY', key, ARGV[i]) end"
FILL = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i]) end"
STOCK = "SELECT sku, available FROM stock ORDER BY sku"


def redis_decrement(correct: Reservations, redis: Redis) -> Reservations:
    counter = Counter(correct, redis)
    return replace(
        correct, around=counter.clicked, release=counter.release, prepare=counter.prepare
    )


class Counter:
    """What is left of each SKU, by clicks."""

    def __init__(self, correct: Reservations, redis: Redis) -> None:
        self._correct = correct
        self._redis = redis

    async def prepare(self, connection: Connection) -> None:
        rows = await connection.fetch(STOCK)
        keys = [_key(row["sku"]) for row in rows]
        await self._redis.run(FILL, keys, *(row["available"] for row in rows))

    @asynccontextmanager
    async def clicked(self, skus: Sequence[str]) -> AsyncIterator[None]:
        empty = await self._redis.run(COUNT_DOWN, [_key(sku) for sku in skus])
        if not isinstance(empty, Failed) and empty:
            details = {"sku": skus[empty - 1], "retryable": False}
            raise ProblemError(409, "sold_out", details=details)
        yield

    async def release(self, connection: Connection, lines: Sequence[Line]) -> None:
        await self._correct.release(connection, lines)
        await self._redis.run(GIVE, [_key(line.sku) for line in lines], *(q for _, q in lines))


def _key(sku: str) -> str:
    return f"clicks:{sku}"
