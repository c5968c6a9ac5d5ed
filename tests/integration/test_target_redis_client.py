"""What the shop is told by a Redis that answers, hangs, is gone and comes back."""

import asyncio
import time

import pytest

from target_app.payments.breaker import BreakerState
from target_app.redis.client import CONNECTIONS_MAX, Failed, Redis, open_redis
from tests.integration.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]
pytestmark = pytest.mark.integration


async def ping(redis: Redis) -> object:
    return await redis.ask(lambda client: client.get("nothing"))


def test_an_answer_is_an_answer_and_an_outage_is_one_too(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with open_redis(redis_server.url, deadline_s=5) as redis:
            assert await redis.run("return ARGV[1] .. KEYS[1]", ["b"], "a") == "ab"
            redis_server.kill()
            failed = await ping(redis)
            assert isinstance(failed, Failed)
            assert "ConnectionError" in failed.why
            redis_server.start()
            assert await ping(redis) is None

    asyncio.run(scenario())


def test_a_script_that_is_refused_is_a_failure_with_its_reason(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with open_redis(redis_server.url, deadline_s=5) as redis:
            failed = await redis.run("return redis.call('HGET', KEYS[1])", ["k"])
            assert isinstance(failed, Failed)
            assert "wrong number of args" in failed.why.lower()

    asyncio.run(scenario())


def test_one_that_hangs_is_spared_and_asked_again(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with open_redis(redis_server.url, deadline_s=0.1) as redis:
            redis_server.pause()
            hung = await asyncio.gather(*(ping(redis) for _ in range(20)))
            assert {type(answer) for answer in hung} == {Failed}
            assert redis.breaker.state is BreakerState.OPEN
            assert await ping(redis) == Failed("spared after failures in a row")
            redis_server.resume()
            deadline = time.monotonic() + 20
            while isinstance(await ping(redis), Failed):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            assert redis.breaker.state is BreakerState.CLOSED

    asyncio.run(scenario())


def test_more_who_ask_than_there_are_connections_wait_for_their_turn(
    redis_server: RedisServer,
) -> None:
    async def scenario() -> None:
        async with open_redis(redis_server.url, deadline_s=30) as redis:
            answers = await asyncio.gather(*(ping(redis) for _ in range(3 * CONNECTIONS_MAX)))
            assert set(answers) == {None}

    asyncio.run(scenario())
