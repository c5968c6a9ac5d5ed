"""Telling others what happened to orders: at least once, and each consumer sorts out repeats.

A message is written in the transaction of the move that it tells of, so neither is ever without
the other. It leaves the outbox only after every consumer took it; a relay that dies in between
leaves it to be told again, and a consumer knows it by its id.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import asyncpg

from target_app.database.primary import Connection

if TYPE_CHECKING:
    from target_app.shop import Shop

AT_ONCE = 200

WAITING = """
SELECT id, order_id, status, at FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TOLD = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
NOTIFY = """
INSERT INTO notifications (outbox_id, order_id, status, at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT (outbox_id) DO NOTHING
"""

Consumer = Callable[[Connection, Sequence[asyncpg.Record]], Awaitable[None]]


async def notify(connection: Connection, messages: Sequence[asyncpg.Record]) -> None:
    """Note what a buyer is to be mailed; a message that came before is passed over."""
    columns = ("id", "order_id", "status", "at")
    await connection.execute(NOTIFY, *([row[name] for row in messages] for name in columns))


CONSUMERS: tuple[Consumer, ...] = (notify,)


async def relay(shop: "Shop") -> None:
    """Empty the outbox; replicas take different messages."""
    while await relay_some(shop) == AT_ONCE:
        pass


async def relay_some(shop: "Shop", consumers: Sequence[Consumer] = CONSUMERS) -> int:
    """Tell what waits, a batch at most; return how many messages that were.

    Consumers work on connections of their own, as they would elsewhere: their note may stand while
    ours, that the message was told, is lost.
    """
    async with shop.database.transaction() as connection:
        messages = await connection.fetch(WAITING, AT_ONCE)
        if not messages:
            return 0
        for consumer in consumers:
            async with shop.database.connection() as other:
                await consumer(other, messages)
        await connection.execute(TOLD, [row["id"] for row in messages])
    return len(messages)
