"""Let a counter in Redis decide, and keep the stock row for the record.

The counter is exact for as long as it lives. It comes back from a restart or a failover as it was
at its last snapshot, with units that have since been sold.
"""

from collections.abc import Sequence
from dataclasses import replace

from target_app.database.pool import UnavailableError
from target_app.database.primary import Connection
from target_app.redis.client import Failed, Redis
from target_app.reservations import Line, Reservations, SoldOutError

# Returns 0 or the number of the line of which too little is left.
TAKE = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') < tonumber(ARGV[i]) then return i end
end
for i, key in ipairs(KEYS) do redis.call('DECRBY', key, ARGV[i]) end
return 0
"""
GIVE = "for i, key in ipairs(KEYS) do redis.call('INCRBY', key, ARGV[i]) end"
FILL = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i]) end"
RECORD = """
UPDATE stock SET available = greatest(available - $2, 0), reserved = reserved + $2 WHERE sku = $1
"""
LEFT_TO_THE_COUNTER = "true"
STOCK = "SELECT sku, available FROM stock ORDER BY sku"


def redis_truth(correct: Reservations, redis: Redis) -> Reservations:
    truth = Truth(correct, redis)
    return replace(
        correct,
        reserve=truth.reserve,
        release=truth.release,
        prepare=truth.prepare,
        enough=LEFT_TO_THE_COUNTER,
    )


class Truth:
    """The stock as Redis has it."""

    def __init__(self, correct: Reservations, redis: Redis) -> None:
        self._correct = correct
        self._redis = redis

    async def prepare(self, connection: Connection) -> None:
        rows = await connection.fetch(STOCK)
        keys = [_key(row["sku"]) for row in rows]
        await self._redis.run(FILL, keys, *(row["available"] for row in rows))

    async def reserve(self, connection: Connection, lines: Sequence[Line]) -> None:
        taken = await self._redis.run(TAKE, _keys(lines), *(line.qty for line in lines))
        if isinstance(taken, Failed):
            raise UnavailableError(taken.why)
        if taken:
            raise SoldOutError(lines[taken - 1].sku)
        try:
            for line in lines:
                await connection.execute(RECORD, line.sku, line.qty)
        except BaseException:
            await self._give(lines)
            raise

    async def release(self, connection: Connection, lines: Sequence[Line]) -> None:
        await self._correct.release(connection, lines)
        await self._give(lines)

    async def _give(self, lines: Sequence[Line]) -> None:
        await self._redis.run(GIVE, _keys(lines), *(line.qty for line in lines))


def _keys(lines: Sequence[Line]) -> list[str]:
    return [_key(line.sku) for line in lines]


def _key(sku: str) -> str:
    return f"truth:{sku}"
