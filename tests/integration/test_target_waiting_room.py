"""From the line through the door to an order, over HTTP, and who is not let through."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis import Redis as RedisClient

from target_app.sealing import sealed
from target_app.signatures import sign
from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.running_shop import OVER, replicas_of
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.test_target_metrics import scraped, value
from tests.integration.waiting_line import (
    admitted,
    bought,
    joined,
    one_inside_two_in_line,
    polled,
    refused,
    served_in_turn,
    shop_with_room,
)

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = pytest.mark.integration

INSIDE = 20
"""How many the room of a crowd admits at a time."""


def age(client: "RedisClient", key: str, by_s: float) -> None:
    """Make what a sorted set of the line says as old as waiting would have made it."""
    (name,) = client.keys(f"{{room:*}}:{key}")
    for member, score in client.zrange(name, 0, -1, withscores=True):
        client.zadd(name, {member: score - by_s * 1e6})


def test_an_admission_is_good_for_one_order(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server) as run:
            await run.sale()
            ticket = await admitted(run, "ada")
            again = await polled(run, ticket["ticket_id"])
            assert again.json() == ticket
            token = ticket["admission_token"]
            first = await bought(run, "k1", token, customer="ada")
            assert first.status_code == 201, first.text
            for spent in (token, None):
                replay = await bought(run, "k1", spent, customer="ada")
                assert replay.headers["Idempotent-Replayed"] == "true"
                assert replay.content == first.content
            other = await bought(run, "k2", token, customer="ada")
            assert refused(other) == (403, "admission_required", "spent")
            gone = await polled(run, ticket["ticket_id"])
            assert refused(gone) == (410, "position_expired", "absent_or_used")
            anew = await admitted(run, "ada")
            assert (await bought(run, "k2", anew["admission_token"], customer="ada")).is_success
            seen = await scraped(run)
            room = "storefront_waiting_room"
            assert value(seen, f"{room}_joined_total") == 2
            assert value(seen, f"{room}_admitted_total") == 2
            assert value(seen, f"{room}_left_total", how="checked_out") == 2
            assert value(seen, f"{room}_tickets", place="active") == 0

    asyncio.run(scenario())


def test_a_token_that_is_not_for_this_checkout_is_refused(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server) as run:
            await run.sale()
            assert run.shop.room is not None
            ticket = await admitted(run, "ada")
            token = ticket["admission_token"]
            claims, _dot, signature = token.partition(".")
            mallory = await admitted(run, "mallory")
            true = run.shop.room.admission_in(token)
            assert true is not None
            secret = sign(b"admissions", run.shop.settings.signing_secret)
            late = sealed(replace(true, expires_us=1), secret=secret)
            before = sealed(replace(true, opens_us=true.opens_us - 1), secret=secret)
            for wrong, reason in (
                (None, "missing"),
                ("nonsense", "invalid"),
                (ticket["ticket_id"], "invalid"),
                (f"{mallory['admission_token'].partition('.')[0]}.{signature}", "invalid"),
                (f"{claims}.{mallory['admission_token'].partition('.')[2]}", "invalid"),
                (mallory["admission_token"], "other_customer"),
                (late, "expired"),
                (before, "other_sale"),
            ):
                answer = await bought(run, "k", wrong, customer="ada")
                assert refused(answer) == (403, "admission_required", reason), wrong
            assert await run.stock() == (10, 0, 0)
            assert (await bought(run, "k", token, customer="ada")).is_success

    asyncio.run(scenario())


def test_who_gives_up_is_out_and_the_next_one_in(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server, active=1) as run:
            await run.sale()
            ada = await admitted(run, "ada")
            bob = (await joined(run, "bob")).json()
            assert (bob["status"], bob["position"]) == ("waiting", 1)
            path = f"/v1/queue/tickets/{ada['ticket_id']}"
            for _ in range(2):
                assert (await run.client.delete(path)).json()["status"] == "given_up"
            answer = await bought(run, "k", ada["admission_token"], customer="ada")
            assert refused(answer) == (403, "admission_required", "given_up")
            await admitted(run, "bob")
            assert refused(await polled(run, "not a ticket"))[:2] == (404, "unknown_ticket")

    asyncio.run(scenario())


def test_one_admission_and_many_checkouts_at_once_make_one_order(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server) as run:
            await run.sale()
            token = (await admitted(run, "ada"))["admission_token"]
            answers = await asyncio.gather(
                *(bought(run, f"k{n}", token, customer="ada") for n in range(20))
            )
            codes = sorted(answer.status_code for answer in answers)
            assert codes.count(201) == 1
            others = {refused(answer)[1] for answer in answers if answer.status_code != 201}
            assert others <= {"admission_required", "key_in_flight"}
            assert await run.stock() == (9, 1, 0)

    asyncio.run(scenario())


def test_all_who_wait_are_told_at_once_that_it_is_sold_out(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server, active=2) as run:
            await run.sale(stock=1)
            ada, bob = await admitted(run, "ada"), await admitted(run, "bob")
            waits = (await joined(run, "eve", sku="HOT")).json()
            other = (await joined(run, "joe", sku="BASE")).json()
            last = await bought(run, "k1", ada["admission_token"], customer="ada")
            late = await bought(run, "k2", bob["admission_token"], customer="bob")
            assert refused(late)[:2] == (409, "sold_out")
            again = await bought(run, "k3", bob["admission_token"], customer="bob", sku="BASE")
            assert refused(again) == (403, "admission_required", "given_up")
            assert (await run.pay(last.json()["order_id"], "p")).is_success
            run.shop.catalogue.forget()
            assert refused(await polled(run, waits["ticket_id"]))[:2] == (409, "sold_out")
            assert refused(await joined(run, "kim", sku="HOT"))[:2] == (409, "sold_out")
            assert (await admitted(run, "joe", sku="BASE"))["status"] == "admitted"
            assert other["status"] == "waiting"

    asyncio.run(scenario())


def test_the_line_stays_while_units_are_only_on_hold_and_nobody_is_called(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """Who waits gets the unit of an order that is never paid, at its turn."""

    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server) as run:
            await run.sale(items=[{"sku": "HOT", "stock": 1, "price": 100}])
            ada = await admitted(run, "ada")
            held = await bought(run, "k1", ada["admission_token"], customer="ada")
            run.shop.catalogue.forget()
            bob = (await joined(run, "bob", sku="HOT")).json()
            eve = (await joined(run, "eve")).json()
            for place, ticket in enumerate((bob, eve), 1):
                assert (ticket["status"], ticket["position"]) == ("waiting", place)
            await asyncio.sleep(0.6)
            assert (await polled(run, bob["ticket_id"])).json()["status"] == "waiting"
            await run.client.post(f"/v1/orders/{held.json()['order_id']}/cancel")
            run.shop.catalogue.forget()
            again = await admitted(run, "bob", sku="HOT")
            assert again["ticket_id"] == bob["ticket_id"]
            assert (await bought(run, "k2", again["admission_token"], customer="bob")).is_success

    asyncio.run(scenario())


@pytest.mark.parametrize("replicas", [1, 2])
def test_two_hundred_in_line_for_fifty_units_get_fifty_first_come_first_served(
    replicas: int, shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """Whoever is called may ask a moment late, so some who came after are inside before them.

    But never more than the room holds: the k-th who is admitted was called with at most `INSIDE`
    - 1 others who had not asked yet, and nobody was passed over.
    """
    room = {"active": INSIDE, "rate": 50, "provider_timeout_s": 60}

    async def scenario() -> None:
        opened = partial(shop_with_room, server=redis_server, **room)
        async with replicas_of(opened, shop_dsn, tmp_path, number=replicas) as runs:
            await runs[0].sale(stock=50)
            crowd = [f"c{n}" for n in range(200)]
            joining = (joined(runs[n % replicas], c, sku="HOT") for n, c in enumerate(crowd))
            places = await asyncio.gather(*joining)
            served = await asyncio.gather(*map(partial(served_in_turn, runs), crowd, places))
            sold = [each for each in served if each.answer.status_code == 201]
            others = {refused(each.answer)[1] for each in served if each not in sold}
            assert (len(sold), others) == (50, {"sold_out"})
            assert await runs[-1].stock() == (0, 0, 50)
            came = sorted(served, key=lambda each: each.joined_us)
            admissions = sorted((e for e in served if e.admitted_s), key=lambda e: e.admitted_s)
            for turn, each in enumerate(admissions):
                assert came.index(each) < turn + INSIDE
            rows = [row for row in await runs[-1].ledger() if row["table"] == "orders"]
            assert {row["user_ref"] for row in rows} == {each.customer for each in sold}

    asyncio.run(scenario())


def test_who_is_not_heard_of_and_who_does_not_buy_lose_their_places(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server, active=1) as run:
            ada, bob, eve = await one_inside_two_in_line(run)
            with redis_server.client() as client:
                age(client, "due", -60)
                early = await polled(run, eve["ticket_id"])
                assert refused(early)[:2] == (429, "polled_too_early")
                age(client, "due", 71)
                assert (await polled(run, eve["ticket_id"])).json()["position"] == 1
                assert refused(await polled(run, bob["ticket_id"]))[:2] == (410, "position_expired")
                age(client, "active", 301)
            assert (await admitted(run, "eve"))["ticket_id"] == eve["ticket_id"]
            assert refused(await polled(run, ada["ticket_id"]))[:2] == (410, "position_expired")
            seen = await scraped(run)
            assert value(seen, "storefront_waiting_room_left_total", how="absent") == 1
            assert value(seen, "storefront_waiting_room_left_total", how="lapsed") == 1

    asyncio.run(scenario())


def test_a_paused_sale_admits_nobody_and_an_ended_one_has_no_line(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async def scenario() -> None:
        async with shop_with_room(shop_dsn, tmp_path, redis_server) as run:
            missing = await joined(run, "ada")
            assert refused(missing)[:2] == (404, "unknown_campaign")
            await run.sale()
            operator = {"Authorization": "Bearer ops"}
            await run.client.post("/ops/campaigns/sale/pause", headers=operator)
            ticket = (await joined(run, "ada")).json()
            assert ticket["status"] == "waiting"
            await asyncio.sleep(0.6)
            assert (await polled(run, ticket["ticket_id"])).status_code == 202
            await run.client.post("/ops/campaigns/sale/resume", headers=operator)
            await admitted(run, "ada")
            await run.sale()
            other = await polled(run, ticket["ticket_id"])
            assert refused(other) == (410, "position_expired", "other_sale")
            await run.sale(**OVER)
            assert refused(await joined(run, "ada"))[:2] == (410, "campaign_ended")
            assert refused(await bought(run, "k", None))[:2] == (410, "campaign_ended")

    asyncio.run(scenario())
