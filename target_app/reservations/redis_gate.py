"""A gate in Redis before the stock row: it turns buyers away, the row decides.

Those whom the gate refuses never queue for the hot row. Those it lets in are judged by the
conditional update, so a gate that is too high costs some refusals by the database and never an
oversell. One that is too low would hide units, so it is rebuilt from the rows each second, and a
gate that is down or knows nothing of a SKU is passed by.

A rebuild must not undo what a release has just given back. Each release counts up the gate's
`returns`; a rebuild reads that first and sets the gate only if it still stands there. A release
that is under way has its row locked; such rows are left for the next turn.
"""

import secrets
from collections.abc import Mapping, Sequence

from target_app.database.primary import Connection
from target_app.redis.client import Failed, Redis
from target_app.reservations import Line, Reservations, SoldOutError, conditional_update

# All checks come before the first write: an error halfway does not take back what was written.
TAKE = """
for i, key in ipairs(KEYS) do
  local left = redis.call('HGET', key, 'left')
  if left and tonumber(left) < tonumber(ARGV[i + 1]) then return i end
end
for i, key in ipairs(KEYS) do
  if redis.call('HEXISTS', key, 'left') == 1 then
    redis.call('HINCRBY', key, 'left', -ARGV[i + 1])
    redis.call('HSET', key, 'hold:' .. ARGV[1], ARGV[i + 1])
  end
end
return 0
"""
UNDO = """
for _, key in ipairs(KEYS) do
  local qty = redis.call('HGET', key, 'hold:' .. ARGV[1])
  if qty then
    redis.call('HDEL', key, 'hold:' .. ARGV[1])
    redis.call('HINCRBY', key, 'left', qty)
  end
end
"""
GIVE = """
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'returns', 1)
  if redis.call('HEXISTS', key, 'left') == 1 then
    redis.call('HINCRBY', key, 'left', ARGV[i])
  end
end
"""
RETURNS = """
local returns = {}
for i, key in ipairs(KEYS) do returns[i] = redis.call('HGET', key, 'returns') or '0' end
return returns
"""
REBUILD = """
for i, key in ipairs(KEYS) do
  local returns = redis.call('HGET', key, 'returns') or '0'
  if returns == ARGV[2 * i - 1] then
    redis.call('DEL', key)
    redis.call('HSET', key, 'left', ARGV[2 * i], 'returns', returns)
  end
end
"""
LEFT = """
local left = {}
for i, key in ipairs(KEYS) do left[i] = redis.call('HGET', key, 'left') or '' end
return left
"""
SKUS = "SELECT sku FROM stock ORDER BY sku"
SETTLED = "SELECT sku, available FROM stock ORDER BY sku FOR SHARE SKIP LOCKED"


def redis_gate(redis: Redis) -> Reservations:
    gate = Gate(redis)
    return Reservations(
        reserve=gate.reserve,
        claim=conditional_update.claim,
        release=gate.release,
        retake=conditional_update.retake,
        take_back=gate.take_back,
        write_off=conditional_update.write_off,
        prepare=gate.rebuild,
        upkeep=gate.rebuild,
        cached=gate.left,
    )


def gate_key(sku: str) -> str:
    """Return where the gate of `sku` is; the braces keep all of them on one node of a cluster."""
    return f"{{gate}}:{sku}"


class Gate:
    """The counters before the stock rows."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def reserve(self, connection: Connection, lines: Sequence[Line]) -> None:
        keys, hold = [gate_key(line.sku) for line in lines], secrets.token_hex(8)
        refused = await self._redis.run(TAKE, keys, hold, *(line.qty for line in lines))
        if isinstance(refused, int) and refused:
            raise SoldOutError(lines[refused - 1].sku)
        try:
            await conditional_update.reserve(connection, lines)
        except BaseException:
            # By the hold's id: a rebuild since then has forgotten the hold and counted its units.
            await self._redis.run(UNDO, keys, hold)
            raise

    async def release(self, connection: Connection, lines: Sequence[Line]) -> None:
        await conditional_update.release(connection, lines)
        await self._give(lines)

    async def take_back(self, connection: Connection, lines: Sequence[Line]) -> None:
        await conditional_update.take_back(connection, lines)
        await self._give(lines)

    async def _give(self, lines: Sequence[Line]) -> None:
        keys = [gate_key(line.sku) for line in lines]
        await self._redis.run(GIVE, keys, *(line.qty for line in lines))

    async def rebuild(self, connection: Connection) -> None:
        skus = [row["sku"] for row in await connection.fetch(SKUS)]
        found = await self._redis.run(RETURNS, [gate_key(sku) for sku in skus])
        if isinstance(found, Failed):
            return
        returns = dict(zip(skus, found, strict=True))
        async with connection.transaction():
            rows = [row for row in await connection.fetch(SETTLED) if row["sku"] in returns]
            pairs = [(returns[row["sku"]], row["available"]) for row in rows]
            keys = [gate_key(row["sku"]) for row in rows]
            await self._redis.run(REBUILD, keys, *(value for pair in pairs for value in pair))

    async def left(self, skus: Sequence[str]) -> Mapping[str, int] | Failed:
        found = await self._redis.run(LEFT, [gate_key(sku) for sku in skus])
        if isinstance(found, Failed):
            return found
        return {sku: int(left) for sku, left in zip(skus, found, strict=True) if left}
