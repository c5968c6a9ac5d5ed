"""A connection pool to Redis in which nothing waits for long and a failure is an answer.

Nothing is tried twice: a command that timed out may have been carried out. A Redis that keeps
failing is spared for a while, so that nobody waits for the deadline of what is known to hang.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from target_app.payments.breaker import Breaker

log = logging.getLogger(__name__)

T = TypeVar("T")

DEADLINE_S = 0.25
CONNECTIONS_MAX = 100


@dataclass(frozen=True)
class Failed:
    """Redis gave no answer; what was asked may have been done."""

    why: str


class Redis:
    """Asks Redis; the caller decides what to do without an answer.

    Attributes:
        breaker: Whether it is asked at all.
    """

    def __init__(self, client: "redis.asyncio.Redis", *, deadline_s: float = DEADLINE_S) -> None:
        self._client = client
        self._deadline_s = deadline_s
        # The client's own pool refuses whoever finds it empty: a crowd would look like an outage.
        self._turns = asyncio.Semaphore(CONNECTIONS_MAX)
        self.breaker = Breaker(time.monotonic)

    async def ask(self, question: Callable[["redis.asyncio.Redis"], Awaitable[T]]) -> T | Failed:
        """Put one command, e.g. `lambda client: client.get(key)`."""
        if not self.breaker.admits():
            return Failed("spared after failures in a row")
        try:
            async with asyncio.timeout(self._deadline_s), self._turns:
                answer = await question(self._client)
        except (RedisError, OSError) as error:  # OSError includes TimeoutError
            self.breaker.failed()
            failed = Failed(f"{type(error).__name__}: {error}")
            log.warning("redis: %s", failed.why)
            return failed
        self.breaker.answered()
        return answer

    async def run(self, script: str, keys: list[str], *arguments: str | int) -> Any | Failed:
        """Run a Lua script: nobody else's command comes in between."""
        return await self.ask(lambda client: client.eval(script, len(keys), *keys, *arguments))


@asynccontextmanager
async def open_redis(url: str, *, deadline_s: float = DEADLINE_S) -> AsyncIterator[Redis]:
    """Connect when first asked: a shop without its Redis starts all the same."""
    client = redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        max_connections=CONNECTIONS_MAX,
        socket_timeout=deadline_s,
        socket_connect_timeout=deadline_s,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield Redis(client, deadline_s=deadline_s)
    finally:
        await client.aclose()
