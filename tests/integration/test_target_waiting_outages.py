"""The line when Redis forgets, is gone or comes back, and when the storefront is another one."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.waiting_line import (
    admitted,
    bought,
    joined,
    one_inside_two_in_line,
    polled,
    refused,
    shop_with_room,
)

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = pytest.mark.integration


def test_after_a_flush_tickets_return_to_their_places(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """Those who are back first are not called before the others had the time to come back."""

    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server, active=1) as run:
            ada, bob, eve = await one_inside_two_in_line(run)
            with redis_server.client() as client:
                client.flushall()
                back = (await polled(run, eve["ticket_id"])).json()
                assert (back["status"], back["position"]) == ("waiting", 1)
                assert 0 < back["eta_s"] < 8
                assert (await joined(run, "joe")).json()["position"] == 2
                assert (await polled(run, bob["ticket_id"])).json()["position"] == 1
                assert (await joined(run, "eve")).json()["position"] == 2
                assert (await bought(run, "k", ada["admission_token"], customer="ada")).is_success
                (clock,) = client.keys("{room:*}:clock")
                client.hset(clock, "resumes", 0)
            assert (await admitted(run, "bob"))["ticket_id"] == bob["ticket_id"]
            assert (await joined(run, "eve")).json()["position"] == 1

    asyncio.run(scenario())


def test_without_redis_the_door_is_shut_and_who_is_inside_goes_on(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server) as run:
            await run.sale()
            ada, bob = await admitted(run, "ada"), await admitted(run, "bob")
            redis_server.kill()
            for answer in (await joined(run, "eve"), await polled(run, bob["ticket_id"])):
                assert refused(answer)[:2] == (503, "waiting_room_unavailable")
                assert int(answer.headers["Retry-After"]) >= 1
            ready = (await run.client.get("/readyz")).json()
            assert "redis" in ready["degraded"]
            assert refused(await bought(run, "k0", None)) == (403, "admission_required", "missing")
            token = ada["admission_token"]
            assert (await bought(run, "k1", token, customer="ada")).is_success
            spent = await bought(run, "k2", token, customer="ada")
            assert refused(spent) == (403, "admission_required", "spent")
            assert (await bought(run, "k1", token, customer="ada")).is_success
            assert 'storefront_waiting_room_tickets{place="waiting"} NaN' in (
                (await run.client.get("/metrics")).text
            )
            redis_server.start()
            async with asyncio.timeout(20):
                while (await joined(run, "eve")).status_code == 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await admitted(run, "eve")

    asyncio.run(scenario())


def test_tickets_and_admissions_outlive_the_storefront(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server, active=1) as run:
            ada, bob, eve = await one_inside_two_in_line(run)
        async with shop_with_room(shop_dsn, tmp_path, redis_server, active=1) as run:
            assert (await polled(run, ada["ticket_id"])).json() == ada
            assert (await joined(run, "joe")).json()["position"] == 3
            assert (await joined(run, "eve")).json()["ticket_id"] == eve["ticket_id"]
            assert (await bought(run, "k", ada["admission_token"], customer="ada")).is_success
            assert (await admitted(run, "bob"))["ticket_id"] == bob["ticket_id"]

    asyncio.run(scenario())
