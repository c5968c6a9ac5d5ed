"""Shoppers in the line of a shop under test."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx

from tests.integration.documented import documented_shop
from tests.integration.redis_server import RedisServer
from tests.integration.running_shop import Rehearsed


def shop_with_room(
    dsn: str,
    folder: Path,
    server: RedisServer,
    *,
    rate: float = 1000,
    active: int = 100,
    **other: Any,
) -> AbstractAsyncContextManager[Rehearsed]:
    return documented_shop(
        dsn,
        folder,
        redis_url=server.url,
        waiting_room_rate=rate,
        waiting_room_active=active,
        **other,
    )


AGAIN_S = 0.2


async def joined(run: Rehearsed, customer: str, **wish: str) -> httpx.Response:
    body = {"customer": customer, **wish}
    return await run.client.post("/v1/queue/sale/tickets", json=body)


async def polled(run: Rehearsed, ticket: str) -> httpx.Response:
    return await run.client.get(f"/v1/queue/tickets/{ticket}")


async def admitted(run: Rehearsed, customer: str, **wish: str) -> dict[str, Any]:
    """Join and ask until it is this customer's turn."""
    async with asyncio.timeout(30):
        while True:
            answer = await joined(run, customer, **wish)
            if answer.status_code == 200:
                return dict(answer.json())
            assert answer.status_code == 202, answer.text
            await asyncio.sleep(0.02)


async def one_inside_two_in_line(run: Rehearsed) -> tuple[dict[str, Any], ...]:
    """Open a sale whose room admits one, and return the tickets of ada, who is in, bob and eve."""
    await run.sale()
    ada = await admitted(run, "ada")
    bob, eve = (await joined(run, "bob")).json(), (await joined(run, "eve")).json()
    assert [ticket["position"] for ticket in (bob, eve)] == [1, 2]
    return ada, bob, eve


async def bought(
    run: Rehearsed, key: str, token: str | None, *, customer: str = "", sku: str = "HOT"
) -> httpx.Response:
    headers = {"Idempotency-Key": key} | ({"Admission-Token": token} if token else {})
    body = {
        "client_ref": key,
        "customer": customer or f"customer-{key}",
        "campaign_id": "sale",
        "lines": [{"sku": sku, "qty": 1}],
    }
    return await run.client.post("/v1/checkouts", json=body, headers=headers)


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    body = answer.json()
    return answer.status_code, body["code"], body.get("reason")


@dataclass(frozen=True)
class Served:
    """What became of one who stood in line: when they came, were let in, and tried to buy.

    Attributes:
        joined_us: By the clock of Redis; the last time, of who was not heard of and came again.
        admitted_s: By our own clock; None for who was sent away before.
    """

    customer: str
    joined_us: int
    admitted_s: float | None
    answer: httpx.Response


async def served_in_turn(runs: Sequence[Rehearsed], customer: str, place: httpx.Response) -> Served:
    """Ask one replica after the other until it is this customer's turn; buy, or be sent away."""
    room, joined_us, ticket_id = runs[0].shop.room, 0, ""
    assert room is not None
    for run in cycle(runs):
        if place.status_code in (410, 429):
            place = await unless_shed(joined, run, customer, sku="HOT")
        if place.status_code == 409:
            return Served(customer, joined_us, None, place)
        told = place.json()
        if place.is_success:
            ticket_id = told["ticket_id"]
            ticket = room.ticket_in(ticket_id)
            assert ticket is not None
            joined_us = ticket.joined_us
        if place.status_code == 200:
            admitted_s = time.monotonic()
            token = told["admission_token"]
            answer = await unless_shed(bought, run, customer, token, customer=customer)
            if answer.is_success:
                order_id = answer.json()["order_id"]
                assert (await unless_shed(run.pay, order_id, customer)).is_success
            return Served(customer, joined_us, admitted_s, answer)
        await asyncio.sleep(_until(told["poll_after"]))
        place = await unless_shed(polled, run, ticket_id)
    raise AssertionError("replicas never run out")


async def unless_shed(
    ask: Callable[..., Awaitable[httpx.Response]], *arguments: object, **named: str
) -> httpx.Response:
    """Ask again for as long as the shop sheds, which a crowd on a slow machine makes it do."""
    for _ in range(300):
        answer = await ask(*arguments, **named)
        if answer.status_code != 429:
            return answer
        await asyncio.sleep(AGAIN_S)
    raise AssertionError("the shop has shed for a minute")


def _until(at: str) -> float:
    return max(0.0, (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds())
