"""Hold a lock in Redis for the whole checkout, a lock that runs out.

Read, check and write are safe for as long as one buyer at a time is at them. Whoever is held up
for longer than the lease, by a pause of the process or a slow row, writes beside the next holder,
and nothing about the write tells the database that its lock is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from target_app.database.pool import UnavailableError
from target_app.flaws import naive
from target_app.redis.client import Redis
from target_app.reservations import Reservations

LEASE_MS = 400
PAUSE_S = 0.01
ATTEMPTS = 200


def lock_lease(correct: Reservations, redis: Redis) -> Reservations:
    @asynccontextmanager
    async def leased(skus: Sequence[str]) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for sku in sorted(set(skus)):
                await held.enter_async_context(_lease(redis, _key(sku)))
            yield

    return replace(correct, reserve=naive.reserve, around=leased)


@asynccontextmanager
async def _lease(redis: Redis, key: str) -> AsyncIterator[None]:
    await _acquire(redis, key)
    try:
        yield
    finally:
        await redis.ask(lambda client: client.delete(key))


async def _acquire(redis: Redis, key: str) -> None:
    for _attempt in range(ATTEMPTS):
        if await redis.ask(lambda client: client.set(key, "held", nx=True, px=LEASE_MS)) is True:
            return
        await asyncio.sleep(PAUSE_S)
    raise UnavailableError(f"somebody else holds {key}")


def _key(sku: str) -> str:
    return f"lock:{sku}"
