"""Shoppers in the line of a shop under test."""

from contextlib import AbstractAsyncContextManager
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


async def joined(run: Rehearsed, customer: str, **wish: str) -> httpx.Response:
    body = {"customer": customer, **wish}
    return await run.client.post("/v1/queue/sale/tickets", json=body)


async def polled(run: Rehearsed, ticket: str) -> httpx.Response:
    return await run.client.get(f"/v1/queue/tickets/{ticket}")
